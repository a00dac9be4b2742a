//! The ring of the platform's keys, by serial: the public key of public-key mode, and certificates, which come and go.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::config::Algorithm;
use super::keys::PlatformKey;
use crate::clock::UnixMs;

/// How often the certificates are asked for at most: unknown serials cost an attacker nothing.
pub(super) const ASK_EVERY: Duration = Duration::from_secs(60);

/// The same while there are none at all: nothing works until they come.
const ASK_EVERY_WHILE_EMPTY: Duration = Duration::from_secs(1);

/// How long certificates are taken for the platform's newest; the vendor says 12 hours at most.
pub(super) const RENEW_AFTER: Duration = Duration::from_secs(11 * 3_600);

/// A certificate: its key, and from when to when it is good.
#[derive(Clone)]
pub(super) struct Certified {
    /// Its number as the platform writes it.
    pub(super) serial: String,
    pub(super) key: Arc<PlatformKey>,
    pub(super) from_seconds: i64,
    pub(super) until_seconds: i64,
}

/// Certificates by number.
pub(super) type Certificates = HashMap<String, Certified>;

/// The ring.
pub(super) struct Ring {
    /// The id and key of public-key mode.
    fixed: Option<(String, Arc<PlatformKey>)>,
    /// From the platform; replaced whole.
    renewed: RwLock<Certificates>,
    asked: tokio::sync::Mutex<Asked>,
}

/// When certificates were last asked for, by why.
#[derive(Default)]
pub(super) struct Asked {
    for_freshness: Option<Instant>,
    for_unknown: Option<Instant>,
}

/// Why certificates are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There are none, or they are old.
    Freshness,
    /// Something is signed with a serial that is not there.
    Unknown,
}

impl Ring {
    /// Nothing yet: certificates will come.
    pub(super) fn empty() -> Self {
        Self { fixed: None, renewed: RwLock::default(), asked: tokio::sync::Mutex::default() }
    }

    /// The public key `id`; `None` if it cannot be read or is of another algorithm.
    pub(super) fn holding(algorithm: Algorithm, id: &str, pem: &str) -> Option<Self> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes()).ok()?;
        let key = PlatformKey::new(spki.as_ref()).filter(|key| key.algorithm() == algorithm)?;
        Some(Self { fixed: Some((id.to_owned(), Arc::new(key))), ..Self::empty() })
    }

    /// The key of `serial`: exact for a public key's id, without leading zeros and in any case for a certificate's number. A certificate that
    /// has run out has none.
    pub(super) fn key(&self, serial: &str, now: UnixMs) -> Option<Arc<PlatformKey>> {
        if let Some((_, key)) = self.fixed.as_ref().filter(|(id, _)| id == serial) {
            return Some(Arc::clone(key));
        }
        let renewed = self.renewed.read().unwrap_or_else(PoisonError::into_inner);
        renewed.get(&normal(serial)).filter(|certified| now.seconds() <= certified.until_seconds).map(|certified| Arc::clone(&certified.key))
    }

    /// The key that seals fields, with its serial: the public key, or the newest certificate that is good already.
    pub(super) fn sealing_key(&self, now: UnixMs) -> Option<(String, Arc<PlatformKey>)> {
        if let Some((id, key)) = &self.fixed {
            return Some((id.clone(), Arc::clone(key)));
        }
        let good = |certified: &&Certified| (certified.from_seconds..=certified.until_seconds).contains(&now.seconds());
        let renewed = self.renewed.read().unwrap_or_else(PoisonError::into_inner);
        let newest = renewed.values().filter(good).max_by_key(|certified| certified.from_seconds)?;
        Some((newest.serial.clone(), Arc::clone(&newest.key)))
    }

    /// Whether it lives on certificates.
    pub(super) fn is_renewed(&self) -> bool {
        self.fixed.is_none()
    }

    /// Whether certificates have to be fetched before anything can be verified. Old ones are renewed in the background: nobody waits for
    /// that, and no stranger's callback can make anybody wait.
    pub(super) fn is_due(&self) -> bool {
        self.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.fixed.is_none() && self.renewed.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    pub(super) fn renew(&self, certificates: Certificates) {
        *self.renewed.write().unwrap_or_else(PoisonError::into_inner) = certificates;
    }

    /// Whoever gets a turn may ask for certificates; `None` if they were asked for the same reason less than a minute ago. Whoever waits for a
    /// turn while the ring is filled finds it filled.
    pub(super) async fn turn(&self, why: Why) -> Option<MutexGuard<'_, Asked>> {
        let mut asked = self.asked.lock().await;
        let pause = if self.is_empty() { ASK_EVERY_WHILE_EMPTY } else { ASK_EVERY };
        let last = match why {
            Why::Freshness => &mut asked.for_freshness,
            Why::Unknown => &mut asked.for_unknown,
        };
        if last.is_some_and(|at| at.elapsed() < pause) {
            return None;
        }
        *last = Some(Instant::now());
        Some(asked)
    }
}

