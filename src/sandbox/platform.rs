//! The platform's certificates: the first one comes with the account; rotation adds a newer one, and the older ones go after a while. All that
//! are valid are listed, the newest that signs already signs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_lc_rs::signature::RsaKeyPair;
use serde::Deserialize;
use serde_json::{Value, json};

use super::SandboxError;
use super::accounts::Account;
use super::accounts::keys::{self, hex_of, private_key, rfc3339, serial_bytes};
use super::book::{Book, Held, Unwritten};
use super::sign::key_pair;
use crate::clock::UnixMs;

/// How long old certificates stay valid after a rotation, unless the desk says otherwise: five days, in milliseconds.
const OLD_VALID_MS: i64 = 5 * 86_400_000;

/// Longest times a rotation may name: a year, in milliseconds.
const ROTATION_MS_MAX: i64 = 366 * 86_400_000;

/// Most rotations of one sandbox.
const ROTATIONS_MAX: usize = 1_000;

const NEVER: UnixMs = UnixMs(i64::MAX);

/// One certificate of the platform.
#[derive(Clone, Debug)]
pub(super) struct Certificate {
    pub(super) serial: String,
    pub(super) pem: String,
    /// When it begins and ends, RFC 3339.
    pub(super) life: (String, String),
    pub(super) key: Arc<RsaKeyPair>,
    pub(super) signs_from: UnixMs,
    pub(super) retires_at: UnixMs,
}

/// `POST /sandbox/certificates`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rotation {
    rotate: bool,
    /// When the new one begins to sign: at once, unless said otherwise. By the documents it is listed a day before.
    #[serde(default)]
    signs_in_ms: i64,
    /// How long the old ones stay valid.
    #[serde(default = "old_valid_ms")]
    old_valid_ms: i64,
    /// Until the old ones retire they and the new one sign by turns, as they do around the end of a certificate's life.
    #[serde(default)]
    both_sign: bool,
}

fn old_valid_ms() -> i64 {
    OLD_VALID_MS
}

impl Rotation {
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let rotation: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let fine = |ms: i64| (0..=ROTATION_MS_MAX).contains(&ms);
        if !rotation.rotate {
            return Err("send {\"rotate\": true}".to_owned());
        }
        if !fine(rotation.signs_in_ms) || !fine(rotation.old_valid_ms) || rotation.old_valid_ms < rotation.signs_in_ms {
            return Err(format!("times are 0 to {ROTATION_MS_MAX}, and the old certificate has to last until the new one signs"));
        }
        Ok(rotation)
    }
}

/// The platform's certificates.
#[derive(Debug)]
pub(super) struct Platform {
    first: Certificate,
    book: Book<Rotated>,
    turn: AtomicUsize,
}

#[derive(Debug)]
struct Rotated {
    certificates: Vec<Certificate>,
    first_retires_at: UnixMs,
    both_sign: bool,
}

impl Default for Rotated {
    fn default() -> Self {
        Self { certificates: Vec::new(), first_retires_at: NEVER, both_sign: false }
    }
}

impl Held for Rotated {
    fn take(&mut self, entry: &Value) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let time = |name: &str| entry[name].as_i64().map_or(NEVER, UnixMs);
        let Some(key) = key_pair(&text("key")) else { return };
        let retires_at = time("old_retires_ms");
        self.first_retires_at = self.first_retires_at.min(retires_at);
        for old in &mut self.certificates {
            old.retires_at = old.retires_at.min(retires_at);
        }
        self.both_sign = entry["both_sign"] == true;
        self.certificates.push(Certificate {
            serial: text("serial"),
            pem: text("certificate"),
            life: (text("begins"), text("ends")),
            key: Arc::new(key),
            signs_from: time("signs_from_ms"),
            retires_at: NEVER,
        });
    }
}

impl Platform {
    pub(super) fn at(path: &Path, account: &Account) -> Result<Self, SandboxError> {
        let key = key_pair(&account.platform_key_pem).ok_or_else(|| SandboxError::Keys("the platform's key cannot be read".to_owned()))?;
        let first = Certificate {
            serial: account.platform_serial.clone(),
            pem: account.platform_certificate_pem.clone(),
            life: account.certificate_life.clone(),
            key: Arc::new(key),
            signs_from: UnixMs(0),
            retires_at: NEVER,
        };
        Ok(Self { first, book: Book::at(path)?, turn: AtomicUsize::new(0) })
    }

