//! Makes `src/rarity.bin` from ordinary files: `cargo run --release --example train_rarity -- OUT < list-of-paths`.
//!
//! Every file counts alike, whatever its size, so that a few large ones do not decide.
#![allow(clippy::print_stderr, clippy::indexing_slicing, reason = "a tool for the house, run by hand")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers are shares between 0 and 1")]

fn main() -> std::io::Result<()> {
    let Some(out) = std::env::args_os().nth(1) else {
        eprintln!("usage: train_rarity OUT < list-of-paths");
        return Ok(());
    };
    let paths = std::io::stdin().lines().collect::<Result<Vec<_>, _>>()?;
    let mut shares = vec![0_f64; 128 * 128 + 128];
    let mut files = 0;
    for bytes in paths.iter().filter_map(|path| std::fs::read(path).ok()).filter(|bytes| bytes.len() > 1) {
        let one = 1.0 / (bytes.len() - 1) as f64;
        for pair in bytes.windows(2) {
            shares[fold(pair[0]) * 128 + fold(pair[1])] += one;
            shares[128 * 128 + fold(pair[0])] += one;
        }
        files += 1;
    }
    let bits = |share: &f64| (-8.0 * (share / f64::from(files)).log2()).round().clamp(0.0, 255.0) as u8;
    std::fs::write(out, shares.iter().map(bits).collect::<Vec<u8>>())?;
    eprintln!("{files} files");
    Ok(())
}

fn fold(byte: u8) -> usize {
    usize::from((byte >> 6) << 5 | byte & 0x1F)
}
