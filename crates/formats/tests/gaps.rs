//! Nothing unread looks clean: for each reason that `docs/formats.md` gives under *incomplete because of* there is a case here, or a
//! test elsewhere that is named. A reason that the table does not know fails, and so does one that it knows and the document does not.
//!
//! A case is an object with that fault; it must give a gap of the right kind that says what is wrong, about the right member.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "tests")]
#![allow(clippy::cast_possible_truncation, reason = "samples are small")]

mod common;
mod gap_cases;
mod program;

use std::collections::BTreeMap;

use common::{Noise, Told, walk, walk_within};
use dachs_base::{FileKind, Limits};
use gap_cases::{Case, cases};

/// Reasons that other tests show. One that is only a remark, or cannot be noticed, has none.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "alz",
        "broken or cut members, encryption, files in several volumes",
        "alzip::what_of_the_older_form_cannot_be_read_is_told",
    ),
    ("ar cpio tar", "entries past the end", "archives::cut_archives_are_damaged_and_give_what_there_is"),
    ("tar", "broken headers", "archives::a_broken_tar_header_hides_nothing"),
    ("arj", "broken or cut members", "lha_arj::every_cut_is_told"),
    ("asar", "files beside the archive are no part of it", ""),
    ("autoit", "broken or cut files", "autoit::every_cut_is_told"),
    ("autoit", "older forms without a version, packing of AutoIt 3.0 (JB01)", "autoit::other_forms_are_told"),
    ("binhex", "cut forks", "mail_others::broken_binhex_is_told"),
    ("binhex", "a checksum that is wrong is only told", ""),
    ("bzip2 lz4", "broken or cut blocks", "streams::nothing_broken_looks_complete"),
    ("lzop", "broken or cut blocks", "images::lzop_in_all_its_forms"),
    ("gzip", "broken or cut DEFLATE data", "streams::nothing_broken_looks_complete"),
    ("lzip lzma xz", "broken or cut data", "streams::nothing_broken_looks_complete"),
    ("xz", "wrong block checksum", "streams::nothing_broken_looks_complete"),
    ("zstd", "broken or cut blocks", "streams::nothing_broken_looks_complete"),
    ("zstd", "nothing but skippable frames before other data", "streams::frames_that_are_skipped_are_not_all_there_is"),
    ("cab", "broken or cut blocks", "cab::every_cut_is_told"),
    ("cab", "files that begin or end in another cabinet", "cab::what_cannot_be_unpacked_is_told"),
    ("chm", "broken or cut frames", "chm::broken_help_is_told_or_read"),
    ("compress", "a cut stream cannot be noticed", ""),
    ("dmg", "broken tables or chunks", "images::dmg_bears_damage"),
    ("dmg", "encryption", "images::an_encrypted_dmg_is_told"),
    (
        "egg",
        "broken or cut blocks, encryption, ALZip's own method (AZO), solid archives, several volumes",
        "alzip::what_of_the_newer_form_cannot_be_read_is_told",
    ),
    ("encoded-script html", "nothing but limits", ""),
    (
        "ext",
        "broken or cut tables (files that a broken directory named are given by inode)",
        "volumes::ext_bears_damage",
    ),
    (
        "hfsplus",
        "broken trees (leaves that are whole are read) or extents",
        "hfsplus::a_broken_chain_of_leaves_hides_nothing",
    ),
    ("hfsplus", "unknown kinds of compression", "hfsplus::an_unknown_compression_is_told_and_the_resource_fork_given"),
    ("inno-setup", "encrypted files", "inno::files_of_all_versions_come_out"),
    ("inno-setup", "broken or cut chunks and headers, versions before 5.1.5", "inno::what_cannot_be_read_is_told"),
    ("iso9660", "broken descriptors or directories", "disks::broken_images_end_within_their_limits"),
    ("iso9660", "interleaved files are given as they are", ""),
    ("lha", "broken or cut members", "lha_arj::every_cut_is_told"),
    ("lha", "methods other than lh0, lh1, lh4 to lh7, lz4, lz5, lzs", "lha_arj::what_cannot_be_unpacked_is_told"),
    ("mail", "encrypted S/MIME and PGP data", "mail::what_stays_closed_is_told"),
    ("mail", "fragments", "mail::what_stays_closed_is_told"),
    ("mail", "headers over 256 KiB", "mail::a_header_without_end_is_told"),
    ("mail", "more than 64 levels of parts", "mail::parts_inside_parts_end"),
    ("mbr", "a chain of extended partitions that is broken or too long", "disks::a_chain_that_turns_in_a_circle_ends"),
    ("nsis", "broken or cut files", "nsis::every_cut_is_told"),
    ("nsis", "installers of version 1 are not identified", ""),
    ("ntfs", "broken records or lists of clusters", "volumes::ntfs_bears_damage"),
    ("ntfs", "files that Windows has compressed in an unknown way", "volumes::ntfs_with_files_compressed_as_a_whole"),
    ("ole2", "broken tables", "ole::broken_chains_give_their_beginning"),
    ("ole2", "cut streams", "ole::cut_files_never_look_whole"),
    (
        "ole2",
        "documents that no password opens (their streams are given as they are)",
        "passwords::office_documents_are_opened_by_their_password_alone",
    ),
    ("ole2", "encrypted presentations", "ole::encrypted_documents_are_told"),
    (
        "ole2",
        "formulas of Excel 4 with unknown tokens (the others are given as text)",
        "office::unknown_tokens_are_told_and_noise_is_survived",
    ),
    ("ole2", "Hangul documents for distribution", "office::streams_of_hangul_documents_are_inflated"),
    ("ole2", "macro modules without source", "ole::a_module_without_source_is_told"),
    ("cryptff", "a file that ends within its header", "cryptff::content_is_turned"),
    ("hwp3", "encryption, broken or cut compressed data", "hwp3::what_cannot_be_read_is_told"),
    ("hfs", "broken trees (leaves that are whole are read) or extents", "hfsplus::volumes_of_the_older_form"),
    ("packed-elf", "broken or cut blocks", "upx::every_cut_of_an_elf_program_is_told"),
    (
        "packed-pe",
        "programs of other packers than UPX, broken or cut packed data",
        "upx::what_cannot_be_unpacked_is_told",
    ),
    ("pdf", "cut streams", "pdf::a_cut_is_never_silent_about_a_stream"),
    ("pdf", "broken or cut compressed data, unknown filters", "pdf::what_cannot_be_decoded_is_told"),
    (
        "pdf",
        "encryption that neither the empty password nor another one opens",
        "pdf_tools::an_unknown_password_is_told",
    ),
    ("pdf", "objects that overlap too much", "pdf::overlaps_end"),
    ("postscript", "what only running the program would show is not", ""),
    ("qcow", "broken tables or clusters", "disks::broken_images_end_within_their_limits"),
    ("qcow", "a backing file", "disks::what_a_disk_builds_on_is_told_as_missing"),
    ("vmdk", "a parent", "disks::what_a_disk_builds_on_is_told_as_missing"),
    ("rar", "encryption that no password opens", "rar::what_is_encrypted_is_told_by_name"),
    ("rar", "members with different passwords", "rar::members_with_different_passwords_are_told"),
    ("rar", "alternate streams of files", "rar::streams_of_files_are_told"),
    ("rar", "members that go on in other volumes", "rar::a_member_that_goes_on_in_another_volume_is_told"),
    ("rar", "broken or cut members", "rar::broken_archives_end_within_their_limits_and_are_told"),
    ("rar", "an end that is cut (what is whole is given)", "rar::a_cut_archive_gives_what_is_whole_and_is_told"),
    ("rpm", "the payload as its own format", ""),
    ("7z", "broken or cut headers and folders", "sevenzip_archives::broken_archives_never_look_whole"),
    ("7z", "encryption that no password opens", "sevenzip_archives::encryption_is_told"),
    ("sis", "broken records or fields, cut files", "sis::every_cut_that_loses_bytes_is_told"),
    ("squashfs", "broken or cut tables and blocks", "volumes::squashfs_bears_damage"),
    ("swf", "broken or cut compressed data", "carriers::a_movie_that_is_cut_is_told"),
    ("szdd", "methods of KWAJ above 4", "szdd::what_cannot_be_unpacked_is_told"),
    ("szdd", "a cut stream (KWAJ without a length: cannot be noticed)", "szdd::every_cut_is_told"),
    ("tnef", "broken property lists", "mail_others::attachments_and_bodies_of_tnef"),
    ("udf", "broken descriptors or directories", "disks::broken_images_end_within_their_limits"),
    ("udf", "volumes with a table of their own (VAT)", "images::udf_volumes_of_several_media"),
    ("wim", "broken tables, directories or chunks", "images::wim_bears_damage"),
    ("wim", "LZMS, solid resources", "images::wim_that_cannot_be_read_is_told"),
    ("xdp xml-word xml-xl", "broken base64 is read as far as it goes", ""),
    ("xar", "unknown encodings", "carriers::an_encoding_that_nobody_knows_is_told"),
    ("zip", "broken or cut members", "zip_broken::every_cut_is_told"),
    ("zip", "encryption that no password opens, strong encryption", "zip_odd::encrypted_members_are_told_by_name"),
    ("zip", "unknown methods", "zip_odd::unknown_methods_are_told_by_name_and_number"),
];

