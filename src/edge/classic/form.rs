//! An order as its merchant wrote it: what fengate fills in, and what it has to know of it before it signs. Everything else passes as it was
//! written.

use bytes::Bytes;

use super::refusals::Rejection;
use crate::ids::OutTradeNo;
use crate::merchant::WechatPayAccount;
use crate::money::Money;
use crate::payment::terms::{Method, Terms};
use crate::wire::members::{Members, at_pointer, quoted};

/// Longest title, in characters, and longest address (reference: create an order).
const DESCRIPTION_CHARS_MAX: usize = 127;
const NOTIFY_URL_BYTES_MAX: usize = 255;

/// What is known of an order before it is signed.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) out_trade_no: OutTradeNo,
    pub(super) terms: Terms,
    /// The bytes that are sent: the merchant's own, with what was missing filled in, and with fengate's address for notices.
    pub(super) body: Bytes,
    /// The merchant's own address for notices.
    pub(super) notify_url: Option<String>,
}

/// Reads an order and fills it in.
pub(super) fn read(body: &[u8], method: Method, account: &WechatPayAccount, notify_url: &str) -> Result<Form, Rejection> {
    let json = std::str::from_utf8(body).map_err(|_| Rejection::parameter("", "the body is not UTF-8"))?;
    let mut members = Members::read(json).map_err(|_| Rejection::parameter("", "the body is not one JSON object"))?;
    must_be(json, "/mchid", &account.mchid)?;
    must_be(json, "/appid", &account.appid)?;
    let own = match text(json, "/notify_url")? {
        Some(url) if is_notify_url(&url, notify_url) => Some(url),
        Some(_) => {
            return Err(Rejection::parameter(
                "/notify_url",
                "notify_url must be a whole address of 255 characters at most, without a query; https to a public host, unless fengate itself is on this machine only",
            ));
        }
        None => None,
    };
    let number = text(json, "/out_trade_no")?.filter(|number| is_number(number));
    let number = number.ok_or_else(|| Rejection::parameter("/out_trade_no", "out_trade_no must be 6 to 32 letters, digits, _ - | or *"))?;
    let description = text(json, "/description")?.filter(|title| (1..=DESCRIPTION_CHARS_MAX).contains(&title.chars().count()));
    let description = description.ok_or_else(|| Rejection::parameter("/description", "description must have 1 to 127 characters"))?;
    let terms = Terms { amount: amount(json)?, description, method };
    for (name, value) in [("mchid", account.mchid.as_str()), ("appid", account.appid.as_str()), ("notify_url", notify_url)] {
        members.set(name, quoted(value));
    }
    Ok(Form { out_trade_no: OutTradeNo::new(number), terms, body: Bytes::from(members.write()), notify_url: own })
}

fn amount(json: &str) -> Result<Money, Rejection> {
    if text(json, "/amount/currency")?.is_some_and(|code| code != "CNY") {
        return Err(Rejection::parameter("/amount/currency", "currency must be CNY"));
    }
    let total = at_pointer(json, "/amount/total").map_err(|_| Rejection::twice("/amount/total"))?;
    let fen: Option<i64> = total.and_then(|digits| digits.parse().ok());
    let amount = fen.and_then(|fen| Money::fen(fen).ok());
    amount.ok_or_else(|| Rejection::parameter("/amount/total", "amount.total must be a whole number of fen, 1 or more"))
}

/// A merchant's number and application may be left out; another's may not be named: its money would not be in this ledger.
pub(super) fn must_be(json: &str, pointer: &'static str, value: &str) -> Result<(), Rejection> {
    match text(json, pointer)? {
        Some(named) if named != value => {
            Err(Rejection::parameter(pointer, "this is not the one of this key's merchant in routes.toml; leave it out"))
        }
        _ => Ok(()),
    }
}

/// A text at a place; `None` where there is none.
fn text(json: &str, pointer: &'static str) -> Result<Option<String>, Rejection> {
    let Some(value) = at_pointer(json, pointer).map_err(|_| Rejection::twice(pointer))? else { return Ok(None) };
    serde_json::from_str(&value).map(Some).map_err(|_| Rejection::parameter(pointer, "this must be a text"))
}

/// WeChat Pay's rule for order numbers.
fn is_number(number: &str) -> bool {
    (6..=32).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-|*".contains(&b))
}

/// An address fengate will call when the order is paid. Where `ours`, the address WeChat Pay calls, is open to the world, it has to be too: no
/// caller may make fengate call what only fengate can reach.
fn is_notify_url(url: &str, ours: &str) -> bool {
    let parsed = |url: &str| url.parse::<http::Uri>().ok().filter(|uri| uri.host().is_some());
    let Some(uri) = parsed(url) else { return false };
    let plain = matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.query().is_none()
        && !uri.authority().is_some_and(|part| part.as_str().contains('@'));
    let in_the_open = parsed(ours).is_some_and(|ours| !is_inside(&ours));
    let reachable = !in_the_open || (uri.scheme_str() == Some("https") && !is_inside(&uri));
    plain && reachable && url.len() <= NOTIFY_URL_BYTES_MAX && !url.contains('#')
}

