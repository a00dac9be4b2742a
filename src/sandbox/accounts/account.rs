//! The demo merchant and the platform's keys: made at first start, kept in the sandbox's folder, readable by their owner only.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::SandboxError;
use super::keys::{self, digits, hex_of, private_key, random, rfc3339};
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

    /// The account a sandbox keeps in `dir`; nothing is made.
    pub fn kept_in(dir: &Path) -> Result<Self, SandboxError> {
        let path = dir.join(FILE);
        let why = match fs::read_to_string(&path).map(|text| Self::read(&text)) {
            Ok(Some(account)) => return Ok(account),
            Ok(None) => "is not the account of a sandbox".to_owned(),
            Err(e) => e.to_string(),
        };
        Err(SandboxError::File { path, why })
    }

    fn make(clock: &Clock) -> Result<Self, SandboxError> {
        let (merchant, platform, public_mode) = (private_key()?, private_key()?, private_key()?);
        let now = clock.now().seconds();
        let life = (now - keys::DAY_SECONDS, now + keys::CERTIFICATE_SECONDS);
        let serial = random(20)?;
        let certificate = keys::certificate(&platform, &serial, life, "fengate sandbox sign")?;
        Ok(Self {
            mchid: format!("19{}", digits(8)?),
            appid: format!("wx{}", hex_of(8)?),
            serial: hex_of(20)?.to_uppercase(),
            private_key_pem: merchant.serialize_pem(),
            apiv3_key: hex_of(16)?,
            platform_certificate_pem: certificate,
            platform_serial: hex(&serial).to_uppercase(),
            public_key_id: format!("PUB_KEY_ID_01{}", digits(26)?),
            public_key_pem: public_mode.public_key_pem(),
            merchant_public_key_pem: merchant.public_key_pem(),
            platform_key_pem: platform.serialize_pem(),
            public_mode_key_pem: public_mode.serialize_pem(),
            certificate_life: (rfc3339(life.0), rfc3339(life.1)),
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
        files.iter().try_for_each(|(name, text)| keys::keep(&dir.join(name), text))
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
}
