//! `POST /v3/security/echo`: the vendor's self test. What comes back shows a merchant that it signs, verifies, seals and opens rightly.

use serde_json::json;

use super::super::super::sign::KeyMode;
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::super::schema::{Field, Kind, may, must};
use super::fields::Fields;
use super::sealed;
use super::telling::{Event, To, tell};

const FIELDS: &[Field] =
    &[must("echo_message", Kind::Text(1_024)), may("encrypted_echo_message", Kind::Text(1_024)), may("notify_url", Kind::NotifyUrl)];

/// Says the message again, the sealed one sealed for the caller; with an address, calls back with both.
pub(super) fn echo(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::of(call, FIELDS)?;
    let mut reply = json!({"echo_message": fields.text("echo_message")});
    let mut content = reply.clone();
    if let Some(field) = fields.optional("encrypted_echo_message") {
        let opened = sealed::open(call, "/encrypted_echo_message", field)?;
        reply["encrypted_echo_message"] = sealed::seal(call, &opened)?.into();
        content["encrypt_echo_message"] = sealed::seal(call, &opened)?.into();
    }
    let event = Event { event_type: "SECURITY_ECHO.SUCCESS", original_type: "security", summary: "安全探测成功" };
    let is_public_key = call.mode == KeyMode::PublicKey;
    tell(call.inner, &To { mchid: &call.merchant.mchid, notify_url: fields.text("notify_url"), is_public_key }, &event, content);
    Ok(Reply::ok(&reply))
}
