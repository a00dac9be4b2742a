//! Opens the ledger's file: one process at a time, settings that keep money durable, migrations in order.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::error::LedgerError;

/// One script per version; a script never changes once released.
const MIGRATIONS: [&str; 3] = [include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// The ledger's file is its owner's alone: SQLite gives its log and its index (`-wal`, `-shm`) the same mode.
const MODE: u32 = 0o600;

/// The one name of the ledger's file, whatever links lead to it; it is made if it is not there. Two names would be two locks.
pub(super) fn settle(path: &Path) -> Result<PathBuf, LedgerError> {
    // A file that is there is never opened here: closing it would drop the locks SQLite holds on it in this process.
    if let Ok(settled) = path.canonicalize() {
        return Ok(settled);
    }
    File::options().create(true).append(true).mode(MODE).open(path).map_err(|e| opening(path, e))?;
    path.canonicalize().map_err(|e| opening(path, e))
}

/// Locks the ledger for this process; the lock falls when the file is dropped or the process dies.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = File::options().create(true).truncate(false).write(true).mode(MODE).open(&name).map_err(|e| opening(path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LedgerError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(opening(path, e)),
    }
}

/// Opens for writing and brings the schema up to date.
pub(super) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    // Without SQLITE_OPEN_URI: a path is a path, whatever it begins with.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|e| opening(path, e))?;
    // FULL: a commit returns after its fsync. WAL: readers never wait for the writer.
    let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;";
    connection.execute_batch(settings).map_err(|e| opening(path, e))?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens for reading only.
pub(super) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|e| opening(path, e))?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(|e| opening(path, e))?;
    Ok(connection)
}

/// Fails unless the ledger is of the version this fengate writes.
pub(super) fn is_current(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let (found, known) = (version(connection, path)?, newest());
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(LedgerError::TooOld { path: path.to_owned(), found, known }),
        std::cmp::Ordering::Greater => Err(LedgerError::TooNew { path: path.to_owned(), found, known }),
    }
}

fn version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(|e| opening(path, e))
}

fn newest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |e: rusqlite::Error| opening(path, e);
    let (found, known) = (version(connection, path)?, newest());
    if found > known {
        return Err(LedgerError::TooNew { path: path.to_owned(), found, known });
    }
    for (script, version) in MIGRATIONS.iter().zip(1i64..).filter(|(_, version)| *version > found) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(script).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

fn opening(path: &Path, why: impl std::fmt::Display) -> LedgerError {
    LedgerError::Open { path: path.to_owned(), why: why.to_string() }
}
