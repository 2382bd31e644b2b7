//! The filters of streams (ISO 32000-1 7.4), one behind the other.
//!
//! A chain ends before a filter that makes a picture (DCT, JPX, CCITT fax, JBIG2): its input is a file of that format, or
//! near one, and is given as it is. What a filter reads beyond its own end mark is nobody's: readers ignore it as well.
//! A missing end mark of the ASCII filters and of RunLength is accepted; DEFLATE that is cut off is damage.

mod ascii;
mod lzw;
mod predictor;
mod run_length;

use std::io::{self, BufRead, BufReader, ErrorKind, Read};

use dachs_base::Budget;

use super::syntax::{Dictionary, Name, Value};
use crate::codec;
use crate::stream::Fenced;

pub(crate) use predictor::Predictor;

/// Bytes on their way through a chain.
pub(crate) type Input = Box<dyn BufRead + Send>;

/// One filter with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Filter {
    Ascii85,
    AsciiHex,
    Flate(Option<Predictor>),
    Lzw { early: bool, predictor: Option<Predictor> },
    RunLength,
}

/// What the filters of a stream come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Chain {
    pub(super) filters: Vec<Filter>,
    /// Set if the stream has a crypt filter of its own: true for one that encrypts (ISO 32000-1 7.4.10).
    pub(super) crypt: Option<bool>,
    /// Why the rest of the chain cannot be followed.
    pub(super) trouble: Option<&'static str>,
}

/// The chain that a stream's dictionary states. Filters that stand in other objects must have been put in their place.
pub(super) fn chain(names: &[Value<'_>], parameters: &[Value<'_>]) -> Chain {
    let mut chain = Chain::default();
    for (index, value) in names.iter().enumerate() {
        let parameter = parameters.get(index).and_then(Value::as_dictionary);
        let Some(name) = value.as_name() else {
            chain.trouble = Some("a filter of the stream cannot be told");
            break;
        };
        if picture(name) {
            if index + 1 < names.len() {
                chain.trouble = Some("filters follow the one of a picture");
            }
            break;
        }
        if name.is(b"Crypt") {
            let crypt = parameter.and_then(|parameter| parameter.name(b"Name"));
            chain.crypt = Some(crypt.is_some_and(|name| !name.is(b"Identity")));
            continue;
        }
        match filter(name, parameter) {
            Ok(filter) => chain.filters.push(filter),
            Err(trouble) => {
                chain.trouble = Some(trouble);
                break;
            }
        }
    }
    chain
}

/// Filters whose input is a picture; the short names are those of table 94.
fn picture(name: Name<'_>) -> bool {
    [&b"DCTDecode"[..], b"DCT", b"JPXDecode", b"CCITTFaxDecode", b"CCF", b"JBIG2Decode"]
        .iter()
        .any(|known| name.is(known))
}

fn filter(name: Name<'_>, parameter: Option<&Dictionary<'_>>) -> Result<Filter, &'static str> {
    let named = |long: &[u8], short: &[u8]| name.is(long) || name.is(short);
    if named(b"FlateDecode", b"Fl") {
        return Ok(Filter::Flate(predictor::predictor(parameter)?));
    }
    if named(b"LZWDecode", b"LZW") {
        let early = parameter.and_then(|parameter| parameter.integer(b"EarlyChange")) != Some(0);
        return Ok(Filter::Lzw { early, predictor: predictor::predictor(parameter)? });
    }
    if named(b"ASCII85Decode", b"A85") {
        return Ok(Filter::Ascii85);
    }
    if named(b"ASCIIHexDecode", b"AHx") {
        return Ok(Filter::AsciiHex);
    }
    if named(b"RunLengthDecode", b"RL") {
        return Ok(Filter::RunLength);
    }
    Err("a filter of the stream is not known")
}

/// A reader of what `input` holds behind these filters.
pub(crate) fn decode(input: Input, filters: &[Filter], budget: &Budget) -> io::Result<Box<dyn Read + Send>> {
    let mut reader: Box<dyn Read + Send> = Box::new(input);
    let mut first = true;
    for filter in filters {
        // What a filter makes for the next one is charged here, and what the last one makes by whoever keeps it.
        let input: Input = if first {
            Box::new(BufReader::new(reader))
        } else {
            Box::new(BufReader::new(Charged { reader, budget: budget.clone() }))
        };
        reader = open(*filter, input, budget)?;
        first = false;
    }
    Ok(reader)
}

fn open(filter: Filter, input: Input, budget: &Budget) -> io::Result<Box<dyn Read + Send>> {
    let (reader, predictor) = match filter {
        Filter::Ascii85 => (stepped(ascii::Ascii85::new(input)), None),
        Filter::AsciiHex => (stepped(ascii::AsciiHex::new(input)), None),
        Filter::Flate(predictor) => (flate(input, budget)?, predictor),
        Filter::Lzw { early, predictor } => {
            let lzw = Fenced::new(budget, lzw::MEMORY, || Ok(Stepped::new(lzw::Lzw::new(input, early))))?;
            (Box::new(lzw) as Box<dyn Read + Send>, predictor)
        }
        Filter::RunLength => (stepped(run_length::RunLength::new(input)), None),
    };
    match predictor {
        Some(predictor) => predictor::open(BufReader::new(reader), predictor, budget),
        None => Ok(reader),
    }
}

