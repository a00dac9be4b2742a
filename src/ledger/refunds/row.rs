//! A refund's row and back, its payment's number and amount beside it.

use rusqlite::Row;

use crate::clock::UnixMs;
use crate::ids::{Fingerprint, MerchantId, OutRefundNo, OutTradeNo, PaymentId};
use crate::ledger::LedgerError;
use crate::ledger::row::{known, money};
use crate::payment::refund::Refund;
use crate::payment::refund_state::RefundState;
use crate::payment::terms::{AmountSource, DecidedBy};

/// Everything [`read`] expects, up to the condition.
pub(super) const SELECT: &str = "SELECT r.out_refund_no, r.merchant, r.payment, p.out_trade_no, p.amount_minor AS total_minor, r.fingerprint, \
    r.amount_minor, r.amount_source, r.reason, r.decided_by, r.state, r.version, r.body, r.refund_id, r.success_time, r.why, r.created_ms, \
    r.updated_ms, r.checks, r.next_check_ms FROM refund r JOIN payment p ON p.id = r.payment WHERE ";

/// Reads a refund.
pub(super) fn read(row: &Row<'_>) -> Result<Refund, LedgerError> {
    let text = |column: &str| row.get::<_, String>(column);
    Ok(Refund {
        out_refund_no: OutRefundNo::new(text("out_refund_no")?),
        merchant: MerchantId::new(text("merchant")?),
        payment: PaymentId::new(text("payment")?),
        out_trade_no: OutTradeNo::new(text("out_trade_no")?),
        total: money(row.get("total_minor")?)?,
        fingerprint: Fingerprint::new(text("fingerprint")?),
        amount: money(row.get("amount_minor")?)?,
        amount_source: known("amount_source", &text("amount_source")?, AmountSource::from_name)?,
        reason: row.get("reason")?,
        decided_by: known("decided_by", &text("decided_by")?, DecidedBy::from_name)?,
        state: known("state", &text("state")?, RefundState::from_name)?,
        version: row.get("version")?,
        body: row.get("body")?,
        refund_id: row.get("refund_id")?,
        success_time: row.get("success_time")?,
        why: row.get("why")?,
        created: UnixMs(row.get("created_ms")?),
        updated: UnixMs(row.get("updated_ms")?),
        checks: row.get("checks")?,
        next_check: row.get::<_, Option<i64>>("next_check_ms")?.map(UnixMs),
    })
}
