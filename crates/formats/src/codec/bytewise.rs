//! Decoders that make one byte at a time, as readers.

use std::io;

/// Fills `buffer` with bytes of `next`, which gives `None` at the end. An error that comes after bytes is kept in `failed`
/// and given by the next call, so that neither the bytes nor the error are lost.
///
/// # Errors
/// The one that was kept, or the first one if no byte came before it.
pub(crate) fn fill(
    buffer: &mut [u8],
    failed: &mut Option<io::Error>,
    mut next: impl FnMut() -> io::Result<Option<u8>>,
) -> io::Result<usize> {
    let mut done = 0;
    for place in buffer.iter_mut() {
        match failed.take().map_or_else(&mut next, Err) {
            Ok(Some(byte)) => *place = byte,
            Ok(None) => break,
            Err(error) if done == 0 => return Err(error),
            Err(error) => {
                *failed = Some(error);
                break;
            }
        }
        done += 1;
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn an_error_after_bytes_comes_with_the_next_call() {
        let mut items = [Ok(Some(b'a')), Err(ErrorKind::InvalidData.into()), Ok(Some(b'b')), Ok(None)].into_iter();
        let (mut buffer, mut failed) = ([0; 8], None);
        let mut next = || items.next().unwrap();
        assert_eq!(fill(&mut buffer, &mut failed, &mut next).unwrap(), 1);
        assert_eq!(fill(&mut buffer, &mut failed, &mut next).unwrap_err().kind(), ErrorKind::InvalidData);
        assert_eq!(fill(&mut buffer, &mut failed, &mut next).unwrap(), 1);
    }
}
