//! The audit trail: who learned what, when, and what it moved. Append-only; the database itself refuses anything else.

use rusqlite::{Connection, Row, params};

use super::error::LedgerError;
use crate::clock::UnixMs;
use crate::ids::{MerchantId, OutRefundNo, PaymentId};

/// Where a piece of knowledge came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// A word: `create_answer`, `notice`, `query`, `reconcile`.
    pub who: &'static str,
    /// The notice's or answer's own number.
    pub refers: Option<String>,
}

impl Cause {
    /// A cause without a number of its own.
    pub fn of(who: &'static str) -> Self {
        Self { who, refers: None }
    }

    /// Adds the notice's or answer's own number.
    pub fn referring_to(mut self, number: &str) -> Self {
        self.refers = Some(number.to_owned());
        self
    }
}

/// An entry that moves nothing: an exception, a notice of no interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditNote {
    /// A word from a fixed set.
    pub kind: &'static str,
    /// Whose.
    pub merchant: Option<MerchantId>,
    /// About which payment.
    pub payment: Option<PaymentId>,
    /// What happened. No secret, no user text.
    pub detail: String,
}

/// One entry, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its place in the trail.
    pub seq: i64,
    /// When.
    pub at: UnixMs,
    /// `recorded`, `moved`, `contradiction`, `exception`, …
    pub kind: String,
    /// The refund it is about, if it is about one of the payment's refunds.
    pub refund: Option<OutRefundNo>,
    /// The state before.
    pub from: Option<String>,
    /// The state after.
    pub to: Option<String>,
    /// Where the knowledge came from.
    pub cause: Option<String>,
    /// The notice's or answer's own number.
    pub refers: Option<String>,
    /// What happened.
    pub detail: Option<String>,
}

/// What a move writes.
pub(super) struct Move<'a> {
    pub(super) kind: &'static str,
    pub(super) merchant: &'a MerchantId,
    pub(super) payment: &'a PaymentId,
    pub(super) refund: Option<&'a OutRefundNo>,
    pub(super) from: Option<&'static str>,
    pub(super) to: Option<&'static str>,
    pub(super) cause: &'a str,
    pub(super) refers: Option<&'a str>,
    pub(super) detail: &'a str,
}

pub(super) fn moved(connection: &Connection, entry: &Move<'_>, now: UnixMs) -> Result<(), LedgerError> {
    let sql = r#"INSERT INTO audit (at_ms, kind, merchant, payment, refund, "from", "to", cause, refers, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"#;
    connection.prepare_cached(sql)?.execute(params![
        now.0,
        entry.kind,
        entry.merchant.as_str(),
        entry.payment.as_str(),
        entry.refund.map(OutRefundNo::as_str),
        entry.from,
        entry.to,
        entry.cause,
        entry.refers,
        entry.detail
    ])?;
    Ok(())
}

pub(super) fn note(connection: &Connection, note: &AuditNote, now: UnixMs) -> Result<(), LedgerError> {
    let sql = "INSERT INTO audit (at_ms, kind, merchant, payment, detail) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (merchant, payment) = (note.merchant.as_ref().map(MerchantId::as_str), note.payment.as_ref().map(PaymentId::as_str));
    connection.prepare_cached(sql)?.execute(params![now.0, note.kind, merchant, payment, note.detail])?;
    Ok(())
}

pub(super) fn trail(connection: &Connection, payment: &PaymentId) -> Result<Vec<AuditEntry>, LedgerError> {
    let sql = r#"SELECT seq, at_ms, kind, refund, "from", "to", cause, refers, detail FROM audit WHERE payment = ?1 ORDER BY seq"#;
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([payment.as_str()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<AuditEntry> {
    Ok(AuditEntry {
        seq: row.get(0)?,
        at: UnixMs(row.get(1)?),
        kind: row.get(2)?,
        refund: row.get::<_, Option<String>>(3)?.map(OutRefundNo::new),
        from: row.get(4)?,
        to: row.get(5)?,
        cause: row.get(6)?,
        refers: row.get(7)?,
        detail: row.get(8)?,
    })
}
