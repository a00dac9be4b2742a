//! Who is asking. Keys are kept as SHA-256 only; a missing key and a wrong one get the same refusal, and an address that has sent many wrong
//! ones gets another until its minute is over. A right key always opens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::crowd::WrongKeys;
use crate::merchant::Merchant;
use crate::refusal::{Kind, Refusal};
use crate::routes::{DEMO_KEY, KeyHash, hash_key};

/// Longest key that is looked at, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// The keys of all merchants.
#[derive(Debug, Default)]
pub struct Callers {
    /// By the first eight bytes of the hash; the rest is compared in constant time.
    by_hash: HashMap<[u8; 8], Vec<(KeyHash, Arc<Merchant>)>>,
    /// Who the demo key stands for; `None` without a sandbox.
    demo: Option<Arc<Merchant>>,
    wrong: WrongKeys,
}

impl Callers {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the holder of the key with this hash in.
    pub fn admit(&mut self, hash: KeyHash, merchant: Arc<Merchant>) {
        self.by_hash.entry(front(&hash)).or_default().push((hash, merchant));
    }

    /// Lets the holder of [`DEMO_KEY`] in, from loopback. Call it only while a sandbox is configured.
    pub fn admit_demo(&mut self, merchant: Arc<Merchant>) {
        self.demo = Some(merchant);
    }

    /// Who sent this request; the same refusal for no key and for one that opens nothing.
    pub fn identify(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<Arc<Merchant>, Refusal> {
        let key = bearer(headers);
        key.and_then(|key| self.owner(key, peer)).ok_or_else(|| self.stranger(key.is_some(), peer))
    }

    /// What somebody hears whose key opens nothing, or who has none.
    fn stranger(&self, has_key: bool, peer: SocketAddr) -> Refusal {
        if let Some(retry_after) = self.wrong.wait(peer.ip()) {
            let message = "Too many wrong API keys came from this address; a right one still opens.";
            return Refusal::new(Kind::RateLimited { retry_after }, "too_many_wrong_keys", message);
        }
        if has_key {
            self.wrong.note(peer.ip());
        }
        Refusal::new(
            Kind::Unauthenticated,
            "invalid_api_key",
            "No valid API key was given. Send `Authorization: Bearer <fengate key>`. `fengate key new` makes one: its hash goes into routes.toml, and fengate is restarted.",
        )
    }

    fn owner(&self, key: &str, peer: SocketAddr) -> Option<Arc<Merchant>> {
        let hash = hash_key(key);
        let same = |other: &KeyHash| verify_slices_are_equal(&hash, other).is_ok();
        let found = self.by_hash.get(&front(&hash)).and_then(|owners| owners.iter().find(|(other, _)| same(other)));
        if let Some((_, merchant)) = found {
            return Some(Arc::clone(merchant));
        }
        self.demo.clone().filter(|_| peer.ip().is_loopback() && same(&hash_key(DEMO_KEY)))
    }
}

fn front(hash: &KeyHash) -> [u8; 8] {
    let mut front = [0; 8];
    front.copy_from_slice(&hash[..8]);
    front
}

/// The key of the one `Authorization` field.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next().filter(|_| fields.next().is_none())?.to_str().ok()?;
    let (scheme, key) = field.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() && key.len() <= KEY_BYTES_MAX).then_some(key)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::ids::MerchantId;
    use crate::merchant::ModelGrant;

    fn merchant(id: &str) -> Arc<Merchant> {
        Arc::new(Merchant { id: MerchantId::new(id), models: ModelGrant::All, inference_per_second: NonZeroU32::MIN, wechatpay: None })
    }

    fn who(callers: &Callers, field: &str, peer: &str) -> Result<String, Kind> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, field.parse().expect("a field"));
        callers.identify(&headers, peer.parse().expect("an address")).map(|merchant| merchant.id.to_string()).map_err(|refusal| refusal.kind)
    }

    #[test]
    fn a_key_opens_its_merchant_and_nothing_else_opens_anything() {
        let mut callers = Callers::new();
        callers.admit(hash_key("sk-one"), merchant("one"));
        callers.admit(hash_key("sk-two"), merchant("two"));
        let home = "127.0.0.1:5";
        assert_eq!(who(&callers, "Bearer sk-two", home), Ok("two".to_owned()));
        assert_eq!(who(&callers, "bearer  sk-one ", home), Ok("one".to_owned()));
        for field in ["Bearer", "Bearer ", "Basic sk-one", "sk-one", "Bearer sk-on", "Bearer sk-one x", "Bearer sk-fengate-demo"] {
            assert_eq!(who(&callers, field, home), Err(Kind::Unauthenticated), "{field}");
        }
        assert!(callers.identify(&HeaderMap::new(), home.parse().expect("an address")).is_err());
    }

    #[test]
    fn the_demo_key_is_for_loopback() {
        let mut callers = Callers::new();
        callers.admit_demo(merchant("demo"));
        assert_eq!(who(&callers, "Bearer sk-fengate-demo", "127.0.0.1:5"), Ok("demo".to_owned()));
        assert_eq!(who(&callers, "Bearer sk-fengate-demo", "[::1]:5"), Ok("demo".to_owned()));
        assert_eq!(who(&callers, "Bearer sk-fengate-demo", "10.0.0.7:5"), Err(Kind::Unauthenticated));
    }

    #[test]
    fn after_many_wrong_keys_only_a_right_one_opens() {
        let mut callers = Callers::new();
        callers.admit(hash_key("sk-one"), merchant("one"));
        let (home, elsewhere) = ("10.0.0.1:5", "10.0.0.2:5");
        for _ in 0..20 {
            assert_eq!(who(&callers, "Bearer sk-wrong", home), Err(Kind::Unauthenticated));
        }
        assert!(matches!(who(&callers, "Bearer sk-wrong", home), Err(Kind::RateLimited { retry_after }) if !retry_after.is_zero()));
        let keyless = callers.identify(&HeaderMap::new(), home.parse().expect("an address")).map_err(|refusal| refusal.kind);
        assert!(matches!(keyless, Err(Kind::RateLimited { .. })));
        assert_eq!(who(&callers, "Bearer sk-one", home), Ok("one".to_owned()));
        assert_eq!(who(&callers, "Bearer sk-wrong", elsewhere), Err(Kind::Unauthenticated));
    }

    #[test]
    fn two_fields_are_none() {
        let mut callers = Callers::new();
        callers.admit(hash_key("sk-one"), merchant("one"));
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, "Bearer sk-one".parse().expect("a field"));
        headers.append(AUTHORIZATION, "Bearer sk-one".parse().expect("a field"));
        assert!(callers.identify(&headers, "127.0.0.1:5".parse().expect("an address")).is_err());
    }
}
