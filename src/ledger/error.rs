//! What can go wrong with the ledger, and what a caller hears of it.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use crate::refusal::{Kind, Refusal};

/// Why the ledger did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be opened or is not a ledger.
    #[error("the ledger {path} cannot be opened: {why}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system said.
        why: String,
    },
    /// Another process has it.
    #[error("the ledger {0} is in use by another fengate; stop that one, or give this one its own [ledger] url")]
    InUse(PathBuf),
    /// It was written by a newer fengate.
    #[error("the ledger {path} is of version {found}, this fengate knows versions up to {known}; use the fengate that wrote it")]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// It was written by an older fengate and cannot be changed now.
    #[error("the ledger {path} is of version {found}, of an older fengate; start fengate once to bring it to version {known}")]
    TooOld {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version needed here.
        known: i64,
    },
    /// More changes wait than the queue holds, or another program (a copy, a shell) holds SQLite's lock. Nothing was written; later it may be.
    #[error("the ledger is busy: too many changes wait, or another program holds the lock of its file")]
    Busy,
    /// A commit ended in a way that leaves open whether it counts: nobody may be told that nothing was written.
    #[error("whether the ledger committed is not known: {0}")]
    Uncertain(String),
    /// A statement failed, or a commit that surely wrote nothing.
    #[error("the ledger failed: {0}")]
    Storage(String),
    /// A commit failed before: what is on disk is uncertain until a restart reads it again.
    #[error("the ledger failed to commit earlier and takes nothing more until fengate is restarted")]
    Failed,
    /// The ledger has been closed.
    #[error("the ledger is closed")]
    Closed,
    /// A row cannot be read as what it should be.
    #[error("the ledger holds a row that cannot be understood: {0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Storage(error.to_string()),
        }
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::Uncertain(_) = error {
            return Self::payment_in_doubt(error.to_string());
        }
        Self::new(
            Kind::LedgerUnavailable,
            "ledger_unavailable",
            "fengate's ledger cannot be used at the moment; this request made no payment. Try again shortly.",
        )
        .detail(error.to_string())
    }
}
