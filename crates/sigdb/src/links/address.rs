//! Addresses as links write them and as mails show them, brought into one form.

/// Longer addresses are cut.
const LONGEST: usize = 2048;
/// Hosts of more labels have more parents than are asked about.
const PARENTS: usize = 5;

/// What ends the name of a host that can be told without a scheme before it, as in ClamAV 1.4.
const TOP: &str = " ac ad ae af ag ai al am an ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bv bw by \
    bz ca cc cd cf cg ch ci ck cl cm cn co cr cu cv cx cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gb \
    gd ge gf gg gh gi gl gm gn gp gq gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh \
    ki km kn kp kr kw ky kz la lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my \
    mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg \
    sh si sj sk sl sm sn so sr st su sv sy sz tc td tf tg th tj tk tl tm tn to tp tr tt tv tw tz ua ug uk us uy uz va vc ve \
    vg vi vn vu wf ws ye yt yu za zm zw com net org edu gov mil int arpa info biz name pro aero coop museum asia cat jobs \
    mobi tel travel ";

/// Labels below a country's under which domains are registered.
const SECOND: &str = " ac co com edu gov gob ltd me mil ne net nom or org plc sch ";

/// An address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The host, in lower case.
    pub(super) host: String,
    /// The address without scheme and path.
    pub(super) text: String,
    /// It begins with `https`.
    pub(super) encrypted: bool,
    /// It hides where its host ends.
    pub(super) cloaked: bool,
    /// Its scheme, with what follows it.
    scheme: &'static str,
    /// What follows the host.
    path: String,
}

impl Address {
    /// Where a link leads; nothing if that is no page.
    pub(super) fn led_to(bytes: &[u8]) -> Option<Address> {
        let (text, cloaked) = (plain(bytes), hides(bytes));
        let (scheme, rest) = scheme(&text, true)?;
        let (text, path) = cut(rest, &['/', '?', '#']);
        let authority = text.rsplit('@').next().unwrap_or_default();
        let host = cut(authority, &[':']).0.to_ascii_lowercase();
        let named = scheme.is_empty() && (text.contains('@') || !is_name(&host));
        let (text, path) = (text.to_owned(), path.to_owned());
        let encrypted = scheme == "https://";
        (!host.is_empty() && !named).then_some(Address { host, text, encrypted, cloaked, scheme, path })
    }

    /// What a link shows, if that is an address.
    pub(super) fn shown(bytes: &[u8]) -> Option<Address> {
        let (text, cloaked) = (plain(bytes), false);
        let text = text.trim_start_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_ascii_lowercase();
        let (scheme, rest) = scheme(&text, false)?;
        let ends: &[char] = if scheme.is_empty() { &['/', '?', '#'] } else { &['/', '?', '#', ':'] };
        let (text, path) = cut(rest, ends);
        let host = text.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()).to_owned();
        let named = scheme.is_empty() && !is_name(&host);
        let encrypted = scheme == "https://";
        let (text, path) = (host.clone(), path.to_owned());
        (!host.is_empty() && !named).then_some(Address { host, text, encrypted, cloaked, scheme, path })
    }

    /// Scheme and host.
    pub(super) fn full(&self) -> String {
        format!("{}{}", self.scheme, self.text)
    }

    /// The registered domain, as far as that can be told by the last labels.
    pub(super) fn domain(&self) -> &str {
        let host = self.host.trim_end_matches('.');
        if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return host;
        }
        let mut labels = host.rsplit('.');
        let (last, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        let count = if last.len() == 2 && SECOND.contains(&format!(" {second} ")) { 3 } else { 2 };
        let start = host.rmatch_indices('.').nth(count - 1).map_or(0, |(at, _)| at.saturating_add(1));
        host.get(start..).unwrap_or(host)
    }

    /// The forms whose digests lists hold (Safe Browsing 2.3): the host and its parents, with the path and its parents.
    pub(super) fn forms(&self) -> Vec<String> {
        let path = cut(&self.path, &['#']).0;
        let (bare, query) = cut(path, &['?']);
        let bare = if bare.is_empty() { "/" } else { bare };
        let mut paths = vec![bare.to_owned()];
        if !query.is_empty() {
            paths.insert(0, format!("{bare}{query}"));
        }
        let parents = bare.match_indices('/').map(|(at, _)| bare.get(..=at).unwrap_or_default().to_owned());
        paths.extend(parents.take(4).filter(|parent| parent != bare));
        let labels = self.host.matches('.').count();
        let starts = self.host.match_indices('.').map(|(at, _)| at.saturating_add(1));
        let starts = starts.skip(labels.saturating_sub(PARENTS)).take(PARENTS.min(labels).saturating_sub(1));
        let hosts = std::iter::once(self.host.as_str()).chain(starts.filter_map(|start| self.host.get(start..)));
        hosts.flat_map(|host| paths.iter().map(move |path| format!("{host}{path}"))).collect()
    }
}

/// True if the host is followed by characters that end it for some programs (observed: `%00` or `%01`, and something behind
/// it before the path; escaped twice too).
fn hides(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes.get(..LONGEST).unwrap_or(bytes)).replace("%25", "%");
    let rest = text.split_once("//").map_or(text.as_str(), |(_, rest)| rest);
    let authority = cut(rest, &['/', '?', '#']).0;
    let follows = |at: usize| at.saturating_add(3) < authority.len();
    ["%00", "%01"].iter().any(|sign| authority.find(sign).is_some_and(follows))
}

/// Escapes resolved, without blanks, and without control characters that are not escaped.
fn plain(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes.get(..LONGEST).unwrap_or(bytes);
    while let Some((first, after)) = rest.split_first() {
        let escaped = escape(rest);
        rest = escaped.map_or(after, |(_, after)| after);
        match escaped.map_or(*first, |(byte, _)| byte) {
            // What is escaped is part of the host, and makes another one of it.
            0..=b' ' | 0x7f if escaped.is_none() => {}
            b' ' => {}
            b'\\' => text.push('/'),
            byte => text.push(char::from(byte)),
        }
    }
    text
}

/// The byte that `%xx` stands for, and what follows.
fn escape(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let [b'%', high, low, rest @ ..] = bytes else { return None };
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from((digit(high)? << 4) | digit(low)?).ok().map(|byte| (byte, rest))
}

/// The scheme with what follows it, and the rest; an empty one if there is none. Nothing for schemes that are no pages'.
fn scheme(text: &str, lax: bool) -> Option<(&'static str, &str)> {
    for (name, full) in [("http", "http://"), ("https", "https://"), ("ftp", "ftp://")] {
        let Some(rest) = text.get(..name.len()).filter(|start| start.eq_ignore_ascii_case(name)) else { continue };
        let Some(rest) = text.get(rest.len()..).and_then(|rest| rest.strip_prefix(':')) else { continue };
        if lax {
            return Some((full, rest.trim_start_matches('/')));
        }
        return rest.strip_prefix("//").map(|rest| (full, rest));
    }
    Some(("", text))
}

/// What stands before the first of these, and the rest.
fn cut<'t>(text: &'t str, ends: &[char]) -> (&'t str, &'t str) {
    let end = text.find(ends).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// True if it can only be the name of a host.
fn is_name(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'));
    let top = text.rsplit_once('.').map(|(_, top)| top.to_ascii_lowercase());
    letters && top.is_some_and(|top| !top.is_empty() && TOP.contains(&format!(" {top} ")))
}
