//! Refunds in SQL: what is left is added up in the transaction that records the next one, and every move adds up anew.

use rusqlite::{Connection, OptionalExtension, Params, params};

use super::row::{SELECT, read};
use super::{RefundApplied, RefundBody, RefundOpened};
use crate::clock::UnixMs;
use crate::ids::{IdempotencyKey, MerchantId, OutRefundNo, PaymentId};
use crate::ledger::LedgerError;
use crate::ledger::audit::{self, Cause, Move};
use crate::ledger::payments;
use crate::money::Money;
use crate::payment::record::Payment;
use crate::payment::refund::{NewRefund, Refund, RefundAmount, RefundDenied, RefundIdentity, Totals, allowed, facts};
use crate::payment::refund_state::{RefundEvent, RefundState, RefundStep, next, stand};
use crate::payment::schedule::check_refund_after_ms;
use crate::payment::state::{Event, Step};

/// A merchant's refund by its number.
type Which<'a> = (&'a MerchantId, &'a OutRefundNo);

/// The payment comes back only if it moved.
pub(super) fn open(connection: &Connection, new: &NewRefund, body: RefundBody, now: UnixMs) -> Result<(RefundOpened, Option<Payment>), LedgerError> {
    let payment = payments::by_id(connection, &new.payment)?.filter(|payment| payment.merchant == new.merchant);
    let payment = payment.ok_or_else(|| LedgerError::Storage(format!("no payment {} of {}", new.payment, new.merchant)))?;
    let key = new.identity.key();
    if let Some(refund) = one(connection, "r.payment = ?1 AND r.key = ?2", [payment.id.as_str(), key.as_str()])? {
        let same = refund.fingerprint == new.fingerprint || is_same(&refund, new);
        return Ok((if same { RefundOpened::Existing(refund) } else { RefundOpened::Denied(RefundDenied::NameReused) }, None));
    }
    if another_payments(connection, new, &key)? {
        return Ok((RefundOpened::Denied(RefundDenied::NameReused), None));
    }
    let amount = match allowed(&payment, totals(connection, &payment.id)?, new.amount, now) {
        Ok(amount) => amount,
        Err(denied) => return Ok((RefundOpened::Denied(denied), None)),
    };
    let number = OutRefundNo::derive(&new.merchant, &payment.out_trade_no, &key);
    insert(connection, new, (&key, &number, amount), &body(&payment, &number, amount), now)?;
    let detail = format!("{amount} from {}", new.amount_source.name());
    let entry = Move {
        kind: "refund_recorded",
        merchant: &new.merchant,
        payment: &payment.id,
        refund: Some(&number),
        from: None,
        to: Some(RefundState::Created.name()),
        cause: new.decided_by.name(),
        refers: Some(new.request_id.as_str()),
        detail: &detail,
    };
    audit::moved(connection, &entry, now)?;
    let payment = stand_anew(connection, &payment, &Cause::of("refund").referring_to(number.as_str()), now)?;
    Ok((RefundOpened::New(there(connection, (&new.merchant, &number))?), Some(payment)))
}

/// Whether this name, or this very request, has refunded another payment: a name is one refund, and a request gives back once.
fn another_payments(connection: &Connection, new: &NewRefund, key: &IdempotencyKey) -> Result<bool, LedgerError> {
    let (merchant, payment) = (new.merchant.as_str(), new.payment.as_str());
    let found = match new.identity {
        RefundIdentity::Merchant(_) | RefundIdentity::Request(_) => {
            one(connection, "r.merchant = ?1 AND r.key = ?2 AND r.payment <> ?3 LIMIT 1", [merchant, key.as_str(), payment])?
        }
        RefundIdentity::Derived(_) => {
            one(connection, "r.merchant = ?1 AND r.fingerprint = ?2 AND r.payment <> ?3 LIMIT 1", [merchant, new.fingerprint.as_str(), payment])?
        }
    };
    Ok(found.is_some())
}

/// A merchant's own number, or the user's wish, names the refund whatever is said around it, but not another amount; a client's key names one
/// request.
fn is_same(refund: &Refund, new: &NewRefund) -> bool {
    let amount = match new.amount {
        RefundAmount::Exactly(amount) | RefundAmount::RemainingOf(amount) => Some(amount),
        RefundAmount::Remaining => None,
    };
    matches!(new.identity, RefundIdentity::Merchant(_) | RefundIdentity::Derived(_)) && amount.is_none_or(|amount| amount == refund.amount)
}

