//! Many byte patterns in one pass.
//!
//! A set of some hundred thousand patterns, made once, is searched in objects of any size, window by window, in one pass
//! over their bytes and in bounded memory. The crate knows bytes and nothing else: not what a signature is, nor a file.
//! It depends on nothing else of ours, so that it can be measured, fuzzed and published alone.
//!
//! ```
//! use dachs_matcher::pattern::{Element, Pattern};
//! use dachs_matcher::{Builder, Flow, Patterns, State, Window};
//!
//! let elements = b"badger".map(Element::Folded).to_vec();
//! let mut builder = Builder::new();
//! let number = builder.add(&Pattern { elements })?;
//! let bytes = builder.finish();
//!
//! let set = Patterns::new(&bytes).map_err(|_| dachs_matcher::Refusal::TooMany)?;
//! let window = Window { bytes: b"the Badger digs", base: 0, last: true };
//! let _ = set.scan(&mut State::new(), window, &mut |hit| {
//!     assert_eq!((hit.pattern, hit.start, hit.end), (number, 4, 10));
//!     Flow::Go
//! });
//! # Ok::<(), dachs_matcher::Refusal>(())
//! ```
//!
//! # How it works
//!
//! ```text
//! pattern      61 62 63 {0-5} 64 65 * 68 69 6a 6b 6c 6d 6e          pattern: what may stand in it
//!              |----- part 0 -----|   |----- part 1 ----|           split: cut at long and open gaps
//!                 pair or two runs        pair or two runs          keys, rarity: where the filter looks for it
//!
//! window  ─arch, filter─>  candidates  ─check, bucket─>  part and anchor  ─confirm─>  starts, ends  ─progress─>  hits
//! ```
//!
//! 1. `split` cuts a pattern at its long gaps (more than 128 bytes) into parts. `keys` chooses what each part is found by: two
//!    runs of five bytes of either case, or a pair of bytes. `rarity` says which of them ordinary files hold least, and what
//!    many patterns of the set share counts as less rare. What files hold because of their kind is known by name (`usual`).
//! 2. `arch` hashes five folded bytes at every second position into a bitmap of half a megabyte at most, and looks up every
//!    pair, for all sets of an object at once (`joint`). What passes is asked once more by eight bytes, all positions of a
//!    stretch together, and compared with the entries of its bucket (`filter`), eight bytes each under a mask. Pairs of parts
//!    behind the first are looked for once the part before was found.
//! 3. `confirm` runs the elements of the part backward and forward from the anchor, on sets of positions.
//! 4. `progress` joins the parts of a pattern over any distance, and sees to it that a start is reported once. It also knows
//!    which parts can teach nothing more; when that is so of all that have a pair, the object's own map forgets the pair.
//!
//! A pattern that may start at few places is not searched at all ([`Builder::add_placed`]), and one of which only its presence
//! counts ([`Builder::add_once`]) costs nothing once it was found. One that matters only where another was found waits
//! ([`Builder::add_waiting`]) until it is asked for in one object ([`Patterns::select`]); which of several that must all be there
//! had better be searched, [`Builder::cost`] says. That is what makes a real set fast: see *Measured*.
//!
//! A position is examined when the window holds everything that any part could need from there on; the others wait for the
//! next window, which therefore repeats [`Patterns::overlap`] bytes. `layout` is how all of it lies in bytes, what is looked at
//! often before what is not (`order`): read in place,
//! without alignment, and every access checked, so that no set of bytes can panic or loop, whoever wrote it.
//!
//! # What it costs at worst
//!
//! * *A position* costs one look at each filter, the entries of at most two buckets, and one confirmation for each entry whose
//!   eight bytes agree. An object made of what the set looks for makes every second position a candidate; the count of
//!   confirmations is then that of patterns with the same anchor and the same eight bytes.
//! * *A part of a pattern of several* costs a walk over the level before it, at most 1,024 items, and a completed start one
//!   over all levels of its pattern.
//! * *A confirmation* costs at most the part's code times the number of lengths that it can have, at most 2^20 steps (what
//!   needs more is refused when the set is built), and in sets that no builder made 2^26. Nothing backtracks.
//! * *Memory* for an object is at most 2^18 items of 24 bytes, and 8 items more for each level that is in use: see `progress`,
//!   which also says what a full level loses. A window's candidates are bounded by its chunks of 16 KiB.
//! * *Hits* are as many as there are; whoever needs no more of a pattern says [`Flow::Enough`], and then they cost no more
//!   than their filter.
//!
//! # Measured
//!
//! With `cargo run --release --example bench` on the 114,860 distinct strings of main.ldb that are searched anywhere, on one
//! core of an EPYC machine that at the same time did five to ten times the work it has cores for. CPU time is counted, but
//! caches and threads were shared, and a speed varies by a third between runs; the counts do not. Counts are per MB of object.
//!
//! ```text
//! object                        MB/s   candidates   entries   confirmations
//! noise                          350       20,959    38,664           2,023
//! 33 libraries, 23 MB            122      266,900 1,109,658         173,944
//! one letter                      99      500,000 6,000,000               0
//! zeros                           47    1,500,000 9,000,000       2,000,000
//! the set's own strings           22      368,094 2,432,198         493,386
//! ```
//!
//! The set takes 17.7 MB and is built in half a second or more. The libraries spend their time on a few short patterns: a
//! quarter of their positions hold two zero bytes in succession, and the strings `00000000` and `ba??000000` can be found
//! by nothing else. That is the next thing to better.
//!
//! # What was tried and lost
//!
//! * *The rarest anchor by bytes alone*: families of thousands of signatures share one stretch (`VB5!6&` the largest), and took
//!   it all. The set's own strings, each of 41st: 1,905,465 confirmations a MB; with anchors that crowd less, 573,845.
//! * *Levels of progress in the order they came*: a full one cost a walk of 1,024 items for each occurrence; zeros went at
//!   2 MB/s, with sorted levels at 9, and at 40 since a full first level keeps its part from being confirmed.
//! * *Bounds of the window checked for each entry*, instead of once for the candidate: libraries at 85 to 98 MB/s in three
//!   runs, instead of 77 to 116; no difference that this machine could show, kept because it is simpler.
//! * *Ends one by one before a bounded gap*: ten ends for each start filled a level with 103 starts, and lost some (the
//!   property tests found it); runs of neighbouring ends hold 1,024.
//! * *A branch for each filter and position*, instead of one for both filters and two positions: noise at 213 to 231 MB/s in
//!   three runs, instead of 189 to 353 in nine; probably better, to be measured again on a quiet machine.
//!
//! * *A key for every second position also for parts of two bytes*, the other way round a single byte and any behind it: a
//!   fifth of all positions passed (194,774 candidates a MB of libraries for the set of any kind; with pairs at every
//!   position 22,971).
//! * *All starts of the parts before, joined for each part that continues them*: 48 % of the samples on libraries, in patterns
//!   before whose next part nothing new could be learnt. Such parts are not confirmed now.
//!
//! * *All patterns searched in every object*: where a signature needs several, one of them is enough, and the rarest. Of
//!   38,889 signatures of main.ldb nearly all are of that kind, so what is frequent (`00000000`, `GetProcAddress`) is hardly
//!   ever searched: a scan of 24 MB of programs for Windows takes 215 ms of CPU time instead of 805 to 899, 20 MB of texts
//!   484 instead of 709 to 831, 10 MB of JavaScript 511 instead of 767 to 930.
//!
//! * *A bitmap for each of two sets, and a map of pairs gathered from memory*: four gathers for sixteen positions. One bitmap
//!   for both and pairs looked up in registers need one: a scan of 30 MB of programs for Linux takes 88 to 94 ms instead of
//!   128 to 140, in turns; of programs for Windows as long as before, since their time goes to candidates.
//! * *48 bytes around a candidate compared by `==`*, with those of the candidate before: the compiler makes a call of `memcmp`
//!   of it, an eighth of the time for programs for Windows. They are only compared now where an entry's eight bytes agree.
//!
//! * *Pairs of all parts from the start*: `01 00`, by which the fifth part of one pattern of main.ldb is found, passed at 17,000
//!   of a million positions of programs for Windows, where all else together passed at 11,000. Such pairs sleep until the
//!   part before theirs is found; then every position of the stretch at hand is looked at, since the filter
//!   did not know them. Until the *first* part was found was not enough: most programs hold it.
//! * *18 bits of the bitmap for each key, also of small sets*: 9,700 of 10,300 candidates a MB of programs for Linux were keys of
//!   no part. With 64 bits the bitmap of these sets is still smaller than a core's first cache.
//! * *The bucket at once where five bytes agree*: two or three letters of 16 bits are frequent in programs of .NET (14,300 of
//!   17,100 candidates a MB); three bytes more are known of most keys, and a second bitmap knows all eight.
//! * *The classes of all pairs worked out bit by bit*, whenever a pair is dropped: a tenth of the time for small pictures.
//!
//! These four together, as CPU time of a whole scan in turns on a busy machine: 24 MB of programs for Windows 128 to 150 ms
//! instead of 159 to 198, 11 MB of .NET 71 to 74 instead of 100 to 106, 60 MB of programs for Linux 125 to 137 instead of 206 to 211.
//!
//! * *Exact counts of how crowded a key is*, in a map: with the choice of keys, 41 % of the time of building a large set. Counts in a
//!   table of 2^22 places, where some share one, and rarities worked out once for each run: 26 % before the latter.
//!
//! * *A loop over the bits of each 64 positions*, to note what passed, mispredicts about once each: long keys alone at 2.1 GB/s, with
//!   compressed stores at 3.1 (35 MB of programs for Windows). So does a look at each pair that has classes in common; they are
//!   collected first. With 700 pairs in 15 classes of one kind 66,000 of a million positions had a class in common, in two kinds
//!   15,700.
//! * *The set's own bitmap asked first* of what the joint one passed, then the second check: the second alone says as much, and asked
//!   of all positions of a stretch without a branch it need not be waited for each time.
//! * *The entries asked the same way*, before any candidate is looked at: .NET 30 ms instead of 32, other programs for Windows 69
//!   instead of 63, in two turns.
//! * *Loads one by one instead of a gather*, from indexes stored in memory: 1.7 GB/s where gathers did 2.1.
//!
//! These together with the pairs that sleep longer, as CPU time of the examination alone: 11 MB of .NET 32 ms instead of 50, 24 MB of
//! other programs for Windows 65 to 69 instead of 100.
//!
//! The profile after that, programs for Windows: a third is the filter (half of it the classes of pairs), a quarter the look at
//! candidates, a tenth the second check.
//!
//! * *Leads chosen by rarity alone*: section names and the words of version information are as rare, by the bytes of files, as what
//!   hardly any file holds, and long ones seem rarer than short ones. So nearly each program held a lead of one of ten rules, and was
//!   read a second time for their other patterns: 15 of 65 ms of 24 MB, 7 of 31 of .NET, and 16 of 48 of small pictures, where the rule
//!   led with the first four bytes of PNG. Those words count for nothing now (`usual`).
//!
//! * *A look at every position behind a pair that woke*, to the end of the chunk or, in the second set, of the window: most pages
//!   wake one. The pairs that woke are looked for there instead (`woken`), as CPU time of whole scans in turns, with a load of 12:
//!   18 MB of pages 287 ms instead of 330, 60 MB of programs for Linux 105 instead of 123, texts and programs for Windows as before.
//! * *One price for whatever seems to be found in every object*: what files hold by their kind for certain (`89504e47` at the start of a
//!   picture, `4d5a`) cost no more than words that are frequent in scripts (`curl`, `wget`), so one rule led with the first bytes of PNG
//!   still, and others with `4d5a` and `PE\0\0`: every picture was read twice, and every program for Windows. The examination alone
//!   does 250 MB of small pictures a second instead of 138, in turns. What only *seems* frequent costs a thousandth of what is certain;
//!   with an eighth, or in steps as large as what the filter passes costs, rules led with rare words found by frequent pairs, and programs
//!   for Linux went at 330 MB a second instead of 1,050.
//! * *Buckets asked for ahead* (prefetched: their heads as positions are sifted, their entries before any is looked at): in four turns
//!   320 to 340 MB a second of .NET instead of 300 to 366, 325 to 356 of other programs for Windows instead of 270 to 340, 711 to 943
//!   of programs for Linux instead of 909 to 1,019.
//!
//! * *A gather for sixteen words of the bitmap*: two thirds of the filter's time for programs of .NET stood at it. Sixteen loads by
//!   indexes that are taken out of the register two at a time do the long keys of a program of 1 MB at 5.1 GB/s instead of 3.7 (bitmap
//!   of 16 KB), 4.5 instead of 2.7 (256 KB), 4.2 instead of 2.5 (512 KB), each the best of 60 runs outside the matcher. Also tried there:
//!   two gathers of eight 4.3, four of four 4.1, half gathered and half loaded 4.8, indexes stored and loaded again 3.3. Without
//!   any look-up the arithmetic alone runs at 12 GB/s, and keys at every fourth position at 8.1.
//! * *What a pattern passes by five bytes, when leads are chosen*: the second check asks eight, of words as of anything else. And an
//!   instruction of two bytes (`33c9`, `816d`) seemed to be found no oftener than a word, so rules led with it and had most programs
//!   read again. Patterns of at most three bytes that seem frequent cost an eighth of what is certain since then, patterns of several
//!   short stretches count by all of them, letters of 16 bits for half. Bytes looked at for each byte of an object: programs for Linux
//!   1.06 instead of 1.37, programs for Windows 1.41 instead of 1.76.
//! * *A second lead where the first seems frequent*, so that a rule is undecided only where both are found: what seems frequent is
//!   three rules of four, and their second leads are often pairs. Scripts were read 1.19 times instead of 1.56, but pages had 21,900
//!   candidates a MB instead of 16,500 and went at 300 MB a second instead of 460.
//! * *One bit for each key in the second check*, of 16: an eighth of what is none passed it. With two bits of 32: .NET 36 ms instead of 39,
//!   other programs for Windows 68 instead of 70, in turns with a load of 14.
//!
//! The others together with one reading for what begins in the midst of a program, as CPU time of whole scans, the least of seven turns
//! with a load of 18: .NET 44 ms instead of 55, programs for Linux 76 instead of 99, for Windows 82 instead of 102, scripts 200
//! instead of 216, texts 163 instead of 183, pages 194 instead of 202.
//!
//! * *Two words of the second check anywhere in its table*: half of its time was waiting for the two. Both lie in one line of the
//!   processor's cache now, which the five bytes choose.
//! * *A gap of one length as the end of what an entry can compare*: `ff ff ?? ?? ?? ?? 81` was looked for by two bytes and compared by
//!   no more, 17,000 times in a program of .NET of 1.4 MB. Such gaps of up to 16 bytes are bytes of any value now: confirmations in 11 MB
//!   of .NET 8,300 instead of 33,000.
//! * *How many files hold a word*, for the choice of leads: a table of 512 KB, trained from 21,900 programs, pages, scripts and texts of
//!   other packages, that knows of six printable characters which share of the files of a kind holds them. Of 11.4 MB of .NET, 24 of other
//!   programs for Windows, 37 of pages and 20 of scripts 7.7, 10.2, 3.6 and 8.8 MB are read again without it. With it, by how much such a
//!   word weighs: 9.9, 6.8, 4.2 and 8.1; 4.3, 6.4, 9.5 and 7.9; and, where it weighs as much as reading again costs, 11.4, 19.4, 31.4 and
//!   17.7 (leads are short stretches of code then, whose own estimate is worse). To read a MB again costs less than half a
//!   millisecond, so no weight was worth the table. What did help: the jump that every program of .NET begins with was the lead of one
//!   rule, so that all were read again; it is among what is usual (`usual`) now.
//!
//! Not tried yet: keys at every fourth position. Of 31,900 parts for programs for Windows that lead, 30,200 have eight known
//! bytes in succession and could be found so with half the gathers; the other 1,700 would need a filter of their own.
//!
//! Not yet done: anchors from the alternatives of a part that has no other, and the figures above measured again with the
//! keys of now.
#![deny(unsafe_code)]

#[allow(unsafe_code, reason = "vector instructions")]
mod arch;
mod bits;
mod build;
mod code;
mod confirm;
mod expect;
mod filter;
mod joint;
mod keys;
mod layout;
mod marks;
pub mod md5;
pub mod naive;
mod order;
pub mod pattern;
mod progress;
mod rarity;
mod scan;
mod select;
mod set;
mod split;
pub mod table;
mod tables;
mod usual;
mod woken;

pub use build::{Builder, Refusal};
pub use joint::Filter;
pub use scan::{Flow, Hit, State, Statistics, Window, scan_all};
pub use select::Selection;
pub use set::{Malformed, Patterns};
