//! Gateway-signed: a request that carries a fengate key is filled in, signed and sent here, and answered with what WeChat Pay answered. Orders
//! made this way are in the ledger before they are sent.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::super::answer::Told;
use super::super::body::{self, Body};
use super::super::{Arrival, House, answer};
use super::forward::status_class;
use super::refusals::Rejection;
use super::{certificates, form};
use crate::connectors::Connector;
use crate::connectors::family::Family;
use crate::connectors::pace::{OverPace, Turn};
use crate::connectors::wechatpay::call::Forwarded;
use crate::ids::OutTradeNo;
use crate::ledger::Cause;
use crate::merchant::Merchant;
use crate::metrics::seconds;
use crate::payment::state::{Event, State};
use crate::payment::terms::Method as PayMethod;
use crate::payments::execute::Rail;
use crate::payments::written::{Written, WrittenOrder};
use crate::refusal::{Kind, Refusal};

/// The largest body that is read, in bytes: an order with all of its `detail` has seven thousand.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What may be asked for with a fengate key: what changes nothing, or changes one thing once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation<'p> {
    Order(PayMethod),
    Question,
    Close(&'p str),
    Certificates,
}

impl<'p> Operation<'p> {
    fn of(method: &Method, path: &'p str) -> Option<Self> {
        let rest = path.strip_prefix("/v3/")?;
        let order = rest.strip_prefix("pay/transactions/");
        Some(match (method, order.unwrap_or(rest)) {
            (&Method::POST, "native") if order.is_some() => Self::Order(PayMethod::WechatNative),
            (&Method::POST, "jsapi") if order.is_some() => Self::Order(PayMethod::WechatJsapi),
            (&Method::POST, "app") if order.is_some() => Self::Order(PayMethod::WechatApp),
            (&Method::POST, "h5") if order.is_some() => Self::Order(PayMethod::WechatH5),
            (&Method::POST, path) if order.is_some() => Self::Close(path.strip_prefix("out-trade-no/")?.strip_suffix("/close").filter(is_segment)?),
            (&Method::GET, path) if order.is_some() => {
                path.strip_prefix("out-trade-no/").or_else(|| path.strip_prefix("id/")).filter(is_segment).map(|_| Self::Question)?
            }
            (&Method::GET, "certificates") => Self::Certificates,
            (&Method::GET, path) => path.strip_prefix("refund/domestic/refunds/").filter(is_segment).map(|_| Self::Question)?,
            _ => return None,
        })
    }
}