fn insert(
    connection: &Connection,
    new: &NewRefund,
    (key, number, amount): (&IdempotencyKey, &OutRefundNo, Money),
    body: &[u8],
    now: UnixMs,
) -> Result<(), LedgerError> {
    let next_check = check_refund_after_ms(RefundState::Created, 0).map(|ms| now.plus_ms(ms).0);
    let sql = "INSERT INTO refund (merchant, out_refund_no, payment, key, fingerprint, request_id, amount_minor, currency, reason, amount_source, decided_by,
                   model_version, body, state, version, created_ms, updated_ms, checks, next_check_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'created', 1, ?14, ?14, 0, ?15)";
    connection.prepare_cached(sql)?.execute(params![
        new.merchant.as_str(),
        number.as_str(),
        new.payment.as_str(),
        key.as_str(),
        new.fingerprint.as_str(),
        new.request_id.as_str(),
        amount.minor(),
        amount.currency().code(),
        new.reason,
        new.amount_source.name(),
        new.decided_by.name(),
        new.model_version,
        body,
        now.0,
        next_check,
    ])?;
    Ok(())
}

pub(super) fn apply(
    connection: &Connection,
    which: Which<'_>,
    event: &RefundEvent,
    cause: &Cause,
    now: UnixMs,
) -> Result<RefundApplied, LedgerError> {
    let refund = there(connection, which)?;
    let payment = payments::by_id(connection, &refund.payment)?.ok_or_else(|| LedgerError::Storage(format!("no payment {}", refund.payment)))?;
    let step = next(refund.state, event);
    let (kind, to) = match step {
        RefundStep::Known => return Ok(RefundApplied { step, refund, payment }),
        RefundStep::To(to) => ("refund_moved", Some(to)),
        RefundStep::Contradicts => ("contradiction", None),
    };
    if let Some(to) = to {
        update(connection, &refund, to, event, now)?;
    }
    let entry = Move {
        kind,
        merchant: &refund.merchant,
        payment: &refund.payment,
        refund: Some(&refund.out_refund_no),
        from: Some(refund.state.name()),
        to: to.map(RefundState::name),
        cause: cause.who,
        refers: cause.refers.as_deref(),
        detail: event.name(),
    };
    audit::moved(connection, &entry, now)?;
    let payment = stand_anew(connection, &payment, &Cause::of("refund").referring_to(refund.out_refund_no.as_str()), now)?;
    Ok(RefundApplied { step, refund: there(connection, which)?, payment })
}

fn update(connection: &Connection, refund: &Refund, to: RefundState, event: &RefundEvent, now: UnixMs) -> Result<(), LedgerError> {
    let (refund_id, success_time, why) = facts(event);
    let next_check = check_refund_after_ms(to, 0).map(|ms| now.plus_ms(ms).0);
    let sql =
        "UPDATE refund SET state = ?1, version = version + 1, refund_id = coalesce(?2, refund_id), success_time = ?3, why = ?4, updated_ms = ?5,
                   checks = 0, next_check_ms = ?6
               WHERE merchant = ?7 AND out_refund_no = ?8 AND version = ?9";
    let changed = connection.prepare_cached(sql)?.execute(params![
        to.name(),
        refund_id,
        success_time,
        why,
        now.0,
        next_check,
        refund.merchant.as_str(),
        refund.out_refund_no.as_str(),
        refund.version
    ])?;
    if changed == 1 { Ok(()) } else { Err(LedgerError::Storage(format!("refund {} moved meanwhile", refund.out_refund_no))) }
}

/// Moves a payment to where its refunds, added up, put it.
fn stand_anew(connection: &Connection, payment: &Payment, cause: &Cause, now: UnixMs) -> Result<Payment, LedgerError> {
    let totals = totals(connection, &payment.id)?;
    connection
        .prepare_cached("UPDATE payment SET refunded_minor = ?1 WHERE id = ?2 AND refunded_minor <> ?1")?
        .execute(params![totals.refunded_minor, payment.id.as_str()])?;
    let event = Event::Refunds(stand(payment.terms.amount.minor(), totals.refunded_minor, totals.open));
    let applied = payments::apply(connection, &payment.id, &event, cause, now)?;
    match applied.step {
        Step::To(_) | Step::Known => Ok(applied.payment),
        // The sums and the state are ours alone: if they disagree, nothing of this is written.
        Step::Contradicts => Err(LedgerError::Corrupt(format!("payment {} at {} with {totals:?}", payment.id, payment.state.name()))),
    }
}

