//! Payments in SQL: recorded once under their identity, moved by compare-and-set.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::OrderBody;
use super::audit::{self, Cause, Move};
use super::error::LedgerError;
use super::outbox;
use super::row::{COLUMNS, read};
use crate::clock::UnixMs;
use crate::ids::{Fingerprint, IdempotencyKey, MerchantId, OutTradeNo, PaymentId};
use crate::payment::record::{Identity, NewPayment, Payment};
use crate::payment::schedule::check_after_ms;
use crate::payment::state::{Event, State, Step, next};

/// What recording a payment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It is new, and durable.
    New(Payment),
    /// One exists under this identity; nothing was written.
    Existing(Payment),
}

/// What an event did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// What the state machine said.
    pub step: Step,
    /// The payment, as it is now.
    pub payment: Payment,
}

/// Payments that are not final.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenCounts {
    /// How many, by state.
    pub by_state: Vec<(State, i64)>,
    /// Since when the oldest one of unknown outcome is.
    pub oldest_unknown: Option<UnixMs>,
}

pub(super) fn open(connection: &Connection, new: NewPayment, body: OrderBody, now: UnixMs) -> Result<Opened, LedgerError> {
    if let Some(payment) = existing(connection, &new, now)? {
        return Ok(Opened::Existing(payment));
    }
    let key = key_of(&new, now);
    let out_trade_no = match &new.identity {
        Identity::Numbered(number) => number.clone(),
        Identity::Named(_) | Identity::Keyed(_) | Identity::Derived => OutTradeNo::derive(&new.merchant, &key),
    };
    let id = PaymentId::random();
    let next_check = check_after_ms(State::Created, 0).map(|ms| now.plus_ms(ms).0);
    let order_body = body(&out_trade_no, now);
    let sql =
        "INSERT INTO payment (id, merchant, key, fingerprint, request_id, out_trade_no, amount_minor, currency, description, method, amount_source,
                   decided_by, model_version, order_id, order_body, state, version, created_ms, updated_ms, checks, next_check_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 'created', 1, ?16, ?16, 0, ?17)";
    connection.prepare_cached(sql)?.execute(params![
        id.as_str(),
        new.merchant.as_str(),
        key.as_str(),
        new.fingerprint.as_str(),
        new.request_id.as_str(),
        out_trade_no.as_str(),
        new.terms.amount.minor(),
        new.terms.amount.currency().code(),
        new.terms.description,
        new.terms.method.name(),
        new.amount_source.name(),
        new.decided_by.name(),
        new.model_version,
        new.order_id,
        order_body,
        now.0,
        next_check,
    ])?;
    let detail = format!("{} from {}", new.terms.amount, new.amount_source.name());
    let entry = Move {
        kind: "recorded",
        merchant: &new.merchant,
        payment: &id,
        refund: None,
        from: None,
        to: Some(State::Created.name()),
        cause: new.decided_by.name(),
        refers: Some(new.request_id.as_str()),
        detail: &detail,
    };
    audit::moved(connection, &entry, now)?;
    by_id(connection, &id)?.map(Opened::New).ok_or_else(|| LedgerError::Storage("a recorded payment is not there".to_owned()))
}

fn existing(connection: &Connection, new: &NewPayment, now: UnixMs) -> Result<Option<Payment>, LedgerError> {
    match (&new.identity, &new.order_id) {
        (Identity::Named(name) | Identity::Keyed(name), _) => by_name(connection, &new.merchant, name),
        (Identity::Numbered(number), _) => by_number(connection, &new.merchant, number),
        (Identity::Derived, order_id) => match (by_request(connection, &new.merchant, &new.fingerprint, now)?, order_id) {
            (None, Some(order_id)) => live_by_order(connection, &new.merchant, order_id),
            (found, _) => Ok(found),
        },
    }
}

/// The payment of a merchant's order that is paid or may still be: only one that ended unpaid makes room for another (invariant M5).
fn live_by_order(connection: &Connection, merchant: &MerchantId, order_id: &str) -> Result<Option<Payment>, LedgerError> {
    one(
        connection,
        "merchant = ?1 AND order_id = ?2 AND state NOT IN ('closed', 'failed') ORDER BY created_ms DESC LIMIT 1",
        [merchant.as_str(), order_id],
    )
}

/// The key of a new payment. Named, numbered and derived ones cannot meet: their first letters differ.
fn key_of(new: &NewPayment, now: UnixMs) -> IdempotencyKey {
    match &new.identity {
        Identity::Named(name) | Identity::Keyed(name) => named(name),
        Identity::Numbered(number) => IdempotencyKey::new(format!("o:{number}")),
        Identity::Derived => IdempotencyKey::new(format!("d:{}:{}", new.fingerprint, now.0)),
    }
}

fn named(name: &IdempotencyKey) -> IdempotencyKey {
    IdempotencyKey::new(format!("n:{name}"))
}

pub(super) fn apply(connection: &Connection, id: &PaymentId, event: &Event, cause: &Cause, now: UnixMs) -> Result<Applied, LedgerError> {
    let payment = by_id(connection, id)?.ok_or_else(|| LedgerError::Storage(format!("no payment {id}")))?;
    let step = next(payment.state, event);
    let (kind, to) = match step {
        Step::Known => return Ok(Applied { step, payment }),
        Step::To(to) => ("moved", Some(to)),
        Step::Contradicts => ("contradiction", None),
    };
    if let Some(to) = to {
        update(connection, &payment, to, event, now)?;
    }
    if let (Step::To(_), Event::Paid { evidence, .. }) = (step, event) {
        outbox::lay(connection, &payment, "TRANSACTION.SUCCESS", evidence, now)?;
    }
    let entry = Move {
        kind,
        merchant: &payment.merchant,
        payment: id,
        refund: None,
        from: Some(payment.state.name()),
        to: to.map(State::name),
        cause: cause.who,
        refers: cause.refers.as_deref(),
        detail: event.name(),
    };
    audit::moved(connection, &entry, now)?;
    let payment = by_id(connection, id)?.ok_or_else(|| LedgerError::Storage(format!("no payment {id}")))?;
    Ok(Applied { step, payment })
}