/// zlib data (RFC 1950) without regard to its checksum; raw DEFLATE data are taken as well.
fn flate(mut input: Input, budget: &Budget) -> io::Result<Box<dyn Read + Send>> {
    /// Low half of the first byte: DEFLATE (RFC 1950 2.2).
    const DEFLATE: u8 = 8;
    if input.fill_buf()?.first().is_some_and(|first| first & 0xF == DEFLATE) {
        io::copy(&mut (&mut input).take(2), &mut io::sink())?;
    }
    codec::deflate(input, budget)
}

/// True for bytes that begin with a header of zlib (RFC 1950 2.2).
pub(super) fn is_zlib(bytes: &[u8]) -> bool {
    let [method, flags, ..] = *bytes else { return false };
    method & 0x8F == 8 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// True for bytes that begin with the code of nine bits that clears the table, as LZW data do (ISO 32000-1 7.4.4.2).
pub(super) fn is_lzw(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 0..0x80, ..])
}

/// Charges what a filter makes for the next one.
struct Charged {
    reader: Box<dyn Read + Send>,
    budget: Budget,
}

impl Read for Charged {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.reader.read(buffer)?;
        let count = u64::try_from(got).unwrap_or(u64::MAX);
        self.budget.charge_bytes(count).map_err(|_| io::Error::from(ErrorKind::TimedOut))?;
        Ok(got)
    }
}

/// A filter that goes step by step.
pub(super) trait Steps: Send {
    /// Decodes some bytes to the end of `output`; false at the end of the data.
    ///
    /// # Errors
    /// When the data are broken. What was put into `output` counts.
    fn step(&mut self, output: &mut Vec<u8>) -> io::Result<bool>;
}

/// A reader over a [`Steps`].
struct Stepped<S> {
    steps: S,
    made: Vec<u8>,
    given: usize,
    ended: Option<io::Result<()>>,
}

pub(super) fn stepped(steps: impl Steps + 'static) -> Box<dyn Read + Send> {
    Box::new(Stepped::new(steps))
}

impl<S: Steps> Stepped<S> {
    fn new(steps: S) -> Stepped<S> {
        Stepped { steps, made: Vec::new(), given: 0, ended: None }
    }

    fn advance(&mut self) {
        self.made.clear();
        self.given = 0;
        match self.steps.step(&mut self.made) {
            Ok(true) => {}
            Ok(false) => self.ended = Some(Ok(())),
            Err(error) => self.ended = Some(Err(error)),
        }
    }
}

impl<S: Steps> Read for Stepped<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            let waiting = self.made.get(self.given..).unwrap_or(&[]);
            let count = waiting.len().min(buffer.len() - done);
            if let (Some(to), Some(from)) = (buffer.get_mut(done..done + count), waiting.get(..count)) {
                to.copy_from_slice(from);
            }
            done += count;
            self.given += count;
            if count == 0 {
                match self.ended.as_mut() {
                    None => self.advance(),
                    Some(_) if done > 0 => break,
                    Some(ended) => return std::mem::replace(ended, Ok(())).map(|()| 0),
                }
            }
        }
        Ok(done)
    }
}

/// The next byte of the input; none at its end.
pub(super) fn next(input: &mut Input) -> io::Result<Option<u8>> {
    let byte = input.fill_buf()?.first().copied();
    input.consume(usize::from(byte.is_some()));
    Ok(byte)
}

fn broken(detail: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dachs_base::{Limits, NoClock};
    use std::io::Cursor;

    pub(crate) fn decoded(filters: &[Filter], bytes: &[u8]) -> (Vec<u8>, Option<ErrorKind>) {
        let budget = Budget::new(Limits::default(), NoClock);
        let mut reader = decode(Box::new(Cursor::new(bytes.to_vec())), filters, &budget).unwrap();
        let mut out = Vec::new();
        let error = reader.read_to_end(&mut out).err().map(|error| error.kind());
        (out, error)
    }

    #[test]
    fn filters_stand_one_behind_the_other() {
        let chain = [Filter::AsciiHex, Filter::Ascii85, Filter::RunLength];
        // RunLength of "badger!!" in ASCII85, in hexadecimal.
        let (out, error) = decoded(&chain, b"22634A4B 593E3F41 5A2A 7E3E>");
        assert!(error.is_none() || error == Some(ErrorKind::InvalidData) || error == Some(ErrorKind::UnexpectedEof));
        assert!(out.len() < 200);
        let hex = [Filter::AsciiHex, Filter::AsciiHex];
        assert_eq!(decoded(&hex, b"34 31 3432>"), (b"AB".to_vec(), None));
    }

    #[test]
    fn a_chain_that_makes_nothing_from_much_is_charged() {
        use std::io::Write;
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 10_000_000]).unwrap();
        let spaces = encoder.finish().unwrap();
        let budget = Budget::new(Limits { scan_size: 1 << 20, ..Limits::default() }, NoClock);
        let filters = [Filter::Flate(None), Filter::AsciiHex];
        let mut reader = decode(Box::new(Cursor::new(spaces)), &filters, &budget).unwrap();
        assert!(reader.read(&mut [0; 100]).is_err());
    }
}
