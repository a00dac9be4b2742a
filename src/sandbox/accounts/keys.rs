//! Making keys, numbers and certificates, and keeping them for their owner only.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, SerialNumber};

use super::super::SandboxError;
use crate::ids::hex;

/// A day, in seconds.
pub(crate) const DAY_SECONDS: i64 = 86_400;

/// How long a certificate lives: five years, in seconds.
pub(crate) const CERTIFICATE_SECONDS: i64 = 5 * 365 * DAY_SECONDS;

fn failed(error: rcgen::Error) -> SandboxError {
    SandboxError::Keys(error.to_string())
}

/// A new RSA key of 2,048 bits.
pub(crate) fn private_key() -> Result<KeyPair, SandboxError> {
    KeyPair::generate_for(&PKCS_RSA_SHA256).map_err(failed)
}

/// The key in a PEM text.
pub(crate) fn private_key_of(pem: &str) -> Result<KeyPair, SandboxError> {
    KeyPair::from_pem(pem).map_err(failed)
}

/// A certificate of a key, PEM. `life` is when it begins and ends, in seconds since 1970; days count, as at WeChat Pay.
pub(crate) fn certificate(key: &KeyPair, serial: &[u8], life: (i64, i64), name: &str) -> Result<String, SandboxError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(failed)?;
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "fengate sandbox");
    let at = |seconds: i64| {
        let date = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
        rcgen::date_time_ymd(i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
    };
    (params.not_before, params.not_after) = (at(life.0), at(life.1));
    params.self_signed(key).map(|certificate| certificate.pem()).map_err(failed)
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

/// Random decimal digits.
pub(crate) fn digits(count: usize) -> Result<String, SandboxError> {
    Ok(random(count)?.iter().map(|byte| char::from(b'0' + byte % 10)).collect())
}

/// Random bytes as lower hex.
pub(crate) fn hex_of(bytes: usize) -> Result<String, SandboxError> {
    Ok(hex(&random(bytes)?))
}

/// The bytes of a serial number in hex; empty for what is none.
pub(crate) fn serial_bytes(serial: &str) -> Vec<u8> {
    let pair = |at: usize| serial.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..serial.len()).step_by(2).map_while(pair).collect()
}

/// Writes a file that only its owner may read.
pub(crate) fn keep(path: &Path, text: &str) -> Result<(), SandboxError> {
    let opened = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|e| SandboxError::File { path: path.to_owned(), why: e.to_string() })
}

/// A time as WeChat Pay writes it: Beijing time, whole seconds.
pub(crate) fn rfc3339(seconds: i64) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default().to_zoned(zone);
    time.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The same time as fourteen digits, for numbers that begin with their moment.
pub(crate) fn beijing_digits(seconds: i64) -> String {
    rfc3339(seconds).chars().filter(char::is_ascii_digit).take(14).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_beijings() {
        assert_eq!(rfc3339(1_767_225_600), "2026-01-01T08:00:00+08:00");
        assert_eq!(beijing_digits(1_767_225_600), "20260101080000");
    }

    #[test]
    fn a_serial_keeps_its_leading_zero() {
        assert_eq!(serial_bytes("0A5F"), [0x0A, 0x5F]);
    }
}
