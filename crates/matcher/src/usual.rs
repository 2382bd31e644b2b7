//! What files hold because of their kind: the names of sections, the words of version information, what nearly each program asks
//! the system for.
//!
//! In a collection of files each of these is rare, once or twice in a file of some hundred thousand bytes, so the table of
//! [`crate::rarity`] cannot tell them from what hardly any file holds; and a long one looks rarer than a short one. But whoever
//! looks for one of them finds it in nearly each object. So they count for nothing where that is weighed ([`crate::expect`]).
//!
//! ```text
//! pattern     V.S._.V.E.R.S.I.O.N._.I.N.F.O.          nothing is left: found in each object
//! pattern     OriginalFilename kfjwq8                  kfjwq8 is left
//! ```
//!
//! A stretch of [`LEAST`] bytes of one of them is enough, in either case, and with a zero behind each byte; shorter ones have to begin
//! the pattern, or are [`MARKS`]. The list is by hand: from Microsoft's PE format (section names, 4) and VERSIONINFO resource, ECMA-335
//! (streams of metadata, II.24.2; the jump at the entry point, II.25.2; classes and names that compilers write, IV), the ELF
//! specification, and the first bytes that other formats prescribe. A wrong entry costs time, never a hit.

use std::ops::Range;
use std::sync::LazyLock;

/// So many bytes of an entry in succession are known again.
const LEAST: usize = 5;
/// What does not tell the case of letters.
const UPPER: u8 = 0xDF;

/// The first bytes of formats.
const BEGINNINGS: [&[u8]; 10] = [
    b"\x89PNG",
    b"\xFF\xD8\xFF",
    b"GIF8",
    b"%PDF",
    b"\x7FELF",
    b"PK\x03\x04",
    b"\xD0\xCF\x11\xE0",
    b"Rar!",
    b"RIFF",
    b"MZ",
];

/// What is known again as a whole only, wherever it stands in a pattern: it is short, or stretches of it say more. The first two are the
/// jump that programs of .NET begin with, the next the mark of their metadata.
const MARKS: [&[u8]; 6] = [
    b"\xFF\x25\x00\x20\x40\x00\x00\x00",
    b"\xFF\x25\x00\x20\x40\x00",
    b"BSJB",
    b"PE\0\0",
    b"CreateDecryptor",
    b"CreateEncryptor",
];

/// Words; those on one line are looked for each.
const WORDS: [&str; 10] = [
    ".text .rsrc .data .rdata .reloc .idata .edata .pdata .shstrtab .dynamic .comment .symtab",
    "VS_VERSION_INFO StringFileInfo VarFileInfo Translation CompanyName FileDescription FileVersion InternalName \
     LegalCopyright LegalTrademarks OriginalFilename ProductName ProductVersion PrivateBuild SpecialBuild Comments \
     040904B0 040904E4 000004B0",
    "KERNEL32.dll USER32.dll ADVAPI32.dll GDI32.dll SHELL32.dll COMCTL32.dll ole32.dll OLEAUT32.dll ntdll.dll msvcrt.dll \
     WS2_32.dll WININET.dll SHLWAPI.dll VERSION.dll mscoree.dll MSVBVM60.dll",
    "GetProcAddress LoadLibrary FreeLibrary GetModuleHandle GetModuleFileName VirtualAlloc VirtualFree VirtualProtect \
     ExitProcess TerminateProcess GetLastError SetLastError CreateFile ReadFile WriteFile CloseHandle CreateThread \
     GetCurrentProcess GetCurrentThread GetTickCount GetVersion GetCommandLine GetStartupInfo GetStdHandle HeapAlloc HeapFree \
     CriticalSection UnhandledExceptionFilter QueryPerformanceCounter MultiByteToWideChar WideCharToMultiByte \
     RegOpenKey RegCloseKey RegQueryValue MessageBox IsDebuggerPresent RtlUnwind WaitForSingleObject",
    "__getmainargs __set_app_type _initterm _XcptFilter _controlfp memcpy memset malloc strlen printf",
    "DllMain DllRegisterServer DllUnregisterServer DllCanUnloadNow DllGetClassObject _CorExeMain _CorDllMain",
    "mscorlib #Strings #GUID #Blob v4.0.30319 v2.0.50727 <Module> System.Reflection System.Runtime CompilerServices \
     RuntimeCompatibilityAttribute CompilationRelaxationsAttribute DebuggableAttribute AssemblyTitleAttribute",
    "op_Equality op_Inequality get_Length ToString GetHashCode ReferenceEquals Concat GetType InitializeComponent \
     RijndaelManaged CryptoStream MemoryStream FromBase64String GetExecutingAssembly GetManifestResourceStream \
     ResourceManager CompilerGeneratedAttribute GeneratedCodeAttribute EditorBrowsableAttribute DebuggerHiddenAttribute \
     STAThreadAttribute ComVisibleAttribute GuidAttribute TargetFrameworkAttribute DebuggerNonUserCodeAttribute \
     PublicKeyToken=b77a5c561934e089 PublicKeyToken=b03f5f7f11d50a3a __StaticArrayInitTypeSize <PrivateImplementationDetails>",
    "GLIBC_2. libc.so.6 ld-linux __libc_start_main __gmon_start__ _ITM_deregisterTMCloneTable /proc/self/ /proc/self/exe /dev/null \
     /dev/urandom /etc/passwd /bin/sh /usr/bin/ /usr/lib/ /usr/share/ pthread_create libpthread getaddrinfo gethostbyname",
    "http:// https:// www.w3.org schemas.microsoft.com <script </script> function document <html </html> <body",
];

