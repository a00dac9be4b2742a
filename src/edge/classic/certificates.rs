//! `GET /v3/certificates` with a fengate key: WeChat Pay's certificates, and fengate's own beside them, so that the same SDK verifies the
//! notices fengate passes on. The answer is fengate's, and signed by it.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::super::body::Body;
use super::super::{House, answer};
use super::refusals::Rejection;
use super::signed::plain;
use crate::connectors::herald::beijing_time;
use crate::connectors::pace::Turn;
use crate::connectors::wechatpay::SealedText;
use crate::connectors::wechatpay::call::Forwarded;
use crate::payments::execute::Rail;
use crate::refusal::Refusal;

const PATH: &str = "/v3/certificates";

/// Lists them.
pub(super) async fn list(house: &House, rail: &Rail, turn: Turn) -> Result<Response<Body>, Rejection> {
    let forwarded = rail.connector.forward(turn, Method::GET, PATH, Bytes::new()).await;
    let mut list = match &forwarded {
        Forwarded::Answer { status: StatusCode::OK, body } => certificates(body)?,
        // A merchant that has the public key only: fengate's is the one certificate there is.
        Forwarded::Answer { status: StatusCode::NOT_FOUND, body } if !body.is_empty() => Vec::new(),
        _ => return plain(forwarded),
    };
    let failed = || Rejection::from(Refusal::internal("no random numbers"));
    list.push(own(house, rail).ok_or_else(failed)?);
    let body = Bytes::from(json!({ "data": list }).to_string());
    let fields = house.herald.key.fields(&body, house.clock.now().seconds()).ok_or_else(failed)?;
    let mut response = answer::json_response(StatusCode::OK, body);
    response.headers_mut().extend(fields);
    Ok(response)
}

fn certificates(body: &[u8]) -> Result<Vec<Value>, Rejection> {
    let mut answer: Value = serde_json::from_slice(body).unwrap_or_default();
    match answer["data"].take() {
        Value::Array(list) => Ok(list),
        _ => Err(Refusal::internal("a list of certificates that is none").into()),
    }
}

/// fengate's own, as WeChat Pay lists its own.
fn own(house: &House, rail: &Rail) -> Option<Value> {
    let key = &house.herald.key;
    let SealedText { nonce, ciphertext } = rail.connector.seal(key.certificate_pem.as_bytes(), "certificate")?;
    Some(json!({
        "serial_no": key.serial,
        "effective_time": beijing_time(key.holds.0),
        "expire_time": beijing_time(key.holds.1),
        "encrypt_certificate": {"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": "certificate", "ciphertext": ciphertext},
    }))
}
