//! Keys of the configuration that choose signatures, or have a command run. `cargo conformance keys` asks clamd the same.

use std::fs;
use std::process::{Command, Stdio};

use crate::house::{House, dachs, eicar, instream, is_there, wait_until};

fn body(name: &str, text: &str) -> String {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}:0:*:{hex}\n")
}

#[test]
fn keys_choose_signatures() {
    let mut house = House::new("");
    house.file("db/unwanted.ndu", body("PUA.Win.Packer.Test", "a marker of a packer").as_bytes());
    house.file("db/mail.ndb", body("Email.Phishing.Test", "a marker of phishing").as_bytes());
    for (keys, packer, phishing) in [
        ("", false, true),
        ("DetectPUA yes", true, true),
        ("DetectPUA yes\nExcludePUA Packer", false, true),
        ("DetectPUA yes\nIncludePUA Packer", true, true),
        ("DetectPUA yes\nIncludePUA Tool", false, true),
        ("PhishingSignatures no", false, false),
    ] {
        house.kill_and_start(keys);
        for (text, found) in [("a marker of a packer", packer), ("a marker of phishing", phishing)] {
            let answer = house.ask(&instream(text.as_bytes()));
            assert_eq!(answer.ends_with(" FOUND\0"), found, "{keys}: {answer}");
        }
    }
}

#[test]
fn what_cannot_be_chosen_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (sources, image) = (folder.path().join("t.ndb"), folder.path().join("t.image"));
    fs::write(&sources, body("Test", "a marker")).unwrap();
    let mut build = Command::new(dachs());
    build.args(["db", "build", "--output"]).arg(&image).arg(&sources).stderr(Stdio::null());
    assert!(build.status().unwrap().success());
    for (place, keys, expected) in [
        (&image, "DetectPUA yes", "DetectPUA: "),
        (&image, "PhishingSignatures no", "PhishingSignatures no: "),
        (&image, "OfficialDatabaseOnly yes", "OfficialDatabaseOnly: t.ndb has no verified signature"),
        (&sources, "OfficialDatabaseOnly yes", "OfficialDatabaseOnly: there is no container"),
        (&sources, "IncludePUA A\nExcludePUA B", "ExcludePUA and IncludePUA cannot be used at the same time"),
    ] {
        let conf = folder.path().join("conf");
        let (socket, worker) = (folder.path().join("s"), dachs());
        let text = format!(
            "LocalSocket {}\nDatabaseDirectory {}\nDachsWorker {}\nTemporaryDirectory {}\n{keys}\n",
            socket.display(),
            place.display(),
            worker.display(),
            folder.path().display()
        );
        fs::write(&conf, text).unwrap();
        let ended = Command::new(env!("CARGO_BIN_EXE_dachsd")).arg("-c").arg(&conf).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.code() == Some(1) && said.contains(expected), "{keys}: {said}");
    }
}

#[test]
fn a_command_is_run_for_each_detection() {
    let house =
        House::new("VirusEvent echo \"$CLAM_VIRUSEVENT_FILENAME: $CLAM_VIRUSEVENT_VIRUSNAME, %v\" >> FOLDER/out");
    let path = house.file("a $(touch FOLDER)", &eicar());
    for _ in 0..2 {
        assert!(house.ask(format!("zSCAN {}\0", path.display()).as_bytes()).ends_with(" FOUND\0"));
    }
    assert!(house.ask(&instream(&eicar())).ends_with(" FOUND\0") && house.ask(&instream(b"good")).ends_with(" OK\0"));
    let name = "Test.First.UNOFFICIAL, Test.First.UNOFFICIAL\n";
    let expected = [format!("{}: {name}", path.display()).repeat(2), format!("instream(local): {name}")].concat();
    wait_until("three events", || fs::read_to_string(house.path("out")).unwrap_or_default() == expected);
}

#[test]
fn passwords_open_archives() {
    if !is_there("zip", "passwords_open_archives") {
        return;
    }
    let mut house = House::new("");
    house.file("eicar.com", &eicar());
    let mut zip = Command::new("zip");
    zip.args(["-q", "-P", "Badger-7", "locked.zip", "eicar.com"]).current_dir(house.path(""));
    assert!(zip.status().unwrap().success());
    let locked = fs::read(house.path("locked.zip")).unwrap();
    for (keys, found) in [
        ("", false),
        ("DachsPassword badger-7", false),
        ("DachsPassword Badger-7", true),
        ("DachsPassword x\nDachsPassword Badger-7", true),
    ] {
        house.kill_and_start(keys);
        let answer = house.ask(&instream(&locked));
        assert_eq!(answer.ends_with(" FOUND\0"), found, "{keys}: {answer}");
        assert!(found || !answer.ends_with(": OK\0"), "what nothing opened is not clean: {answer}");
    }
}
