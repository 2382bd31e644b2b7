//! Disk images and file systems with a fault.

use dachs_base::AnomalyKind::{Damaged, Encrypted, Unsupported};
use dachs_base::FileKind;

use super::{Case, case, made, set};

pub(super) fn cases() -> Vec<Case> {
    [partitions(), virtual_disks(), by_tools(), others()].into_iter().flatten().collect()
}

/// An entry of Apple's partition map (Inside Macintosh: Devices, 3-22).
fn apple(count: u32, first: u32, blocks: u32) -> Vec<u8> {
    let numbers = [count, first, blocks].map(u32::to_be_bytes).concat();
    set(vec![0; 512], &[(0, b"PM"), (4, &numbers), (16, b"badger"), (48, b"Apple_HFS")])
}

/// A header of a GUID partition table with one entry (UEFI 2.10, 5.3).
fn guid(count: u32, size: u32, first: u64) -> Vec<u8> {
    let numbers = [2_u64.to_le_bytes().to_vec(), count.to_le_bytes().to_vec(), size.to_le_bytes().to_vec()].concat();
    let place = [first.to_le_bytes(), (first + 7).to_le_bytes()].concat();
    set(vec![0; 8192], &[(512, b"EFI PART"), (512 + 72, &numbers), (1024, &[7; 16]), (1024 + 32, &place)])
}

fn partitions() -> Vec<Case> {
    let map = |count, first| [set(vec![0; 512], &[(0, b"ER\x02\x00")]), apple(count, first, 4), vec![0; 4096]].concat();
    let record = |sectors: u32| {
        let entry = [&[0, 0, 2, 0, 0x0c, 0, 9, 0, 1, 0, 0, 0][..], &sectors.to_le_bytes()].concat();
        set(vec![0; 4096], &[(446, &entry), (510, b"\x55\xaa")])
    };
    let (apm, gpt, mbr) = (FileKind::Apm, FileKind::Gpt, FileKind::Mbr);
    let past = "partitions past the end";
    vec![
        case(apm, "a broken map", Damaged, "an entry of the partition map is broken", map(2, 3)),
        case(apm, "more than 4,096 entries", Damaged, "more than 4096 entries", map(5000, 3)),
        case(apm, past, Damaged, "past the end", map(1, 1000)).about("partition 1 (badger)"),
        case(gpt, "a broken header", Damaged, "header of the partition table is missing or broken", guid(1, 16, 4)),
        case(gpt, "more than 4,096 entries", Damaged, "more than 4096 entries", guid(5000, 128, 4)),
        case(gpt, past, Damaged, "past the end", guid(1, 128, 1000)).about("partition 1"),
        case(mbr, past, Damaged, "past the end", record(100_000)).about("partition 1 (type 0c)"),
    ]
}

/// A header of QCOW (QEMU, docs/interop/qcow2.txt).
fn qcow(version: u32, encryption: u32, features: u64) -> Vec<u8> {
    let numbers = [16_u32, 0, 65536, encryption, 0, 0, 0].map(u32::to_be_bytes).concat();
    let head = set(vec![0; 65536], &[(0, b"QFI\xfb"), (4, &version.to_be_bytes()), (20, &numbers)]);
    set(head, &[(72, &features.to_be_bytes()), (100, &104_u32.to_be_bytes())])
}

/// A dynamic disk of Virtual PC with one block of the size 512 (VHD 1.0).
fn vhd(kind: u32, magic: &[u8], sector: u32) -> Vec<u8> {
    let footer = set(vec![0; 512], &[(0, b"conectix"), (16, &512_u64.to_be_bytes()), (48, &512_u64.to_be_bytes())]);
    let footer = set(footer, &[(60, &kind.to_be_bytes())]);
    let head = set(vec![0; 1024], &[(0, magic), (16, &1536_u64.to_be_bytes()), (28, &[0, 0, 0, 1, 0, 0, 2, 0])]);
    let table = set(vec![0xff; 512], &[(0, &sector.to_be_bytes())]);
    [footer.clone(), head, table, vec![7; 1024], footer].concat()
}

