//! Where a scan stands: the objects around the current one, and what is left of their members.

use crate::seen::Asked;
use dachs_base::{Budget, Class, FileKind, Name, ObjectPath, Part, Source};
use dachs_formats::{Identity, Item, MailWords, Member, Places, Unpack};
use dachs_sigdb::Image;
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::Arc;

/// Tells what an object is: by its structure, and by what the content knows of kinds. The content's word replaces none that
/// was found in the structure, but stands beside it.
pub(crate) fn identify(source: &dyn Source, image: &Image<'_>, around: Option<FileKind>) -> Identity {
    let mut identity = dachs_formats::identify(source);
    let partition = matches!(around, Some(FileKind::Apm | FileKind::Gpt | FileKind::Mbr));
    match image.kind_of(source, partition) {
        Some(kind) if identity.kinds().all(|known| known != kind) => match identity.kind.class() {
            Class::Data | Class::Text => identity.kind = kind,
            _ => identity.also.push(kind),
        },
        _ => {}
    }
    identity
}

/// A node of the tree of objects.
pub(crate) struct Object {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) identity: Identity,
    pub(crate) path: ObjectPath,
    /// The kinds of the objects around this one, outermost first.
    pub(crate) around: Vec<FileKind>,
    /// True if it was found in the midst of the object around it.
    pub(crate) embedded: bool,
    /// True if it is the object around it, looked at as of a kind that a signature asked for.
    pub(crate) again: bool,
    /// Whether it is a program that somebody signed whom the content trusts, once that was asked.
    pub(crate) trusted: OnceCell<bool>,
    /// What was learnt of objects in its midst when it was read.
    pub(crate) places: Option<Places>,
}

impl Object {
    /// The file itself.
    pub(crate) fn file(source: Arc<dyn Source>, identity: Identity) -> Object {
        Object {
            source,
            identity,
            path: ObjectPath::default(),
            around: Vec::new(),
            embedded: false,
            again: false,
            trusted: OnceCell::new(),
            places: None,
        }
    }

    /// A member of `parent`.
    pub(crate) fn member(parent: &Object, member: Member, image: &Image<'_>) -> Object {
        let identity = identify(&*member.source, image, Some(parent.kind()));
        let path = parent.path.child(member.name);
        let around = parent.around.iter().copied().chain([parent.kind()]).collect();
        Object {
            source: member.source,
            identity,
            path,
            around,
            embedded: false,
            again: false,
            trusted: OnceCell::new(),
            places: None,
        }
    }

    /// The same object as one of another kind, inside of itself.
    pub(crate) fn again(&self, kind: FileKind) -> Object {
        let around = self.around.iter().copied().chain([self.kind()]).collect();
        let identity = Identity { kind, also: Vec::new() };
        let (source, path) = (Arc::clone(&self.source), self.path.clone());
        Object { source, identity, path, around, embedded: true, again: true, trusted: OnceCell::new(), places: None }
    }

    /// The same object as one of another kind, in its place.
    pub(crate) fn also(&self, kind: FileKind) -> Object {
        Object { around: self.around.clone(), ..self.again(kind) }
    }

    /// What is of a kind in the midst of this object, from an offset to the end.
    pub(crate) fn rest(&self, kind: FileKind, offset: u64) -> Object {
        let source = Arc::clone(&self.source);
        let length = source.len().saturating_sub(offset);
        let name = Name::new(format!("embedded {} at {offset}", kind.label()).as_bytes());
        Object { path: self.path.child(name), source: Arc::new(Part::new(source, offset, length)), ..self.again(kind) }
    }

    /// What it is.
    pub(crate) fn kind(&self) -> FileKind {
        self.identity.kind
    }
}

/// An object whose members are being gone through.
pub(crate) struct Level {
    pub(crate) object: Object,
    /// True if part of the object is known not to have been looked at.
    pub(crate) gap: bool,
    /// What may be remembered of the object, once its members were gone through.
    pub(crate) asked: Option<Asked>,
    /// How many items of the object were given.
    pub(crate) given: u64,
    unpackers: VecDeque<Box<dyn Unpack>>,
    /// As what signatures ask to look at the object again.
    handlers: Vec<FileKind>,
    /// What patterns tell of the object, or of what begins at an offset in it.
    told: VecDeque<(FileKind, Option<u64>)>,
    /// The words of the object, if it is a mail and they were asked for.
    words: Option<Arc<MailWords>>,
}

impl Level {
    /// A level without members.
    pub(crate) fn closed(object: Object) -> Level {
        Level {
            object,
            gap: false,
            asked: None,
            given: 0,
            unpackers: VecDeque::new(),
            handlers: Vec::new(),
            told: VecDeque::new(),
            words: None,
        }
    }

    /// The words of the object, which is a mail, as passwords of what it holds.
    pub(crate) fn words(&mut self, budget: &Budget) -> Arc<MailWords> {
        let source = &self.object.source;
        Arc::clone(self.words.get_or_insert_with(|| Arc::new(MailWords::new(source, budget))))
    }

    /// Adds one more way to go through the object.
    pub(crate) fn push(&mut self, unpack: Box<dyn Unpack>) {
        self.unpackers.push_back(unpack);
    }

    /// Asks for one more look at the object, as one of these kinds, each once.
    pub(crate) fn look_again(&mut self, kinds: Vec<FileKind>) {
        self.handlers.extend(kinds);
        self.handlers.sort_unstable();
        self.handlers.dedup();
    }

    /// Keeps what patterns tell of the object: of what kind it is, or what begins at an offset in it. Each kind of the object once.
    pub(crate) fn tell(&mut self, told: Vec<(FileKind, Option<u64>)>) {
        for told in told {
            if !self.told.contains(&told) {
                self.told.push_back(told);
            }
        }
    }

    /// The next of what patterns tell.
    pub(crate) fn next_told(&mut self) -> Option<(FileKind, Option<u64>)> {
        self.told.pop_front()
    }

    /// The next kind as which the object is to be looked at again.
    pub(crate) fn next_handler(&mut self) -> Option<FileKind> {
        self.handlers.pop()
    }

    /// The next item of the first way that still has one.
    pub(crate) fn next_item(&mut self) -> Option<Item> {
        while let Some(unpack) = self.unpackers.front_mut() {
            if let Some(item) = unpack.next_item() {
                self.given = self.given.saturating_add(1);
                return Some(item);
            }
            self.unpackers.pop_front();
        }
        None
    }
}
