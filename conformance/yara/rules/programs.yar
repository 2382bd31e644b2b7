// What the modules say of programs.
import "pe"
import "elf"
import "macho"
import "dotnet"

rule elf_of_many_sections { condition: elf.number_of_sections > 20 }
rule elf_shared { condition: elf.type == elf.ET_DYN and elf.machine == elf.EM_X86_64 }
rule elf_entry { condition: elf.entry_point > 0 and for any i in (0..elf.number_of_sections - 1) : ( elf.sections[i].name == ".text" ) }
rule pe_any { condition: uint16(0) == 0x5A4D and pe.number_of_sections > 0 }
rule pe_console { condition: pe.subsystem == pe.SUBSYSTEM_WINDOWS_CUI }
rule pe_imports { condition: pe.imports("kernel32.dll", "Sleep") or pe.imports("KERNEL32.dll") }
rule pe_section { condition: for any section in pe.sections : ( section.name == ".text" and section.raw_data_size > 0 ) }
rule pe_overlay { condition: pe.overlay.size > 0 }
rule not_macho { strings: $a = "no program at all" condition: $a and not defined macho.magic }
rule not_dotnet { strings: $a = "nothing of .NET" condition: $a and not dotnet.is_dotnet }
