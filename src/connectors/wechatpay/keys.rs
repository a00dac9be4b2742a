//! The two kinds of keys a call needs, each in both algorithms: the merchant's own, and the platform's.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;

use super::config::Algorithm;
use super::guomi::{Sm2Key, Sm2PublicKey};

/// A merchant's private key: signs requests, opens sensitive fields of answers.
pub(super) enum MerchantKey {
    Rsa { signing: RsaKeyPair, opening: OaepPrivateDecryptingKey },
    Sm2(Box<Sm2Key>),
}

impl MerchantKey {
    /// `None` if it is no private key of the algorithm in PEM.
    pub(super) fn new(algorithm: Algorithm, private_key_pem: &str) -> Option<Self> {
        if algorithm == Algorithm::Sm2 {
            return Sm2Key::new(private_key_pem).map(|key| Self::Sm2(Box::new(key)));
        }
        let signing = match PrivateKeyDer::from_pem_slice(private_key_pem.as_bytes()).ok()? {
            PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
            _ => return None,
        };
        let signing = signing.ok()?;
        let pkcs8: Pkcs8V1Der<'static> = signing.as_der().ok()?;
        let opening = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(pkcs8.as_ref()).ok()?).ok()?;
        Some(Self::Rsa { signing, opening })
    }

    /// The signature of a text, base64; `None` only if the system's random numbers fail.
    pub(super) fn sign(&self, text: &[u8]) -> Option<String> {
        match self {
            Self::Rsa { signing, .. } => {
                let mut signature = vec![0; signing.public_modulus_len()];
                signing.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature).ok()?;
                Some(STANDARD.encode(signature))
            }
            Self::Sm2(key) => key.sign(text).map(|signature| STANDARD.encode(signature)),
        }
    }

    /// Opens a sensitive field (RSA-OAEP with SHA-1, or SM2; base64); `None` if it is not for this key.
    pub(super) fn open(&self, field: &str) -> Option<String> {
        let sealed = STANDARD.decode(field).ok()?;
        let opened = match self {
            Self::Rsa { opening, .. } => {
                let mut room = vec![0; opening.min_output_size()];
                opening.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut room, None).ok()?.to_vec()
            }
            Self::Sm2(key) => key.open(&sealed)?,
        };
        String::from_utf8(opened).ok()
    }

    /// The scheme of the `Authorization` field.
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "WECHATPAY2-SHA256-RSA2048",
            Self::Sm2(_) => "WECHATPAY2-SM2-WITH-SM3",
        }
    }
}

/// A public key of the platform: verifies answers and notices, seals sensitive fields of requests.
pub(super) enum PlatformKey {
    Rsa { verifying: ParsedPublicKey, sealing: OaepPublicEncryptingKey },
    Sm2(Box<Sm2PublicKey>),
}

impl PlatformKey {
    /// The public key of an SPKI document (DER): RSA of 2048 bits or more, or SM2.
    pub(super) fn new(spki_der: &[u8]) -> Option<Self> {
        if let Some(key) = Sm2PublicKey::new(spki_der) {
            return Some(Self::Sm2(Box::new(key)));
        }
        let verifying = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki_der).ok()?;
        let sealing = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(spki_der).ok()?).ok()?;
        Some(Self::Rsa { verifying, sealing })
    }

    /// Which algorithm it is for.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self {
            Self::Rsa { .. } => Algorithm::Rsa,
            Self::Sm2(_) => Algorithm::Sm2,
        }
    }

    /// Whether the platform signed this text; `signature` in base64.
    pub(super) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        match self {
            Self::Rsa { verifying, .. } => verifying.verify_sig(text, &signature).is_ok(),
            Self::Sm2(key) => key.verifies(text, &signature),
        }
    }

    /// Seals a sensitive field, base64; `None` if it is too long for the key (214 bytes for RSA of 2048 bits).
    pub(super) fn seal(&self, text: &str) -> Option<String> {
        match self {
            Self::Rsa { sealing, .. } => {
                let mut room = vec![0; sealing.ciphertext_size()];
                Some(STANDARD.encode(sealing.encrypt(&OAEP_SHA1_MGF1SHA1, text.as_bytes(), &mut room, None).ok()?))
            }
            Self::Sm2(key) => key.seal(text.as_bytes()).map(|sealed| STANDARD.encode(sealed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData;

    use super::super::guomi::tests::fresh_sm2;
    use super::super::tests::fresh_key;
    use super::*;

    #[test]
    fn a_field_sealed_for_a_key_opens_with_it_and_no_other() {
        let pair = fresh_key();
        let (sm2_pem, sm2_spki) = fresh_sm2();
        let rsa = (MerchantKey::new(Algorithm::Rsa, &pair.serialize_pem()), PlatformKey::new(&pair.subject_public_key_info()));
        let sm2 = (MerchantKey::new(Algorithm::Sm2, &sm2_pem), PlatformKey::new(&sm2_spki));
        let other = MerchantKey::new(Algorithm::Rsa, &fresh_key().serialize_pem()).expect("a key");
        for (private, public) in [rsa, sm2] {
            let (private, public) = (private.expect("a key"), public.expect("a key"));
            let sealed = public.seal("张三 13800138000").expect("sealed");
            assert_eq!(private.open(&sealed).as_deref(), Some("张三 13800138000"));
            assert_ne!(public.seal("张三 13800138000"), Some(sealed.clone()), "no two are alike");
            assert!(other.open(&sealed).is_none());
            for bad in ["", "~", "AAAA", &sealed[4..]] {
                assert!(private.open(bad).is_none(), "{bad}");
            }
            let signature = private.sign(b"text").expect("signed");
            assert!(public.verifies(b"text", &signature) && !public.verifies(b"texu", &signature));
        }
    }

    #[test]
    fn what_is_too_long_to_seal_is_refused() {
        let public = PlatformKey::new(&fresh_key().subject_public_key_info()).expect("a key");
        assert!(public.seal(&"x".repeat(214)).is_some() && public.seal(&"x".repeat(215)).is_none());
    }

    #[test]
    fn keys_of_the_other_algorithm_are_refused() {
        assert!(MerchantKey::new(Algorithm::Sm2, &fresh_key().serialize_pem()).is_none());
        assert!(MerchantKey::new(Algorithm::Rsa, &fresh_sm2().0).is_none());
        let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).expect("a key");
        assert!(PlatformKey::new(&ec.subject_public_key_info()).is_none() && MerchantKey::new(Algorithm::Rsa, &ec.serialize_pem()).is_none());
    }
}