/// Sentences.
const SENTENCES: [&str; 8] = [
    "System.Security.Permissions.SecurityPermissionAttribute, mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=",
    "System.Resources.ResourceReader, mscorlib, Version=2.0.0.0, Culture=neutral, System.Resources.RuntimeResourceSet",
    "This program cannot be run in DOS mode.\r\r\n$",
    "This program must be run under Win32",
    "Microsoft Corporation. All rights reserved.",
    "Microsoft Windows Operating System",
    "Software\\Microsoft\\Windows\\CurrentVersion\\Run",
    "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
];

/// All stretches of [`LEAST`] bytes, in upper case, each as a number.
struct Stretches {
    /// A bit by a hash of each, since most bytes begin none.
    bits: Vec<u64>,
    /// Those with a bit in the same word stand together: where those of each word begin, and the end.
    heads: Vec<usize>,
    all: Vec<u64>,
    /// The bytes that marks begin with.
    marks: [bool; 256],
}

/// Words of bits.
const BIT_WORDS: usize = 1 << 11;

static STRETCHES: LazyLock<Stretches> = LazyLock::new(|| {
    let words = WORDS.iter().flat_map(|line| line.split_whitespace());
    let all = words.chain(SENTENCES).map(str::as_bytes);
    let number = |stretch: &[u8; LEAST]| stretch.iter().fold(0, |sum, byte| sum << 8 | u64::from(upper(*byte)));
    let mut all = all.flat_map(|entry| entry.array_windows::<LEAST>()).map(number).collect::<Vec<u64>>();
    all.sort_unstable_by_key(|stretch| (place(*stretch).0, *stretch));
    all.dedup();
    let head = |word: usize| all.partition_point(|stretch| place(*stretch).0 < word);
    let heads = (0..=BIT_WORDS).map(head).collect();
    let mut bits = vec![0; BIT_WORDS];
    for stretch in &all {
        let (word, bit) = place(*stretch);
        bits.get_mut(word).into_iter().for_each(|word| *word |= 1 << bit);
    }
    let mut marks = [false; 256];
    for first in MARKS.iter().filter_map(|mark| mark.first()) {
        marks.get_mut(usize::from(*first)).into_iter().for_each(|begins| *begins = true);
    }
    Stretches { bits, heads, all, marks }
});

impl Stretches {
    /// Is it a stretch of an entry?
    fn hold(&self, stretch: u64) -> bool {
        let (word, bit) = place(stretch);
        let same = || {
            let [from, to] = *self.heads.get(word..)?.first_chunk()?;
            self.all.get(from..to)
        };
        let maybe = self.bits.get(word).is_some_and(|bits| bits >> bit & 1 != 0);
        maybe && same().is_some_and(|same| same.contains(&stretch))
    }
}

