// Strings in all forms.
rule text { strings: $a = "a plain badger" condition: $a }
rule text_nocase { strings: $a = "Badgers In Any Case" nocase condition: $a }
rule text_wide { strings: $a = "wide badger" wide condition: $a }
rule text_both { strings: $a = "both badgers" wide ascii nocase condition: $a }
rule text_fullword { strings: $a = "wholebadger" fullword condition: $a }
rule text_fullword_wide { strings: $a = "wholewide" fullword wide ascii condition: $a }
rule text_escapes { strings: $a = "tab\tquote\"backslash\\byte\x07\xfe" condition: $a }
rule text_short { strings: $a = "q~" $b = "\x01\x02\x03" condition: all of them }
rule text_xor { strings: $a = "hidden badger" xor condition: $a }
rule text_xor_range { strings: $a = "hidden in a range" xor(0x10-0x3f) condition: $a }
rule text_xor_wide { strings: $a = "hidden and wide" xor(1-255) wide condition: $a }
rule text_base64 { strings: $a = "a badger in base64, long enough" base64 condition: $a }
rule text_base64_wide { strings: $a = "a wide badger in base64, long enough" base64wide condition: $a }
rule text_base64_alphabet {
    strings: $a = "another alphabet for badgers"
        base64("!@#$%^&*(){}[].,|ABCDEFGHIJ\x09LMNOPQRSTUVWXYZabcdefghijklmnopqrstu")
    condition: $a
}
private rule a_private_string { strings: $a = "kept to itself" private condition: $a }
rule uses_a_private_rule { condition: a_private_string }
rule hex { strings: $a = { 62 61 64 67 65 72 DE AD BE EF } condition: $a }
rule hex_wildcards { strings: $a = { 42 41 ?? 47 4? ?2 DE AD 0? BE } condition: $a }
rule hex_jumps { strings: $a = { DE AD [4] BE EF [2-6] CA FE [0-] 44 } condition: $a }
rule hex_alternatives { strings: $a = { F4 23 ( 62 B4 | 56 ?? | 45 [2-3] 67 ) 45 } condition: $a }
rule regex { strings: $a = /badger[0-9]{2,4}[a-f]+x/ condition: $a }
rule regex_nocase { strings: $a = /den of (foxes|badgers|moles)/i condition: $a }
rule regex_lazy { strings: $a = /begin.{1,40}?end of it/s condition: $a }
rule regex_classes { strings: $a = /\w+\d\s[^a-z\r\n]{3}-sett/ condition: $a }
rule regex_wide { strings: $a = /burrow[0-9]{3}/ wide ascii nocase condition: $a }
rule regex_boundaries { strings: $a = /\bclaws\b/ fullword condition: $a }
rule regex_bytes { strings: $a = /\xde\xad[\x80-\xff]{2,3}\x00/ condition: $a }
rule regex_anchored { strings: $a = /^#!\/bin\/badger/ condition: $a }
