//! The engine `boreal` behind our traits.

mod ranges;

use crate::evaluate::{Compile, Evaluate, Externals, Hit, Object, StringMatch};
use crate::fault::Fault;
use crate::guard;
use ::boreal::compiler::{CompilerBuilder, CompilerParams};
use ::boreal::module::Console;
use ::boreal::scanner::ScanParams;
use ::boreal::{Compiler, Scanner};
use dachs_base::MatchedString;

/// No string counts more matches in one object. YARA stops at a million; each takes 48 bytes here.
pub const MATCHES: u32 = 100_000;
/// So many matches of one string of a rule are told.
const TOLD_EACH: usize = 4;

/// Takes rules for `boreal`.
pub struct BorealCompiler(Compiler);

impl Default for BorealCompiler {
    fn default() -> BorealCompiler {
        // What rules write to the console goes nowhere: a worker has none.
        let mut compiler = CompilerBuilder::new().add_module(Console::with_callback(|_| {})).build();
        compiler.set_params(CompilerParams::default().disable_includes(true).disable_unknown_escape_warning(true));
        for name in Externals::NAMES {
            compiler.define_symbol(name, "");
        }
        BorealCompiler(compiler)
    }
}

impl Compile for BorealCompiler {
    fn add(&mut self, source: u32, text: &str) -> Result<(), Fault> {
        guard::check(text)?;
        let text = ranges::adapted(text);
        match self.0.add_rules_str_in_namespace(&text, source.to_string()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Fault::of(&error.to_diagnostic(), &text)),
        }
    }

    fn finish(self: Box<Self>) -> Box<dyn Evaluate> {
        Box::new(Boreal(self.0.finalize()))
    }
}

struct Boreal(Scanner);

impl Evaluate for Boreal {
    fn evaluate(&self, object: &Object<'_>, hit: &mut dyn FnMut(Hit<'_>)) -> bool {
        // A clone is a counted pointer and the values of the variables.
        let mut scanner = self.0.clone();
        // The bytes of matches are ours anyway, so none are copied.
        let params = ScanParams::default().match_max_length(0).string_max_nb_matches(MATCHES);
        scanner.set_scan_params(params.timeout_duration(object.time));
        let Externals { filename, filepath, extension, filetype, owner } = object.externals;
        let values = [filename, filepath, extension, filetype, owner];
        for (name, value) in Externals::NAMES.iter().zip(values) {
            // All of them were defined, as texts.
            let _ = scanner.define_symbol(name, value.as_slice());
        }
        let (result, whole) = match scanner.scan_mem(object.bytes) {
            Ok(result) => (result, true),
            Err((_, result)) => (result, false),
        };
        for rule in result.rules.iter().filter(|rule| rule.matched) {
            let matches = rule.matches.iter().flat_map(|string| {
                string.matches.iter().take(TOLD_EACH).map(|found| StringMatch {
                    name: string.name,
                    offset: u64::try_from(found.offset).unwrap_or(u64::MAX),
                    length: u64::try_from(found.length).unwrap_or(u64::MAX),
                })
            });
            let source = rule.namespace.parse().unwrap_or(u32::MAX);
            hit(Hit { source, name: rule.name, strings: matches.take(MatchedString::MOST).collect() });
        }
        whole
    }
}
