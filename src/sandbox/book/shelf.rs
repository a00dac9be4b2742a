//! A shelf: things under their number, each change of one written to the journal as the whole thing before it happens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::super::SandboxError;
use super::Unwritten;
use super::journal::Journal;

/// Most things on one shelf.
const THINGS_MAX: usize = 100_000;

/// What a change makes of a thing: its new form, or none if it stays as it is; and what the caller is told.
pub(crate) type Changed<T, R> = (Option<T>, R);

/// Things of one kind.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Mutex<Held<T>>);

#[derive(Debug)]
struct Held<T> {
    things: BTreeMap<String, T>,
    journal: Journal,
}

impl<T: Clone + Serialize + DeserializeOwned> Shelf<T> {
    /// Opens the shelf at `path` with everything that was on it.
    pub(crate) fn at(path: &Path) -> Result<Self, SandboxError> {
        let (journal, entries) = Journal::open(path)?;
        let failed = |why: String| SandboxError::File { path: path.to_owned(), why };
        let mut things = BTreeMap::new();
        for mut entry in entries {
            let key = entry["key"].as_str().map(str::to_owned).ok_or_else(|| failed("holds a line without a key".to_owned()))?;
            let thing = serde_json::from_value(entry["is"].take()).map_err(|e| failed(format!("holds a line that cannot be read: {e}")))?;
            things.insert(key, thing);
        }
        Ok(Self(Mutex::new(Held { things, journal })))
    }

    /// The thing under `key`.
    pub(crate) fn get(&self, key: &str) -> Option<T> {
        self.held().things.get(key).cloned()
    }

    /// The first thing that fits.
    pub(crate) fn find(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        self.held().things.values().find(|thing| fits(thing)).cloned()
    }

    /// Everything, by key.
    pub(crate) fn all(&self) -> Vec<T> {
        self.held().things.values().cloned().collect()
    }

    /// Looks at the thing under `key` and decides, alone: nobody else changes the shelf meanwhile. `change` also sees everything else.
    pub(crate) fn change<R, E: From<Unwritten>>(
        &self,
        key: &str,
        change: impl FnOnce(Option<&T>, &BTreeMap<String, T>) -> Result<Changed<T, R>, E>,
    ) -> Result<R, E> {
        let mut held = self.held();
        let (changed, told) = change(held.things.get(key), &held.things)?;
        if let Some(thing) = changed {
            held.put(key, thing)?;
        }
        Ok(told)
    }

    fn held(&self) -> MutexGuard<'_, Held<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Serialize> Held<T> {
    fn put(&mut self, key: &str, thing: T) -> Result<(), Unwritten> {
        if self.things.len() >= THINGS_MAX && !self.things.contains_key(key) {
            return Err(Unwritten);
        }
        let entry: Value = json!({"key": key, "is": &thing});
        self.journal.append(&entry).map_err(|e| {
            tracing::error!(error = %e, "the sandbox's journal cannot be written");
            Unwritten
        })?;
        self.things.insert(key.to_owned(), thing);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_again_and_a_refused_change_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("things.jsonl");
        let shelf = Shelf::<u32>::at(&path).expect("opens");
        let add = |shelf: &Shelf<u32>, n: u32| shelf.change("a", |is, _| Ok::<_, Unwritten>((Some(is.copied().unwrap_or_default() + n), ())));
        add(&shelf, 2).expect("put");
        add(&shelf, 3).expect("put");
        assert_eq!(shelf.change("b", |_, _| Err::<Changed<u32, ()>, _>(Unwritten)), Err(Unwritten));
        assert_eq!(shelf.change("b", |is, all| Ok::<_, Unwritten>((None, (is.is_none(), all.len())))), Ok((true, 1)));
        drop(shelf);
        let shelf = Shelf::<u32>::at(&path).expect("opens");
        assert_eq!((shelf.get("a"), shelf.get("b"), shelf.all(), shelf.find(|n| *n > 4)), (Some(5), None, vec![5], Some(5)));
        std::fs::write(&path, "{\"key\":\"a\",\"is\":\"no number\"}\n").expect("written");
        assert!(Shelf::<u32>::at(&path).is_err(), "a line that cannot be read is not hidden");
    }
}
