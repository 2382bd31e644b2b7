//! What is linked into `dachsd`: nothing that parses content or databases.

use std::process::Command;

/// Crates that parse what strangers write, or that such parsers need.
const PARSERS: [&str; 8] =
    ["dachs-cli", "dachs-engine", "dachs-formats", "dachs-rules", "dachs-sigc", "dachs-worker", "boreal", "flate2"];

#[test]
fn no_parser_is_linked() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments =
        ["tree", "--offline", "--locked", "-p", "dachs-daemon", "-e", "normal", "--prefix", "none", "--no-dedupe"];
    let tree = Command::new(cargo).args(arguments).output().unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let text = String::from_utf8(tree.stdout).unwrap();
    let linked: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(linked.contains(&"dachs-pool") && linked.contains(&"dachs-sigdb"), "{text}");
    for parser in PARSERS {
        assert!(!linked.contains(&parser), "{parser} is linked into dachsd");
    }
}
