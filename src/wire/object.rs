//! The payment object: how a payment is shown to callers (`/v1/payments`, the `payments` array of a completion).

use serde::Serialize;

use crate::money::Money;
use crate::payment::record::Payment;
use crate::payment::refund::Refund;
use crate::payment::state::State;
use crate::payment::terms::Method;
use crate::payment::words;

/// What only the door knows about how a payment is shown.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// Where clients reach this fengate, without a slash at the end.
    pub public_url: &'a str,
}

#[derive(Serialize)]
struct Object<'a> {
    id: &'a str,
    object: &'static str,
    created: i64,
    status: &'static str,
    state: &'static str,
    reasoning: Option<&'static str>,
    confidence_score: Option<()>,
    model_version: Option<&'a str>,
    decided_by: &'static str,
    rules: [&'static str; 0],
    amount: Amount,
    lines: [Line<'a>; 1],
    method: &'static str,
    order_id: Option<&'a str>,
    out_trade_no: &'a str,
    transaction_id: Option<&'a str>,
    success_time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refunded: Option<Amount>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    refunds: Vec<RefundObject<'a>>,
    next_action: NextAction<'a>,
}

#[derive(Serialize)]
struct RefundObject<'a> {
    out_refund_no: &'a str,
    created: i64,
    state: &'static str,
    amount: Amount,
    reason: Option<&'a str>,
    reasoning: Option<&'static str>,
    refund_id: Option<&'a str>,
    success_time: Option<&'a str>,
}

#[derive(Serialize)]
struct Amount {
    total: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    description: &'a str,
    amount: i64,
}

#[derive(Serialize)]
struct NextAction<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_url: Option<&'a str>,
    page: String,
}

/// Where a person sees and pays this payment.
pub fn page_url(payment: &Payment, public_url: &str) -> String {
    format!("{public_url}/pay/{}", payment.id)
}

fn refund(refund: &Refund) -> RefundObject<'_> {
    RefundObject {
        out_refund_no: refund.out_refund_no.as_str(),
        created: refund.created.seconds(),
        state: refund.state.name(),
        amount: amount(refund.amount),
        reason: refund.reason.as_deref(),
        reasoning: words::refund_reasoning(refund.state),
        refund_id: refund.refund_id.as_deref(),
        success_time: refund.success_time.as_deref(),
    }
}

fn amount(money: Money) -> Amount {
    Amount { total: money.minor(), currency: money.currency().code() }
}

fn object<'a>(payment: &'a Payment, refunds: &'a [Refund], shown: Shown<'_>) -> Object<'a> {
    let scan = payment.state == State::AwaitingUser && payment.terms.method == Method::WechatNative;
    Object {
        id: payment.id.as_str(),
        object: "payment",
        created: payment.created.seconds(),
        status: "approved",
        state: payment.state.name(),
        reasoning: words::reasoning(payment.state),
        confidence_score: None,
        model_version: payment.model_version.as_deref(),
        decided_by: payment.decided_by.name(),
        rules: [],
        amount: amount(payment.terms.amount),
        lines: [Line { kind: "item", description: &payment.terms.description, amount: payment.terms.amount.minor() }],
        method: payment.terms.method.name(),
        order_id: payment.order_id.as_deref(),
        out_trade_no: payment.out_trade_no.as_str(),
        transaction_id: payment.transaction_id.as_deref(),
        success_time: payment.success_time.as_deref(),
        refunded: payment.refunded.map(amount),
        refunds: refunds.iter().map(refund).collect(),
        next_action: NextAction {
            kind: if scan { "scan_qr" } else { "none" },
            code_url: payment.code_url.as_deref().filter(|_| scan),
            page: page_url(payment, shown.public_url),
        },
    }
}

/// One payment object with its refunds, as JSON text.
pub fn write(payment: &Payment, refunds: &[Refund], shown: Shown<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&object(payment, refunds, shown))
}

/// A `payments` array, as JSON text: what has been given back is told as a sum.
pub fn write_list(payments: &[Payment], shown: Shown<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&payments.iter().map(|payment| object(payment, &[], shown)).collect::<Vec<_>>())
}