/// The reasons of each kind that is looked into, as they stand.
fn reasons() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md")).unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
    let wanted = cells.filter(|cells| cells[4] == "yes" && !cells[5].starts_with("as "));
    wanted.map(|cells| (cells[1].trim_matches('`').to_owned(), cells[5].to_owned())).collect()
}

#[test]
fn every_reason_has_a_case_or_a_test() {
    let mut left = reasons();
    let made = cases();
    let here = made.iter().map(|case| (case.kind.label(), case.reason, ""));
    for (kinds, reason, test) in ELSEWHERE.iter().copied().chain(here) {
        for kind in kinds.split(' ') {
            let cell = left.get_mut(kind).unwrap_or_else(|| panic!("docs/formats.md does not open `{kind}`"));
            let known = cell.contains(reason) || made.iter().filter(|case| case.reason == reason).count() > 1;
            assert!(known, "docs/formats.md, `{kind}`: no such reason: {reason}");
            *cell = cell.replacen(reason, "", 1);
        }
        assert!(test.is_empty() || is_there(test), "no test {test}");
    }
    left.retain(|_, cell| cell.chars().any(char::is_alphanumeric));
    assert!(left.is_empty(), "reasons without a case or a test: {left:#?}");
}

fn is_there(test: &str) -> bool {
    let (file, name) = test.split_once("::").unwrap();
    ["tests/FILE.rs", "src/FILE/tests.rs", "src/FILE/mod.rs"].into_iter().any(|place| {
        let path = format!("{}/{}", env!("CARGO_MANIFEST_DIR"), place.replace("FILE", file));
        std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("fn {name}(")))
    })
}

