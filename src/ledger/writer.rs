//! The writer: one thread owns the writing connection. Changes that wait together are made durable by one commit (group commit): each
//! stands in a savepoint of its own, so that one that fails takes no other with it; nobody hears of a change before the disk has it. A commit
//! that may or may not have reached the disk is the last one: a restart reads what is true. Whatever fails before is certain, and passes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use tokio::time::Instant;

use super::error::LedgerError;
use super::usage::insert;
use crate::chat::usage::UsageRecord;
use crate::clock::UnixMs;
use crate::metrics::{self, Metrics, seconds};

/// Most changes in one commit: keeps the wait of the first bounded.
const GROUP_MAX: usize = 256;

/// Most usage records that wait: a fifth of a second of more than any machine serves.
const TRAY_MAX: usize = 65_536;

/// How long a usage record may wait for company before it is committed by itself. Losing this much in a crash loses no money.
const USAGE_WAIT: Duration = Duration::from_millis(200);

/// Tells the caller of a change how it ended; called after the commit.
pub(super) type Finish = Box<dyn FnOnce(Result<(), LedgerError>) + Send>;

/// A change: runs inside the transaction, or learns why there is none; gives back whom to tell.
pub(super) type Change = Box<dyn FnOnce(Result<&Connection, LedgerError>) -> Finish + Send>;

/// What the writer is asked.
pub(super) enum Work {
    /// A change whose caller waits.
    Change(Change, Instant),
    /// The first usage record since the last commit lies in the tray; nobody waits for it.
    UsageWaits,
    /// Commit what is there and end.
    Close(Finish),
}

/// Usage records that wait for the next commit: laid down without waking anybody, but for the first.
#[derive(Default)]
pub(super) struct Tray(Mutex<Vec<(UsageRecord, UnixMs)>>);

/// How a record was laid down.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Laid {
    /// It is the first since the last commit: somebody has to tell the writer.
    First,
    /// It lies with others.
    More,
    /// The tray is full.
    Full,
}

impl Tray {
    pub(super) fn lay(&self, record: UsageRecord, at: UnixMs) -> Laid {
        let mut records = self.records();
        if records.len() >= TRAY_MAX {
            return Laid::Full;
        }
        records.push((record, at));
        if records.len() == 1 { Laid::First } else { Laid::More }
    }

    fn take(&self) -> Vec<(UsageRecord, UnixMs)> {
        std::mem::take(&mut *self.records())
    }

    fn records(&self) -> MutexGuard<'_, Vec<(UsageRecord, UnixMs)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing thread.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) work: Receiver<Work>,
    pub(super) tray: Arc<Tray>,
    /// Set after a commit of uncertain end, for good.
    pub(super) failed: Arc<AtomicBool>,
    pub(super) metrics: Metrics,
}

/// What goes into one commit.
#[derive(Default)]
struct Group {
    changes: Vec<(Change, Instant)>,
    usage_since: Option<Instant>,
    close: Option<Finish>,
}

impl Group {
    fn add(&mut self, work: Work) {
        match work {
            Work::Change(change, asked) => self.changes.push((change, asked)),
            Work::UsageWaits => {
                self.usage_since.get_or_insert_with(Instant::now);
            }
            Work::Close(finish) => self.close = Some(finish),
        }
    }

    fn must_commit(&self) -> bool {
        !self.changes.is_empty() || self.close.is_some() || self.usage_since.is_some_and(|since| since.elapsed() >= USAGE_WAIT)
    }
}

impl Writer {
    /// Works until it is told to close, or every handle is gone.
    pub(super) fn run(mut self) {
        let mut group = Group::default();
        loop {
            let more = self.gather(&mut group);
            if group.must_commit() || !more {
                let mut done = std::mem::take(&mut group);
                let close = done.close.take();
                self.commit(done);
                if let Some(finish) = close {
                    // The last word: fold the log into the file, so that a copy of the one file is whole.
                    let folded = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
                    return finish(folded.map_err(Into::into));
                }
                if !more {
                    return;
                }
            }
        }
    }

