//! fengate's own platform key: what it signs passed-on notices with, as WeChat Pay signs its own. Made at first start, kept beside the ledger,
//! for its owner only.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::Certificate;
use x509_cert::der::DecodePem;

use crate::clock::{Clock, UnixMs};
use crate::ids::hex;

/// How long its certificate holds. WeChat Pay's hold five years.
const CERTIFICATE_SECONDS: i64 = 10 * 365 * 86_400;

/// It holds from a day before it is made: no clock is exact.
const BEFORE_SECONDS: i64 = 86_400;

/// Why there is no platform key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("the platform key {path}: {why}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said, or what is wrong with it.
        why: String,
    },
    /// A key could not be made.
    #[error("a platform key cannot be made: {0}")]
    Make(String),
}

/// The key and its certificate.
pub struct PlatformKey {
    key: RsaKeyPair,
    /// The certificate's number: 40 hexadecimal digits, upper case.
    pub serial: String,
    /// The certificate, PEM.
    pub certificate_pem: String,
    /// From when and until when it holds.
    pub holds: (UnixMs, UnixMs),
}

impl std::fmt::Debug for PlatformKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlatformKey({})", self.serial)
    }
}

impl PlatformKey {
    /// Opens the key at `path`, making it if there is none.
    pub fn open(path: &Path, clock: &Clock) -> Result<Self, KeyError> {
        let failed = |why: String| KeyError::File { path: path.to_owned(), why };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let text = make(clock).map_err(|e| KeyError::Make(e.to_string()))?;
                write(path, &text).map_err(|e| failed(e.to_string()))?;
                text
            }
            Err(e) => return Err(failed(e.to_string())),
        };
        Self::read(&text).ok_or_else(|| failed("is no RSA key with its certificate; move it away and a new one is made".to_owned()))
    }

    fn read(text: &str) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).ok()?;
        let certificate_pem = text.get(text.find("-----BEGIN CERTIFICATE-----")?..)?.to_owned();
        let certificate = Certificate::from_pem(certificate_pem.as_bytes()).ok()?.tbs_certificate;
        let at = |time: x509_cert::time::Time| Some(UnixMs(i64::try_from(time.to_unix_duration().as_millis()).ok()?));
        Some(Self {
            key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?,
            serial: hex(certificate.serial_number.as_bytes()).to_uppercase(),
            holds: (at(certificate.validity.not_before)?, at(certificate.validity.not_after)?),
            certificate_pem,
        })
    }

    /// The `Wechatpay-*` fields over `body`; `None` only if the system's random numbers fail.
    pub fn fields(&self, body: &[u8], seconds: i64) -> Option<HeaderMap> {
        let nonce = uuid::Uuid::new_v4().simple().to_string().to_uppercase();
        let mut text = format!("{seconds}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &text, &mut signature).ok()?;
        let fields = [
            ("wechatpay-timestamp", seconds.to_string()),
            ("wechatpay-nonce", nonce),
            ("wechatpay-signature", STANDARD.encode(signature)),
            ("wechatpay-serial", self.serial.clone()),
            ("wechatpay-signature-type", "WECHATPAY2-SHA256-RSA2048".to_owned()),
        ];
        fields.into_iter().map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value).ok()?))).collect()
    }
}

/// The key and its certificate, PEM, one after the other.
fn make(clock: &Clock) -> Result<String, rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_RSA_SHA256)?;
    let mut params = CertificateParams::new(Vec::new())?;
    let mut serial = [0u8; 20];
    aws_lc_rs::rand::fill(&mut serial).map_err(|_| rcgen::Error::RingUnspecified)?;
    // Neither negative nor with a leading zero: numbers of certificates are printed in several ways, and all should agree.
    serial[0] = (serial[0] & 0x7F) | 0x10;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    params.distinguished_name.push(DnType::CommonName, "fengate platform");
    let begins = clock.now().seconds() - BEFORE_SECONDS;
    let day = |seconds: i64| {
        let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (day(begins), day(begins + CERTIFICATE_SECONDS));
    Ok(format!("{}{}", key.serialize_pem(), params.self_signed(&key)?.pem()))
}

/// Writes a new file in one step: there is never half a key.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".new");
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_only_and_signs() {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, clock) = (dir.path().join("ledger.db.platform.pem"), Clock::standing_at(UnixMs(1_790_000_000_000)));
        let made = PlatformKey::open(&path, &clock).expect("made");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o077, 0);
        let found = PlatformKey::open(&path, &clock).expect("found");
        assert_eq!((&made.serial, &made.certificate_pem, made.holds), (&found.serial, &found.certificate_pem, found.holds));
        assert_eq!(made.serial.len(), 40);
        assert!(made.holds.0 < clock.now() && clock.now().plus_ms(9 * 365 * 86_400_000) < made.holds.1);
        let fields = found.fields(b"{}", 1_790_000_000).expect("signed");
        let text = format!("1790000000\n{}\n{{}}\n", fields["wechatpay-nonce"].to_str().expect("text"));
        let signature = STANDARD.decode(&fields["wechatpay-signature"]).expect("base64");
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, made.key.public_key().as_ref());
        assert!(public.verify(text.as_bytes(), &signature).is_ok());
        assert!(!format!("{made:?}").contains("PRIVATE"));
    }

    #[test]
    fn half_a_key_is_said_to_be_one() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.pem");
        fs::write(&path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").expect("written");
        assert!(matches!(PlatformKey::open(&path, &Clock::system()), Err(KeyError::File { .. })));
    }
}
