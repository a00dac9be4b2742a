//! `GET /v3/certificates`: the platform's certificates, sealed with the merchant's APIv3 key: RSA for everybody, SM2 for merchants that are
//! set to the national algorithms.

use http::StatusCode;
use serde_json::{Value, json};

use super::super::seal::{seal, seal_for};
use super::error::{ApiError, Reply};
use super::{Answer, Call};

/// The certificates that are valid now, of the kind that is asked for: by default the caller's own.
pub(super) fn list(call: &Call<'_>) -> Answer {
    if call.merchant.is_public_key_only {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"));
    }
    let is_guomi = call.merchant.is_guomi();
    let (rsa, sm2) = match call.query("algorithm_type") {
        "" => (!is_guomi, is_guomi),
        "RSA" => (true, false),
        "SM2" if !is_guomi => return Err(ApiError::new(StatusCode::FORBIDDEN, "NO_AUTH", "商户未开通国密算法")),
        "SM2" => (false, true),
        "ALL" => (true, is_guomi),
        other => return Err(ApiError::parameter("algorithm_type", other.into(), "证书算法类型不正确").in_query()),
    };
    let mut data = Vec::new();
    if rsa {
        for certificate in call.inner.platform.valid(call.inner.time.now()) {
            let sealed = seal(&call.merchant.apiv3_key, certificate.pem.as_bytes(), "certificate");
            data.push(told(&certificate.serial, &certificate.life, sealed)?);
        }
    }
    if sm2 {
        let certificate = &call.inner.accounts.guomi;
        let sealed = seal_for(call.merchant, certificate.certificate_pem.as_bytes(), "certificate");
        data.push(told(&certificate.serial, &certificate.life, sealed)?);
    }
    Ok(Reply::ok(&json!({"data": data})))
}

fn told(serial: &str, (begins, ends): &(String, String), sealed: Option<Value>) -> Result<Value, ApiError> {
    let sealed = sealed.ok_or_else(ApiError::system)?;
    Ok(json!({"serial_no": serial, "effective_time": begins, "expire_time": ends, "encrypt_certificate": sealed}))
}
