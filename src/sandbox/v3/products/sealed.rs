//! Sensitive fields of a call: opened with the platform's key the caller names, sealed for the key the caller signs with.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::super::super::{guomi, sensitive};
use super::super::Call;
use super::super::error::ApiError;

/// Opens a field. The caller says in `Wechatpay-Serial` which of the platform's keys it sealed for; without that nothing can be opened.
pub(super) fn open(call: &Call<'_>, pointer: &'static str, field: &str) -> Result<String, ApiError> {
    let serial = call.parts.headers.get("wechatpay-serial").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if call.merchant.is_guomi() && serial.eq_ignore_ascii_case(&call.inner.accounts.guomi.serial) {
        let opened = guomi::open(&call.inner.accounts.guomi.private_key_pem, field);
        return opened.ok_or_else(|| ApiError::parameter(pointer, Value::Null, "敏感信息解密失败，请检查加密所用的公钥"));
    }
    let key = private_key(call, serial);
    let key = key.ok_or_else(|| ApiError::parameter("Wechatpay-Serial", serial.into(), "平台证书序列号Wechatpay-Serial错误"))?;
    sensitive::open(&key, field).ok_or_else(|| ApiError::parameter(pointer, Value::Null, "敏感信息解密失败，请检查加密所用的公钥"))
}

/// The platform's key of this name, PKCS#8: exact for the public key's id, as a number for a certificate that is valid.
fn private_key(call: &Call<'_>, serial: &str) -> Option<Vec<u8>> {
    let account = &call.inner.accounts.account;
    if serial == account.public_key_id {
        let der = PrivatePkcs8KeyDer::from_pem_slice(account.public_mode_key_pem.as_bytes()).ok()?;
        return Some(der.secret_pkcs8_der().to_vec());
    }
    let number = |serial: &str| serial.trim_start_matches('0').to_ascii_uppercase();
    let mut valid = call.inner.platform.valid(call.inner.time.now()).into_iter();
    let certificate = valid.find(|one| !serial.is_empty() && number(&one.serial) == number(serial))?;
    let der: Pkcs8V1Der<'static> = certificate.key.as_der().ok()?;
    Some(der.as_ref().to_vec())
}

/// Seals a text for the caller alone.
pub(super) fn seal(call: &Call<'_>, text: &str) -> Result<String, ApiError> {
    if call.merchant.is_guomi() {
        return guomi::seal(&call.merchant.public_key_pem, text).ok_or_else(ApiError::system);
    }
    sensitive::seal(&call.merchant.public_key_pem, text).ok_or_else(ApiError::system)
}
