//! Other forms of an object's bytes, made so that signatures match whatever the author did to white space and case.
//!
//! A view is made as it is read, front to back, like a compressed stream; it is matched with the signatures of its target
//! and with the generic ones, and holds no members.

mod html;
mod script;
mod text;

use crate::stream::{Replay, SourceRead};
use dachs_base::{Budget, Class, FileKind, HELD, Held, Source, Target};
use std::sync::Arc;

/// Bytes of a text that are copied and normalised before the next: a core's first cache holds them.
const PIECE: usize = 1 << 13;

/// A normalised form of an object.
pub struct View {
    /// The signatures that are matched with it, besides the generic ones.
    pub target: Target,
    /// Its bytes.
    pub source: Arc<dyn Source>,
    /// Its bytes are those of the view before it: the generic signatures were matched with them.
    pub again: bool,
}

impl View {
    fn new(target: Target, source: Arc<dyn Source>) -> View {
        View { target, source, again: false }
    }
}

/// The normalised forms of an object of this kind.
#[must_use]
pub fn views(kind: FileKind, source: &Arc<dyn Source>, budget: &Budget) -> Vec<View> {
    match kind.class() {
        _ if kind == FileKind::Html => normalised_page(source, budget),
        Class::Text => vec![View::new(Target::Ascii, normalised_text(source, budget))],
        _ => Vec::new(),
    }
}

fn normalised_text(source: &Arc<dyn Source>, budget: &Budget) -> Arc<dyn Source> {
    if let Some(text) = normalised_at_once(&**source, budget) {
        return Arc::new(text);
    }
    let source = Arc::clone(source);
    Arc::new(Replay::new(budget, move || Ok(Box::new(text::Normalise::new(SourceRead::new(Arc::clone(&source)))))))
}

/// The same of a text that is held in memory, charged alike.
fn normalised_at_once(source: &dyn Source, budget: &Budget) -> Option<Held> {
    let text = source.held()?;
    let length = u64::try_from(text.len()).ok().filter(|length| *length <= HELD.min(budget.limits().object_size))?;
    let memory = budget.reserve(length).ok()?;
    let (mut bytes, mut after_blank) = (Vec::with_capacity(text.len()), false);
    for piece in text.chunks(PIECE) {
        let start = bytes.len();
        bytes.extend_from_slice(piece);
        let kept = text::squeeze(bytes.get_mut(start..).unwrap_or_default(), &mut after_blank);
        bytes.truncate(start.saturating_add(kept));
    }
    budget.charge_bytes(u64::try_from(bytes.len()).ok()?).ok()?;
    Some(Held::new(bytes, [memory]))
}

fn normalised_page(source: &Arc<dyn Source>, budget: &Budget) -> Vec<View> {
    let Some(forms) = html::forms(source, budget) else { return normalised_stream(source, budget) };
    let pages = [forms.nocomment, forms.notags].map(|source| View::new(Target::Html, source));
    let scripts = (!forms.scripts.scripts.is_empty())
        .then(|| normalised_scripts(Replay::new(budget, script::opener_of(forms.scripts, budget))));
    pages.into_iter().chain(scripts.into_iter().flatten()).collect()
}

/// The same of a page whose forms are not kept.
fn normalised_stream(source: &Arc<dyn Source>, budget: &Budget) -> Vec<View> {
    let pages = [html::Form::NoComment, html::Form::NoTags]
        .map(|form| View::new(Target::Html, Arc::new(Replay::new(budget, html::opener(source, form, budget)))));
    let scripts = normalised_scripts(Replay::new(budget, script::opener(source, budget)));
    pages.into_iter().chain(scripts).collect()
}

/// Scripts are matched as pages and as texts.
fn normalised_scripts(scripts: Replay) -> [View; 2] {
    let scripts: Arc<dyn Source> = Arc::new(scripts);
    let text = View { again: true, ..View::new(Target::Ascii, Arc::clone(&scripts)) };
    [View::new(Target::Html, scripts), text]
}
