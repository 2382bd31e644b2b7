// What yara 4.2 does not know yet: it refuses this file.
import "string"
rule hex_not { strings: $a = { 42 41 ~00 ~4? BE } condition: $a }
rule numbers_in_text { strings: $a = "to number" condition: $a and string.to_int("0x10") == 16 and string.length("sett") == 4 }
rule at_least { strings: $a = "at one" $b = "at two" condition: any of them at 0 }
