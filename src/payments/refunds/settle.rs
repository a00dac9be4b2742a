//! Settle, for refunds: what the payment side says of one is matched against the ledger, field by field, before anything moves.

use crate::connectors::{Notice, Refund as Report, RefundQueryOutcome, RefundStatus};
use crate::ids::{MerchantId, OutRefundNo};
use crate::ledger::{Cause, LedgerError, RefundApplied};
use crate::merchant::WechatPayAccount;
use crate::payment::record::Payment;
use crate::payment::refund::Refund;
use crate::payment::refund_state::{RefundEvent, RefundState, RefundStep};
use crate::payments::execute::Rail;
use crate::payments::settle::{Settle, Verdict};

impl Settle {
    /// Applies a verified notice about a refund. Durable when it returns.
    pub(in crate::payments) async fn refund_notice(
        &self,
        merchant: &MerchantId,
        account: &WechatPayAccount,
        notice: &Notice,
        report: &Report,
    ) -> Result<Verdict, LedgerError> {
        let found = self.ledger.refund(merchant, &OutRefundNo::new(report.out_refund_no.as_str())).await?;
        let Some((refund, payment)) = self.with_payment(found).await? else {
            self.exception("unknown_refund", merchant, None, "a notice for a refund that is not in the ledger").await?;
            return Ok(Verdict::UnknownOrder);
        };
        // A notice names the merchant; an answer does not, and was asked for by this one.
        let differs = if report.mchid.as_deref() == Some(account.mchid.as_str()) { None } else { Some("mchid") };
        match differs.map_or_else(|| event_of(&refund, &payment, report), Err) {
            Ok(event) => {
                let applied = self.move_refund(&refund, event, Cause::of("notice").referring_to(notice.id())).await?;
                Ok(match applied.step {
                    RefundStep::To(_) => Verdict::Settled,
                    RefundStep::Known => Verdict::Known,
                    RefundStep::Contradicts => Verdict::Contradiction,
                })
            }
            Err(differs) => {
                self.exception("mismatch", merchant, Some(&payment), &format!("a refund notice differs in {differs}")).await?;
                Ok(Verdict::Mismatch)
            }
        }
    }

    /// Moves a refund; what a person must look at is counted and audited.
    pub(in crate::payments) async fn move_refund(&self, refund: &Refund, event: RefundEvent, cause: Cause) -> Result<RefundApplied, LedgerError> {
        let applied = self.ledger.apply_refund(refund, event, cause).await?;
        let (merchant, payment) = (&refund.merchant, Some(&applied.payment));
        match applied.step {
            RefundStep::Contradicts => {
                self.exception("contradiction", merchant, payment, "the payment side contradicts what is recorded of a refund").await?;
            }
            RefundStep::To(RefundState::Abnormal) => {
                self.exception("refund_abnormal", merchant, payment, "the origin cannot take a refund: see to it at the payment side").await?;
            }
            RefundStep::To(_) | RefundStep::Known => {}
        }
        Ok(applied)
    }

    /// Asks the payment side how a refund stands and takes down what it says; the refund as it is then.
    pub(in crate::payments) async fn ask_refund(&self, rail: &Rail, refund: Refund) -> Result<Refund, LedgerError> {
        match rail.connector.query_refund(&refund.out_refund_no).await {
            RefundQueryOutcome::Found(report) => match self.reported(&refund, &report).await? {
                Some(event) => Ok(self.move_refund(&refund, event, Cause::of("query")).await?.refund),
                None => Ok(refund),
            },
            RefundQueryOutcome::NotFound | RefundQueryOutcome::Unknown { .. } | RefundQueryOutcome::Denied { .. } => Ok(refund),
        }
    }

    /// What a verified answer says of a refund; `None` if it differs from the ledger, which is counted and audited.
    pub(in crate::payments) async fn reported(&self, refund: &Refund, report: &Report) -> Result<Option<RefundEvent>, LedgerError> {
        let Some((refund, payment)) = self.with_payment(Some(refund.clone())).await? else { return Ok(None) };
        match event_of(&refund, &payment, report) {
            Ok(event) => Ok(Some(event)),
            Err(differs) => {
                self.exception("mismatch", &refund.merchant, Some(&payment), &format!("an answer about a refund differs in {differs}")).await?;
                Ok(None)
            }
        }
    }

    async fn with_payment(&self, refund: Option<Refund>) -> Result<Option<(Refund, Payment)>, LedgerError> {
        let Some(refund) = refund else { return Ok(None) };
        Ok(self.ledger.payment(&refund.payment).await?.map(|payment| (refund, payment)))
    }
}

/// What a report says about a refund, if it is this refund's in every field; else the field that differs.
fn event_of(refund: &Refund, payment: &Payment, report: &Report) -> Result<RefundEvent, &'static str> {
    let same = [
        ("out_refund_no", report.out_refund_no == refund.out_refund_no.as_str()),
        ("out_trade_no", report.out_trade_no == payment.out_trade_no.as_str()),
        ("transaction_id", payment.transaction_id.as_deref() == Some(report.transaction_id.as_str())),
        ("amount.total", report.amount_total_fen == payment.terms.amount.minor()),
        ("amount.refund", report.amount_refund_fen == refund.amount.minor()),
        ("currency", report.currency.as_deref().is_none_or(|code| code == refund.amount.currency().code())),
        ("refund_id", refund.refund_id.as_deref().is_none_or(|id| id == report.refund_id)),
    ];
    if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
        return Err(field);
    }
    let refund_id = report.refund_id.clone();
    Ok(match report.status {
        RefundStatus::Success => RefundEvent::Refunded { refund_id, success_time: report.success_time.clone().unwrap_or_default() },
        RefundStatus::Closed => RefundEvent::Closed { refund_id },
        RefundStatus::Abnormal => RefundEvent::Abnormal { refund_id },
        // A word of the future about a refund the rail has: it has it.
        RefundStatus::Processing | RefundStatus::Other(_) => RefundEvent::Accepted { refund_id },
    })
}