/// Whether an address names this machine or a private network, as far as its text tells.
fn is_inside(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    match host.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast(),
        Ok(std::net::IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unspecified() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.to_ipv4_mapped().is_some()
        }
        // A name without a dot is one of the local network; a number that is no address is an address in disguise.
        Err(_) => {
            !host.contains('.')
                || host.ends_with(".localhost")
                || host.ends_with(".local")
                || host.ends_with(".internal")
                || host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://pay.example.com/callbacks/wechatpay/shop";

    fn account() -> WechatPayAccount {
        WechatPayAccount { mchid: "1900000001".to_owned(), appid: "wx0123456789abcdef".to_owned() }
    }

    fn form(json: &str) -> Result<Form, &'static str> {
        read(json.as_bytes(), Method::WechatJsapi, &account(), OURS).map_err(|rejection| rejection.field)
    }

    #[test]
    fn what_is_missing_is_filled_in_and_the_rest_stays_to_the_byte() {
        let written = r#"{ "description":"蓝\u8272球鞋", "out_trade_no":"SO|1*0001", "attach":"a  b", "amount":{"total":12900,"x":1.10},"payer":{"openid":"o"} }"#;
        let form = form(written).expect("an order");
        let filled = r#"{"description":"蓝\u8272球鞋","out_trade_no":"SO|1*0001","attach":"a  b","amount":{"total":12900,"x":1.10},"payer":{"openid":"o"},"mchid":"1900000001","appid":"wx0123456789abcdef","notify_url":"https://pay.example.com/callbacks/wechatpay/shop"}"#;
        assert_eq!(form.body, filled);
        assert_eq!((form.terms.amount.minor(), form.terms.description.as_str(), form.notify_url), (12_900, "蓝色球鞋", None));
    }

    #[test]
    fn the_merchants_own_address_is_kept_for_it_and_fengates_takes_its_place() {
        let form = form(
            r#"{"notify_url":"https://shop.example/n","mchid":"1900000001","out_trade_no":"SO-0001","description":"x","amount":{"total":1,"currency":"CNY"}}"#,
        )
        .expect("an order");
        assert_eq!(form.notify_url.as_deref(), Some("https://shop.example/n"));
        assert!(form.body.starts_with(br#"{"notify_url":"https://pay.example.com/callbacks/wechatpay/shop","mchid""#));
    }

    #[test]
    fn what_cannot_be_is_named() {
        let order = |more: &str| format!(r#"{{"out_trade_no":"SO-0001","description":"x","amount":{{"total":1}}{more}}}"#);
        for (json, field) in [
            (order(r#","mchid":"1900000002""#), "/mchid"),
            (order(r#","appid":"wx1""#), "/appid"),
            (order(r#","notify_url":"https://shop.example/n?a=1""#), "/notify_url"),
            (order(r#","notify_url":"ftp://shop.example/n""#), "/notify_url"),
            (order(r#","amount":{"total":2}"#), "/amount/currency"),
            (order(r#","out_trade_no":"SO-0002""#), "/out_trade_no"),
            (r#"{"out_trade_no":"short","description":"x","amount":{"total":1}}"#.to_owned(), "/out_trade_no"),
            (r#"{"out_trade_no":"SO-0001","description":"","amount":{"total":1}}"#.to_owned(), "/description"),
            (r#"{"out_trade_no":"SO-0001","description":"x","amount":{"total":0}}"#.to_owned(), "/amount/total"),
            (r#"{"out_trade_no":"SO-0001","description":"x","amount":{"total":1.5}}"#.to_owned(), "/amount/total"),
            (r#"{"out_trade_no":"SO-0001","description":"x","amount":{"total":"1"}}"#.to_owned(), "/amount/total"),
            (r#"{"out_trade_no":"SO-0001","description":"x","amount":{"total":1,"currency":"USD"}}"#.to_owned(), "/amount/currency"),
            ("[]".to_owned(), ""),
        ] {
            assert_eq!(form(&json).map(|_| ()), Err(field), "{json}");
        }
    }

    #[test]
    fn nobody_makes_fengate_call_what_only_fengate_can_reach() {
        for url in ["https://shop.example/notify", "https://203.0.113.7/notify", "https://shop.example:8443/a/b"] {
            assert!(is_notify_url(url, OURS), "{url}");
        }
        for url in [
            "http://shop.example/notify",
            "http://127.0.0.1:9090/metrics",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://[::1]/x",
            "https://[::ffff:10.0.0.1]/x",
            "https://10.1.2.3/x",
            "https://169.254.169.254/latest",
            "https://2130706433/x",
            "https://metadata/x",
            "https://u:p@shop.example/x",
            "https://shop.example/x?y",
            "ftp://shop.example/x",
            "",
        ] {
            assert!(!is_notify_url(url, OURS), "{url}");
        }
        assert!(is_notify_url("http://127.0.0.1:18000/notify", "http://127.0.0.1:8080/callbacks/wechatpay/demo"), "everything on this machine");
    }
}
