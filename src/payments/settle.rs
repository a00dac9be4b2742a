//! Settle: what the payment side says of a payment is matched against the ledger, field by field, before anything moves. Notices and queries
//! come down the same path.

use crate::connectors::{Notice, QueryOutcome, TradeState, Transaction};
use crate::ids::{MerchantId, OutTradeNo};
use crate::ledger::{AuditNote, Cause, Ledger, LedgerError};
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;
use crate::payment::record::Payment;
use crate::payment::state::{Event, Step};

use super::execute::Rail;

/// Matches and moves; cheap to clone.
#[derive(Clone)]
pub struct Settle {
    /// What is true.
    pub ledger: Ledger,
    /// Where verdicts and exceptions are counted.
    pub metrics: Metrics,
}

/// What a verified notice came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It moved the payment.
    Settled,
    /// It said what was known already.
    Known,
    /// It is of a kind that moves nothing here.
    Ignored,
    /// It names an order this merchant never made.
    UnknownOrder,
    /// Amount, currency, merchant, application or number differ from the ledger.
    Mismatch,
    /// It contradicts a final state.
    Contradiction,
}

impl Verdict {
    /// The word in metrics and in the audit trail.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Known => "known",
            Self::Ignored => "ignored",
            Self::UnknownOrder => "unknown_order",
            Self::Mismatch => "mismatch",
            Self::Contradiction => "contradiction",
        }
    }
}

/// What a verified query answer says about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matched {
    /// It moves the payment.
    Moves(Event),
    /// It is this payment's, and moves nothing.
    Still,
    /// It is not this payment's in every field; that has been counted and audited.
    Differs,
}

impl Matched {
    /// What moves the payment, if anything does.
    pub fn event(self) -> Option<Event> {
        match self {
            Self::Moves(event) => Some(event),
            Self::Still | Self::Differs => None,
        }
    }
}

impl Settle {
    /// Applies a verified notice to the payments of `merchant`. Durable when it returns.
    pub async fn notice(&self, merchant: &MerchantId, account: &WechatPayAccount, notice: &Notice) -> Result<Verdict, LedgerError> {
        if let Some(refund) = notice.refund() {
            return self.refund_notice(merchant, account, notice, refund).await;
        }
        let Some(transaction) = notice.transaction() else {
            self.note("notice_ignored", merchant, None, notice.event_type()).await?;
            return Ok(Verdict::Ignored);
        };
        let number = OutTradeNo::new(transaction.out_trade_no.as_str());
        let Some(payment) = self.ledger.payment_by_out_trade_no(merchant, &number).await? else {
            self.exception("unknown_order", merchant, None, "a notice for an order that is not in the ledger").await?;
            return Ok(Verdict::UnknownOrder);
        };
        match event_of(&payment, account, transaction) {
            Ok(Some(event)) => {
                let cause = Cause::of("notice").referring_to(notice.id());
                let applied = self.ledger.apply(&payment.id, event, cause).await?;
                self.verdict(merchant, &payment, applied.step).await
            }
            Ok(None) => Ok(Verdict::Ignored),
            Err(differs) => {
                self.exception("mismatch", merchant, Some(&payment), &format!("a notice differs in {differs}")).await?;
                Ok(Verdict::Mismatch)
            }
        }
    }

    async fn verdict(&self, merchant: &MerchantId, payment: &Payment, step: Step) -> Result<Verdict, LedgerError> {
        Ok(match step {
            Step::To(_) => Verdict::Settled,
            Step::Known => Verdict::Known,
            Step::Contradicts => {
                self.exception("contradiction", merchant, Some(payment), "a notice contradicts a final state").await?;
                Verdict::Contradiction
            }
        })
    }

    /// Asks the payment side how a payment stands; `None` if it cannot be learned now, or if what it says does not match.
    pub async fn asked(&self, rail: &Rail, payment: &Payment) -> Option<Event> {
        match rail.connector.query(&payment.out_trade_no).await {
            QueryOutcome::Found(transaction) => self.matched(rail, payment, &transaction).await.event(),
            QueryOutcome::NotFound | QueryOutcome::Unknown { .. } | QueryOutcome::Denied { .. } => None,
        }
    }

    /// Matches a verified query answer against the ledger.
    pub async fn matched(&self, rail: &Rail, payment: &Payment, transaction: &Transaction) -> Matched {
        match event_of(payment, &rail.connector.account(), transaction) {
            Ok(event) => event.map_or(Matched::Still, Matched::Moves),
            Err(differs) => {
                if let Err(e) = self.exception("mismatch", &payment.merchant, Some(payment), &format!("a query answer differs in {differs}")).await {
                    tracing::error!(payment = %payment.id, error = %e, "a mismatch could not be written down");
                }
                Matched::Differs
            }
        }
    }

    async fn note(&self, kind: &'static str, merchant: &MerchantId, payment: Option<&Payment>, detail: &str) -> Result<(), LedgerError> {
        let note =
            AuditNote { kind, merchant: Some(merchant.clone()), payment: payment.map(|payment| payment.id.clone()), detail: detail.to_owned() };
        self.ledger.audit(note).await
    }

    /// Something a person must look at: counted for the alarm, written into the audit trail, logged.
    pub(super) async fn exception(
        &self,
        kind: &'static str,
        merchant: &MerchantId,
        payment: Option<&Payment>,
        detail: &str,
    ) -> Result<(), LedgerError> {
        self.metrics.exceptions.with_label_values(&[kind]).inc();
        tracing::error!(%merchant, payment = payment.map(|payment| payment.id.as_str()), kind, "{detail}");
        self.note("exception", merchant, payment, detail).await
    }
}

/// What a transaction says about a payment, if it is this payment's in every field; else the field that differs.
fn event_of(payment: &Payment, account: &WechatPayAccount, transaction: &Transaction) -> Result<Option<Event>, &'static str> {
    let money = payment.terms.amount;
    let same = [
        ("mchid", transaction.mchid == account.mchid),
        ("appid", transaction.appid == account.appid),
        ("out_trade_no", transaction.out_trade_no == payment.out_trade_no.as_str()),
        ("amount", transaction.amount_total.is_none_or(|total| total == money.minor())),
        ("currency", transaction.currency.as_deref().is_none_or(|code| code == money.currency().code())),
    ];
    if let Some((field, _)) = same.iter().find(|(_, same)| !same) {
        return Err(field);
    }
    Ok(match transaction.trade_state {
        // A refund says that it was paid: a test for SUCCESS alone would take a partly refunded order for unpaid.
        TradeState::Success | TradeState::Refund => {
            if transaction.amount_total.is_none() {
                return Err("amount");
            }
            let transaction_id = transaction.transaction_id.clone().ok_or("transaction_id")?;
            Some(Event::Paid {
                transaction_id,
                success_time: transaction.success_time.clone().unwrap_or_default(),
                evidence: transaction.evidence.clone(),
            })
        }
        TradeState::Closed | TradeState::Revoked => Some(Event::Closed),
        TradeState::NotPay | TradeState::UserPaying | TradeState::PayError | TradeState::Other(_) => None,
    })
}
