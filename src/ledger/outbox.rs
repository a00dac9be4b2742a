//! The outbox: notices for merchants, written in the same commit as the move they tell of, and kept until they are taken or given up.

use rusqlite::{Connection, Row, params};

use super::{Ledger, LedgerError};
use crate::clock::UnixMs;
use crate::ids::{MerchantId, PaymentId};
use crate::payment::notice::{PassedNotice, redeliver_after_ms};
use crate::payment::record::Payment;

impl Ledger {
    /// Notices that should be delivered by now, the most overdue first.
    pub async fn due_notices(&self, now: UnixMs, limit: u32) -> Result<Vec<PassedNotice>, LedgerError> {
        self.ask(move |connection| due(connection, now, limit)).await
    }

    /// Everything ever passed on about a payment, oldest first.
    pub async fn notices_of(&self, payment: &PaymentId) -> Result<Vec<PassedNotice>, LedgerError> {
        let payment = payment.clone();
        self.ask(move |connection| of_payment(connection, &payment)).await
    }

    /// Writes down how a delivery was answered (0 for not at all): a notice that was not taken comes due again, until the schedule ends.
    pub async fn notice_delivered(&self, notice: &PassedNotice, answered: u16) -> Result<(), LedgerError> {
        let (seq, deliveries, now) = (notice.seq, notice.deliveries.saturating_add(1), self.shared.clock.now());
        self.change(move |connection| delivered(connection, seq, deliveries, answered, now)).await
    }
}

/// Remembers where the merchant wants to be told.
pub(super) fn remember(connection: &Connection, payment: &PaymentId, notify_url: &str) -> Result<(), LedgerError> {
    let sql = "INSERT INTO pass_on (payment, notify_url) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute(params![payment.as_str(), notify_url])?;
    Ok(())
}

/// Lays a notice into the outbox, if the merchant of this payment wants one: once, whoever learned it first.
pub(super) fn lay(connection: &Connection, payment: &Payment, event_type: &str, resource: &[u8], now: UnixMs) -> Result<(), LedgerError> {
    let sql = "INSERT OR IGNORE INTO outbox (merchant, payment, notice_id, event_type, notify_url, resource, created_ms, deliveries, next_ms)
               SELECT ?1, payment, ?3, ?4, notify_url, ?5, ?6, 0, ?6 FROM pass_on WHERE payment = ?2";
    let id = uuid::Uuid::new_v4().to_string();
    connection.prepare_cached(sql)?.execute(params![payment.merchant.as_str(), payment.id.as_str(), id, event_type, resource, now.0])?;
    Ok(())
}

fn delivered(connection: &Connection, seq: i64, deliveries: u32, answered: u16, now: UnixMs) -> Result<(), LedgerError> {
    let taken = PassedNotice::is_taken_by(answered);
    let next = redeliver_after_ms(deliveries).filter(|_| !taken).map(|ms| now.plus_ms(ms).0);
    let sql = "UPDATE outbox SET deliveries = ?1, answered = ?2, next_ms = ?3 WHERE seq = ?4";
    connection.prepare_cached(sql)?.execute(params![deliveries, answered, next, seq])?;
    Ok(())
}

const COLUMNS: &str = "seq, merchant, payment, notice_id, event_type, notify_url, resource, created_ms, deliveries, answered, next_ms";

fn due(connection: &Connection, now: UnixMs, limit: u32) -> Result<Vec<PassedNotice>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE next_ms <= ?1 ORDER BY next_ms LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.0, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn of_payment(connection: &Connection, payment: &PaymentId) -> Result<Vec<PassedNotice>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM outbox WHERE payment = ?1 ORDER BY seq"))?;
    let rows = statement.query_map([payment.as_str()], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<PassedNotice> {
    Ok(PassedNotice {
        seq: row.get("seq")?,
        merchant: MerchantId::new(row.get::<_, String>("merchant")?),
        payment: PaymentId::new(row.get::<_, String>("payment")?),
        notice_id: row.get("notice_id")?,
        event_type: row.get("event_type")?,
        notify_url: row.get("notify_url")?,
        resource: row.get("resource")?,
        created: UnixMs(row.get("created_ms")?),
        deliveries: row.get("deliveries")?,
        answered: row.get("answered")?,
        next: row.get::<_, Option<i64>>("next_ms")?.map(UnixMs),
    })
}

#[cfg(test)]
mod tests;
