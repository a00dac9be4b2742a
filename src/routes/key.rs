//! Keys of callers: made here, kept as SHA-256 only. A key has 256 random bits, so a plain hash is enough: there is nothing to guess.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The demo merchant's key: valid only while `[sandbox]` is configured, and only from loopback.
pub const DEMO_KEY: &str = "sk-fengate-demo";

/// SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// The hash under which a key is kept.
pub fn hash_key(key: &str) -> KeyHash {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
    hash
}

/// A new key, and what of it goes into `routes.toml`; `None` if the system has no random numbers.
pub fn new_key() -> Option<(String, String)> {
    let mut random = [0; 32];
    aws_lc_rs::rand::fill(&mut random).ok()?;
    let key = format!("sk-fengate-{}", URL_SAFE_NO_PAD.encode(random));
    let line = format!("sha256:{}", crate::ids::hex(&hash_key(&key)));
    Some((key, line))
}

/// Reads `sha256:` and 64 hexadecimal digits.
pub(super) fn read_hash(text: &str) -> Option<KeyHash> {
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    let mut hash = [0; 32];
    for (byte, n) in hash.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(digits.get(n..n + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_found_by_its_line() {
        let (key, line) = new_key().expect("random numbers");
        assert_eq!(read_hash(&line), Some(hash_key(&key)));
        assert_ne!(new_key().expect("random numbers").0, key);
        for bad in ["", "sha256:", "sha256:xy", "md5:00", &line[..70], &format!("{line}0")] {
            assert_eq!(read_hash(bad), None, "{bad}");
        }
    }
}
