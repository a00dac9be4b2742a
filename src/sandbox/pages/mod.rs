//! Pages for people: the operator's, and the cashiers a payer meets outside the phone's list (JSAPI, app, H5).

pub(super) mod cashier;
pub(super) mod keys;
pub(super) mod operator;
mod pay_sign;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::serve::{Body, whole};
use crate::language::Language;

/// A word in both languages.
type Words = (&'static str, &'static str);

/// Says a word in the reader's language.
#[derive(Clone, Copy)]
struct Say(Language);

impl Say {
    fn to(parts: &Parts) -> Self {
        Self(Language::accepted(parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()))
    }

    fn it(self, (zh, en): Words) -> &'static str {
        if self.0 == Language::Zh { zh } else { en }
    }
}

/// A whole page.
fn page(say: Say, title: &str, style: &str, script: &str, main: &Markup) -> Response<Body> {
    let page = html! {
        (DOCTYPE)
        html lang=(say.0.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(style)) }
            }
            body { (main) script { (PreEscaped(script)) } }
        }
    };
    let mut response = whole(StatusCode::OK, Bytes::from(page.into_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}

/// The parameters of a query, decoded: `+` and `%XX`.
fn parameters(parts: &Parts) -> Vec<(String, String)> {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, more)) = rest.split_first() {
        let pair = more.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        (rest, _) = match (first, pair) {
            (b'%', Some(byte)) => (more.get(2..).unwrap_or_default(), bytes.push(byte)),
            (b'+', _) => (more, bytes.push(b' ')),
            _ => (more, bytes.push(*first)),
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Fen as yuan, for people.
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    format!("{sign}¥{}.{:02}", fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_nothing_breaks_on_broken_ones() {
        assert_eq!(decoded("prepay_id%3Dwx1+%E5%BC%A0"), "prepay_id=wx1 张");
        assert_eq!(decoded("%"), "%");
        assert_eq!(decoded("%2"), "%2");
        assert_eq!(decoded("a%zzb"), "a%zzb");
    }
}
