//! The merchant that trades by the Chinese national algorithms, and the platform's key of that kind: made at first start, kept in
//! `guomi.json`, certificates in the folder `guomi`.

use std::path::Path;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use x509_cert::der::asn1::{BitString, ObjectIdentifier, UtcTime};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{Decode, Encode, EncodePem};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate, Version};

use super::super::SandboxError;
use super::super::guomi;
use super::keys::{self, digits, hex_of, keep, rfc3339, serial_bytes};
use super::{Merchant, MerchantKey};
use crate::clock::Clock;

const FILE: &str = "guomi.json";

/// What the merchant is called; its files lie in a folder of that name.
pub(crate) const NAME: &str = "guomi";

/// `sm2sign-with-sm3`.
const SM2_WITH_SM3: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.156.10197.1.501");

/// The platform's SM2 key and its certificate.
#[derive(Clone)]
pub(crate) struct GuoMi {
    pub(crate) private_key_pem: String,
    pub(crate) serial: String,
    pub(crate) certificate_pem: String,
    /// When the certificate begins and ends, RFC 3339.
    pub(crate) life: (String, String),
}

impl std::fmt::Debug for GuoMi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GuoMi({})", self.serial)
    }
}

/// Reads the merchant and the platform's key in `dir`, or makes them.
pub(super) fn open(dir: &Path, clock: &Clock) -> Result<(Merchant, GuoMi), SandboxError> {
    let path = dir.join(FILE);
    let json = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).unwrap_or_default(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let json = made(clock)?;
            write(dir, &json)?;
            json
        }
        Err(e) => return Err(SandboxError::File { path, why: e.to_string() }),
    };
    read(&json).ok_or_else(|| SandboxError::File { path, why: "does not hold a GuoMi merchant; move it away and a new one is made".to_owned() })
}

fn made(clock: &Clock) -> Result<Value, SandboxError> {
    let none = || SandboxError::Keys("an SM2 key cannot be made".to_owned());
    let now = clock.now().seconds();
    let life = (now - keys::DAY_SECONDS, now + keys::CERTIFICATE_SECONDS);
    let mchid = format!("16{}", digits(8)?);
    let (merchant_serial, platform_serial) = (hex_of(20)?.to_uppercase(), hex_of(20)?.to_uppercase());
    let (merchant_key, merchant_public) = guomi::key_pair().ok_or_else(none)?;
    let (platform_key, platform_public) = guomi::key_pair().ok_or_else(none)?;
    let merchant_name = format!("CN=fengate sandbox {mchid},O=fengate sandbox");
    let merchant_certificate = certificate((&merchant_key, &merchant_public), &merchant_serial, life, &merchant_name).ok_or_else(none)?;
    let platform_name = "CN=fengate sandbox SM2 sign,O=fengate sandbox";
    let platform_certificate = certificate((&platform_key, &platform_public), &platform_serial, life, platform_name).ok_or_else(none)?;
    Ok(json!({
        "_about": "The GuoMi merchant of a sandbox on this machine, and the platform's SM2 key. They open nothing anywhere else.",
        "mchid": mchid, "appid": format!("wx{}", hex_of(8)?), "apiv3_key": hex_of(16)?, "serial": merchant_serial,
        "private_key": merchant_key, "merchant_public_key": merchant_public, "merchant_certificate": merchant_certificate,
        "platform_key": platform_key, "platform_serial": platform_serial, "platform_certificate": platform_certificate,
        "certificate_begins": rfc3339(life.0), "certificate_ends": rfc3339(life.1),
    }))
}

/// The files for whoever plays the merchant, and the file that is read again; that one last.
fn write(dir: &Path, json: &Value) -> Result<(), SandboxError> {
    let folder = dir.join(NAME);
    std::fs::create_dir_all(&folder).map_err(|e| SandboxError::File { path: folder.clone(), why: e.to_string() })?;
    let files = [("apiclient_key.pem", "private_key"), ("apiclient_cert.pem", "merchant_certificate"), ("platform_cert.pem", "platform_certificate")];
    for (file, name) in files {
        keep(&folder.join(file), json[name].as_str().unwrap_or_default())?;
    }
    keep(&dir.join(FILE), &format!("{json:#}\n"))
}