fn update(connection: &Connection, payment: &Payment, to: State, event: &Event, now: UnixMs) -> Result<(), LedgerError> {
    let (mut code_url, mut transaction_id, mut success_time, mut reason) = (None, None, None, None);
    match event {
        Event::Ordered { code_url: url } => code_url = Some(url),
        Event::OutcomeUnknown { why } | Event::Refused { why } => reason = Some(why),
        Event::Paid { transaction_id: id, success_time: time, .. } => (transaction_id, success_time) = (Some(id), Some(time)),
        Event::Closed | Event::Refunds(_) => {}
    }
    let checks = if to == payment.state { payment.checks } else { 0 };
    let next_check = check_after_ms(to, checks).map(|ms| now.plus_ms(ms).0);
    let sql =
        "UPDATE payment SET state = ?1, version = version + 1, code_url = coalesce(?2, code_url), transaction_id = coalesce(?3, transaction_id),
                   success_time = coalesce(?4, success_time), reason = ?5,
                   updated_ms = ?6, checks = ?7, next_check_ms = ?8
               WHERE id = ?9 AND version = ?10";
    let changed = connection.prepare_cached(sql)?.execute(params![
        to.name(),
        code_url,
        transaction_id,
        success_time,
        reason,
        now.0,
        checks,
        next_check,
        payment.id.as_str(),
        payment.version
    ])?;
    // One writer makes this impossible; a second replica will not.
    if changed == 1 { Ok(()) } else { Err(LedgerError::Storage(format!("payment {} moved meanwhile", payment.id))) }
}

pub(super) fn checked(connection: &Connection, id: &PaymentId, now: UnixMs) -> Result<(), LedgerError> {
    let Some(payment) = by_id(connection, id)? else { return Ok(()) };
    let checks = payment.checks.saturating_add(1);
    let next_check = check_after_ms(payment.state, checks).map(|ms| now.plus_ms(ms).0);
    connection.prepare_cached("UPDATE payment SET checks = ?1, next_check_ms = ?2 WHERE id = ?3")?.execute(params![
        checks,
        next_check,
        id.as_str()
    ])?;
    Ok(())
}

pub(super) fn by_id(connection: &Connection, id: &PaymentId) -> Result<Option<Payment>, LedgerError> {
    one(connection, "id = ?1", [id.as_str()])
}

pub(super) fn by_number(connection: &Connection, merchant: &MerchantId, number: &OutTradeNo) -> Result<Option<Payment>, LedgerError> {
    one(connection, "merchant = ?1 AND out_trade_no = ?2", [merchant.as_str(), number.as_str()])
}

pub(super) fn by_name(connection: &Connection, merchant: &MerchantId, name: &IdempotencyKey) -> Result<Option<Payment>, LedgerError> {
    one(connection, "merchant = ?1 AND key = ?2", [merchant.as_str(), named(name).as_str()])
}

pub(super) fn by_request(
    connection: &Connection,
    merchant: &MerchantId,
    fingerprint: &Fingerprint,
    now: UnixMs,
) -> Result<Option<Payment>, LedgerError> {
    let (since, open_since) = (now.plus_ms(-Identity::WINDOW_MS).0, now.plus_ms(-Identity::OPEN_WINDOW_MS).0);
    let which = "merchant = ?1 AND fingerprint = ?2 AND key LIKE 'd:%' AND created_ms > ?4
                     AND (created_ms > ?3 OR state IN ('created', 'unknown', 'awaiting_user')) ORDER BY created_ms DESC LIMIT 1";
    one(connection, which, params![merchant.as_str(), fingerprint.as_str(), since, open_since])
}

pub(super) fn due(connection: &Connection, now: UnixMs, limit: u32) -> Result<Vec<Payment>, LedgerError> {
    let sql = format!("SELECT {COLUMNS} FROM payment WHERE next_check_ms <= ?1 ORDER BY next_check_ms LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![now.0, limit])?;
    let mut payments = Vec::new();
    while let Some(row) = rows.next()? {
        payments.push(read(row)?);
    }
    Ok(payments)
}

pub(super) fn open_counts(connection: &Connection) -> Result<OpenCounts, LedgerError> {
    let sql = "SELECT state, count(*), min(updated_ms) FROM payment WHERE next_check_ms IS NOT NULL GROUP BY state";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    let mut counts = OpenCounts::default();
    for row in rows {
        let (word, count, oldest) = row?;
        let state = State::from_name(&word).ok_or(LedgerError::Corrupt(word))?;
        counts.by_state.push((state, count));
        if state == State::Unknown {
            counts.oldest_unknown = Some(UnixMs(oldest));
        }
    }
    Ok(counts)
}

fn one(connection: &Connection, which: &str, with: impl Params) -> Result<Option<Payment>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM payment WHERE {which}"))?;
    let row = statement.query_row(with, |row| Ok(read(row))).optional()?;
    row.transpose()
}