    /// Waits for work and takes what else is there; false when nobody can send any more.
    fn gather(&self, group: &mut Group) -> bool {
        let first = match group.usage_since {
            None => self.work.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(since) => self.work.recv_timeout(USAGE_WAIT.saturating_sub(since.elapsed())),
        };
        match first {
            Ok(work) => group.add(work),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while group.changes.len() < GROUP_MAX
            && let Ok(work) = self.work.try_recv()
        {
            group.add(work);
        }
        true
    }

    fn commit(&mut self, group: Group) {
        let usage = self.tray.take();
        if group.changes.is_empty() && usage.is_empty() {
            return;
        }
        let count = group.changes.len();
        let asked: Vec<Instant> = group.changes.iter().map(|(_, asked)| *asked).collect();
        let (finishes, outcome) = self.transact(group, &usage);
        if let Err(e) = &outcome
            && !usage.is_empty()
        {
            self.metrics.usage_dropped.with_label_values(&["commit"]).inc_by(usage.len() as u64);
            tracing::error!(error = %e, records = usage.len(), "usage records could not be committed");
        }
        self.metrics.ledger_group.observe(metrics::count(count));
        for asked in asked {
            self.metrics.ledger_commit_seconds.with_label_values(&["change"]).observe(seconds(asked.elapsed()));
        }
        for finish in finishes {
            finish(outcome.clone());
        }
    }

    fn transact(&mut self, group: Group, usage: &[(UsageRecord, UnixMs)]) -> (Vec<Finish>, Result<(), LedgerError>) {
        if self.failed.load(Ordering::SeqCst) {
            return refused(group, LedgerError::Failed);
        }
        if let Err(e) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return refused(group, e.into());
        }
        let finishes = group.changes.into_iter().map(|(change, _)| change(self.open_transaction())).collect();
        for (record, at) in usage {
            if self.connection.is_autocommit() {
                break;
            }
            if let Err(e) = insert(&self.connection, record, *at) {
                self.metrics.usage_dropped.with_label_values(&["storage"]).inc();
                tracing::error!(error = %e, "a usage record could not be written");
            }
        }
        let outcome = self.open_transaction().map(|_| ()).and_then(|()| self.end_transaction());
        (finishes, outcome)
    }

    /// The connection while its transaction stands. SQLite undoes a whole transaction by itself when the disk is full: what came after would
    /// otherwise be written outside of any.
    fn open_transaction(&self) -> Result<&Connection, LedgerError> {
        if self.connection.is_autocommit() { Err(LedgerError::Storage("the transaction was undone".to_owned())) } else { Ok(&self.connection) }
    }

    fn end_transaction(&self) -> Result<(), LedgerError> {
        let Err(e) = self.connection.execute_batch("COMMIT") else { return Ok(()) };
        let undone = self.connection.is_autocommit() || self.connection.execute_batch("ROLLBACK").is_ok();
        if !undone || !is_certain(&e) {
            // What the disk holds now is anybody's guess: no money moves on a guess.
            self.failed.store(true, Ordering::SeqCst);
            return Err(LedgerError::Uncertain(e.to_string()));
        }
        Err(e.into())
    }
}

/// Whether a commit that failed like this has surely written nothing that counts. Busy: it did not begin. Full: the frame that makes a
/// transaction count is the last one written, and it did not fit; the next commit overwrites those before it
/// (<https://sqlite.org/walformat.html>). Anything else, a failed fsync above all, leaves it open.
fn is_certain(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DiskFull))
}

/// Nothing of the group is run; everybody is told why.
fn refused(group: Group, why: LedgerError) -> (Vec<Finish>, Result<(), LedgerError>) {
    (group.changes.into_iter().map(|(change, _)| change(Err(why.clone()))).collect(), Err(why))
}

/// Runs `change` in a savepoint: it is undone alone if it fails.
pub(super) fn in_savepoint<T>(connection: &Connection, change: impl FnOnce(&Connection) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    connection.execute_batch("SAVEPOINT one")?;
    let outcome = change(connection);
    match outcome {
        Ok(value) => {
            connection.execute_batch("RELEASE one")?;
            Ok(value)
        }
        Err(e) => {
            if connection.execute_batch("ROLLBACK TO one; RELEASE one").is_err() && !connection.is_autocommit() {
                // Half a change must not be committed with the others: then none is.
                connection.execute_batch("ROLLBACK")?;
            }
            Err(e)
        }
    }
}
