//! The table of contents: XML, of which a handful of elements matter.

/// Elements inside each other, at most.
const DEEPEST: usize = 256;
/// Bytes of a name that are kept.
const LONGEST: usize = 1024;

/// Where the data of a file stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Data {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) size: Option<u64>,
    /// The style of `encoding`.
    pub(super) encoding: String,
}

/// A walk through the table.
pub(super) struct Table {
    text: Vec<u8>,
    at: usize,
    /// Names of open elements.
    open: Vec<Vec<u8>>,
    /// Files that are open, outermost first.
    files: Vec<File>,
    whole: bool,
}

#[derive(Default)]
struct File {
    name: Vec<u8>,
    data: Option<Data>,
}

/// A tag and the text behind it.
struct Token {
    tag: Vec<u8>,
    text: Vec<u8>,
}

impl Table {
    pub(super) fn new(text: Vec<u8>) -> Table {
        Table { text, at: 0, open: Vec::new(), files: Vec::new(), whole: false }
    }

    /// True if the table was read to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// The next file that has data: its path, and where they stand.
    pub(super) fn next_file(&mut self) -> Option<(Vec<u8>, Data)> {
        loop {
            let token = self.next_token()?;
            let found = match token.tag.first()? {
                b'/' => self.close(token.tag.get(1..).unwrap_or_default()),
                b'?' | b'!' => None,
                _ => {
                    self.start(&token);
                    None
                }
            };
            if found.is_some() {
                return found;
            }
        }
    }

    fn next_token(&mut self) -> Option<Token> {
        let rest = self.text.get(self.at..)?;
        let start = memchr::memchr(b'<', rest)? + 1;
        let end = start + memchr::memchr(b'>', rest.get(start..)?)?;
        let text_end = end + memchr::memchr(b'<', rest.get(end..)?).unwrap_or(rest.len() - end);
        let tag = rest.get(start..end)?.to_vec();
        let text = rest.get(end + 1..text_end).unwrap_or_default().trim_ascii();
        let text = text.get(..LONGEST).unwrap_or(text).to_vec();
        self.at += text_end;
        (!tag.is_empty()).then_some(Token { tag, text })
    }

    fn start(&mut self, token: &Token) {
        let closed = token.tag.ends_with(b"/");
        let name = token.tag.split(|byte| byte.is_ascii_whitespace() || *byte == b'/').next().unwrap_or_default();
        match name {
            b"file" => self.files.push(File::default()),
            b"data" => {
                if let Some(file) = self.files.last_mut() {
                    file.data = Some(Data::default());
                }
            }
            _ => self.take(name, token),
        }
        if !closed && self.open.len() < DEEPEST {
            self.open.push(name.to_vec());
        }
    }

    fn take(&mut self, name: &[u8], token: &Token) {
        let parent = self.open.last().cloned().unwrap_or_default();
        let Some(file) = self.files.last_mut() else { return };
        match (parent.as_slice(), name) {
            (b"file", b"name") => file.name = unescape(&token.text),
            (b"data", _) => {
                let Some(data) = file.data.as_mut() else { return };
                match name {
                    b"offset" => data.offset = number(&token.text).unwrap_or(0),
                    b"length" => data.length = number(&token.text).unwrap_or(0),
                    b"size" => data.size = number(&token.text),
                    b"encoding" => data.encoding = attribute(&token.tag, b"style"),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &[u8]) -> Option<(Vec<u8>, Data)> {
        if let Some(place) = self.open.iter().rposition(|open| open == name) {
            self.open.truncate(place);
        }
        self.whole |= name == b"xar";
        if name != b"file" {
            return None;
        }
        let names: Vec<&[u8]> = self.files.iter().map(|file| file.name.as_slice()).collect();
        let path = names.join(&b'/');
        let data = self.files.pop()?.data?;
        (data.length > 0).then_some((path, data))
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The value of an attribute: `style="application/x-gzip"`.
fn attribute(tag: &[u8], name: &[u8]) -> String {
    let mut parts = tag.split(|byte| matches!(byte, b'"' | b'\''));
    while let (Some(before), Some(value)) = (parts.next(), parts.next()) {
        if before.trim_ascii().strip_suffix(b"=").is_some_and(|before| before.trim_ascii().ends_with(name)) {
            return String::from_utf8_lossy(value).into_owned();
        }
    }
    String::new()
}

fn unescape(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&amp;", "&").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_in_folders() {
        let text = br#"<?xml version="1.0"?><xar><toc><file id="1"><name>a &amp; b</name><type>directory</type>
            <file id="2"><data><archived-checksum style="sha1">x</archived-checksum><offset>20</offset>
            <encoding style="application/x-gzip"/><length>9</length><size>30</size></data><name>c</name></file></file></toc></xar>"#;
        let mut table = Table::new(text.to_vec());
        let data = Data { offset: 20, length: 9, size: Some(30), encoding: "application/x-gzip".to_string() };
        assert_eq!(table.next_file(), Some((b"a & b/c".to_vec(), data)));
        assert_eq!((table.next_file(), table.is_whole()), (None, true));
    }

    #[test]
    fn a_broken_table_ends() {
        for text in
            [&b"<xar><file><name>a</name><data><length>5</length>"[..], b"<", b"<><file>", b"</file></file>", b""]
        {
            let mut table = Table::new(text.to_vec());
            assert_eq!((table.next_file(), table.is_whole()), (None, false));
        }
    }
}
