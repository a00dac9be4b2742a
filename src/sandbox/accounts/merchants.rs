//! The other merchants, beside the demo one: a partner with two sub-merchants, and a merchant that has only the platform's public key. Their
//! keys are made at first start and kept in a file of their own.

use std::path::Path;

use serde_json::{Value, json};

use super::super::SandboxError;
use super::keys::{digits, hex_of, keep, private_key};

/// What is kept of a merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What it is here for: `partner`, `public_key_only`. Its keys lie in a folder of that name.
    pub(crate) name: String,
    pub(crate) mchid: String,
    pub(crate) appid: String,
    pub(crate) serial: String,
    pub(crate) apiv3_key: String,
    pub(crate) private_key_pem: String,
    pub(crate) public_key_pem: String,
    /// Merchants a partner trades for.
    pub(crate) sub_mchids: Vec<String>,
    /// It has no platform certificate: `/v3/certificates` is 404, and everything is signed with the public key.
    pub(crate) is_public_key_only: bool,
}

const FILE: &str = "merchants.json";

/// Reads the merchants in `dir`, or makes them.
pub(super) fn open(dir: &Path) -> Result<Vec<Kept>, SandboxError> {
    let path = dir.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => read(&text)
            .ok_or_else(|| SandboxError::File { path, why: "does not hold merchants of a sandbox; move it away and new ones are made".to_owned() }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            let merchants = vec![made("partner", 2, false)?, made("public_key_only", 0, true)?];
            keep(&path, &format!("{:#}\n", written(&merchants)))?;
            Ok(merchants)
        }
        Err(e) => Err(SandboxError::File { path, why: e.to_string() }),
    }
}

fn made(name: &str, sub_merchants: usize, is_public_key_only: bool) -> Result<Kept, SandboxError> {
    let key = private_key()?;
    Ok(Kept {
        name: name.to_owned(),
        mchid: format!("18{}", digits(8)?),
        appid: format!("wx{}", hex_of(8)?),
        serial: hex_of(20)?.to_uppercase(),
        apiv3_key: hex_of(16)?,
        private_key_pem: key.serialize_pem(),
        public_key_pem: key.public_key_pem(),
        sub_mchids: (0..sub_merchants).map(|_| Ok(format!("17{}", digits(8)?))).collect::<Result<_, SandboxError>>()?,
        is_public_key_only,
    })
}

fn written(merchants: &[Kept]) -> Value {
    let one = |merchant: &Kept| {
        json!({
            "name": merchant.name, "mchid": merchant.mchid, "appid": merchant.appid, "serial": merchant.serial, "apiv3_key": merchant.apiv3_key,
            "private_key": merchant.private_key_pem, "merchant_public_key": merchant.public_key_pem, "sub_mchids": merchant.sub_mchids,
            "public_key_only": merchant.is_public_key_only,
        })
    };
    json!({
        "_about": "Further merchants of a sandbox on this machine; the platform's keys are in account.json. They open nothing anywhere else.",
        "merchants": merchants.iter().map(one).collect::<Vec<_>>(),
    })
}

fn read(text: &str) -> Option<Vec<Kept>> {
    let json: Value = serde_json::from_str(text).ok()?;
    let one = |json: &Value| {
        let field = |name: &str| json[name].as_str().map(str::to_owned);
        Some(Kept {
            name: field("name")?,
            mchid: field("mchid")?,
            appid: field("appid")?,
            serial: field("serial")?,
            apiv3_key: field("apiv3_key")?,
            private_key_pem: field("private_key")?,
            public_key_pem: field("merchant_public_key")?,
            sub_mchids: json["sub_mchids"].as_array()?.iter().map(|number| number.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            is_public_key_only: json["public_key_only"].as_bool()?,
        })
    };
    json["merchants"].as_array()?.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merchants_are_made_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let made = open(dir.path()).expect("made");
        assert_eq!(open(dir.path()).expect("found"), made);
        assert_eq!(made.iter().map(|one| (one.name.as_str(), one.sub_mchids.len())).collect::<Vec<_>>(), [("partner", 2), ("public_key_only", 0)]);
        std::fs::write(dir.path().join(FILE), "{}").expect("written");
        assert!(open(dir.path()).is_err());
    }
}