fn is_segment(text: &&str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// Answers a merchant's request.
pub(super) async fn enter(house: &House, arrival: &Arrival, merchant: Arc<Merchant>, parts: Parts, body: Incoming) -> Response<Body> {
    let (family, started) = (Family::of(&parts.method, parts.uri.path()), Instant::now());
    let answered = answered(house, arrival, &merchant, &parts, body, family).await;
    let mut response = answered.unwrap_or_else(Rejection::into_response);
    house.metrics.v3_requests.with_label_values(&[merchant.id.as_str(), "gateway", family.name(), status_class(response.status())]).inc();
    house.metrics.v3_seconds.with_label_values(&[merchant.id.as_str(), family.name()]).observe(seconds(started.elapsed()));
    let mut told = response.extensions_mut().remove::<Told>().unwrap_or_default();
    told.merchant = Some(merchant.id.clone());
    response.extensions_mut().insert(told);
    response
}

async fn answered(
    house: &House,
    arrival: &Arrival,
    merchant: &Merchant,
    parts: &Parts,
    body: Incoming,
    family: Family,
) -> Result<Response<Body>, Rejection> {
    let rail = house.rails.get(&merchant.id).ok_or_else(Rejection::no_account)?;
    let operation = Operation::of(&parts.method, parts.uri.path()).ok_or_else(Rejection::not_with_a_key)?;
    if rail.connector.is_partner() && operation != Operation::Certificates {
        return Err(Rejection::partner());
    }
    let body = body::read(&parts.headers, body, BODY_BYTES_MAX, &house.metrics).await?;
    if let Operation::Order(method) = operation {
        // Refused before it keeps anybody waiting.
        let form = form::read(&body, method, &rail.connector.account(), &rail.notify_url)?;
        let turn = turn(&rail.connector, family).await?;
        return order(house, arrival, merchant, turn, form).await;
    }
    let turn = turn(&rail.connector, family).await?;
    match operation {
        Operation::Close(number) => close(house, merchant, rail, turn, (parts, number), &body).await,
        Operation::Certificates => certificates::list(house, rail, turn).await,
        Operation::Question | Operation::Order(_) => {
            let target = with_mchid(parts, &rail.connector.account().mchid)?;
            let forwarded = rail.connector.forward(turn, Method::GET, &target, Bytes::new()).await;
            plain(forwarded)
        }
    }
}

async fn turn(connector: &Connector, family: Family) -> Result<Turn, Rejection> {
    connector.turn(family).await.map_err(|OverPace { retry_after }| {
        let message = "Too many requests of this kind; fengate sends them on at the rate WeChat Pay takes. Send the same request again later.";
        Rejection::from(Refusal::new(Kind::RateLimited { retry_after }, "over_pace", message))
    })
}

/// Names the payment of an order made here, for `GET /v1/payments/{id}` and the refund functions.
const PAYMENT: HeaderName = HeaderName::from_static("fengate-payment");

async fn order(house: &House, arrival: &Arrival, merchant: &Merchant, turn: Turn, form: form::Form) -> Result<Response<Body>, Rejection> {
    let number = form.out_trade_no.clone();
    let order = WrittenOrder {
        merchant: merchant.id.clone(),
        out_trade_no: form.out_trade_no,
        terms: form.terms,
        body: form.body,
        notify_url: form.notify_url,
        request_id: arrival.request_id.clone(),
    };
    match house.execute.written(turn, order).await.map_err(Refusal::from)? {
        Written::Answered(answer) => {
            let mut response = answer::json_response(answer.status, answer.body);
            let payment = house.ledger.payment_by_out_trade_no(&merchant.id, &number).await.map_err(Refusal::from)?;
            let name = payment.and_then(|payment| HeaderValue::from_str(payment.id.as_str()).ok());
            response.headers_mut().extend(name.map(|name| (PAYMENT, name)));
            Ok(response)
        }
        Written::NotSent => Err(unreachable().into()),
        Written::Unknown => Err(unknown().into()),
        Written::InFlight => Err(Refusal::new(
            Kind::RateLimited { retry_after: std::time::Duration::from_secs(1) },
            "in_flight",
            "Another request for this out_trade_no is under way. Send the same request again.",
        )
        .into()),
        Written::Another => {
            Err(Rejection::new(StatusCode::FORBIDDEN, "OUT_TRADE_NO_USED", "商户订单号重复: another order was made under this out_trade_no"))
        }
        Written::Ended(state) if state.is_paid() => Err(Rejection::new(StatusCode::BAD_REQUEST, "ORDERPAID", "该订单已支付")),
        Written::Ended(State::Failed) => Err(Rejection::new(
            StatusCode::BAD_REQUEST,
            "ORDER_CLOSED",
            "WeChat Pay refused this order before and made nothing; write it anew under another out_trade_no",
        )),
        Written::Ended(_) => Err(Rejection::new(StatusCode::BAD_REQUEST, "ORDER_CLOSED", "该订单已关闭")),
    }
}

/// Closes an order; the ledger learns it if it is one of its own.
async fn close(
    house: &House,
    merchant: &Merchant,
    rail: &Rail,
    turn: Turn,
    (parts, number): (&Parts, &str),
    body: &[u8],
) -> Result<Response<Body>, Rejection> {
    let mchid = rail.connector.account().mchid;
    if !body.is_empty() {
        form::must_be(std::str::from_utf8(body).unwrap_or_default(), "/mchid", &mchid)?;
    }
    let number = OutTradeNo::new(number.replace("%7C", "|").replace("%7c", "|").replace("%2A", "*").replace("%2a", "*"));
    let written = serde_json::json!({ "mchid": mchid }).to_string();
    let forwarded = rail.connector.forward(turn, Method::POST, parts.uri.path(), Bytes::from(written)).await;
    let closed = matches!(&forwarded, Forwarded::Answer { status, .. } if *status == StatusCode::NO_CONTENT);
    if closed && let Some(payment) = house.ledger.payment_by_out_trade_no(&merchant.id, &number).await.map_err(Refusal::from)? {
        house.ledger.apply(&payment.id, Event::Closed, Cause::of("close_answer")).await.map_err(Refusal::from)?;
    }
    plain(forwarded)
}

/// The target with this merchant's number in its query, if it names none.
fn with_mchid(parts: &Parts, mchid: &str) -> Result<String, Rejection> {
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    if !path.starts_with("/v3/pay/") {
        return Ok(parts.uri.path_and_query().map_or(path, http::uri::PathAndQuery::as_str).to_owned());
    }
    match query.split('&').find_map(|pair| pair.strip_prefix("mchid=")) {
        Some(named) if named != mchid => {
            Err(Rejection::parameter("mchid", "this is not the one of this key's merchant in routes.toml; leave it out"))
        }
        Some(_) => Ok(format!("{path}?{query}")),
        None if query.is_empty() => Ok(format!("{path}?mchid={mchid}")),
        None => Ok(format!("{path}?{query}&mchid={mchid}")),
    }
}

/// WeChat Pay's answer, as it came.
pub(super) fn plain(forwarded: Forwarded) -> Result<Response<Body>, Rejection> {
    match forwarded {
        Forwarded::Answer { status, body } if body.is_empty() => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = status;
            Ok(response)
        }
        Forwarded::Answer { status, body } => Ok(answer::json_response(status, body)),
        Forwarded::NotSent { why } => Err(unreachable().detail(why).into()),
        Forwarded::Unknown { why } => Err(unknown().detail(why).into()),
    }
}

