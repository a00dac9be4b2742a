//! `GET /pay/{id}`: the page a payer sees: amount, QR code, how it stands, live. Whoever knows the id may see it; it names no person.

use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::body::Body;
use super::{House, answer, qr};
use crate::ids::PaymentId;
use crate::language::Language;
use crate::payment::record::Payment;
use crate::payment::state::State;
use crate::payment::terms::Method;
use crate::payment::words;

const STYLE: &str = include_str!("pay_page.css");
const SCRIPT: &str = include_str!("pay_page.js");

/// The page brings everything with it and talks to nobody but this host.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Shows a payment.
pub(super) async fn show(house: &House, parts: &Parts, id: &str) -> Response<Body> {
    let language = Language::accepted(parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default());
    let (status, page) = match house.ledger.payment(&PaymentId::new(id)).await {
        Ok(Some(payment)) => (StatusCode::OK, page(&payment, language)),
        Ok(None) => (StatusCode::NOT_FOUND, apology(language, "没有这笔付款", "There is no such payment")),
        Err(e) => {
            tracing::error!(error = %e, "a pay page could not be shown");
            (StatusCode::SERVICE_UNAVAILABLE, apology(language, "暂时无法显示，请稍后再试", "This cannot be shown right now; please try again"))
        }
    };
    answer::html_response(status, page.into_string(), POLICY)
}

fn page(payment: &Payment, language: Language) -> Markup {
    let zh = language == Language::Zh;
    let scan = payment.state == State::AwaitingUser && payment.terms.method == Method::WechatNative;
    let code = payment.code_url.as_deref().filter(|_| scan).and_then(qr::svg);
    frame(
        language,
        html! {
            main data-state=(payment.state.name()) data-final=(payment.state.is_final()) data-events={ "/pay/" (payment.id) "/events" } {
                p.what { (payment.terms.description) }
                p.amount { span.sign { "¥" } (payment.terms.amount.major()) }
                @if let Some(svg) = code {
                    div.code role="img" aria-label=(if zh { "微信支付二维码" } else { "WeChat Pay QR code" }) { (PreEscaped(svg)) }
                }
                div.mark aria-hidden="true" {}
                p.standing aria-live="polite" { (words::headline(payment.state, language)) }
                @if scan {
                    p.hint { (if zh { "打开微信“扫一扫”，对准上方二维码" } else { "Open WeChat, choose Scan, and point it at the code" }) }
                }
                dl {
                    dt { (if zh { "订单号" } else { "Order" }) } dd { (payment.out_trade_no) }
                    @if let Some(order_id) = &payment.order_id {
                        dt { (if zh { "商户单号" } else { "Merchant's order" }) } dd { (order_id) }
                    }
                }
            }
            script { (PreEscaped(SCRIPT)) }
        },
    )
}

fn apology(language: Language, zh: &str, en: &str) -> Markup {
    frame(language, html! { main data-final="true" { p.standing { (if language == Language::Zh { zh } else { en }) } } })
}

fn frame(language: Language, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (if language == Language::Zh { "微信支付" } else { "Pay with WeChat" }) }
                style { (PreEscaped(STYLE)) }
            }
            body { (content) }
        }
    }
}
