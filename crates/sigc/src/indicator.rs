//! Digests in files of indicators (OpenIOC 1.0, an XML format).
//!
//! Every `Content` in an `IndicatorItem` in an `Indicator` that is a digest counts, whatever its context and whatever the
//! conditions around it, as in ClamAV. It needs no more of XML than where elements begin and end; comments, declarations
//! and CDATA are passed over.

use dachs_sigdb::model::{Digest, HashRule};

use crate::number::hex;

/// Longer files are refused, in bytes.
pub(crate) const LONGEST: usize = 16 << 20;

/// The digests of a file, as they are written, with their rules; and how many contents have the length of a digest and
/// are none.
pub(crate) fn digests(text: &str) -> (Vec<(&str, HashRule)>, u64) {
    let mut reader = Reader { rest: text, open: Vec::new() };
    let (mut found, mut none) = (Vec::new(), 0_u64);
    while let Some(content) = reader.next_content() {
        if matches!(content.len(), 32 | 40 | 64) {
            match digest(content) {
                Some(digest) => found.push((content, HashRule { digest, size: None })),
                None => none = none.saturating_add(1),
            }
        }
    }
    (found, none)
}

fn digest(text: &str) -> Option<Digest> {
    let bytes = hex(text).ok()?;
    let md5 = || bytes.as_slice().try_into().ok().map(Digest::Md5);
    let sha1 = || bytes.as_slice().try_into().ok().map(Digest::Sha1);
    md5().or_else(sha1).or_else(|| bytes.as_slice().try_into().ok().map(Digest::Sha256))
}

/// Elements are open so deep at the most; deeper ones are not looked into.
const DEEPEST: usize = 64;

struct Reader<'t> {
    rest: &'t str,
    /// The names of the elements that are open.
    open: Vec<&'t str>,
}

impl<'t> Reader<'t> {
    /// The text of the next content that counts.
    fn next_content(&mut self) -> Option<&'t str> {
        loop {
            let (_, tag) = self.rest.split_once('<')?;
            self.rest = tag;
            if self.pass() {
                continue;
            }
            let (tag, after) = tag.split_once('>')?;
            self.rest = after;
            if self.enter(tag) && self.counts() {
                let text = after.split('<').next().unwrap_or_default();
                return Some(text.trim());
            }
        }
    }

    /// Passes over what is no element; false if one follows.
    fn pass(&mut self) -> bool {
        let ends = [("!--", "-->"), ("![CDATA[", "]]>"), ("!", ">"), ("?", "?>")];
        let Some((_, end)) = ends.into_iter().find(|(start, _)| self.rest.starts_with(start)) else { return false };
        self.rest = self.rest.split_once(end).map_or("", |(_, after)| after);
        true
    }

    /// Takes a tag; true if it opens an element.
    fn enter(&mut self, tag: &'t str) -> bool {
        if let Some(name) = tag.strip_prefix('/') {
            if let Some(at) = self.open.iter().rposition(|open| *open == name.trim()) {
                self.open.truncate(at);
            }
            return false;
        }
        let name = tag.split([' ', '\t', '\r', '\n', '/']).next().unwrap_or_default();
        let opens = !tag.ends_with('/') && self.open.len() < DEEPEST;
        if opens {
            self.open.push(name);
        }
        opens
    }

    fn counts(&self) -> bool {
        matches!(self.open.as_slice(), [.., "IndicatorItem", "Content"]) && self.open.contains(&"Indicator")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MD5: &str = "6f5902ac237024bdd0c176cb93063dc4";

    fn found(text: &str) -> Vec<String> {
        digests(text).0.into_iter().map(|(hash, _)| hash.to_owned()).collect()
    }

    #[test]
    fn contents_of_items_count() {
        let item =
            |content: &str| format!("<IndicatorItem><Content type=\"md5\"> {content}\n</Content></IndicatorItem>");
        let whole =
            format!("<?xml v?><ioc><!-- <x> --><Indicator>{}<c/>{}</Indicator></ioc>", item(MD5), item("a.exe"));
        assert_eq!(found(&whole), [MD5]);
        assert_eq!(found(&format!("<ioc>{}</ioc>", item(MD5))), Vec::<String>::new());
        assert_eq!(found(&format!("<Indicator><Content>{MD5}</Content></Indicator>")), Vec::<String>::new());
        assert_eq!(digests(&whole.replace("6f59", "xf59")).1, 1);
    }

    #[test]
    fn broken_texts_end() {
        for text in ["", "<", "<a", "<!--", "</a></b><", "<Indicator><IndicatorItem><Content>", "<![CDATA[<a>"] {
            assert!(digests(text).0.is_empty(), "{text}");
        }
    }
}
