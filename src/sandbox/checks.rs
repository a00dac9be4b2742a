//! The checks every request of a merchant passes, in WeChat Pay's order, and the errors it answers.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::Inner;
use super::serve::{Body, whole};
use super::sign::KeyMode;

/// How far a signature's time may be from ours, in seconds.
const AGE_SECONDS_MAX: i64 = 300;

/// What an `Authorization` field claims.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) mchid: String,
    pub(super) serial: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
    pub(super) signature: String,
}

/// Reads the field: five pairs in any order.
fn claim(field: &str) -> Option<Claim> {
    let pairs = field.strip_prefix("WECHATPAY2-SHA256-RSA2048 ")?;
    let mut claim = Claim::default();
    for pair in pairs.split(',') {
        let (name, value) = pair.trim().split_once('=')?;
        let value = value.strip_prefix('"')?.strip_suffix('"')?.to_owned();
        match name {
            "mchid" => claim.mchid = value,
            "serial_no" => claim.serial = value,
            "timestamp" => claim.timestamp = value,
            "nonce_str" => claim.nonce = value,
            "signature" => claim.signature = value,
            _ => {}
        }
    }
    let whole = [&claim.mchid, &claim.serial, &claim.timestamp, &claim.nonce, &claim.signature].iter().all(|value| !value.is_empty());
    whole.then_some(claim)
}

/// An error as WeChat Pay words it.
#[derive(Debug, PartialEq)]
pub(super) struct ApiError {
    pub(super) status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// The number behind the last dash of `Request-ID`.
    internal: &'static str,
    field: Option<(&'static str, Value)>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, internal: "0", field: None }
    }

    pub(super) fn internal(mut self, number: &'static str) -> Self {
        self.internal = number;
        self
    }

    /// A parameter that cannot be.
    pub(super) fn parameter(field: &'static str, value: Value, message: &'static str) -> Self {
        Self { field: Some((field, value)), internal: "268435461", ..Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    fn unsigned(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
    }

    /// The answer; signed once the caller is known.
    pub(super) fn response(&self, inner: &Inner, signed: Option<KeyMode>) -> Response<Body> {
        let mut json = json!({"code": self.code, "message": self.message});
        if let Some((field, value)) = &self.field {
            json["detail"] = json!({"field": field, "value": value, "issue": self.message, "location": "body"});
        }
        answer(inner, self.status, Bytes::from(json.to_string()), signed, self.internal, false)
    }
}

/// An answer with its `Request-ID`, signed if its reader is known; as a probe, with a signature that must not verify.
pub(super) fn answer(inner: &Inner, status: StatusCode, body: Bytes, signed: Option<KeyMode>, internal: &str, probe: bool) -> Response<Body> {
    let fields = signed.map(|mode| inner.signer.fields(mode, inner.clock.now().seconds(), &body, probe));
    let empty = body.is_empty();
    let mut response = whole(status, body);
    let headers = response.headers_mut();
    headers.extend(fields.unwrap_or_default());
    if !empty {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    }
    let id = format!("{}-{internal}", uuid::Uuid::new_v4().simple().to_string().to_uppercase());
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("request-id", id);
    }
    response
}

/// Who sent a request, if all of it is in order.
pub(super) fn check(inner: &Inner, parts: &Parts, body: &[u8]) -> Result<(), ApiError> {
    if !parts.headers.contains_key(ACCEPT) || !parts.headers.contains_key(USER_AGENT) {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", "Http头缺少Accept或User-Agent"));
    }
    let field = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let claim = field.and_then(claim).ok_or_else(|| ApiError::unsigned("Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》"))?;
    let signed_at: i64 = claim.timestamp.parse().map_err(|_| ApiError::unsigned("Http头Authorization中的timestamp有误"))?;
    if (inner.clock.now().seconds() - signed_at).abs() > AGE_SECONDS_MAX {
        return Err(ApiError::unsigned("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    let serial = |serial: &str| serial.trim_start_matches('0').to_ascii_uppercase();
    if claim.mchid != inner.account.mchid || serial(&claim.serial) != serial(&inner.account.serial) {
        return Err(ApiError::unsigned("商户证书序列号有误。请使用签名私钥匹配的证书序列号"));
    }
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if !inner.signer.is_merchants(&claim, parts.method.as_str(), target, body) {
        return Err(ApiError::unsigned("签名错误，请检查后再试"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_any_order_and_all_five_are_needed() {
        let field = r#"WECHATPAY2-SHA256-RSA2048 signature="a+/=",mchid="19", nonce_str="n",serial_no="0A",timestamp="1""#;
        let claim = claim(field).expect("reads");
        assert_eq!((claim.signature.as_str(), claim.serial.as_str()), ("a+/=", "0A"));
        for bad in ["", "Bearer x", "WECHATPAY2-SHA256-RSA2048 mchid=\"19\"", "WECHATPAY2-SHA256-RSA2048 mchid=19,nonce_str=n"] {
            assert!(super::claim(bad).is_none(), "{bad}");
        }
    }
}
