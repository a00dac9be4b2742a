//! What fengate itself refuses on the classic path, in WeChat Pay's shape: `{"code", "message"}`, with the codes its SDKs' users act on.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::json;

use super::super::answer::{self, Told};
use super::super::body::Body;
use crate::refusal::{Kind, Refusal};

/// Why a gateway-signed request is not carried out.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// The field at fault, as a JSON pointer; empty for none.
    pub(super) field: &'static str,
    /// Says more, for the status and the log.
    refusal: Option<Box<Refusal>>,
}

impl Rejection {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: "", refusal: None }
    }

    /// A parameter that cannot be.
    pub(super) fn parameter(field: &'static str, message: &'static str) -> Self {
        Self { field, ..Self::new(StatusCode::BAD_REQUEST, "PARAM_ERROR", message) }
    }

    /// A member that stands twice, or stands where it cannot be found.
    pub(super) fn twice(field: &'static str) -> Self {
        Self::parameter(field, "a member stands twice, or its parent is no object")
    }

    pub(super) fn no_account() -> Self {
        Self::new(StatusCode::FORBIDDEN, "NO_AUTH", "The merchant of this key has no [merchant.wechatpay] in routes.toml.")
    }

    pub(super) fn partner() -> Self {
        let message = "The merchant of this key is a partner (sub_mchid in routes.toml): sign partner requests yourself, fengate passes them on.";
        Self::new(StatusCode::FORBIDDEN, "NO_AUTH", message)
    }

    pub(super) fn not_with_a_key() -> Self {
        let message = "With a fengate key there are: native, JSAPI, app and H5 orders, their queries and closing, refund queries and certificates. \
            Sign anything else yourself (WECHATPAY2-SHA256-RSA2048): fengate passes it on.";
        Self::new(StatusCode::FORBIDDEN, "NO_AUTH", message)
    }

    pub(super) fn into_response(self) -> Response<Body> {
        if let Some(refusal) = &self.refusal {
            return refused(refusal);
        }
        let mut body = json!({"code": self.code, "message": self.message});
        if !self.field.is_empty() {
            body["detail"] =
                json!({"field": self.field, "issue": self.message, "location": if self.field.starts_with('/') { "body" } else { "query" }});
        }
        let mut response = answer::json_response(self.status, Bytes::from(body.to_string()));
        response.extensions_mut().insert(Told { code: Some(self.code.to_owned()), ..Told::default() });
        response
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let status = answer::status_of(refusal.kind);
        Self { refusal: Some(Box::new(refusal)), ..Self::new(status, "", "") }
    }
}

/// A refusal as WeChat Pay would word it.
pub(in crate::edge) fn refused(refusal: &Refusal) -> Response<Body> {
    let body = json!({"code": code_of(refusal.kind), "message": refusal.message}).to_string();
    let mut response = answer::json_response(answer::status_of(refusal.kind), Bytes::from(body));
    response.headers_mut().extend(answer::wait_fields(refusal.kind));
    let told = Told { code: Some(refusal.code.to_string()), detail: refusal.detail.clone(), ..Told::default() };
    response.extensions_mut().insert(told);
    response
}

/// WeChat Pay's code for each kind (reference: the general error table). `SYSTEM_ERROR` is what its users answer with the same request and
/// the same number, which is right whenever an outcome is not known.
fn code_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Unauthenticated => "SIGN_ERROR",
        Kind::NotFound => "RESOURCE_NOT_EXISTS",
        Kind::BadRequest
        | Kind::MethodNotAllowed
        | Kind::RequestTimeout
        | Kind::TooLarge
        | Kind::HeadersTooLarge
        | Kind::UnsupportedMedia
        | Kind::UnsupportedCoding
        | Kind::KeyReused => "INVALID_REQUEST",
        Kind::ProviderRejected { .. } => "PARAM_ERROR",
        Kind::RateLimited { .. } | Kind::ProviderBusy { .. } => "FREQUENCY_LIMITED",
        Kind::Draining | Kind::NoLane | Kind::LedgerUnavailable => "SERVICE_UNAVAILABLE",
        Kind::ProviderDenied | Kind::ProviderFailed | Kind::ProviderUnreachable | Kind::ProviderTimeout | Kind::ProviderInvalid | Kind::Internal => {
            "SYSTEM_ERROR"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_wechat_pays_shape_and_no_detail() {
        for (kind, status, code) in [
            (Kind::Unauthenticated, StatusCode::UNAUTHORIZED, "SIGN_ERROR"),
            (Kind::TooLarge, StatusCode::PAYLOAD_TOO_LARGE, "INVALID_REQUEST"),
            (Kind::RateLimited { retry_after: std::time::Duration::from_millis(1_500) }, StatusCode::TOO_MANY_REQUESTS, "FREQUENCY_LIMITED"),
            (Kind::ProviderTimeout, StatusCode::GATEWAY_TIMEOUT, "SYSTEM_ERROR"),
            (Kind::Draining, StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE"),
        ] {
            let response = refused(&Refusal::new(kind, "x", "sorry").detail("/var/secret"));
            assert_eq!(response.status(), status);
            let Body::Whole(Some(body)) = response.into_body() else { panic!("a whole body") };
            assert_eq!(body, format!(r#"{{"code":"{code}","message":"sorry"}}"#));
        }
        let limited = refused(&Refusal::new(Kind::RateLimited { retry_after: std::time::Duration::from_millis(1_500) }, "x", "y"));
        assert_eq!(limited.headers()["retry-after"], "2");
    }
}