#[test]
fn every_case_is_told_about_the_right_member() {
    let wrong: Vec<String> = cases().iter().filter_map(|case| wrong(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn wrong(case: &Case) -> Result<(), String> {
    let walked = walk_within(&case.bytes, case.limits.clone());
    let what = format!("{:?}, {}", case.kind, case.reason);
    let kind = walked.objects[0].kind;
    if kind != case.kind && kind != FileKind::Pe {
        return Err(format!("{what}: it is taken for {kind:?}"));
    }
    let fits = |told: &&Told| told.anomaly.kind == case.expected && told.anomaly.detail.contains(case.detail);
    match walked.told.iter().find(fits) {
        Some(told) if told.object == case.member => Ok(()),
        Some(told) => Err(format!("{what}: told about {:?}", told.object)),
        None => Err(format!("{what}: not told, but {:?}", walked.anomalies)),
    }
}

/// Whatever is cut from the end of a case hides nothing either: what is told stays told, or more is.
#[test]
fn cases_that_are_cut_end() {
    let mut noise = Noise::new();
    let limits = Limits { memory: 4 << 20, objects: 100, scan_size: 8 << 20, ..Limits::default() };
    for case in cases().iter().filter(|case| case.bytes.len() < 20_000) {
        for _ in 0..4 {
            let _ = walk_within(noise.cut(&case.bytes), limits.clone());
        }
        let _ = walk(&[&case.bytes[..], b"badger"].concat());
    }
}
