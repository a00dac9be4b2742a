//! What hyper lets through and two servers could read in two ways: refused before any door is reached.

use http::header::{AUTHORIZATION, CONTENT_ENCODING, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request};

use crate::refusal::{Kind, Refusal};

/// Most bytes of a request's header fields, names and values together; hyper's own bound is that of its read buffer, which grows past it.
const HEADER_BYTES_MAX: usize = 32 * 1024;

/// Checks the outlines of a request.
pub fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    let count = |name| request.headers().get_all(name).iter().count();
    let bad = |code, message: &'static str| Err(Refusal::new(Kind::BadRequest, code, message));
    if request.method() == Method::CONNECT || request.uri().path() == "*" {
        return Err(Refusal::new(Kind::MethodNotAllowed, "method_not_allowed", "This is no forward proxy."));
    }
    if header_bytes(request.headers()) > HEADER_BYTES_MAX {
        let message = format!("The header fields are over the limit of {HEADER_BYTES_MAX} bytes.");
        return Err(Refusal::new(Kind::HeadersTooLarge, "headers_too_large", message));
    }
    if count(HOST) != 1 {
        return bad("bad_host", "Send exactly one Host header.");
    }
    // An absolute target overrules Host: whoever stands before us may have looked at the other one.
    let host = request.headers().get(HOST).map(http::HeaderValue::as_bytes);
    if request.uri().authority().is_some_and(|authority| Some(authority.as_str().as_bytes()) != host) {
        return bad("foreign_target", "The request names another host than its Host header; this is no forward proxy.");
    }
    if count(AUTHORIZATION) > 1 {
        return bad("bad_authorization", "Send one Authorization header.");
    }
    // hyper takes the last coding off and hands the others on as if they were the body.
    let mut codings = request.headers().get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) || codings.next().is_some() {
        return Err(Refusal::new(
            Kind::UnsupportedCoding,
            "unsupported_transfer_coding",
            "Send the body with Content-Length, or chunked and no more.",
        ));
    }
    // A classic body passes as it is, in whatever form.
    let is_classic = request.uri().path().starts_with(super::classic::ROOT);
    let encodings = request.headers().get_all(CONTENT_ENCODING);
    if !is_classic && encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::new(Kind::UnsupportedMedia, "unsupported_encoding", "Send the body without Content-Encoding."));
    }
    Ok(())
}

fn header_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(uri: &str, fields: &[(&str, &str)]) -> Result<(), Kind> {
        let mut request = Request::post(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        check(&request.body(()).expect("a request")).map_err(|refusal| refusal.kind)
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        assert_eq!(verdict("/v1/models", &[("host", "a")]), Ok(()));
        assert_eq!(verdict("http://a/v1/models", &[("host", "a")]), Ok(()));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("content-encoding", "identity")]), Ok(()));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("transfer-encoding", "Chunked")]), Ok(()));
        for codings in [&["gzip, chunked"][..], &["gzip", "chunked"], &["chunked", "chunked"], &["identity"]] {
            let fields: Vec<(&str, &str)> =
                std::iter::once(("host", "a")).chain(codings.iter().map(|coding| ("transfer-encoding", *coding))).collect();
            assert_eq!(verdict("/v1/models", &fields), Err(Kind::UnsupportedCoding), "{codings:?}");
        }
        let long = "x".repeat(HEADER_BYTES_MAX - "hosta".len() - "x-long".len());
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("x-long", &long)]), Ok(()));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("x-long", &long), ("y", "")]), Err(Kind::HeadersTooLarge));
        assert_eq!(verdict("/v1/models", &[]), Err(Kind::BadRequest));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("host", "a")]), Err(Kind::BadRequest));
        assert_eq!(verdict("http://b/v1/models", &[("host", "a")]), Err(Kind::BadRequest));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("authorization", "x"), ("authorization", "y")]), Err(Kind::BadRequest));
        assert_eq!(verdict("/v1/models", &[("host", "a"), ("content-encoding", "gzip")]), Err(Kind::UnsupportedMedia));
    }
}
