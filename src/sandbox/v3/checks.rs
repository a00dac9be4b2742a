//! The checks every request of a merchant passes, in WeChat Pay's order.

use http::header::{ACCEPT, AUTHORIZATION, USER_AGENT};
use http::request::Parts;

use super::super::Inner;
use super::super::accounts::Merchant;
use super::super::sign::Claim;
use super::error::ApiError;

/// How far a signature's time may be from ours, in seconds.
const AGE_SECONDS_MAX: u64 = 300;

/// The authentication scheme.
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";

/// The scheme of the national algorithms.
const GUOMI_SCHEME: &str = "WECHATPAY2-SM2-WITH-SM3";

/// Reads the field: five `name="value"` pairs in any order, whatever stands between them.
fn claim(field: &str) -> Option<Claim> {
    let (scheme, mut rest) = field.split_once(' ')?;
    let is_guomi = scheme == GUOMI_SCHEME;
    if scheme != SCHEME && !is_guomi {
        return None;
    }
    let mut claim = Claim { is_guomi, ..Claim::default() };
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        match name.trim_matches(|c: char| c == ',' || c.is_ascii_whitespace()) {
            "mchid" => value.clone_into(&mut claim.mchid),
            "serial_no" => value.clone_into(&mut claim.serial),
            "timestamp" => value.clone_into(&mut claim.timestamp),
            "nonce_str" => value.clone_into(&mut claim.nonce),
            "signature" => value.clone_into(&mut claim.signature),
            _ => {}
        }
        rest = after;
    }
    let whole = [&claim.mchid, &claim.serial, &claim.timestamp, &claim.nonce, &claim.signature].iter().all(|value| !value.is_empty());
    whole.then_some(claim)
}

/// Who sent a request, if all of it is in order. `signed` is the part of the body that is signed: all of it, but for uploads. Two kinds of
/// backends answer at WeChat Pay: those of orders look at the signature first, the others at the header fields.
pub(super) fn check<'i>(inner: &'i Inner, parts: &Parts, signed: &[u8]) -> Result<&'i Merchant, ApiError> {
    let of_orders = parts.uri.path().starts_with("/v3/pay/transactions/");
    if of_orders {
        let merchant = signer(inner, parts, signed, "签名信息错误，验签失败").map_err(ApiError::without_id)?;
        return names_itself(parts).map(|()| merchant);
    }
    names_itself(parts)?;
    signer(inner, parts, signed, "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
}

/// `Accept` and `User-Agent` are there.
fn names_itself(parts: &Parts) -> Result<(), ApiError> {
    if parts.headers.contains_key(ACCEPT) && parts.headers.contains_key(USER_AGENT) {
        Ok(())
    } else {
        Err(ApiError::invalid("Http头缺少Accept或User-Agent"))
    }
}

/// Who signed a request; `malformed` is what is said about a field that cannot be read.
fn signer<'i>(inner: &'i Inner, parts: &Parts, signed: &[u8], malformed: &'static str) -> Result<&'i Merchant, ApiError> {
    let field = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(|| ApiError::unsigned(malformed))?;
    if field.starts_with("WECHATPAY2-") && !field.starts_with(SCHEME) && !field.starts_with(GUOMI_SCHEME) {
        return Err(ApiError::unsigned("HTTP头Authorization认证类型不正确"));
    }
    let claim = claim(field).ok_or_else(|| ApiError::unsigned(malformed))?;
    let signed_at: i64 = claim.timestamp.parse().map_err(|_| ApiError::unsigned("Http头Authorization中的timestamp有误"))?;
    if inner.clock.now().seconds().abs_diff(signed_at) > AGE_SECONDS_MAX {
        return Err(ApiError::unsigned("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟"));
    }
    let serial = |serial: &str| serial.trim_start_matches('0').to_ascii_uppercase();
    let merchant = inner.accounts.by_mchid(&claim.mchid).filter(|merchant| serial(&claim.serial) == serial(&merchant.serial));
    let merchant = merchant.ok_or_else(|| ApiError::unsigned("商户证书序列号有误。请使用签名私钥匹配的证书序列号"))?;
    if claim.is_guomi != merchant.is_guomi() {
        return Err(ApiError::unsigned("HTTP头Authorization认证类型不正确"));
    }
    let target = parts.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    if claim.is_signed_by(&merchant.key, parts.method.as_str(), target, signed) {
        Ok(merchant)
    } else {
        Err(ApiError::unsigned("签名错误，请检查后再试"))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use rustls::pki_types::SubjectPublicKeyInfoDer;
    use rustls::pki_types::pem::PemObject;

    use super::super::super::accounts::MerchantKey;
    use super::*;

    #[test]
    fn fields_are_read_in_any_order_and_all_five_are_needed() {
        let field = r#"WECHATPAY2-SHA256-RSA2048 signature="a+/=",mchid="19", nonce_str="n",serial_no="0A",timestamp="1""#;
        let claim = claim(field).expect("reads");
        assert_eq!((claim.signature.as_str(), claim.serial.as_str()), ("a+/=", "0A"));
        for bad in ["", "Bearer x", "WECHATPAY2-SHA256-RSA2048 mchid=\"19\"", "WECHATPAY2-SHA256-RSA2048 mchid=19,nonce_str=n"] {
            assert!(super::claim(bad).is_none(), "{bad}");
        }
        let odd = super::claim(r#"WECHATPAY2-SHA256-RSA2048 nonce_str="a,b=c" mchid="19",  more="x",serial_no="0A",timestamp="1",signature="s""#);
        assert_eq!(odd.expect("reads").nonce, "a,b=c");
    }

    #[test]
    fn the_vectors_of_requests_hold_and_fail_as_they_should() {
        let all: serde_json::Value = serde_json::from_str(include_str!("../../../tests/vectors/vectors.json")).expect("JSON");
        let pem = include_str!("../../../tests/vectors/keys/merchant_pub_key.pem");
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).expect("PEM");
        let key = MerchantKey::Rsa(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref().to_vec()));
        let (mut held, mut failed) = (0, 0);
        for vector in all["vectors"].as_array().expect("a list").iter().filter(|vector| vector["kind"] == "request_signature") {
            let text = |name: &str| vector[name].as_str().unwrap_or_default();
            // Stale is the clock's business, and of uploads only a part is signed.
            if matches!(text("id"), "req-neg-stale") {
                continue;
            }
            let body = if text("meta_utf8").is_empty() { text("body_utf8") } else { text("meta_utf8") };
            let claim = claim(text("authorization")).unwrap_or_else(|| Claim {
                timestamp: text("timestamp").to_owned(),
                nonce: text("nonce").to_owned(),
                signature: text("signature").to_owned(),
                ..Claim::default()
            });
            let holds = claim.is_signed_by(&key, text("method"), text("url"), body.as_bytes());
            assert_eq!(holds, text("expect") == "valid", "{}", text("id"));
            if holds { held += 1 } else { failed += 1 }
        }
        assert_eq!((held, failed), (9, 5));
    }
}
