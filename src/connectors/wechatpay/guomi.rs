//! GuoMi, the Chinese national algorithms, for merchants that sign so: SM2 signatures over SM3, sensitive fields in SM2, sealing in SM4-GCM.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Nonce, Payload};
use sm2::dsa::signature::{Signer as _, Verifier as _};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pkcs8::{DecodePrivateKey as _, DecodePublicKey as _};
use sm2::pke::{DecryptingKey, EncryptingKey};
use sm2::{PublicKey, SecretKey};
use sm3::{Digest as _, Sm3};
use sm4::Sm4;

/// Who signs, as SM2 wants it known: everybody is called this.
const USER_ID: &str = "1234567812345678";

/// A merchant's private key.
pub(super) struct Sm2Key {
    signing: SigningKey,
    opening: DecryptingKey,
}

impl Sm2Key {
    /// `None` if it is no SM2 private key in PEM (PKCS#8).
    pub(super) fn new(private_key_pem: &str) -> Option<Self> {
        let key = SecretKey::from_pkcs8_pem(private_key_pem.trim()).ok()?;
        Some(Self { signing: SigningKey::new(USER_ID, &key).ok()?, opening: DecryptingKey::new(key) })
    }

    /// The signature of a text, ASN.1.
    pub(super) fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let signature: Signature = self.signing.try_sign(text).ok()?;
        Some(signature.to_der().to_vec())
    }

    /// What was sealed for this key: ASN.1 of x, y, C3, C2.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.opening.decrypt_der(sealed).ok()
    }
}

/// A public key of the platform.
pub(super) struct Sm2PublicKey {
    verifying: VerifyingKey,
    sealing: EncryptingKey,
}

impl Sm2PublicKey {
    /// The key of an SPKI document (DER); `None` if it is none of SM2.
    pub(super) fn new(spki_der: &[u8]) -> Option<Self> {
        let key = PublicKey::from_public_key_der(spki_der).ok()?;
        Some(Self { verifying: VerifyingKey::new(USER_ID, key).ok()?, sealing: EncryptingKey::new(key) })
    }

    /// Whether its owner signed this text.
    pub(super) fn verifies(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_der(signature).is_ok_and(|signature| self.verifying.verify(text, &signature).is_ok())
    }

    /// Seals a text for its owner.
    pub(super) fn seal(&self, text: &[u8]) -> Option<Vec<u8>> {
        self.sealing.encrypt_der(&mut SysRng, text).ok()
    }
}

/// An APIv3 key as SM4 uses it: the first half of its SM3 digest.
pub(super) struct Sm4Key(AesGcm<Sm4, U12>);

impl Sm4Key {
    /// Of any APIv3 key.
    pub(super) fn new(apiv3_key: &[u8]) -> Option<Self> {
        let digest = Sm3::digest(apiv3_key);
        AesGcm::new_from_slice(digest.get(..16)?).ok().map(Self)
    }

    /// The plain text; `None` if it does not open.
    pub(super) fn unseal(&self, nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let nonce = Nonce::<AesGcm<Sm4, U12>>::try_from(nonce).ok()?;
        self.0.decrypt(&nonce, Payload { msg: sealed, aad }).ok()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sm2::pkcs8::{EncodePrivateKey as _, EncodePublicKey as _, LineEnding};

    use super::*;

    /// A throw-away key: PEM of the private one, DER of the public one.
    pub(in crate::connectors::wechatpay) fn fresh_sm2() -> (String, Vec<u8>) {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).expect("random numbers");
        bytes[0] &= 0x7f;
        let key = SecretKey::from_slice(&bytes).expect("a key");
        let public = key.public_key().to_public_key_der().expect("DER").into_vec();
        (key.to_pkcs8_pem(LineEnding::LF).expect("PEM").to_string(), public)
    }

    #[test]
    fn a_signature_holds_for_its_text_and_key_only() {
        let (private, public) = fresh_sm2();
        let (key, public) = (Sm2Key::new(&private).expect("a key"), Sm2PublicKey::new(&public).expect("a key"));
        let signature = key.sign(b"message").expect("signed");
        assert!(public.verifies(b"message", &signature));
        assert!(!public.verifies(b"messagf", &signature));
        assert!(!Sm2PublicKey::new(&fresh_sm2().1).expect("a key").verifies(b"message", &signature));
        for bad in [&b""[..], b"0", &signature[1..], &[0x30, 0x80, 0, 0]] {
            assert!(!public.verifies(b"message", bad));
        }
    }

    #[test]
    fn a_field_opens_for_its_owner_only() {
        let (private, public) = fresh_sm2();
        let sealed = Sm2PublicKey::new(&public).expect("a key").seal("张三".as_bytes()).expect("sealed");
        assert_eq!(Sm2Key::new(&private).expect("a key").open(&sealed).as_deref(), Some("张三".as_bytes()));
        assert!(Sm2Key::new(&fresh_sm2().0).expect("a key").open(&sealed).is_none());
        assert!(Sm2Key::new(&private).expect("a key").open(&sealed[..sealed.len() - 1]).is_none());
    }

    #[test]
    fn sm4_gcm_opens_what_it_sealed_and_nothing_changed() {
        let key = Sm4Key::new(b"0123456789ABCDEFGHIJKLMNOPQRSTUV").expect("a key");
        let nonce = Nonce::<AesGcm<Sm4, U12>>::try_from(&b"uluk4a9R25RW"[..]).expect("a nonce");
        let sealed = key.0.encrypt(&nonce, Payload { msg: b"plaintext", aad: b"aad" }).expect("sealed");
        assert_eq!(key.unseal(b"uluk4a9R25RW", b"aad", &sealed).as_deref(), Some(&b"plaintext"[..]));
        assert!(key.unseal(b"uluk4a9R25RW", b"aaX", &sealed).is_none() && key.unseal(b"short", b"aad", &sealed).is_none());
        assert!(key.unseal(b"uluk4a9R25RW", b"aad", &sealed[1..]).is_none() && key.unseal(b"uluk4a9R25RW", b"", b"").is_none());
    }

    #[test]
    fn sm4_gcm_is_the_one_of_rfc_8998() {
        let hex = |text: &str| {
            text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex")).collect::<Vec<u8>>()
        };
        let key = Sm4Key(AesGcm::new_from_slice(&hex("0123456789ABCDEFFEDCBA9876543210")).expect("a key"));
        let sealed = hex(
            "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D83DE3541E4C2B58177E065A9BF7B62EC",
        );
        let opened = key.unseal(&hex("00001234567800000000ABCD"), &hex("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"), &sealed).expect("opens");
        let plain =
            hex("AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDDEEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA");
        assert_eq!(STANDARD.encode(opened), STANDARD.encode(plain));
    }
}
