//! What a body may hold: fields with their kinds and lengths, as the documents list them. A field nobody documents is refused, as WeChat Pay
//! refuses it, and so is `null`.

use serde_json::Value;

use super::error::ApiError;

/// One field of an object.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    pub(crate) kind: Kind,
}

/// What a value may be.
pub(crate) enum Kind {
    /// Text of 1 to this many characters.
    Text(usize),
    /// Text of this many bytes at most, which may be empty.
    Free(usize),
    /// A number of the merchant's own: length at least and at most, and which signs are allowed beside letters and digits.
    Number(usize, usize, &'static [u8]),
    /// A whole number in these bounds.
    Int(i64, i64),
    Bool,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A moment in RFC 3339.
    Time,
    /// An absolute address without a query.
    NotifyUrl,
    Object(&'static [Field]),
    /// A list with at most so many items.
    List(usize, &'static Kind),
}

/// A field that has to be there.
pub(crate) const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, is_required: true, kind }
}

/// A field that may be there.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, is_required: false, kind }
}

/// Signs of an `out_trade_no`.
pub(crate) const TRADE_SIGNS: &[u8] = b"_-|*";

/// An `out_trade_no`.
pub(crate) const OUT_TRADE_NO: Kind = Kind::Number(6, 32, TRADE_SIGNS);

/// Money in fen: at least one.
pub(crate) const FEN: Kind = Kind::Int(1, 100_000_000_000);

/// Checks an object against its fields; the first fault is the answer.
pub(crate) fn check(fields: &[Field], json: &Value) -> Result<(), ApiError> {
    object(fields, json, "")
}

fn object(fields: &[Field], json: &Value, at: &str) -> Result<(), ApiError> {
    let Some(members) = json.as_object() else { return wrong(at, json, "参数类型错误，应为对象") };
    for Field { name, is_required, kind } in fields {
        let pointer = format!("{at}/{name}");
        match members.get(*name) {
            Some(value) => kind.check(value, &pointer)?,
            None if *is_required => return wrong(&pointer, &Value::Null, "输入参数缺失"),
            None => {}
        }
    }
    match members.keys().find(|name| fields.iter().all(|field| field.name != name.as_str())) {
        Some(name) => {
            let value = members.get(name).cloned().unwrap_or_default();
            Err(ApiError::parameter(format!("{at}/{name}"), value, "传入了接口未定义的参数").internal("270924358"))
        }
        None => Ok(()),
    }
}

fn wrong(at: &str, value: &Value, message: &'static str) -> Result<(), ApiError> {
    Err(ApiError::parameter(at.to_owned(), value.clone(), message))
}

impl Kind {
    fn check(&self, value: &Value, at: &str) -> Result<(), ApiError> {
        let text = value.as_str();
        let fits = |fine: bool, message| if fine { Ok(()) } else { wrong(at, value, message) };
        match self {
            Self::Text(max) => fits(text.is_some_and(|text| !text.trim().is_empty() && text.chars().count() <= *max), "输入参数为空或超出长度限制"),
            Self::Free(max) => fits(text.is_some_and(|text| text.len() <= *max), "输入参数超出长度限制"),
            Self::Number(least, most, signs) => {
                let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || signs.contains(&byte);
                fits(text.is_some_and(|text| (*least..=*most).contains(&text.len()) && text.bytes().all(is_sign)), "商户单号的长度或字符不符合要求")
            }
            Self::Int(least, most) => {
                fits(value.as_i64().is_some_and(|number| (*least..=*most).contains(&number)), "数值不符合要求，应为范围内的整数")
            }
            Self::Bool => fits(value.is_boolean(), "参数类型错误，应为布尔值"),
            Self::OneOf(words) => fits(text.is_some_and(|text| words.contains(&text)), "参数取值不在允许的范围内"),
            Self::Time => fits(text.and_then(time_seconds).is_some(), "时间格式错误，应为rfc3339格式"),
            Self::NotifyUrl => fits(text.is_some_and(is_notify_url), "notify_url必须为完整的URL且不携带参数"),
            Self::Object(fields) => object(fields, value, at),
            Self::List(most, kind) => {
                let items = value.as_array().filter(|items| !items.is_empty() && items.len() <= *most);
                let Some(items) = items else { return wrong(at, value, "列表为空或超出条数限制") };
                items.iter().enumerate().try_for_each(|(n, item)| kind.check(item, &format!("{at}/{n}")))
            }
        }
    }
}

/// Seconds since 1970 of a moment in RFC 3339.
pub(crate) fn time_seconds(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second)
}

fn is_notify_url(text: &str) -> bool {
    let uri: Option<http::Uri> = text.parse().ok();
    let scheme = |uri: &http::Uri| matches!(uri.scheme_str(), Some("http" | "https"));
    text.len() <= 255 && !text.contains(['?', '#']) && uri.is_some_and(|uri| scheme(&uri) && uri.host().is_some_and(|host| !host.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FIELDS: &[Field] = &[
        must("no", OUT_TRADE_NO),
        may("url", Kind::NotifyUrl),
        may("at", Kind::Time),
        must("amount", Kind::Object(&[must("total", FEN), may("currency", Kind::OneOf(&["CNY"]))])),
        may("limit_pay", Kind::List(2, &Kind::Text(4))),
    ];

    #[test]
    fn the_first_fault_is_named_by_its_pointer() {
        let fine = json!({"no": "a-|*_1", "url": "http://s/n", "at": "2026-01-01T08:00:00+08:00", "amount": {"total": 1}, "limit_pay": ["x"]});
        assert_eq!(check(FIELDS, &fine), Ok(()));
        for (pointer, value, field) in [
            ("/no", json!("short"), "/no"),
            ("/no", json!("with blank"), "/no"),
            ("/url", json!("https://s/n?x=1"), "/url"),
            ("/url", json!("s/n"), "/url"),
            ("/url", json!("https://"), "/url"),
            ("/at", json!("2026-01-01 08:00:00"), "/at"),
            ("/amount", json!(1), "/amount"),
            ("/amount/total", json!(0), "/amount/total"),
            ("/amount/total", json!(1.5), "/amount/total"),
            ("/amount/total", json!("1"), "/amount/total"),
            ("/amount/currency", json!("USD"), "/amount/currency"),
            ("/amount/currency", Value::Null, "/amount/currency"),
            ("/amount/tax", json!(1), "/amount/tax"),
            ("/limit_pay", json!([]), "/limit_pay"),
            ("/limit_pay", json!(["x", "too long"]), "/limit_pay/1"),
            ("/more", json!("x"), "/more"),
        ] {
            let mut json = fine.clone();
            let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
            json.pointer_mut(parent).expect("a parent")[name] = value;
            let error = check(FIELDS, &json).expect_err(pointer);
            assert_eq!(error.field(), Some(field), "{pointer}");
        }
        assert_eq!(check(FIELDS, &json!({"no": "abcdef"})).expect_err("missing").field(), Some("/amount"));
    }
}