/// Takes away what files hold because of their kind.
pub(crate) fn forget(bytes: &mut [Option<u8>]) {
    let mut usual: Vec<Range<usize>> = Vec::new();
    usual.extend(BEGINNINGS.iter().find(|beginning| begins(bytes, beginning)).map(|beginning| 0..beginning.len()));
    each_usual(bytes, &mut |range| usual.push(range));
    for range in usual {
        bytes.get_mut(range).into_iter().flatten().for_each(|byte| *byte = None);
    }
    // What is left of a wide character is its zero.
    let mut alone = false;
    for byte in bytes {
        let none = byte.is_none();
        if alone && *byte == Some(0) {
            *byte = None;
        }
        alone = none;
    }
}

fn begins(bytes: &[Option<u8>], beginning: &[u8]) -> bool {
    let start = bytes.get(..beginning.len());
    start.is_some_and(|start| start.iter().zip(beginning).all(|(byte, wanted)| *byte == Some(*wanted)))
}

/// Calls `found` with the place of each mark, and of each stretch of an entry: of characters of one byte, and of two, whose
/// second is zero (that of the last may be anything).
fn each_usual(bytes: &[Option<u8>], found: &mut dyn FnMut(Range<usize>)) {
    let stretches = &*STRETCHES;
    let (mut narrow, mut wide) = (Run::default(), [Run::default(), Run::default()]);
    let mut zero_before = false;
    for (at, byte) in bytes.iter().enumerate() {
        let [this, other] = &mut wide;
        let Some(byte) = *byte else {
            (narrow.count, this.count, zero_before) = (0, 0, false);
            wide.swap(0, 1);
            continue;
        };
        if stretches.marks.get(usize::from(byte)) == Some(&true) {
            let rest = bytes.get(at..).unwrap_or_default();
            MARKS.iter().filter(|mark| begins(rest, mark)).for_each(|mark| found(at..at + mark.len()));
        }
        narrow.push(byte);
        if narrow.count >= LEAST && stretches.hold(narrow.last) {
            found(at + 1 - LEAST..at + 1);
        }
        if !zero_before {
            this.count = 0;
        }
        this.push(byte);
        if this.count >= LEAST && stretches.hold(this.last) {
            found(at - (LEAST - 1) * 2..at + 1);
        }
        zero_before = byte == 0;
        std::mem::swap(this, other);
    }
}

/// Characters that follow each other.
#[derive(Default)]
struct Run {
    /// The last of them, in upper case.
    last: u64,
    /// How many they are.
    count: usize,
}

impl Run {
    fn push(&mut self, byte: u8) {
        self.last = self.last << 8 & WHOLE | u64::from(upper(byte));
        self.count += 1;
    }
}

/// The bits of a stretch.
const WHOLE: u64 = (1 << (8 * LEAST)) - 1;

fn upper(byte: u8) -> u8 {
    if byte.is_ascii_alphabetic() { byte & UPPER } else { byte }
}

/// The place of a stretch among the bits.
fn place(stretch: u64) -> (usize, u32) {
    let [a, b, c, ..] = stretch.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
    let hash = u32::from_be_bytes([0, a, b, c]) >> 7;
    (usize::try_from(hash >> 6).unwrap_or(0), hash & 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_usual_is_forgotten_and_nothing_else() {
        let wide = |text: &str| text.bytes().flat_map(|byte| [byte, 0]).collect::<Vec<u8>>();
        let table: [(Vec<u8>, usize); 13] = [
            (b"\xFF\x25\x00\x20\x40\0\0\0".to_vec(), 0),
            (b"xBSJBy".to_vec(), 2),
            (wide("VS_VERSION_INFO"), 0),
            (wide("originalFilename"), 0),
            (b"$This program cannot be run i".to_vec(), 1),
            (b".rsrc".to_vec(), 0),
            (b"LoadLibraryQ7!x".to_vec(), 4),
            (b"\x89PNG\r\n".to_vec(), 2),
            (b"x\x89PNG".to_vec(), 5),
            (b"kfjwq8 zyxw".to_vec(), 11),
            (b"rsrc".to_vec(), 4),
            (b"MZx".to_vec(), 1),
            (b"xPE\0\0L".to_vec(), 2),
        ];
        for (pattern, left) in table {
            let mut bytes = pattern.iter().copied().map(Some).collect::<Vec<_>>();
            forget(&mut bytes);
            assert_eq!(bytes.iter().flatten().count(), left, "{}", pattern.escape_ascii());
        }
    }
}
