// Conditions in all forms.
import "math"
import "hash"
import "time"

rule counts { strings: $a = "ab1" $b = "cd2" condition: #a >= 1 and #b in (0..4000) == 1 and !a[1] == 3 and @b[1] > @a[1] }
rule at_start { strings: $a = "first of all" condition: $a at 0 }
rule in_range { strings: $a = "somewhere early" condition: $a in (0..100) }
rule some_of { strings: $a1 = "one of four" $a2 = "two of four" $a3 = "three of four" $b = "four of four" condition: 2 of ($a*) and $b }
rule percent { strings: $a = "percent a" $b = "percent b" $c = "percent c" condition: 60% of them }
rule none_of { strings: $a = "nobody has this string ever" $b = "but this" condition: $b and none of ($a) }
rule of_in { strings: $a = "early one" $b = "early two" condition: any of them in (0..60) }
rule for_of { strings: $a = "length of five" $b = "length of sixes" condition: for all of them : ( # > 0 and @ < 5000 ) }
rule for_in { strings: $a = "loop" condition: for any i in (1..#a) : ( @a[i] + 4 < filesize and uint8(@a[i]) == 0x6c ) }
rule for_list { strings: $a = "listed" condition: $a and for any i in (1, 3, 5) : ( i * 2 == 10 ) }
rule sizes { strings: $a = "sized" condition: $a and filesize > 5 and filesize < 1MB and not filesize == 7KB }
rule integers { strings: $a = "integers" condition: $a and uint16be(0) == 0x4241 and int8(2) == 0x43 and uint32(4) != 1 }
rule arithmetic { strings: $a = "sums" condition: $a and (1 + 2 * 3 - 4 \ 2) % 4 == 1 and (7 & 3 | 8 ^ 1) > 0 and ~1 < 0 and 1 << 4 == 16 }
rule texts { condition: "badger" contains "adg" and "badger" istartswith "BAD" and "Sett" iequals "sETT" and "den1" matches /d.n\d/ and filesize > 900 }
rule undefined_is_no { strings: $a = "undefined" condition: $a and not defined uint32(filesize) }
rule entropy { strings: $a = "entropy of this" condition: $a and math.entropy(0, filesize) > 1.0 and math.mean(0, filesize) < 200.0 }
rule digest { condition: filesize < 64 and hash.md5(0, 0) == "d41d8cd98f00b204e9800998ecf8427e" and hash.crc32(0, filesize) != 1 }
rule clock { strings: $a = "some time" condition: $a and time.now() > 1000000 }
rule tagged : one two { meta: author = "badger" score = 60 strings: $a = "tagged badger" condition: $a }
rule refers { condition: tagged and not clock }
rule of_rules { condition: any of (tag*, refers) }
