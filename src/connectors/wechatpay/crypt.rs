//! Unseals what WeChat Pay seals with a merchant's APIv3 key: AEAD_AES_256_GCM (for GuoMi AEAD_SM4_GCM), the tag at the end of the ciphertext.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::config::Algorithm;
use super::guomi::Sm4Key;

/// A merchant's APIv3 key: 32 characters, used as they are.
pub(super) struct Apiv3Key {
    aes: LessSafeKey,
    /// For merchants with GuoMi only.
    sm4: Option<Sm4Key>,
}

/// Something sealed, as certificates and notices carry it.
#[derive(Clone, Deserialize)]
pub(super) struct Sealed {
    algorithm: String,
    nonce: String,
    #[serde(default)]
    associated_data: Option<String>,
    ciphertext: String,
}

/// A text sealed for one merchant: AEAD_AES_256_GCM, its tag at the end.
#[derive(Clone, Debug)]
pub struct SealedText {
    /// Twelve characters, never used twice.
    pub nonce: String,
    /// Base64.
    pub ciphertext: String,
}

impl Apiv3Key {
    /// `None` if the key has not 32 characters.
    pub(super) fn new(algorithm: Algorithm, key: &str) -> Option<Self> {
        let aes = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).ok()?);
        Some(Self { aes, sm4: if algorithm == Algorithm::Sm2 { Sm4Key::new(key.as_bytes()) } else { None } })
    }

    /// The plain text; any length of anything gives an error, never a panic.
    pub(super) fn unseal(&self, sealed: &Sealed) -> Result<Vec<u8>, String> {
        let mut text = STANDARD.decode(&sealed.ciphertext).map_err(|_| "a ciphertext that is not base64".to_owned())?;
        let (nonce, aad) = (sealed.nonce.as_bytes(), sealed.associated_data.as_deref().unwrap_or_default());
        let closed = "it does not open with this merchant's APIv3 key";
        match (sealed.algorithm.as_str(), &self.sm4) {
            ("AEAD_AES_256_GCM", _) => {
                let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| "a nonce that has not 12 bytes".to_owned())?;
                Ok(self.aes.open_in_place(nonce, Aad::from(aad), &mut text).map_err(|_| closed.to_owned())?.to_vec())
            }
            ("AEAD_SM4_GCM", Some(sm4)) => sm4.unseal(nonce, aad.as_bytes(), &text).ok_or_else(|| closed.to_owned()),
            _ => Err("sealed with an algorithm that is none of this merchant's".to_owned()),
        }
    }

    /// Seals as the platform does; `None` only if the system's random numbers fail.
    pub(super) fn seal(&self, plain: &[u8], associated_data: &str) -> Option<SealedText> {
        // Nine bytes of chance are twelve characters.
        let mut chance = [0u8; 9];
        aws_lc_rs::rand::fill(&mut chance).ok()?;
        let nonce = STANDARD.encode(chance);
        let mut text = plain.to_vec();
        let unique = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
        self.aes.seal_in_place_append_tag(unique, Aad::from(associated_data), &mut text).ok()?;
        Some(SealedText { nonce, ciphertext: STANDARD.encode(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::verify::tests::{KEY, bytes_of, text_of, vectors};
    use super::*;

    fn sealed(nonce: &str, aad: &str, ciphertext: &str) -> Sealed {
        Sealed {
            algorithm: "AEAD_AES_256_GCM".to_owned(),
            nonce: nonce.to_owned(),
            associated_data: Some(aad.to_owned()),
            ciphertext: ciphertext.to_owned(),
        }
    }

    #[test]
    fn the_plain_vector_opens() {
        let vector = &vectors("aead_aes_256_gcm")[0];
        let key = Apiv3Key::new(Algorithm::Rsa, &text_of(vector, "key_utf8")).expect("a key");
        let opened = key.unseal(&sealed(&text_of(vector, "nonce_utf8"), &text_of(vector, "aad_utf8"), &text_of(vector, "ciphertext")));
        assert_eq!(opened, Ok(bytes_of(vector, "plaintext_utf8")));
    }

    #[test]
    fn what_is_sealed_opens_with_its_own_data_only() {
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
        let SealedText { nonce, ciphertext } = key.seal("支付".as_bytes(), "transaction").expect("sealed");
        assert_eq!(key.unseal(&sealed(&nonce, "transaction", &ciphertext)).as_deref(), Ok("支付".as_bytes()));
        assert!(key.unseal(&sealed(&nonce, "refund", &ciphertext)).is_err());
        assert_ne!(key.seal(b"", "").expect("sealed").nonce, nonce);
    }

    #[test]
    fn hostile_lengths_are_errors() {
        let key = Apiv3Key::new(Algorithm::Rsa, KEY).expect("a key");
        for (nonce, ciphertext) in [
            ("", ""),
            ("uluk4a9R25RW", ""),
            ("uluk4a9R25RW", "AAAA"),
            ("short", "AAAAAAAAAAAAAAAAAAAAAAAA"),
            ("uluk4a9R25RWx", "AAAA"),
            ("uluk4a9R25RW", "~~~"),
        ] {
            assert!(key.unseal(&sealed(nonce, "", ciphertext)).is_err(), "{nonce} {ciphertext}");
        }
        assert!(Apiv3Key::new(Algorithm::Rsa, "short").is_none());
        let guomi = Sealed { algorithm: "AEAD_SM4_GCM".to_owned(), ..sealed("uluk4a9R25RW", "", "AAAAAAAAAAAAAAAAAAAAAAAA") };
        assert!(key.unseal(&guomi).is_err_and(|why| why.contains("none of this merchant's")));
        assert!(Apiv3Key::new(Algorithm::Sm2, KEY).expect("a key").unseal(&guomi).is_err_and(|why| why.contains("does not open")));
    }
}
