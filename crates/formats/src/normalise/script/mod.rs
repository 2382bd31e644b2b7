//! The scripts of a page in normalised form, as signatures of targets 3 and 7 expect it: the form *javascript*.
//!
//! The rules were found by watching what `clamscan --leave-temps` of ClamAV 1.4.6 makes of generated scripts, and stand
//! where they are applied:
//!
//! ```text
//! page --html::Machine--> the bytes of each script element, its end tag included
//!      --Lexer--> words, numbers, strings, signs: no comments, no white space; strings that are added are one string
//!      --Tokens--> which words are declared, in which scope
//!      --unfold--> dF(…), packed functions, unescape(…), eval(…): what they hide is read like the rest
//!      --Printer--> <script>var n000="abc";n000</script>
//! ```
//!
//! * Names that `var` and `function` declare become `n000`, `n001` and so on, counted through one script; all else is
//!   written in lower case, numbers as C writes them, strings in double quotes.
//! * Scripts are written one after the other with a line feed between them. Attributes are no scripts.
//! * What ClamAV does by accident is done too where signatures of normalised scripts could hold it: a comment of `//` ends at the
//!   next white space, an unfinished word at the end of what is unfolded goes to the next such text, and only the first name of
//!   a `var` within braces counts.
//!
//! A script is held in memory as a whole, at the cost of the budget; one for which there is no room is a problem of the
//! source. Time is linear in the length of a script and of what is unfolded, which is bounded by memory.
//!
//! Not done: `eval` of what `eval` gave, and the order in which ClamAV passes over some of several calls of `eval`.

mod guard;
mod lexer;
mod names;
mod number;
mod print;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod unfold;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;

use dachs_base::{Budget, Source};

use super::html::{self, Gathered, Page};
use guard::Guard;
use lexer::Lexer;
use print::Printer;
use tokens::Tokens;

/// How the scripts of a page are read from the start, in normalised form.
pub(super) fn opener(
    source: &Arc<dyn Source>,
    budget: &Budget,
) -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
    let (source, budget) = (Arc::clone(source), budget.clone());
    move || Ok(Box::new(Scripts::of_page(html::scripts(&source, &budget)?, &budget)))
}

/// How scripts that were gathered are read in normalised form.
pub(super) fn opener_of(
    gathered: Gathered,
    budget: &Budget,
) -> impl Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync + 'static {
    let budget = budget.clone();
    move || Ok(Box::new(Scripts::<io::Empty>::gathered(&gathered, &budget)?))
}

/// Gives the normalised scripts of a page.
struct Scripts<R> {
    /// Absent if all its scripts are waiting.
    page: Option<Page<R>>,
    budget: Budget,
    /// Scripts that were found and not yet written.
    waiting: VecDeque<Vec<u8>>,
    /// The script at hand.
    printer: Option<Printer>,
    made: Vec<u8>,
    given: usize,
    count: u64,
    /// Set aside for the script that is being gathered.
    gathered: Guard,
}

impl<R: Read> Scripts<R> {
    fn of_page(page: Page<R>, budget: &Budget) -> Scripts<R> {
        Scripts::new(Some(page), VecDeque::new(), Guard::new(budget), budget)
    }

    fn gathered(gathered: &Gathered, budget: &Budget) -> io::Result<Scripts<R>> {
        let mut memory = Guard::new(budget);
        memory.hold(gathered.scripts.iter().map(Vec::len).fold(0, usize::saturating_add))?;
        Ok(Scripts::new(None, gathered.scripts.clone(), memory, budget))
    }

    fn new(page: Option<Page<R>>, waiting: VecDeque<Vec<u8>>, gathered: Guard, budget: &Budget) -> Scripts<R> {
        Scripts { page, budget: budget.clone(), waiting, printer: None, made: Vec::new(), given: 0, count: 0, gathered }
    }

    /// Makes some more. False at the end.
    fn advance(&mut self) -> io::Result<bool> {
        self.made.clear();
        self.given = 0;
        if let Some(printer) = &mut self.printer {
            if !printer.print(&mut self.made) {
                self.printer = None;
            }
            return Ok(true);
        }
        if let Some(script) = self.waiting.pop_front() {
            self.printer = Some(normalised(&script, self.count > 0, &self.budget)?);
            self.count = self.count.saturating_add(1);
            return Ok(true);
        }
        let Some(page) = &mut self.page else { return Ok(false) };
        let more = page.advance()?;
        self.waiting.extend(std::iter::from_fn(|| page.output.next_script()));
        self.gathered.hold(page.output.unfinished().saturating_mul(2))?;
        Ok(more || !self.waiting.is_empty())
    }
}

/// Reads a script, and what is hidden in it.
fn normalised(script: &[u8], after: bool, budget: &Budget) -> io::Result<Printer> {
    let mut tokens = Tokens::new(budget);
    let mut lexer = Lexer::default();
    lexer.feed(script, true, &mut tokens)?;
    tokens.close()?;
    unfold::unfold(&mut tokens, &mut lexer)?;
    tokens.cut_tag();
    Ok(Printer::new(tokens, after))
}

impl<R: Read> Read for Scripts<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut waiting = self.made.get(self.given..).unwrap_or(&[]);
            let got = waiting.read(buffer)?;
            self.given += got;
            if got > 0 || buffer.is_empty() || !self.advance()? {
                return Ok(got);
            }
        }
    }
}
