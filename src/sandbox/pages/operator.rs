//! The operator's page: merchants and their keys, what happened, how callbacks were answered, and what should go wrong next.

use std::sync::Arc;

use http::Response;
use http::request::Parts;
use maud::{Markup, html};

use super::super::Inner;
use super::super::accounts::{Merchant, rfc3339};
use super::super::book::notices::Notice;
use super::super::serve::Body;
use super::keys::{OWN, PLATFORM};
use super::{Say, Words, page, yuan};

const STYLE: &str = include_str!("operator.css");
const SCRIPT: &str = include_str!("operator.js");

/// Most rows of a table; the newest are shown.
const ROWS_MAX: usize = 50;

/// Faults at the press of a button, as the desk takes them.
const FAULTS: [(Words, &str); 7] = [
    (("全部清除", "Clear all"), "{}"),
    (("下一次下单：受理后断开连接", "Next create: reset after acting"), r#"{"create": {"reset_after_acting": 1}}"#),
    (("下一次下单：503", "Next create: 503"), r#"{"create": {"status_503": 1}}"#),
    (("下一次下单：应答签名错误", "Next create: answer's signature wrong"), r#"{"create": {"bad_signature": 1}}"#),
    (("下一个回调：丢失", "Next callback: lost"), r#"{"callbacks": {"drop": 1}}"#),
    (("下一个回调：签名探测", "Next callback: signature probe"), r#"{"callbacks": {"bad_signature": 1}}"#),
    (("每个回调发送两次", "Every callback twice"), r#"{"callbacks": {"duplicate": true}}"#),
];

/// How far the clock can be driven at the press of a button, in milliseconds.
const DRIVES: [(Words, i64); 4] = [
    (("+1 分钟", "+1 minute"), 60_000),
    (("+15 分钟", "+15 minutes"), 900_000),
    (("+2 小时", "+2 hours"), 7_200_000),
    (("+1 天", "+1 day"), 86_400_000),
];

/// `GET /operator`
pub(in crate::sandbox) fn show(inner: &Arc<Inner>, parts: &Parts) -> Response<Body> {
    inner.ripen();
    let say = Say::to(parts);
    let title = say.it(("沙箱控制台", "Sandbox desk"));
    let main = html! {
        main {
            header {
                h1 { (title) }
                p { a href="/" { (say.it(("付款人的手机", "The payer's phone"))) } }
            }
            div #live {
                p.clock { (say.it(("沙箱时间", "Time here"))) " " strong { (rfc3339(inner.time.now().seconds())) } }
                (merchants(say, inner))
                (orders(say, inner))
                (refunds(say, inner))
                (callbacks(say, inner))
            }
            (driving(say))
        }
    };
    page(say, title, STYLE, SCRIPT, &main)
}

/// A table with its headings, or a word where it has no rows.
fn table(say: Say, title: Words, headings: &[Words], rows: &[Vec<Markup>]) -> Markup {
    html! {
        section {
            h2 { (say.it(title)) " " small { (rows.len()) } }
            @if rows.is_empty() {
                p.none { (say.it(("还没有", "None yet"))) }
            } @else {
                div.wide {
                    table {
                        thead { tr { @for heading in headings { th scope="col" { (say.it(*heading)) } } } }
                        tbody { @for row in rows.iter().take(ROWS_MAX) { tr { @for cell in row { td { (cell) } } } } }
                    }
                }
            }
        }
    }
}

fn merchants(say: Say, inner: &Inner) -> Markup {
    let one = |merchant: &Merchant| {
        let [certificate, public_key] = PLATFORM;
        let platform = match merchant {
            merchant if merchant.is_public_key_only => vec![public_key],
            merchant if merchant.is_guomi() => vec![certificate],
            _ => vec![certificate, public_key],
        };
        let files = OWN.into_iter().chain(platform);
        vec![
            html! { strong { (merchant.name) } @for sub in &merchant.sub_mchids { br; small { "sub_mchid " (sub) } } },
            html! { code { (merchant.mchid) } br; code { (merchant.appids.join(" ")) } },
            html! { code { (merchant.serial) } },
            html! { code.secret { (merchant.apiv3_key) } },
            html! { @for file in files { a href=(format!("/operator/keys/{}/{file}", merchant.name)) { (file) } br; } },
        ]
    };
    let headings: [Words; 5] = [
        ("商户", "Merchant"),
        ("mchid / appid", "mchid / appid"),
        ("证书序列号", "Certificate serial"),
        ("APIv3 密钥", "APIv3 key"),
        ("密钥下载", "Keys"),
    ];
    let key_id: Words = ("微信支付公钥ID", "WeChat Pay public key id");
    let rows: Vec<_> = inner.accounts.all().iter().map(one).collect();
    html! {
        (table(say, ("商户", "Merchants"), &headings, &rows))
        p.key-id { (say.it(key_id)) " " code { (inner.accounts.account.public_key_id) } }
    }
}

fn orders(say: Say, inner: &Inner) -> Markup {
    let mut orders = inner.orders.all();
    orders.sort_by_key(|order| std::cmp::Reverse(order.created_at));
    let one = |order: &super::super::book::order::Order| {
        vec![
            html! { code { (order.out_trade_no()) } },
            html! { (order.product.trade_type()) },
            html! { (yuan(order.total())) },
            html! { (order.text("description")) },
            html! { span.state data-state=(order.state.word()) { (order.state.word()) } },
            html! { code { (order.transaction_id.as_deref().unwrap_or_default()) } },
        ]
    };
    let headings: [Words; 6] = [
        ("商户订单号", "out_trade_no"),
        ("类型", "Type"),
        ("金额", "Amount"),
        ("描述", "Description"),
        ("状态", "State"),
        ("微信订单号", "transaction_id"),
    ];
    table(say, ("订单", "Orders"), &headings, &orders.iter().map(one).collect::<Vec<_>>())
}

fn refunds(say: Say, inner: &Inner) -> Markup {
    let mut refunds = inner.orders.all_refunds();
    refunds.sort_by_key(|refund| std::cmp::Reverse(refund.accepted_at));
    let one = |refund: &super::super::book::refunds::Refund| {
        vec![
            html! { code { (refund.key.number) } },
            html! { code { (refund.order.number) } },
            html! { (yuan(refund.amount())) },
            html! { span.state data-state=(refund.status.word()) { (refund.status.word()) } },
        ]
    };
    let headings: [Words; 4] = [("商户退款单号", "out_refund_no"), ("商户订单号", "out_trade_no"), ("金额", "Amount"), ("状态", "State")];
    table(say, ("退款", "Refunds"), &headings, &refunds.iter().map(one).collect::<Vec<_>>())
}

fn callbacks(say: Say, inner: &Inner) -> Markup {
    let mut notices = inner.notices.all();
    notices.sort_by_key(|notice| std::cmp::Reverse(notice.created_at));
    let answers = |notice: &Notice| {
        let one = |status: u16| if status == 0 { say.it(("无应答", "no answer")).to_owned() } else { status.to_string() };
        notice.deliveries.iter().map(|(_, status)| one(*status)).collect::<Vec<_>>().join(", ")
    };
    let one = |notice: &Notice| {
        vec![
            html! { (rfc3339(notice.created_at.seconds())) },
            html! { (notice.event_type) },
            html! { code { (notice.url) } },
            html! { (answers(notice)) },
            html! { span.state data-state=(if notice.is_taken { "SUCCESS" } else { "NOTPAY" }) { (say.it(if notice.is_taken { ("已接收", "taken") } else { ("未接收", "not taken") })) } },
        ]
    };
    let headings: [Words; 5] = [("时间", "Time"), ("事件", "Event"), ("地址", "To"), ("应答", "Answers"), ("结果", "Result")];
    table(say, ("回调", "Callbacks"), &headings, &notices.iter().map(one).collect::<Vec<_>>())
}

fn driving(say: Say) -> Markup {
    html! {
        section.drive {
            h2 { (say.it(("时间", "Time"))) }
            div.buttons {
                @for (words, advance_ms) in DRIVES {
                    button data-post="/sandbox/clock" data-body=(format!("{{\"advance_ms\": {advance_ms}}}")) { (say.it(words)) }
                }
            }
            h2 { (say.it(("平台证书", "The platform's certificates"))) }
            div.buttons {
                button data-post="/sandbox/certificates" data-body=r#"{"rotate": true}"# { (say.it(("立即轮换", "Rotate now"))) }
                button data-post="/sandbox/certificates" data-body=r#"{"rotate": true, "both_sign": true}"# { (say.it(("轮换，新旧轮流签名", "Rotate, both sign by turns"))) }
            }
            h2 { (say.it(("账单", "Bills"))) }
            div.buttons {
                button data-post="/sandbox/bills" data-body=r#"{"same_day": true}"# { (say.it(("当天账单立即可下载", "Bills of the day at once"))) }
                button data-post="/sandbox/bills" data-body=r#"{"same_day": false}"# { (say.it(("次日10点后", "From ten the next morning"))) }
            }
            h2 { (say.it(("故障", "Faults"))) }
            div.buttons {
                @for (words, body) in FAULTS { button data-post="/sandbox/faults" data-body=(body) { (say.it(words)) } }
            }
            form data-post="/sandbox/faults" {
                label { (say.it(("或自己写（JSON）", "Or write your own, in JSON"))) textarea name="body" rows="3" spellcheck="false" { "{\"seed\": 1, \"create\": {\"rates\": {\"reset_after_acting\": 0.1}}}" } }
                button { (say.it(("设置", "Set"))) }
            }
            h2 { (say.it(("开关", "Switches"))) }
            form data-post="/sandbox/switches" {
                label { (say.it(("未写出的开关恢复默认（JSON）", "Switches not named go back to how they were built, in JSON"))) textarea name="body" rows="3" spellcheck="false" { "{\"refund_ms\": 60000}" } }
                button { (say.it(("设置", "Set"))) }
            }
            p.told role="status" aria-live="polite" {}
        }
    }
}
