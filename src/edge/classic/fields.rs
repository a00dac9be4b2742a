//! Which header fields pass: all that belong to the message, in their order; none that belong to the connection (RFC 9110, 7.6.1).

use http::HeaderMap;
use http::header::{CONNECTION, HOST, HeaderName, HeaderValue};

/// Belong to one connection, each side its own. `Expect` is answered by hyper before the body is read.
const OF_THE_CONNECTION: [&str; 10] = [
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The fields that pass, in their order; `host` stands in the place of the one that came, if it is given.
pub(super) fn passed(fields: &HeaderMap, host: Option<&HeaderValue>) -> HeaderMap {
    let named: Vec<HeaderName> = fields
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        // A sender cannot have the message's length or its proof dropped on the way.
        .filter(|name: &HeaderName| !matches!(name.as_str(), "content-length" | "authorization" | "host"))
        .collect();
    let mut passed = HeaderMap::with_capacity(fields.len());
    for (name, value) in fields {
        if OF_THE_CONNECTION.binary_search(&name.as_str()).is_err() && !named.contains(name) {
            let value = host.filter(|_| *name == HOST).unwrap_or(value);
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_stays_and_the_connections_own_goes() {
        assert!(OF_THE_CONNECTION.is_sorted(), "looked up by halving");
        let mut fields = HeaderMap::new();
        for (name, value) in [
            ("user-agent", "sdk"),
            ("host", "pay.example.com"),
            ("connection", "keep-alive, X-Hop, Authorization"),
            ("x-hop", "1"),
            ("wechatpay-serial", "PUB_KEY_ID_1"),
            ("accept", "*/*"),
            ("te", "trailers"),
            ("authorization", "WECHATPAY2-…"),
            ("accept", "text/plain"),
        ] {
            fields.append(name.parse::<HeaderName>().expect("a name"), HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        let names = |fields: &HeaderMap| fields.iter().map(|(name, _)| name.as_str().to_owned()).collect::<Vec<_>>();
        let there = passed(&fields, Some(&HeaderValue::from_static("api.mch.weixin.qq.com")));
        assert_eq!(names(&there), ["user-agent", "host", "wechatpay-serial", "accept", "accept", "authorization"]);
        assert_eq!(there["host"], "api.mch.weixin.qq.com");
        assert_eq!(passed(&fields, None)["host"], "pay.example.com");
    }
}
