//! What the sandbox holds, one book a subject: kept in memory, every change written to the book's journal before it happens, found again
//! after a restart.

pub(crate) mod combined;
pub(crate) mod contracts;
mod entries;
mod journal;
pub(crate) mod notices;
pub(crate) mod order;
pub(crate) mod orders;
pub(crate) mod products;
pub(crate) mod refunds;
mod ripen;
pub(crate) mod score;
pub(crate) mod sharing;
pub(crate) mod shelf;
#[cfg(test)]
mod tests;
pub(crate) mod transfers;

use std::ops::Deref;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::SandboxError;
use journal::Journal;

/// What a book holds: it grows out of its entries alone.
pub(crate) trait Held: Default {
    /// Lets an entry that is written happen.
    fn take(&mut self, entry: &Value);
}

/// The journal could not be written: nothing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unwritten;

/// A book; opened by one at a time.
#[derive(Debug)]
pub(crate) struct Book<H>(Mutex<Pages<H>>);

#[derive(Debug)]
struct Pages<H> {
    held: H,
    journal: Journal,
}

/// A book lying open: what it holds can be read, and entries added.
#[derive(Debug)]
pub(crate) struct Open<'b, H>(MutexGuard<'b, Pages<H>>);

impl<H: Held> Book<H> {
    /// The book whose journal is at `path`, made if it is not there.
    pub(crate) fn at(path: &Path) -> Result<Self, SandboxError> {
        let (journal, entries) = Journal::open(path)?;
        let mut held = H::default();
        for entry in &entries {
            held.take(entry);
        }
        Ok(Self(Mutex::new(Pages { held, journal })))
    }

    /// Opens the book.
    pub(crate) fn open(&self) -> Open<'_, H> {
        Open(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<H: Held> Open<'_, H> {
    /// Writes an entry, then lets it happen.
    pub(crate) fn note(&mut self, entry: &Value) -> Result<(), Unwritten> {
        if let Err(e) = self.0.journal.append(entry) {
            tracing::error!(error = %e, "a journal of the sandbox cannot be written");
            return Err(Unwritten);
        }
        self.0.held.take(entry);
        Ok(())
    }
}

impl<H> Deref for Open<'_, H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.0.held
    }
}