fn unreachable() -> Refusal {
    Refusal::new(Kind::ProviderUnreachable, "upstream_unreachable", "WeChat Pay could not be reached; nothing was sent. Send the same request again.")
}

fn unknown() -> Refusal {
    Refusal::new(
        Kind::ProviderFailed,
        "upstream_unknown",
        "WeChat Pay gave no answer that can be believed; the request may have been carried out. Send the same request, with the same number, again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_safe_with_a_key_is_let_through() {
        let of = |method: &str, path: &'static str| Operation::of(&method.parse().expect("a method"), path);
        assert_eq!(of("POST", "/v3/pay/transactions/native"), Some(Operation::Order(PayMethod::WechatNative)));
        assert_eq!(of("POST", "/v3/pay/transactions/h5"), Some(Operation::Order(PayMethod::WechatH5)));
        assert_eq!(of("POST", "/v3/pay/transactions/out-trade-no/SO-1/close"), Some(Operation::Close("SO-1")));
        assert_eq!(of("GET", "/v3/pay/transactions/out-trade-no/SO-1"), Some(Operation::Question));
        assert_eq!(of("GET", "/v3/pay/transactions/id/42"), Some(Operation::Question));
        assert_eq!(of("GET", "/v3/refund/domestic/refunds/r-1"), Some(Operation::Question));
        assert_eq!(of("GET", "/v3/certificates"), Some(Operation::Certificates));
        for (method, path) in [
            ("POST", "/v3/refund/domestic/refunds"),
            ("POST", "/v3/native"),
            ("GET", "/v3/pay/transactions/native"),
            ("POST", "/v3/pay/transactions/codepay"),
            ("POST", "/v3/pay/partner/transactions/native"),
            ("POST", "/v3/fund-app/mch-transfer/transfer-bills"),
            ("POST", "/v3/profitsharing/orders"),
            ("POST", "/v3/pay/transactions/out-trade-no/a/b/close"),
            ("GET", "/v3/pay/transactions/out-trade-no/"),
            ("DELETE", "/v3/certificates"),
        ] {
            assert_eq!(of(method, path), None, "{method} {path}");
        }
    }

    #[test]
    fn a_question_names_its_merchant() {
        let target = |uri: &str| with_mchid(&http::Request::get(uri).body(()).expect("a request").into_parts().0, "19").ok();
        let order = "/v3/pay/transactions/out-trade-no/a%7Cb";
        assert_eq!(target(order), Some(format!("{order}?mchid=19")));
        assert_eq!(target(&format!("{order}?x=1")), Some(format!("{order}?x=1&mchid=19")));
        assert_eq!(target(&format!("{order}?mchid=19")), Some(format!("{order}?mchid=19")));
        assert_eq!(target(&format!("{order}?mchid=20")), None);
        assert_eq!(target("/v3/refund/domestic/refunds/r"), Some("/v3/refund/domestic/refunds/r".to_owned()));
    }
}
