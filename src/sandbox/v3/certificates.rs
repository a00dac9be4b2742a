//! `GET /v3/certificates`: the platform's certificates, sealed with the merchant's APIv3 key.

use http::StatusCode;
use serde_json::json;

use super::super::platform::Certificate;
use super::super::seal::seal;
use super::error::{ApiError, Reply};
use super::{Answer, Call};

/// The certificates that are valid now.
pub(super) fn list(call: &Call<'_>) -> Answer {
    if call.merchant.is_public_key_only {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥"));
    }
    let certificates = call.inner.platform.valid(call.inner.time.now());
    let one = |certificate: &Certificate| {
        let sealed = seal(&call.merchant.apiv3_key, certificate.pem.as_bytes(), "certificate").ok_or_else(ApiError::system)?;
        let (begins, ends) = &certificate.life;
        Ok(json!({"serial_no": certificate.serial, "effective_time": begins, "expire_time": ends, "encrypt_certificate": sealed}))
    };
    let data = certificates.iter().map(one).collect::<Result<Vec<_>, ApiError>>()?;
    Ok(Reply::ok(&json!({"data": data})))
}
