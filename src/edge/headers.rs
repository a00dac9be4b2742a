//! Which fields of a client's request a provider may see. What is not understood passes (promise 10: vendors' own fields, trace contexts,
//! `openai-beta`, `x-stainless-*`), so this is a list of what does not: credentials and names of accounts, the connection's own, what says who
//! and where the user is, and what fengate writes anew. Whole families go by their prefix, so that one more of a kind is no leak.

use http::HeaderMap;
use http::header::{CONNECTION, HeaderName};

/// Never passed on.
const KEPT: [&str; 41] = [
    "accept",
    "accept-encoding",
    "access-token",
    "api-key",
    "apikey",
    "authorization",
    "client-ip",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "cookie2",
    "dnt",
    "expect",
    "fastly-client-ip",
    "forwarded",
    "from",
    "host",
    "http2-settings",
    "idempotency-key",
    "keep-alive",
    "openai-organization",
    "openai-project",
    "origin",
    "referer",
    "sec-gpc",
    "te",
    "trailer",
    "transfer-encoding",
    "true-client-ip",
    "upgrade",
    "upgrade-insecure-requests",
    "user-agent",
    "via",
    "x-api-key",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-csrf-token",
    "x-real-ip",
    "x-request-id",
];

/// Families never passed on: what proxies and clouds in front say of the user, what browsers say, credentials of other vendors, WeChat Pay's own.
const KEPT_FAMILIES: [&str; 14] = [
    "x-forwarded",
    "x-original-",
    "x-envoy-",
    "x-appengine-",
    "x-azure-",
    "x-amz",
    "x-goog-",
    "x-auth",
    "x-ms-client-principal",
    "cf-",
    "proxy-",
    "sec-fetch-",
    "sec-ch-",
    "wechatpay-",
];

fn is_kept(name: &str) -> bool {
    KEPT.binary_search(&name).is_ok() || KEPT_FAMILIES.iter().any(|family| name.starts_with(family))
}

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
        if !is_kept(name.as_str()) && !named.contains(name) {
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

    #[test]
    fn nothing_says_who_the_user_is_and_what_is_not_understood_passes() {
        for name in [
            "x-real-ip",
            "x-forwarded-client-cert",
            "x-forwarded-user",
            "cf-connecting-ip",
            "cf-access-jwt-assertion",
            "true-client-ip",
            "x-auth-token",
            "x-amzn-oidc-data",
            "x-goog-api-key",
            "proxy-authorization",
            "sec-fetch-mode",
            "wechatpay-signature",
            "x-csrf-token",
        ] {
            assert!(is_kept(name), "{name}");
        }
        for name in
            ["openai-beta", "x-stainless-retry-count", "x-client-request-id", "traceparent", "tracestate", "baggage", "accept-language", "x-custom"]
        {
            assert!(!is_kept(name), "{name}");
        }
    }
}
