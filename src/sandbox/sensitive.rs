//! Sensitive fields (names, card numbers): RSA-OAEP with SHA-1 and MGF1-SHA-1, in base64. Merchants seal for the platform's key, the platform
//! seals for the merchant's; an empty text stays empty.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

/// Opens a field that was sealed for the holder of the private key, given as PKCS#8; `None` if it was sealed for another key or is no such field.
pub(super) fn open(pkcs8: &[u8], field: &str) -> Option<String> {
    if field.is_empty() {
        return Some(String::new());
    }
    let key = OaepPrivateDecryptingKey::new(PrivateDecryptingKey::from_pkcs8(pkcs8).ok()?).ok()?;
    let sealed = STANDARD.decode(field).ok()?;
    let mut room = vec![0; key.min_output_size()];
    let text = key.decrypt(&OAEP_SHA1_MGF1SHA1, &sealed, &mut room, None).ok()?;
    String::from_utf8(text.to_vec()).ok()
}

/// Seals a field for the holder of `public_key_pem`; `None` if the text is longer than the key can seal (214 bytes for 2048 bits).
pub(super) fn seal(public_key_pem: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let der = SubjectPublicKeyInfoDer::from_pem_slice(public_key_pem.as_bytes()).ok()?;
    let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&der).ok()?).ok()?;
    let mut room = vec![0; key.ciphertext_size()];
    let sealed = key.encrypt(&OAEP_SHA1_MGF1SHA1, text.as_bytes(), &mut room, None).ok()?;
    Some(STANDARD.encode(sealed))
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_RSA_SHA256};

    use super::*;

    #[test]
    fn what_is_sealed_opens_and_is_never_twice_the_same() {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).expect("an RSA key");
        let (private, public) = (pair.serialize_der(), pair.public_key_pem());
        let public = public.as_str();
        let (first, second) = (seal(public, "张三").expect("sealed"), seal(public, "张三").expect("sealed"));
        assert_ne!(first, second);
        assert_eq!(open(&private, &first).as_deref(), Some("张三"));
        assert_eq!((seal(public, ""), open(&private, "")), (Some(String::new()), Some(String::new())));
        assert!(seal(public, &"x".repeat(214)).is_some());
        assert_eq!(seal(public, &"x".repeat(215)), None);
        for broken in ["x", "AAAA", &first[..340], "张三"] {
            assert_eq!(open(&private, broken), None, "{broken}");
        }
    }
}
