//! The checks every request of a merchant passes, in WeChat Pay's order.

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::request::Parts;

use super::super::Inner;
use super::super::accounts::Merchant;
use super::super::sign::Claim;
use super::error::ApiError;

/// How far a signature's time may be from ours, in seconds.
const AGE_SECONDS_MAX: i64 = 300;

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

/// Who sent a request, if all of it is in order. `signed` is the part of the body that is signed: all of it, but for uploads.
pub(super) fn check<'i>(inner: &'i Inner, parts: &Parts, signed: &[u8]) -> Result<&'i Merchant, ApiError> {
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
    let merchant = inner.accounts.by_mchid(&claim.mchid).filter(|merchant| serial(&claim.serial) == serial(&merchant.serial));
    let merchant = merchant.ok_or_else(|| ApiError::unsigned("商户证书序列号有误。请使用签名私钥匹配的证书序列号"))?;
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if claim.is_signed_by(&merchant.key, parts.method.as_str(), target, signed) {
        Ok(merchant)
    } else {
        Err(ApiError::unsigned("签名错误，请检查后再试"))
    }
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
