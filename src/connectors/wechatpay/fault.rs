//! An error answer: status, code and the number inside `Request-ID`, as far as they can be read.

use bytes::Bytes;
use http::Response;
use serde::Deserialize;

use super::super::advice::Failed;
use super::retry::{Condition, Nature, advice};

/// Longest text of the rail that is kept.
const MESSAGE_CHARS_MAX: usize = 256;

/// An answer that is not 200 or 204.
#[derive(Debug)]
pub(super) struct Fault {
    status: u16,
    /// Upper case, without underscores: both spellings occur. Empty if the body is none of the rail's.
    code: String,
    message: String,
    /// The number behind the last dash of `Request-ID`.
    internal: String,
}

#[derive(Deserialize)]
struct FaultFields {
    code: String,
    #[serde(default)]
    message: String,
}

impl Fault {
    /// What may be done about it.
    pub(super) fn failed(self, nature: Nature) -> Failed {
        let advice = advice(nature, Condition::Answer { status: self.status, code: &self.code });
        Failed { advice, status: Some(self.status), code: self.code, message: self.message, internal: self.internal }
    }
}

/// Reads an error answer. It may be unsigned, so what it says is taken only for what nobody could gain by forging.
pub(super) fn read(response: &Response<Bytes>) -> Fault {
    let fields: Option<FaultFields> = serde_json::from_slice(response.body()).ok();
    let request_id = response.headers().get("request-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (code, message) = fields.map(|fields| (fields.code, fields.message)).unwrap_or_default();
    Fault {
        status: response.status().as_u16(),
        code: code.replace('_', "").to_ascii_uppercase(),
        message: message.chars().filter(|c| !c.is_control()).take(MESSAGE_CHARS_MAX).collect(),
        internal: request_id.rsplit('-').next().unwrap_or_default().to_owned(),
    }
}
