// A global rule binds the rules of its file.
global rule not_too_large { condition: filesize < 2000 }
rule bound { strings: $a = "bound by a global rule" condition: $a }
rule bound_and_large { strings: $a = "bound and large" condition: $a and filesize > 3000 }
