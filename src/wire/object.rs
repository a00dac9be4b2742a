//! The payment object: how a payment is shown to callers (`/v1/payments`, the `payments` array of a completion).

use serde::Serialize;

use crate::payment::record::Payment;
use crate::payment::state::State;

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
    reasoning: Option<&'a str>,
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
    next_action: NextAction<'a>,
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

fn object<'a>(payment: &'a Payment, shown: Shown<'_>) -> Object<'a> {
    let scan = payment.state == State::AwaitingUser;
    Object {
        id: payment.id.as_str(),
        object: "payment",
        created: payment.created.seconds(),
        status: "approved",
        state: payment.state.name(),
        reasoning: payment.reason.as_deref(),
        confidence_score: None,
        model_version: payment.model_version.as_deref(),
        decided_by: payment.decided_by.name(),
        rules: [],
        amount: Amount { total: payment.terms.amount.minor(), currency: payment.terms.amount.currency().code() },
        lines: [Line { kind: "item", description: &payment.terms.description, amount: payment.terms.amount.minor() }],
        method: payment.terms.method.name(),
        order_id: payment.order_id.as_deref(),
        out_trade_no: payment.out_trade_no.as_str(),
        transaction_id: payment.transaction_id.as_deref(),
        success_time: payment.success_time.as_deref(),
        next_action: NextAction {
            kind: if scan { "scan_qr" } else { "none" },
            code_url: payment.code_url.as_deref().filter(|_| scan),
            page: page_url(payment, shown.public_url),
        },
    }
}

/// One payment object, as JSON text.
pub fn write(payment: &Payment, shown: Shown<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&object(payment, shown))
}

/// A `payments` array, as JSON text.
pub fn write_list(payments: &[Payment], shown: Shown<'_>) -> serde_json::Result<String> {
    serde_json::to_string(&payments.iter().map(|payment| object(payment, shown)).collect::<Vec<_>>())
}