    /// Every certificate that is valid, the oldest first.
    pub(super) fn valid(&self, now: UnixMs) -> Vec<Certificate> {
        let book = self.book.open();
        let first = Certificate { retires_at: book.first_retires_at, ..self.first.clone() };
        [first].into_iter().chain(book.certificates.iter().cloned()).filter(|one| now < one.retires_at).collect()
    }

    /// The certificate that signs: the newest that does so already, or by turns with the older ones.
    pub(super) fn signing(&self, now: UnixMs) -> Certificate {
        let both_sign = self.book.open().both_sign;
        let mut able: Vec<Certificate> = self.valid(now).into_iter().filter(|one| now >= one.signs_from).collect();
        if both_sign && able.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % able.len();
            return able.swap_remove(turn);
        }
        able.pop().unwrap_or_else(|| self.first.clone())
    }

    /// Makes a new certificate; `wall_seconds` is the time of day merchants check its life against.
    pub(super) fn rotate(&self, rotation: Rotation, now: UnixMs, wall_seconds: i64) -> Result<(), SandboxError> {
        let mut book = self.book.open();
        if book.certificates.len() >= ROTATIONS_MAX {
            return Err(SandboxError::Keys(format!("this sandbox has had {ROTATIONS_MAX} certificates")));
        }
        let (key, serial) = (private_key()?, hex_of(20)?.to_uppercase());
        let life = (wall_seconds - keys::DAY_SECONDS, wall_seconds + keys::CERTIFICATE_SECONDS);
        let certificate = keys::certificate(&key, &serial_bytes(&serial), life, "fengate sandbox sign")?;
        let entry = json!({
            "is": "rotated", "serial": serial, "key": key.serialize_pem(), "certificate": certificate, "begins": rfc3339(life.0),
            "ends": rfc3339(life.1), "signs_from_ms": now.plus_ms(rotation.signs_in_ms).0, "old_retires_ms": now.plus_ms(rotation.old_valid_ms).0,
            "both_sign": rotation.both_sign,
        });
        book.note(&entry).map_err(|Unwritten| SandboxError::Keys("the new certificate cannot be kept".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    fn serials(all: &[Certificate]) -> Vec<&str> {
        all.iter().map(|one| one.serial.as_str()).collect()
    }

    #[test]
    fn the_new_one_is_listed_signs_and_outlives_the_old() {
        let dir = tempfile::tempdir().expect("a folder");
        let account = Account::open(dir.path(), &Clock::standing_at(NOW)).expect("an account");
        let path = dir.path().join("platform.jsonl");
        let platform = Platform::at(&path, &account).expect("opens");
        let old = platform.signing(NOW).serial;
        let rotation = Rotation::read(br#"{"rotate": true, "signs_in_ms": 86400000, "both_sign": true}"#).expect("fine");
        platform.rotate(rotation, NOW, NOW.seconds()).expect("rotates");
        let platform = Platform::at(&path, &account).expect("opens again");
        let valid = platform.valid(NOW);
        let new = valid[1].serial.clone();
        assert_eq!((serials(&valid), platform.signing(NOW).serial), (vec![old.as_str(), new.as_str()], old.clone()), "listed a day before it signs");
        let tomorrow = NOW.plus_ms(86_400_000);
        let mut both = [platform.signing(tomorrow).serial, platform.signing(tomorrow).serial];
        both.sort();
        let mut expected = [old, new.clone()];
        expected.sort();
        assert_eq!(both, expected, "by turns");
        let later = NOW.plus_ms(OLD_VALID_MS);
        assert_eq!((serials(&platform.valid(later)), platform.signing(later).serial), (vec![new.as_str()], new.clone()));
        for bad in [r#"{"rotate": false}"#, r#"{"rotate": true, "signs_in_ms": 2, "old_valid_ms": 1}"#, r#"{"rotate": true, "signs_in_ms": -1}"#] {
            assert!(Rotation::read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
