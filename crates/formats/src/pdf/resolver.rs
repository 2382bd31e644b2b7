//! Small objects that others refer to: the filters of a stream and their parameters may stand in objects of their own.
//!
//! Each is looked for in the whole file, so only some are. One that stands twice in the file with different contents is
//! not taken at all: which of them counts is a matter of the reader's taste.

use std::sync::Arc;

use dachs_base::{Budget, Source};

use super::syntax::{self, Value};
use super::window::Window;

/// Objects that are looked for in one file.
const MOST: usize = 64;
/// Bytes of such an object.
const LONGEST: usize = 4096;

/// Number and generation of an object, and its body if it was found.
type Known = ((u64, u64), Option<Vec<u8>>);

/// Finds objects by their number.
pub(super) struct Resolver {
    window: Window,
    found: Vec<Known>,
}

impl Resolver {
    pub(super) fn new(source: &Arc<dyn Source>, budget: &Budget) -> Resolver {
        Resolver { window: Window::new(source, budget), found: Vec::new() }
    }

    /// The bytes behind `obj` of the object with this number.
    pub(super) fn body(&mut self, number: u64, generation: u64) -> Option<Vec<u8>> {
        if let Some((_, known)) = self.found.iter().find(|(key, _)| *key == (number, generation)) {
            return known.clone();
        }
        if self.found.len() >= MOST {
            return None;
        }
        let body = self.search(number, generation);
        self.found.push(((number, generation), body.clone()));
        body
    }

    /// Reads the whole file for it.
    fn search(&mut self, number: u64, generation: u64) -> Option<Vec<u8>> {
        let mut found: Option<Vec<u8>> = None;
        let mut at = 0;
        while let Some(header) = self.window.next_header(at, u64::MAX).ok()? {
            at = header.body;
            if (header.number, header.generation) == (number, generation) {
                let (bytes, _) = self.window.view(at, LONGEST).ok()?;
                let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
                let length = syntax::object(bytes, true).ok()?.length;
                let body = bytes.get(..length)?.to_vec();
                if found.as_ref().is_some_and(|before| *before != body) {
                    return None;
                }
                found = Some(body);
            }
        }
        found
    }

    /// Gives `value` as a list, with the objects it refers to in their places; a list of none if there is no value.
    pub(super) fn list<T>(
        &mut self,
        value: Option<&Value<'_>>,
        then: &mut dyn FnMut(&mut Resolver, &[Value<'_>]) -> T,
    ) -> T {
        match value {
            None | Some(Value::Other) => then(self, &[]),
            Some(Value::Reference(number, generation)) => {
                let body = self.body(*number, *generation).unwrap_or_default();
                let value = parsed(&body);
                match value {
                    Value::Array(values) => self.elements(&values, then),
                    value => then(self, &[value]),
                }
            }
            Some(Value::Array(values)) => self.elements(values, then),
            Some(value) => then(self, std::slice::from_ref(value)),
        }
    }

    fn elements<T>(&mut self, values: &[Value<'_>], then: &mut dyn FnMut(&mut Resolver, &[Value<'_>]) -> T) -> T {
        let mut body = |value: &Value<'_>| match value {
            Value::Reference(number, generation) => self.body(*number, *generation),
            _ => None,
        };
        let bodies: Vec<Option<Vec<u8>>> = values.iter().map(&mut body).collect();
        let list: Vec<Value<'_>> = values
            .iter()
            .zip(&bodies)
            .map(|(value, body)| match body {
                Some(body) => parsed(body),
                None => value.clone(),
            })
            .collect();
        then(self, &list)
    }
}

fn parsed(body: &[u8]) -> Value<'_> {
    syntax::value(body, true).map_or(Value::Other, |object| object.value)
}