fn totals(connection: &Connection, payment: &PaymentId) -> Result<Totals, LedgerError> {
    let sql =
        "SELECT coalesce(sum(amount_minor) FILTER (WHERE state = 'refunded'), 0), coalesce(sum(amount_minor) FILTER (WHERE state <> 'failed'), 0),
                   count(*) FILTER (WHERE state <> 'failed'), count(*) FILTER (WHERE state NOT IN ('refunded', 'failed')),
                   count(*) FILTER (WHERE state IN ('created', 'unknown', 'waiting')), max(created_ms)
               FROM refund WHERE payment = ?1";
    Ok(connection.prepare_cached(sql)?.query_row([payment.as_str()], |row| {
        Ok(Totals {
            refunded_minor: row.get(0)?,
            live_minor: row.get(1)?,
            live: row.get(2)?,
            open: row.get(3)?,
            in_doubt: row.get(4)?,
            last: row.get::<_, Option<i64>>(5)?.map(UnixMs),
        })
    })?)
}

pub(super) fn checked(connection: &Connection, which: Which<'_>, now: UnixMs) -> Result<(), LedgerError> {
    let refund = there(connection, which)?;
    let checks = refund.checks.saturating_add(1);
    let next_check = check_refund_after_ms(refund.state, checks).map(|ms| now.plus_ms(ms).0);
    let sql = "UPDATE refund SET checks = ?1, next_check_ms = ?2 WHERE merchant = ?3 AND out_refund_no = ?4";
    connection.prepare_cached(sql)?.execute(params![checks, next_check, which.0.as_str(), which.1.as_str()])?;
    Ok(())
}

pub(in crate::ledger) fn by_number(connection: &Connection, merchant: &MerchantId, number: &OutRefundNo) -> Result<Option<Refund>, LedgerError> {
    one(connection, "r.merchant = ?1 AND r.out_refund_no = ?2", [merchant.as_str(), number.as_str()])
}

pub(super) fn of_payment(connection: &Connection, payment: &PaymentId) -> Result<Vec<Refund>, LedgerError> {
    many(connection, "r.payment = ?1 ORDER BY r.created_ms, r.out_refund_no", [payment.as_str()])
}

pub(super) fn due(connection: &Connection, now: UnixMs, limit: u32) -> Result<Vec<Refund>, LedgerError> {
    many(connection, "r.next_check_ms <= ?1 ORDER BY r.next_check_ms LIMIT ?2", params![now.0, limit])
}

/// Refunds recorded at or after `from` of which it was learned before `to` that the payment side has them.
pub(in crate::ledger) fn accepted_between(
    connection: &Connection,
    merchant: &MerchantId,
    from: UnixMs,
    to: UnixMs,
) -> Result<Vec<Refund>, LedgerError> {
    let which = r#"r.merchant = ?1 AND r.created_ms >= ?2 AND r.created_ms < ?3 AND EXISTS (
        SELECT 1 FROM audit a WHERE a.payment = r.payment AND a.refund = r.out_refund_no AND a.kind = 'refund_moved'
            AND a."to" IN ('processing', 'abnormal', 'refunded') AND a.at_ms < ?3) ORDER BY r.created_ms"#;
    many(connection, which, params![merchant.as_str(), from.0, to.0])
}

pub(super) fn open_counts(connection: &Connection) -> Result<Vec<(RefundState, i64)>, LedgerError> {
    let sql = "SELECT state, count(*) FROM refund WHERE next_check_ms IS NOT NULL GROUP BY state";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    rows.map(|row| {
        let (word, count) = row?;
        Ok((RefundState::from_name(&word).ok_or(LedgerError::Corrupt(word))?, count))
    })
    .collect()
}

fn there(connection: &Connection, (merchant, number): Which<'_>) -> Result<Refund, LedgerError> {
    by_number(connection, merchant, number)?.ok_or_else(|| LedgerError::Storage(format!("no refund {number}")))
}

fn one(connection: &Connection, which: &str, with: impl Params) -> Result<Option<Refund>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT}{which}"))?;
    let row = statement.query_row(with, |row| Ok(read(row))).optional()?;
    row.transpose()
}

fn many(connection: &Connection, which: &str, with: impl Params) -> Result<Vec<Refund>, LedgerError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT}{which}"))?;
    let mut rows = statement.query(with)?;
    let mut refunds = Vec::new();
    while let Some(row) = rows.next()? {
        refunds.push(read(row)?);
    }
    Ok(refunds)
}
