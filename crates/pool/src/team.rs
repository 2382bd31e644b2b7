//! Slots that look at one large file together: one leads, and those that have nothing else to do help.
//!
//! ```text
//! leading slot   hire, request --offer--> queue --Help--> helping slot   hire, request
//!                claims, pieces <---> Joint <---> claims, pieces
//!                merged report, or the file is asked of one worker alone
//! ```
//!
//! What workers look at, and why the report is the one that one worker gives, stands in `dachs_engine::team`. Slots take jobs that wait
//! before they help, and helping is no job: a file is led by the slot that took it, and its job is done when the leader says so.
//! A helper lives for one file, as the leader's worker does, in the same jail, with the same file and nothing else.

use crate::Job;
use crate::control::Control;
use crate::ends::Loss;
use crate::joint::{Joint, Member};
use crate::slot::{Hired, Slot};
use dachs_base::{Anomaly, Class, FileKind, Report, Role};
use dachs_proto::{Answered, Body, Place};
use dachs_sys::socket;
use std::sync::Arc;
use std::time::Duration;

/// So many may help with a compressed stream, which each of them decodes: more would wait for their decoders most of the time.
const STREAM_HELPERS: usize = 7;
/// A socket that waits for no time waits for ever.
const LEAST_WAIT: Duration = Duration::from_millis(1);

impl Slot<'_> {
    /// True if several workers may look at a file that is said to be of this kind.
    pub(crate) fn is_for_team(&self, job: &Job, kind: FileKind) -> bool {
        job.size >= self.shop.shared_from && matches!(kind.class(), Class::Archive | Class::Stream)
    }

    /// Scans a file with the help of those who have nothing else to do. `None` if it is to be given to one worker alone.
    pub(crate) fn lead(&mut self, job: &Job, kind: FileKind) -> Option<Result<Body, Anomaly>> {
        let time = self.hard_deadline(std::slice::from_ref(job));
        let most = if kind.class() == Class::Stream { STREAM_HELPERS } else { usize::MAX };
        let joint = Arc::new(Joint::new(job, time, most).ok()?);
        let mut own = match self.hire(Some(job.size)) {
            Ok(own) => own,
            Err(anomaly) => return Some(Err(anomaly)),
        };
        let mut member = Member::new(Role::Leader);
        let ended = self.lead_with(&mut own, &joint, &mut member);
        self.shop.queue.withdraw(&joint);
        let helped = joint.was_helped();
        joint.close();
        match ended {
            Ok(last) => {
                Control::kill(&own.worker);
                self.done = Some(own.worker);
                joint.outcome(&member, last, &self.shop.limits).map(|report| Ok(Body::Report(report)))
            }
            Err(loss) => {
                let anomaly = self.bury(own.worker, &loss, std::slice::from_ref(job));
                // Who was alone in it would only die again, and one who is late has had the time of all.
                (!helped || loss == Loss::Late).then_some(Err(anomaly))
            }
        }
    }

    fn lead_with(&mut self, own: &mut Hired, joint: &Arc<Joint>, member: &mut Member) -> Result<Report, Loss> {
        let place = Place { role: Role::Leader, late: Duration::ZERO };
        self.send(own, std::slice::from_ref(&joint.job), false, Some(place))?;
        let shop = self.shop;
        let _busy = shop.busy.enter(std::iter::once(joint.job.tag), &own.worker);
        shop.queue.offer(joint);
        self.listen(own, joint, member)
    }

    /// Helps with a file.
    pub(crate) fn help(&mut self, joint: &Joint) {
        let mut member = Member::new(Role::Helper);
        let Ok(mut own) = self.hire(Some(joint.job.size)) else {
            // There may be no more processes for now: the others do without.
            return joint.leave(None, &member, false);
        };
        let handle = own.worker.shared_handle();
        let shop = self.shop;
        let busy = shop.busy.enter(std::iter::once(joint.job.tag), &own.worker);
        let place = Place { role: Role::Helper, late: joint.age() };
        let lost = joint.enter(Arc::clone(&handle))
            && self
                .send(&own, std::slice::from_ref(&joint.job), false, Some(place))
                .and_then(|()| self.listen(&mut own, joint, &mut member))
                .is_err();
        drop(busy);
        Control::kill(&own.worker);
        joint.leave(Some(&handle), &member, lost);
        match lost {
            true => drop(self.shop.control.end(own.worker)),
            false => self.done = Some(own.worker),
        }
    }

    /// Listens to a worker of a team until it is done; gives its last word.
    fn listen(&mut self, own: &mut Hired, joint: &Joint, member: &mut Member) -> Result<Report, Loss> {
        loop {
            let left = joint.time_left();
            if left.is_zero() {
                return Err(Loss::Late);
            }
            if joint.has_failed() {
                return Err(Loss::Undelivered);
            }
            own.wait_at_most(left.max(LEAST_WAIT)).map_err(|_| Loss::Died)?;
            let (told, weight) = self.weighed_reply(&own.worker)?;
            let nonsense = |why: &str| Loss::Nonsense(why.to_owned());
            match told.into_iter().next().map(|file| file.body) {
                Some(Body::Claim(claim)) => {
                    let turn = joint.answer(member, claim).map_err(nonsense)?;
                    let packet = Answered(turn).encode().map_err(|_| Loss::Died)?;
                    socket::send(own.worker.socket(), &packet, None).map_err(|_| Loss::Died)?;
                }
                Some(Body::Piece(piece)) => joint.take(member, *piece, weight).map_err(nonsense)?,
                Some(Body::Report(report)) => return Ok(report),
                Some(Body::Panicked(place)) => return Err(Loss::Panicked(place)),
                _ => return Err(nonsense("no word of a team")),
            }
        }
    }
}