fn virtual_disks() -> Vec<Case> {
    let (disk, second) = (FileKind::Qcow, FileKind::Vhd);
    let text = "# Disk DescriptorFile\nversion=1\nRW 8 FLAT \"badger-flat.vmdk\" 0\n";
    let vmdk = set(vec![0; 2048], &[(0, b"KDMV\x01"), (12, &[8]), (44, &[0; 4])]);
    vec![
        case(disk, "version 1", Unsupported, "version 1 of QCOW", qcow(1, 0, 0)),
        case(disk, "encryption", Encrypted, "the disk is encrypted", qcow(3, 2, 0)),
        case(disk, "external data", Unsupported, "stand in another file", qcow(3, 0, 4)),
        case(disk, "extended L2 entries", Unsupported, "extended L2", qcow(3, 0, 16)),
        case(second, "a differencing disk", Unsupported, "builds on another file", vhd(4, b"cxsparse", 4)),
        case(second, "broken tables", Damaged, "dynamic header of the disk is broken", vhd(3, b"badger!!", 4)),
        case(second, "blocks past the end", Damaged, "", vhd(3, b"cxsparse", 1000)).about("disk"),
        case(FileKind::Vmdk, "a description that names other files", Unsupported, "stands in other files", text),
        case(FileKind::Vmdk, "broken tables or grains", Damaged, "makes no sense", vmdk),
    ]
}

/// The place of bytes.
fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

const CHAINS: &str = "chains of clusters that break off or turn in a circle";

fn by_tools() -> Vec<Case> {
    let mut cases = Vec::new();
    let ext = "mkdir d && cp input d/badger && mke2fs -q -F -t ext4 -O ^metadata_csum -b 1024 -d d out 1M";
    if let Some(image) = made("mke2fs", ext, b"badger") {
        let flag = |bit: u8| set(image.clone(), &[(1024 + 0x60, &[image[1024 + 0x60] | bit])]);
        let (kind, replay) = (FileKind::Ext, "a journal that was not replayed");
        cases.push(case(kind, replay, Unsupported, "journal that was not replayed", flag(4)));
        cases.push(case(kind, "external journals", Unsupported, "stands elsewhere", flag(8)));
    }
    let secret = format!("{ext} && debugfs -w -R 'set_inode_field badger flags 0x80800' out");
    if let Some(image) = made("debugfs", &secret, b"badger") {
        cases.push(case(FileKind::Ext, "encrypted files", Encrypted, "the file is encrypted", image).about("badger"));
    }
    if let Some(image) = made("mcopy", "mformat -C -f 1440 -i out :: && mcopy -i out input ::badger", &[7; 1400]) {
        // The clusters of the file are 2, 3 and 4, twelve bits each (ECMA-107, 10.5).
        let broken = set(image, &[(512 + 3, &[0])]);
        cases.push(case(FileKind::Fat, CHAINS, Damaged, "", broken).about("badger"));
    }
    let folder =
        "mformat -C -f 1440 -i out :: && mmd -i out ::d && for i in $(seq 30); do mcopy -i out input ::d/B$i; done";
    if let Some(image) = made("mcopy", folder, b"badger") {
        // The first cluster of the folder is full; its number is 2, and becomes its own next one.
        let circle = set(image, &[(512 + 3, &[2, 0xf0])]);
        cases.push(case(FileKind::Fat, CHAINS, Damaged, "", circle).about("d/"));
    }
    if let Some(image) = made("qemu-img", "truncate -s 1M raw && qemu-img convert -O vhdx raw out", b"") {
        let guid = 0x6be7_44aa_f033_b6b3_4d43_fa36_caa1_6737_u128.to_le_bytes();
        let entry = find(&image, &guid);
        let metadata = find(&image, b"metadata");
        let value = metadata
            + usize::from(u16::from_le_bytes([image[entry + 16], image[entry + 17]]))
            + (usize::from(image[entry + 18]) << 16);
        let differs = set(image.clone(), &[(value + 4, &[2])]);
        let logged = set(image, &[((64 << 10) + 48, &[7; 16]), ((128 << 10) + 48, &[7; 16])]);
        cases.push(case(FileKind::Vhdx, "a differencing disk", Unsupported, "builds on another file", differs));
        cases.push(case(FileKind::Vhdx, "a log that was not replayed", Unsupported, "log that was not", logged));
    }
    if let Some(image) = made("wimlib-imagex", "mkdir d && cp input d && wimlib-imagex capture d out", b"badger") {
        let parts = set(image, &[(42, &[2])]);
        cases.push(case(FileKind::Wim, "other parts", Unsupported, "parts of the image stand in other files", parts));
    }
    let disc = "mkdir d && cp input d/badger && genisoimage -quiet -R -o out d";
    if let Some(image) = made("genisoimage", disc, &[&b"\xef\x22\x55\xa1\xbc\x1b\x95\xa0"[..], &[0; 40]].concat()) {
        let kind = FileKind::Iso9660;
        cases.push(case(kind, "zisofs with an unknown method", Unsupported, "unknown method", image).about("badger"));
    }
    if let Some(image) = made("genisoimage", disc, &[7; 600_000]) {
        let cut = image[..400_000].to_vec();
        cases.push(case(FileKind::Iso9660, "files past the end", Damaged, "", cut).about("badger"));
    }
    if let Some(image) =
        made("mkntfs", "truncate -s 2M out && mkntfs -q -F -Q out && ntfscp -q out input badger", &[7; 5000])
    {
        // The attribute of the data behind that of the name in the file's record: its flags say that it is encrypted.
        let wide: Vec<u8> = "badger".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let holds = |record: &usize| {
            image[*record..].starts_with(b"FILE") && image[*record..record + 400].windows(12).any(|part| part == wide)
        };
        let record = (0..image.len()).step_by(1024).rfind(holds).unwrap();
        let name = record + find(&image[record..], &wide);
        let at = name + find(&image[name..], &[0x80, 0, 0, 0]);
        let secret = set(image, &[(at + 13, &[0x40])]);
        let encrypted = case(FileKind::Ntfs, "encrypted files", Encrypted, "the file is encrypted", secret);
        cases.push(encrypted.about("badger"));
    }
    cases
}