fn read(json: &Value) -> Option<(Merchant, GuoMi)> {
    let field = |name: &str| json[name].as_str().map(str::to_owned);
    let public_key_pem = field("merchant_public_key")?;
    let merchant = Merchant {
        name: NAME.to_owned(),
        mchid: field("mchid")?,
        appids: vec![field("appid")?],
        serial: field("serial")?,
        apiv3_key: field("apiv3_key")?,
        sub_mchids: Vec::new(),
        is_public_key_only: false,
        key: MerchantKey::Sm2(public_key_pem.clone()),
        public_key_pem,
    };
    let platform = GuoMi {
        private_key_pem: field("platform_key")?,
        serial: field("platform_serial")?,
        certificate_pem: field("platform_certificate")?,
        life: (field("certificate_begins")?, field("certificate_ends")?),
    };
    Some((merchant, platform))
}

/// A certificate of an SM2 key, signed by itself, PEM. rcgen knows no SM2, so the fields are put together here.
fn certificate((private_pem, public_pem): (&str, &str), serial: &str, life: (i64, i64), name: &str) -> Option<String> {
    let algorithm = AlgorithmIdentifierOwned { oid: SM2_WITH_SM3, parameters: None };
    let name = Name::from_str(name).ok()?;
    let at = |seconds: i64| {
        let since = std::time::Duration::from_secs(u64::try_from(seconds).ok()?);
        Some(Time::UtcTime(UtcTime::from_unix_duration(since).ok()?))
    };
    let public_der: String = public_pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let tbs_certificate = TbsCertificate {
        version: Version::V3,
        serial_number: SerialNumber::new(&serial_bytes(serial)).ok()?,
        signature: algorithm.clone(),
        issuer: name.clone(),
        validity: Validity { not_before: at(life.0)?, not_after: at(life.1)? },
        subject: name,
        subject_public_key_info: SubjectPublicKeyInfoOwned::from_der(&STANDARD.decode(public_der).ok()?).ok()?,
        issuer_unique_id: None,
        subject_unique_id: None,
        extensions: None,
    };
    let signature = STANDARD.decode(guomi::sign(private_pem, &tbs_certificate.to_der().ok()?)?).ok()?;
    let signature = BitString::from_bytes(&signature).ok()?;
    Certificate { tbs_certificate, signature_algorithm: algorithm, signature }.to_pem(LineEnding::LF).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;

    #[test]
    fn the_merchant_is_made_once_with_a_certificate_of_its_key() {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::standing_at(UnixMs(1_790_000_000_000));
        let (merchant, platform) = open(dir.path(), &clock).expect("made");
        let (again, _) = open(dir.path(), &clock).expect("found");
        assert_eq!((&merchant.mchid, &merchant.serial), (&again.mchid, &again.serial));
        let certificate = <Certificate as x509_cert::der::DecodePem>::from_pem(&platform.certificate_pem).expect("a certificate");
        let tbs = certificate.tbs_certificate.to_der().expect("DER");
        assert_eq!(crate::ids::hex(certificate.tbs_certificate.serial_number.as_bytes()).to_uppercase(), platform.serial);
        let public: String = certificate.tbs_certificate.subject_public_key_info.to_pem(LineEnding::LF).expect("PEM");
        assert!(guomi::is_signed_by(&public, &tbs, &STANDARD.encode(certificate.signature.raw_bytes())));
        assert!(!format!("{platform:?}").contains("PRIVATE"));
        std::fs::write(dir.path().join(FILE), "{}").expect("written");
        assert!(open(dir.path(), &clock).is_err());
    }
}
