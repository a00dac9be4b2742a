//! The sandbox's merchant and the platform's keys: made at first start, kept in its folder, readable by their owner only.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};
use serde_json::{Value, json};

use super::super::SandboxError;
use crate::clock::Clock;
use crate::ids::hex;

/// What a merchant of the sandbox needs. `Debug` shows nothing secret.
#[derive(Clone)]
pub struct Account {
    /// Merchant number.
    pub mchid: String,
    /// Application.
    pub appid: String,
    /// Serial number of the merchant's API certificate.
    pub serial: String,
    /// The merchant's private key, PEM.
    pub private_key_pem: String,
    /// The APIv3 key: 32 characters.
    pub apiv3_key: String,
    /// The platform's certificate, PEM.
    pub platform_certificate_pem: String,
    /// Its serial number.
    pub platform_serial: String,
    /// The id of the platform's public key, for merchants in public-key mode.
    pub public_key_id: String,
    /// That key, PEM.
    pub public_key_pem: String,
    pub(crate) merchant_public_key_pem: String,
    pub(crate) platform_key_pem: String,
    pub(crate) public_mode_key_pem: String,
    /// When the platform's certificate begins and ends, RFC 3339.
    pub(crate) certificate_life: (String, String),
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({} {})", self.mchid, self.appid)
    }
}

const FILE: &str = "account.json";

impl Account {
    /// Reads the account in `dir`, or makes one.
    pub(crate) fn open(dir: &Path, clock: &Clock) -> Result<Self, SandboxError> {
        let path = dir.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::read(&text)
                .ok_or_else(|| SandboxError::File { path, why: "is not the account of a sandbox; move it away and a new one is made".to_owned() }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let account = Self::make(clock)?;
                account.write(dir)?;
                Ok(account)
            }
            Err(e) => Err(SandboxError::File { path, why: e.to_string() }),
        }
    }

    fn make(clock: &Clock) -> Result<Self, SandboxError> {
        let failed = |e: rcgen::Error| SandboxError::Keys(e.to_string());
        let merchant = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
        let platform = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
        let public_mode = KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)?;
        let now = jiff::Timestamp::from_second(clock.now().seconds()).map_err(|e| SandboxError::Keys(e.to_string()))?;
        let (begins, ends) = (now.as_second() - 86_400, now.as_second() + 5 * 365 * 86_400);
        let serial = random(20)?;
        let certificate = certificate(&platform, &serial, (begins, ends)).map_err(failed)?;
        let digits = |count: usize| random(count).map(|bytes| bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect::<String>());
        Ok(Self {
            mchid: format!("19{}", digits(8)?),
            appid: format!("wx{}", hex(&random(8)?)),
            serial: hex(&random(20)?).to_uppercase(),
            private_key_pem: merchant.serialize_pem(),
            apiv3_key: hex(&random(16)?),
            platform_certificate_pem: certificate.pem(),
            platform_serial: hex(&serial).to_uppercase(),
            public_key_id: format!("PUB_KEY_ID_01{}", digits(26)?),
            public_key_pem: public_mode.public_key_pem(),
            merchant_public_key_pem: merchant.public_key_pem(),
            platform_key_pem: platform.serialize_pem(),
            public_mode_key_pem: public_mode.serialize_pem(),
            certificate_life: (rfc3339(begins), rfc3339(ends)),
        })
    }

    fn write(&self, dir: &Path) -> Result<(), SandboxError> {
        let json = json!({
            "_about": "Keys of a sandbox on this machine. They open nothing anywhere else.",
            "mchid": self.mchid, "appid": self.appid, "serial": self.serial, "apiv3_key": self.apiv3_key, "private_key": self.private_key_pem,
            "merchant_public_key": self.merchant_public_key_pem, "platform_certificate": self.platform_certificate_pem,
            "platform_serial": self.platform_serial, "platform_key": self.platform_key_pem, "public_key_id": self.public_key_id,
            "public_key": self.public_key_pem, "public_mode_key": self.public_mode_key_pem,
            "certificate_begins": self.certificate_life.0, "certificate_ends": self.certificate_life.1,
        });
        // The account last: it is what a second start looks for.
        let files = [
            ("apiclient_key.pem", self.private_key_pem.clone()),
            ("platform_cert.pem", self.platform_certificate_pem.clone()),
            ("pub_key.pem", self.public_key_pem.clone()),
            (FILE, format!("{json:#}\n")),
        ];
        for (name, text) in files {
            let path = dir.join(name);
            let written = fs::OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&path)
                .and_then(|mut file| file.write_all(text.as_bytes()));
            written.map_err(|e| SandboxError::File { path, why: e.to_string() })?;
        }
        Ok(())
    }

    fn read(text: &str) -> Option<Self> {
        let json: Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Self {
            mchid: field("mchid")?,
            appid: field("appid")?,
            serial: field("serial")?,
            private_key_pem: field("private_key")?,
            apiv3_key: field("apiv3_key")?,
            platform_certificate_pem: field("platform_certificate")?,
            platform_serial: field("platform_serial")?,
            public_key_id: field("public_key_id")?,
            public_key_pem: field("public_key")?,
            merchant_public_key_pem: field("merchant_public_key")?,
            platform_key_pem: field("platform_key")?,
            public_mode_key_pem: field("public_mode_key")?,
            certificate_life: (field("certificate_begins")?, field("certificate_ends")?),
        })
    }
}

fn certificate(key: &KeyPair, serial: &[u8], life: (i64, i64)) -> Result<rcgen::Certificate, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name.push(DnType::CommonName, "fengate sandbox sign");
    params.distinguished_name.push(DnType::OrganizationName, "fengate sandbox");
    let at = |seconds: i64| {
        let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (at(life.0), at(life.1));
    params.self_signed(key)
}

/// Random bytes whose first is neither zero nor negative: numbers of certificates are printed in several ways, and all should agree.
pub(crate) fn random(count: usize) -> Result<Vec<u8>, SandboxError> {
    let mut bytes = vec![0; count];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| SandboxError::Keys("no random numbers".to_owned()))?;
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7F) | 0x10;
    }
    Ok(bytes)
}

/// A time as WeChat Pay writes it: Beijing time, whole seconds.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(zone);
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixMs;

    #[test]
    fn an_account_is_made_once_and_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Clock::standing_at(UnixMs(1_790_000_000_000));
        let made = Account::open(dir.path(), &clock).expect("made");
        let found = Account::open(dir.path(), &clock).expect("found");
        assert_eq!((&made.mchid, &made.private_key_pem, &made.platform_serial), (&found.mchid, &found.private_key_pem, &found.platform_serial));
        assert_eq!((made.mchid.len(), made.apiv3_key.len(), made.platform_serial.len()), (10, 32, 40));
        for name in [FILE, "apiclient_key.pem"] {
            let mode = fs::metadata(dir.path().join(name)).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}");
        }
        assert!(!format!("{made:?}").contains(&made.apiv3_key));
        fs::write(dir.path().join(FILE), "{}").expect("written");
        assert!(Account::open(dir.path(), &clock).is_err());
    }

    #[test]
    fn times_are_beijings() {
        assert_eq!(rfc3339(1_767_225_600), "2026-01-01T08:00:00+08:00");
    }
}