fn others() -> Vec<Case> {
    let old = set(vec![0; 96], &[(0, b"hsqs"), (12, &[0, 0, 2, 0]), (28, &[3])]);
    let nonsense = set(vec![7; 1024], &[(0, b"\xeb\x76\x90EXFAT   "), (510, b"\x55\xaa")]);
    vec![
        case(FileKind::SquashFs, "versions before 4", Unsupported, "before 4", old),
        case(FileKind::Dmg, "parts in other files", Unsupported, "parts of the image", dmg_in_two_parts()),
        case(FileKind::Fat, "a boot sector that makes no sense", Damaged, "", nonsense),
        case(FileKind::Vhdx, "broken tables", Damaged, "table of blocks", set(vec![0; 400 << 10], &[(0, b"vhdxfile")])),
    ]
}

/// An image of sixteen empty sectors that says that there are two parts (J. Levin; as in the seeds of the fuzz targets).
fn dmg_in_two_parts() -> Vec<u8> {
    let chunk = |kind: u32, first: u64, count: u64| {
        [kind.to_be_bytes().to_vec(), vec![0; 4], [first, count, 0, 0].map(u64::to_be_bytes).concat()].concat()
    };
    let head = set(vec![0; 200], &[(0, b"mish\0\0\0\x01"), (16, &16_u64.to_be_bytes())]);
    let table = [head, 2_u32.to_be_bytes().to_vec(), chunk(0, 0, 16), chunk(0xffff_ffff, 16, 0)].concat();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let base64: Vec<u8> = table
        .chunks(3)
        .flat_map(|three| {
            let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
            [18, 12, 6, 0].map(|shift| digits[(bits >> shift & 63) as usize])
        })
        .collect();
    let text = [&b"<plist><key>blkx</key><array><data>"[..], &base64, b"</data></array></plist>"].concat();
    let koly = set(vec![0; 512], &[(0, b"koly\0\0\0\x04\0\0\x02\0"), (56, &[0, 0, 0, 1, 0, 0, 0, 2])]);
    let koly = set(
        koly,
        &[(216, &0_u64.to_be_bytes()), (224, &(text.len() as u64).to_be_bytes()), (492, &16_u64.to_be_bytes())],
    );
    [text, koly].concat()
}
