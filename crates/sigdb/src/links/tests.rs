//! Links as ClamAV 1.4.6 judged them.

use super::*;

fn links(rules: Vec<LinkRule>) -> Links {
    let mut lists = Lists::default();
    rules.into_iter().for_each(|rule| lists.push(rule).unwrap());
    lists.digests.sort();
    Links { lists: Arc::new(lists), compiled: Arc::default() }
}

fn judge(links: &Links, real: &str, shown: &str) -> Option<Heuristic> {
    links.judge(real.as_bytes(), shown.as_bytes(), &LinkOptions::default())
}

fn host(host: &str) -> LinkRule {
    LinkRule::Host(host.to_owned())
}

#[test]
fn links_of_listed_hosts_must_not_lead_elsewhere() {
    let links = links(vec![host("bank.com"), host("bank.co.uk")]);
    let shown = [
        "bank.com",
        "BANK.COM",
        "http://bank.com",
        "a.b.bank.com",
        "-bank.com",
        "bank.com.",
        "\"bank.com\"",
        "[bank.com]",
        "bank.com/a b",
        "ba nk.com",
        "http://bank.com:8080/",
        "http://bank%2ecom",
        "bank.com%",
        "http:\\\\www.bank.com",
        "bank.co.uk",
    ];
    for shown in shown {
        assert_eq!(judge(&links, "http://www.evil.com/x", shown), Some(Heuristic::PhishingSpoofed), "{shown}");
    }
    let other = [
        "other.com",
        "click",
        "bank.co",
        "x@bank.com",
        "www.bank.com text",
        "Visit: bank.com",
        "bank.com:80",
        "xbank.com",
    ];
    for shown in other {
        assert_eq!(judge(&links, "http://www.evil.com/x", shown), None, "{shown}");
    }
    let elsewhere = [
        "http://1.2.3.4/x",
        "http://user@evil.com/x",
        "http://bank.com@evil.com/x",
        "http://bank.com.evil.com",
        "evil.com/x y",
        "http://evil.com/bank.com",
        "http://evilbank.com",
        "ftp://evil.com",
        "http://evil",
        " http://evil.com",
        "www.evil.com",
    ];
    for real in elsewhere {
        assert_eq!(judge(&links, real, "bank.com"), Some(Heuristic::PhishingSpoofed), "{real}");
    }
    for real in [
        "mailto:x@evil.com",
        "javascript:x",
        "/x",
        "",
        "#",
        "//evil.com",
        "evil",
        "tel:1",
        "http://x.bank.com",
        "HTTP://BANK.COM",
    ] {
        assert_eq!(judge(&links, real, "bank.com"), None, "{real}");
    }
    assert_eq!(judge(&links, "http://a.bank.co.uk", "b.bank.co.uk"), None);
    assert_eq!(judge(&links, "http://other.co.uk", "bank.co.uk"), Some(Heuristic::PhishingSpoofed));
}

#[test]
fn what_is_hidden_or_not_encrypted_comes_first() {
    let links = links(vec![host("bank.com")]);
    let all = LinkOptions { cloaked: true, unencrypted: true };
    let (none, cloaked, open) = (None, Some(Heuristic::PhishingCloaked), Some(Heuristic::PhishingUnencrypted));
    for (real, shown, by_default, if_asked) in [
        ("http://www.evil.com%01x", "bank.com", cloaked, cloaked),
        ("http://www.evil.com", "https://bank.com", open, open),
        ("http://www.bank.com", "https://bank.com", open, open),
        (
            "https://www.evil.com",
            "https://bank.com",
            Some(Heuristic::PhishingSpoofed),
            Some(Heuristic::PhishingSpoofed),
        ),
        ("http://www.evil.com%01x", "http://other.com", none, cloaked),
        ("http://www.other.com", "https://other.com", none, open),
        ("http://www.evil.com%01x", "click", none, none),
    ] {
        assert_eq!(judge(&links, real, shown), by_default, "{real} {shown}");
        assert_eq!(links.judge(real.as_bytes(), shown.as_bytes(), &all), if_asked, "{real} {shown}");
    }
}

#[test]
fn allowed_pairs_are_not_suspicious() {
    let hosts = LinkRule::AllowedHosts { real: "good.com".into(), shown: "bank.com".into() };
    let pair = LinkRule::AllowedPair(r".+\.fine\.com(?:[/?].*)?:.+\.bank\.com(?:[/?].*)?/".into());
    let links = links(vec![host("bank.com"), hosts, pair]);
    for (real, shown, suspicious) in [
        ("http://good.com/x", "bank.com", false),
        ("http://www.good.com/x", "https://bank.com", false),
        ("http://good.com/x", "www.bank.com", true),
        ("http://xgood.com/x", "bank.com", true),
        ("http://www.fine.com/x", "www.bank.com", false),
        ("http://www.fine.com/x", "http://www.bank.com/x/y", false),
        ("http://fine.com/x", "www.bank.com", true),
        ("http://www.fine.com.evil.org/", "www.bank.com", true),
    ] {
        assert_eq!(judge(&links, real, shown).is_some(), suspicious, "{real} {shown}");
    }
}

#[test]
fn expressions_list_pairs() {
    let links = links(vec![LinkRule::Pair(r"evil\.com:bank\.com/".into()), LinkRule::Pair(r".+:shop\.com/".into())]);
    assert!(judge(&links, "http://evil.com/x", "bank.com").is_some());
    assert!(judge(&links, "http://x.com", "shop.com").is_some());
    assert!(judge(&links, "http://www.evil.com/x", "www.bank.com").is_none());
    assert!(judge(&links, "http://x.com", "www.shop.com").is_none());
}

#[test]
fn an_address_is_allowed_whatever_is_shown() {
    let rules = |allowed: &str| vec![LinkRule::Host("bank.com".into()), LinkRule::AllowedAddress(allowed.into())];
    for (allowed, found) in [(r".+\.ours\.com/", None), (r".+\.theirs\.com/", Some(Heuristic::PhishingSpoofed))] {
        let links = links(rules(allowed));
        let judged = links.judge(b"http://www.ours.com/a", b"http://www.bank.com/", &LinkOptions::default());
        assert_eq!(judged, found, "{allowed}");
    }
}

#[test]
fn addresses_are_blocked_by_their_digest() {
    let digest = |text: &str, says| LinkRule::Digest { digest: Sha256::digest(text.as_bytes()).to_vec(), says };
    let links = links(vec![
        digest("evil.com/", DigestSays::Blocked),
        digest("bad.org/x?y", DigestSays::Blocked),
        digest("ok.com/", DigestSays::Blocked),
        digest("ok.com/", DigestSays::Allowed),
        digest("ok.evil.com/", DigestSays::Allowed),
    ]);
    for (real, blocked) in [
        ("http://evil.com/", true),
        ("http://www.evil.com/a/b?c", true),
        // As in ClamAV 1.4.6: what is allowed is the digest, not the address.
        ("http://ok.evil.com/", true),
        ("http://ok.com/", false),
        ("http://bad.org/x?y", true),
        ("http://bad.org/x", false),
    ] {
        assert_eq!(judge(&links, real, "click").is_some(), blocked, "{real}");
    }
}
