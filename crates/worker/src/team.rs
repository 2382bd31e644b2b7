//! A team as one of its workers sees it: the pool, which is asked over the socket that the request came by.

use dachs_base::{Claim, Piece, Role, Turn};
use dachs_engine::Team;
use dachs_proto::{Answered, Body, Reply, exit};
use dachs_sys::jail::socket;
use dachs_sys::process::exit_now;
use dachs_sys::socket::{receive_with_descriptors, send};

/// The way to the others.
pub(crate) struct Talk {
    /// The number of the request.
    pub(crate) number: u64,
    pub(crate) role: Role,
}

impl Talk {
    /// Says it to the pool. A piece that is too long cannot be said: the worker ends, and the file is given to one alone.
    fn say(&self, body: Body) {
        let said = Reply::single(self.number, body, 0).encode();
        if said.is_ok_and(|packet| send(socket(), &packet, None).is_ok()) {
            return;
        }
        exit_now(exit::TALK)
    }

    /// What the pool answers; a worker that nobody answers any more has nothing to do.
    fn hear(&self) -> Turn {
        let mut packet = [0; Answered::LONGEST];
        let heard = receive_with_descriptors(socket(), &mut packet).ok();
        let answered = heard.and_then(|(length, _)| Answered::decode(packet.get(..length)?).ok());
        match answered {
            Some(Answered(turn)) => turn,
            None => exit_now(exit::TALK),
        }
    }
}

impl Team for Talk {
    fn role(&self) -> Role {
        self.role
    }

    fn claim(&self, claim: Claim) -> Turn {
        self.say(Body::Claim(claim));
        self.hear()
    }

    fn tell(&self, piece: Piece) {
        self.say(Body::Piece(Box::new(piece)));
    }
}
