//! `GET /v3/certificates`: the platform's certificates, sealed with the merchant's APIv3 key.

use serde_json::json;

use super::super::seal::seal;
use super::Call;
use super::error::{ApiError, Reply};

/// The certificates that are valid now.
pub(super) fn list(call: &Call<'_>) -> Result<Reply, ApiError> {
    let account = &call.inner.accounts.account;
    let sealed = seal(&call.merchant.apiv3_key, account.platform_certificate_pem.as_bytes(), "certificate");
    let sealed = sealed.ok_or_else(ApiError::system)?;
    let (begins, ends) = &account.certificate_life;
    Ok(Reply::ok(&json!({
        "data": [{"serial_no": account.platform_serial, "effective_time": begins, "expire_time": ends, "encrypt_certificate": sealed}]
    })))
}
