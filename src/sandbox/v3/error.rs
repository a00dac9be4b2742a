//! Errors as WeChat Pay words them, and answers with their `Request-ID` and signature.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::super::Inner;
use super::super::serve::{Body, whole};
use super::super::sign::KeyMode;

/// An error as WeChat Pay words it.
#[derive(Debug, PartialEq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    code: &'static str,
    message: &'static str,
    /// The number behind the last dash of `Request-ID`.
    internal: &'static str,
    detail: Option<Box<Detail>>,
    /// It carries no `Request-ID`.
    is_nameless: bool,
}

/// Which parameter is at fault.
#[derive(Debug, PartialEq)]
struct Detail {
    /// A pointer into the body, or a name of the query.
    field: Cow<'static, str>,
    value: Value,
    location: &'static str,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message, internal: "0", detail: None, is_nameless: false }
    }

    pub(crate) fn internal(mut self, number: &'static str) -> Self {
        self.internal = number;
        self
    }

    /// A parameter that cannot be.
    pub(crate) fn parameter(field: impl Into<Cow<'static, str>>, value: Value, message: &'static str) -> Self {
        let detail = Detail { field: field.into(), value, location: "body" };
        Self { detail: Some(Box::new(detail)), internal: "268435461", ..Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    /// The parameter stands in the query, not in the body.
    pub(crate) fn in_query(mut self) -> Self {
        if let Some(detail) = &mut self.detail {
            detail.location = "query";
        }
        self
    }

    /// The same about a request as a whole.
    pub(crate) fn invalid(message: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", message)
    }

    /// What it says to people.
    pub(crate) fn message(&self) -> &'static str {
        self.message
    }

    /// The field it is about.
    #[cfg(test)]
    pub(super) fn field(&self) -> Option<&str> {
        self.detail.as_ref().map(|detail| detail.field.as_ref())
    }

    /// The answer carries no `Request-ID`: so do the backends of orders refuse whom they do not know.
    pub(super) fn without_id(mut self) -> Self {
        self.is_nameless = true;
        self
    }

    /// Something failed on this side: the same again may work.
    pub(crate) fn system() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "SYSTEM_ERROR", "系统异常，请用相同参数重新调用")
    }

    /// A caller who did not prove who it is.
    pub(super) fn unsigned(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "SIGN_ERROR", message)
    }

    /// The answer; signed once the caller is known.
    pub(super) fn response(&self, inner: &Inner, signed: Option<KeyMode>) -> Response<Body> {
        let mut json = json!({"code": self.code, "message": self.message});
        if let Some(Detail { field, value, location }) = self.detail.as_deref() {
            json["detail"] = json!({"field": field, "value": value, "issue": self.message, "location": location});
        }
        let signed = signed.filter(|_| inner.switches.now().sign_errors);
        let mut response = answer(inner, &Reply::json(self.status, &json), signed, self.internal, false);
        if self.is_nameless {
            response.headers_mut().remove("request-id");
        }
        response
    }
}

/// What a route answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(crate) content_type: &'static str,
    /// Downloads are not signed: their hash is in the answer that named them.
    pub(crate) is_signed: bool,
}

impl Reply {
    /// JSON with a status.
    pub(crate) fn json(status: StatusCode, json: &Value) -> Self {
        Self { status, body: Bytes::from(json.to_string()), content_type: "application/json; charset=utf-8", is_signed: true }
    }

    /// 200 with JSON.
    pub(crate) fn ok(json: &Value) -> Self {
        Self::json(StatusCode::OK, json)
    }

    /// 204 without a body.
    pub(crate) fn empty() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: Bytes::new(), content_type: "", is_signed: true }
    }
}

/// An answer with its `Request-ID`, signed if its reader is known; as a probe, with a signature that must not verify.
pub(super) fn answer(inner: &Inner, reply: &Reply, signed: Option<KeyMode>, internal: &str, probe: bool) -> Response<Body> {
    let mode = signed.filter(|_| reply.is_signed);
    let fields = mode.map(|mode| inner.signer.fields(mode, inner.clock.now().seconds(), &reply.body, probe));
    let mut response = whole(reply.status, reply.body.clone());
    let headers = response.headers_mut();
    headers.extend(fields.unwrap_or_default());
    if !reply.body.is_empty() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    }
    let id = format!("{}-{internal}", uuid::Uuid::new_v4().simple().to_string().to_uppercase());
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert("request-id", id);
    }
    response
}
