//! A payment's row and back. A row that cannot be understood is an error, never a guess.

use rusqlite::Row;

use super::error::LedgerError;
use crate::clock::UnixMs;
use crate::ids::{Fingerprint, IdempotencyKey, MerchantId, OutTradeNo, PaymentId};
use crate::money::{Currency, Money};
use crate::payment::record::Payment;
use crate::payment::state::State;
use crate::payment::terms::{AmountSource, DecidedBy, Method, Terms};

/// The columns [`read`] expects, in no particular order.
pub(super) const COLUMNS: &str = "id, merchant, key, fingerprint, out_trade_no, amount_minor, currency, description, method, amount_source, decided_by, \
    model_version, order_id, order_body, state, version, code_url, transaction_id, success_time, refunded_minor, reason, created_ms, updated_ms, checks, next_check_ms";

/// Reads a payment.
pub(super) fn read(row: &Row<'_>) -> Result<Payment, LedgerError> {
    let text = |column: &str| row.get::<_, String>(column);
    let word = |column: &'static str| text(column).map_err(LedgerError::from);
    let currency = word("currency")?;
    Currency::from_code(&currency).ok_or_else(|| corrupt("currency", &currency))?;
    Ok(Payment {
        id: PaymentId::new(text("id")?),
        merchant: MerchantId::new(text("merchant")?),
        key: IdempotencyKey::new(text("key")?),
        fingerprint: Fingerprint::new(text("fingerprint")?),
        out_trade_no: OutTradeNo::new(text("out_trade_no")?),
        terms: Terms {
            amount: money(row.get("amount_minor")?)?,
            description: text("description")?,
            method: known("method", &word("method")?, Method::from_name)?,
        },
        amount_source: known("amount_source", &word("amount_source")?, AmountSource::from_name)?,
        decided_by: known("decided_by", &word("decided_by")?, DecidedBy::from_name)?,
        model_version: row.get("model_version")?,
        order_id: row.get("order_id")?,
        order_body: row.get("order_body")?,
        state: known("state", &word("state")?, State::from_name)?,
        version: row.get("version")?,
        code_url: row.get("code_url")?,
        transaction_id: row.get("transaction_id")?,
        success_time: row.get("success_time")?,
        refunded: given_back(row.get("refunded_minor")?)?,
        reason: row.get("reason")?,
        created: UnixMs(row.get("created_ms")?),
        updated: UnixMs(row.get("updated_ms")?),
        checks: row.get("checks")?,
        next_check: row.get::<_, Option<i64>>("next_check_ms")?.map(UnixMs),
    })
}

fn given_back(minor: i64) -> Result<Option<Money>, LedgerError> {
    if minor == 0 { Ok(None) } else { money(minor).map(Some) }
}

pub(super) fn money(minor: i64) -> Result<Money, LedgerError> {
    Money::fen(minor).map_err(|e| LedgerError::Corrupt(e.to_string()))
}

pub(super) fn known<T>(column: &str, word: &str, read: impl Fn(&str) -> Option<T>) -> Result<T, LedgerError> {
    read(word).ok_or_else(|| corrupt(column, word))
}

fn corrupt(column: &str, word: &str) -> LedgerError {
    LedgerError::Corrupt(format!("`{word}` in column {column}"))
}

/// SQLite's integers are signed; a count that does not fit stays at the largest that does.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as it was put in.
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
