//! Sentences about a payment, in the caller's language. Written from ledger facts by template, never by a model.

use super::record::Payment;
use super::refund_state::RefundState;
use super::state::State;
use crate::language::Language;

/// What a person is told about a payment: the amount, what it is for, and how it stands.
pub fn facts(payment: &Payment, page: &str, language: Language) -> String {
    let (amount, what) = (payment.terms.amount.major(), &payment.terms.description);
    match language {
        Language::Zh => format!("订单“{what}”，金额¥{amount}：{} {page}", standing(payment.state, language)),
        Language::En => format!("The order for {what}, CNY {amount}: {} {page}", standing(payment.state, language)),
    }
}

/// How a payment stands, as a sentence.
pub fn standing(state: State, language: Language) -> &'static str {
    match (state, language) {
        (State::Created, Language::Zh) => "正在创建，请稍候查看。",
        (State::Created, Language::En) => "it is being prepared; please look again in a moment.",
        (State::Unknown, Language::Zh) => "正在向微信支付确认，请勿重复付款，请稍候查看。",
        (State::Unknown, Language::En) => "it is being confirmed with WeChat Pay; please do not pay twice, look again in a moment.",
        (State::AwaitingUser, Language::Zh) => "请用微信扫码支付。",
        (State::AwaitingUser, Language::En) => "please scan the code with WeChat to pay.",
        (State::Paid, Language::Zh) => "已支付。",
        (State::Paid, Language::En) => "it is paid.",
        (State::Refunding, Language::Zh) => "已支付，正在退款，款项将原路退回。",
        (State::Refunding, Language::En) => "it is paid and a refund is under way, back to where the money came from.",
        (State::PartiallyRefunded, Language::Zh) => "已支付，已部分退款。",
        (State::PartiallyRefunded, Language::En) => "it is paid and a part was refunded.",
        (State::Refunded, Language::Zh) => "已全额退款。",
        (State::Refunded, Language::En) => "it was refunded in full.",
        (State::Closed, Language::Zh) => "订单已关闭，未付款。",
        (State::Closed, Language::En) => "it was closed and nothing was paid.",
        (State::Failed, Language::Zh) => "未能创建，没有扣款。",
        (State::Failed, Language::En) => "it could not be created and nothing was paid.",
    }
}

/// Why a payment stands where it does, for the developer who reads the payment object. What the payment side or a socket said of it is for the
/// operator: it is in the log and in the audit trail.
pub fn reasoning(state: State) -> Option<&'static str> {
    match state {
        State::Created | State::AwaitingUser | State::Paid | State::Refunding | State::PartiallyRefunded | State::Refunded => None,
        State::Unknown => Some("WeChat Pay has not confirmed the order; fengate keeps asking. Do not pay again: look at this payment later."),
        State::Closed => Some("The order was closed at WeChat Pay without being paid."),
        State::Failed => Some("WeChat Pay refused the order and made nothing; the operator's log says why."),
    }
}

/// The same of a refund.
pub fn refund_reasoning(state: RefundState) -> Option<&'static str> {
    match state {
        RefundState::Created | RefundState::Processing | RefundState::Refunded => None,
        RefundState::Unknown => Some("WeChat Pay has not confirmed the refund; fengate keeps asking under the same number. Do not refund again."),
        RefundState::Waiting => Some("The merchant's balance at WeChat Pay is short; the refund is sent again for a week."),
        RefundState::Abnormal => Some("The payer's account cannot take the money back: see to it at WeChat Pay."),
        RefundState::Failed => Some("WeChat Pay refused or closed the refund and nothing went back; the operator's log says why."),
    }
}

/// Said when a model's payment call arrived cut off.
pub fn cut_off(language: Language) -> &'static str {
    match language {
        Language::Zh => "付款请求不完整，没有发起任何付款，请再试一次。",
        Language::En => "The payment request was cut off. Nothing was paid; please try again.",
    }
}

/// Said when a model kept calling payment functions without coming to an answer.
pub fn no_answer(language: Language) -> &'static str {
    match language {
        Language::Zh => "模型没有给出答复，没有发起新的付款，请再试一次。",
        Language::En => "The model did not come to an answer. Nothing more was paid; please try again.",
    }
}

/// How a payment stands, as the headline of its page.
pub fn headline(state: State, language: Language) -> &'static str {
    match (state, language) {
        (State::Created, Language::Zh) => "正在创建订单…",
        (State::Created, Language::En) => "Preparing the order…",
        (State::Unknown, Language::Zh) => "正在向微信支付确认，请勿重复付款",
        (State::Unknown, Language::En) => "Checking with WeChat Pay; please do not pay twice",
        (State::AwaitingUser, Language::Zh) => "请用微信扫码支付",
        (State::AwaitingUser, Language::En) => "Scan with WeChat to pay",
        (State::Paid, Language::Zh) => "支付成功",
        (State::Paid, Language::En) => "Paid",
        (State::Refunding, Language::Zh) => "正在退款，款项将原路退回",
        (State::Refunding, Language::En) => "A refund is under way, back to where the money came from",
        (State::PartiallyRefunded, Language::Zh) => "已部分退款",
        (State::PartiallyRefunded, Language::En) => "Refunded in part",
        (State::Refunded, Language::Zh) => "已全额退款",
        (State::Refunded, Language::En) => "Refunded in full",
        (State::Closed, Language::Zh) => "订单已关闭，未付款",
        (State::Closed, Language::En) => "Closed; nothing was paid",
        (State::Failed, Language::Zh) => "未能创建订单，没有扣款",
        (State::Failed, Language::En) => "This order could not be created; nothing was paid",
    }
}
