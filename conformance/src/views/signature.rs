//! Signatures that ask for words in views.

use crate::random::Random;

/// A generated signature.
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) ending: &'static str,
    pub(crate) line: String,
    pub(crate) target: u8,
}

impl Signature {
    /// Its line, without what it says of the object around its object.
    pub(crate) fn without_container(&self) -> String {
        let Some((before, after)) = self.line.split_once(",Container:") else { return self.line.clone() };
        let after = after.find([',', ';']).map_or("", |end| &after[end..]);
        format!("{before}{after}")
    }

    /// What the objects that it can be found in depend on.
    pub(crate) fn features(&self) -> Vec<&'static str> {
        let all = [("zip", self.line.contains("CL_TYPE_ZIP"))];
        all.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }
}

/// A signature for one of the targets that have views, or any.
pub(crate) fn random(random: &mut Random, number: usize, words: &[String]) -> Signature {
    let name = format!("T.View.{number}");
    let target = *random.pick(&[0, 2, 3, 4, 7]);
    if random.once_in(2) {
        let place = random.pick::<&str>(&["*", "*", "*", "0,3000", "EOF-2000,2000"]);
        let line = format!("{name}:{target}:{place}:{}", body(random, words));
        return Signature { name, ending: "ndb", line, target };
    }
    let container = match random.below(8) {
        0 => format!(",Container:CL_TYPE_{}", random.pick(&["ANY", "MAIL", "ZIP", "MSOLE2", "OOXML_WORD"])),
        1 => format!(",FileSize:{}-{}", random.below(200), random.range(300, 6000)),
        _ => String::new(),
    };
    let (expression, subs) = subsignatures(random, words);
    let line = format!("{name};Engine:81-255{container},Target:{target};{expression};{subs}");
    Signature { name, ending: "ldb", line, target }
}

fn subsignatures(random: &mut Random, words: &[String]) -> (String, String) {
    let one = |random: &mut Random| body(random, words) + random.pick::<&str>(&["", "", "::i", "::i", "::f", "::wa"]);
    match random.below(6) {
        0 => ("0".to_owned(), one(random)),
        1 => ("0&1".to_owned(), format!("{};{}", one(random), one(random))),
        2 => ("0|1".to_owned(), format!("{};{}", one(random), one(random))),
        3 => (format!("0>{}", random.below(3)), one(random)),
        4 => ("0&1=0".to_owned(), format!("{};{}", one(random), one(random))),
        _ => {
            let (first, second) = (random.pick(words).clone(), random.pick(words).clone());
            let flags = random.pick::<&str>(&["", "i", "si"]);
            ("0&1".to_owned(), format!("{}::i;0/{first}\\W+{second}|{second}[a-k]/{flags}", hex(&first)))
        }
    }
}

/// One word, or two of them with something between.
fn body(random: &mut Random, words: &[String]) -> String {
    let first = cased(random, words);
    match random.below(6) {
        0 => format!("{}20{}", first, cased(random, words)),
        1 => format!("{}*{}", first, cased(random, words)),
        2 => format!("{}{{-60}}{}", first, cased(random, words)),
        3 => format!("{}(20|22|3c|3e|2e)", first),
        _ => first,
    }
}

/// A word in hexadecimal digits, mostly as normalised forms hold it.
fn cased(random: &mut Random, words: &[String]) -> String {
    let word = random.pick(words).clone();
    hex(&if random.once_in(4) { word.to_uppercase() } else { word })
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