/// A certificate's number as all of its spellings agree on it.
pub(super) fn normal(serial: &str) -> String {
    serial.trim_start_matches('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::super::verify::tests::{NOW, whole_ring};
    use super::*;

    const OLD: &str = "0A57F09EFDC096DE15EBE81A47057A7232F1B8E1";
    const NEW: &str = "7132D72A03E93CDDF8C03BBD1F37EEDF00000002";

    #[test]
    fn both_certificates_are_known_by_every_spelling_of_their_numbers() {
        let ring = whole_ring();
        for serial in [OLD, "a57f09efdc096de15ebe81a47057a7232f1b8e1", NEW] {
            assert!(ring.key(serial, NOW).is_some(), "{serial}");
        }
        assert!(ring.key("pub_key_id_0119000000012026010100000000000001", NOW).is_none(), "a public key's id is exact");
        let ages = NOW.plus_ms(100 * 365 * 86_400_000);
        assert!(ring.key(OLD, ages).is_none(), "a certificate that has run out has no key");
        assert!(ring.key("PUB_KEY_ID_0119000000012026010100000000000001", ages).is_some(), "a public key does not run out");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_somebody_elses_turn_while_there_are_keys() {
        let ring = whole_ring();
        let turn = ring.turn(Why::Freshness).await.expect("a turn");
        tokio::time::advance(2 * RENEW_AFTER).await;
        assert!(!ring.is_due(), "old certificates are renewed in the background");
        drop(turn);
        assert!(Ring::empty().is_due(), "without any key there is nothing but to wait");
    }

    #[test]
    fn fields_are_sealed_with_the_newest_certificate_that_is_good() {
        let whole = whole_ring();
        assert_eq!(whole.sealing_key(NOW).map(|(id, _)| id).as_deref(), Some("PUB_KEY_ID_0119000000012026010100000000000001"));
        let ring = Ring::empty();
        assert!(ring.sealing_key(NOW).is_none());
        let certificate = |serial: &str, from_seconds, until_seconds| {
            let key = whole.key(NEW, NOW).expect("a key");
            (normal(serial), Certified { serial: serial.to_owned(), key, from_seconds, until_seconds })
        };
        let now = NOW.seconds();
        ring.renew(Certificates::from([
            certificate("0A", now - 100, now + 100),
            certificate("0B", now - 50, now + 100),
            certificate("0C", now + 1, now + 100),
            certificate("0D", now - 10, now - 1),
        ]));
        assert_eq!(ring.sealing_key(NOW).map(|(serial, _)| serial).as_deref(), Some("0B"));
    }

    #[tokio::test(start_paused = true)]
    async fn certificates_are_asked_for_once_a_minute() {
        let ring = whole_ring();
        for why in [Why::Freshness, Why::Unknown] {
            assert!(ring.turn(why).await.is_some(), "a new reason is a reason");
            assert!(ring.turn(why).await.is_none());
        }
        tokio::time::advance(ASK_EVERY).await;
        assert!(ring.turn(Why::Unknown).await.is_some() && ring.turn(Why::Unknown).await.is_none());
    }
}
