//! Who a classic request says it is from. A signature is not checked here (fengate holds no key for it): whoever it goes to does.

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// What every scheme of WeChat Pay v3 begins with: RSA and the national algorithms.
const SCHEMES: &[u8] = b"WECHATPAY2-";

/// Longest merchant number that is looked up; real ones have ten digits.
const MCHID_BYTES_MAX: usize = 32;

/// What the `Authorization` field is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A signature of WeChat Pay v3, in the name of this merchant number; empty if it names none.
    Signed {
        /// The merchant number it names.
        mchid: String,
    },
    /// A fengate key.
    Key,
    /// Neither.
    None,
}

/// Reads the field.
pub(super) fn of(headers: &HeaderMap) -> Claim {
    let Some(field) = headers.get(AUTHORIZATION).map(http::HeaderValue::as_bytes) else { return Claim::None };
    if field.get(..SCHEMES.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEMES)) {
        return Claim::Signed { mchid: mchid(field).unwrap_or_default() };
    }
    let is_bearer = field.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"Bearer "));
    if is_bearer { Claim::Key } else { Claim::None }
}

/// The merchant number among pairs in any order.
fn mchid(field: &[u8]) -> Option<String> {
    let (_, pairs) = std::str::from_utf8(field).ok()?.split_once(' ')?;
    let value = pairs.split(',').find_map(|pair| pair.trim().strip_prefix("mchid=")).map(|value| value.trim_matches('"'))?;
    (value.len() <= MCHID_BYTES_MAX).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(field: &str) -> Claim {
        of(&HeaderMap::from_iter([(AUTHORIZATION, field.parse().expect("a value"))]))
    }

    #[test]
    fn the_merchant_number_stands_anywhere_and_need_not_be_there() {
        let signed = |mchid: &str| Claim::Signed { mchid: mchid.to_owned() };
        assert_eq!(claim(r#"WECHATPAY2-SHA256-RSA2048 nonce_str="n", mchid="1900000001",signature="a=""#), signed("1900000001"));
        assert_eq!(claim(r#"WECHATPAY2-SM2-WITH-SM3 mchid="19",signature="a=""#), signed("19"));
        assert_eq!(claim("WECHATPAY2-SHA256-RSA2048"), signed(""));
        assert_eq!(claim(&format!(r#"WECHATPAY2-SHA256-RSA2048 mchid="{}""#, "1".repeat(99))), signed(""));
        assert_eq!(claim("bearer sk-1"), Claim::Key);
        for other in ["Basic x", "", "WECHATPAY", "SHA256"] {
            assert_eq!(claim(other), Claim::None, "{other}");
        }
        assert_eq!(of(&HeaderMap::new()), Claim::None);
    }
}
