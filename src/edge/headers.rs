//! Which fields of a client's request a provider may see: everything but credentials, the connection's own, and what fengate speaks for.

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName};

/// Never passed on. Credentials and account names belong to this door; the rest belongs to this connection or is written anew.
const KEPT: [&str; 32] = [
    "accept",
    "accept-encoding",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "keep-alive",
    "openai-organization",
    "openai-project",
    "origin",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-api-key",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
];

/// The end-to-end fields of a request, less what stays here.
pub(super) fn for_provider(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut passed = HeaderMap::new();
    for (name, value) in headers {
        if KEPT.binary_search(&name.as_str()).is_err() && !named.contains(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_the_connections_own_stay_here() {
        assert!(KEPT.is_sorted(), "looked up by halving");
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer k"),
            ("cookie", "c"),
            ("x-api-key", "k"),
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("x-custom", "1"),
            ("x-custom", "2"),
            ("traceparent", "00-1"),
        ] {
            headers.append(name.parse::<HeaderName>().expect("a name"), value.parse().expect("a value"));
        }
        let passed = for_provider(&headers);
        assert_eq!(passed.get_all("x-custom").iter().count(), 2);
        assert_eq!(passed.len(), 3, "{passed:?}");
    }
}
