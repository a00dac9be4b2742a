//! GuoMi, the Chinese national algorithms, for merchants that are set to them: SM2 signatures over SM3 with the default user id, SM2
//! encryption of fields, and SM4-GCM with a key made of the APIv3 key.

use aes_gcm::AesGcm;
use aes_gcm::aead::consts::U12;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sm2::dsa::signature::{Signer, Verifier};
use sm2::dsa::{Signature, SigningKey, VerifyingKey};
use sm2::elliptic_curve::common::getrandom::SysRng;
use sm2::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use sm2::pke::{DecryptingKey, EncryptingKey};
use sm2::{PublicKey, SecretKey};
use sm3::{Digest, Sm3};
use sm4::Sm4;

use super::accounts::random;
use crate::ids::hex;

/// The user id every signature is made with.
const USER_ID: &str = "1234567812345678";

type Sm4Gcm = AesGcm<Sm4, U12>;

/// A new key: the private one and the public one, both PEM.
pub(super) fn key_pair() -> Option<(String, String)> {
    let key = SecretKey::from_slice(&random(32).ok()?).ok()?;
    Some((key.to_pkcs8_pem(LineEnding::LF).ok()?.to_string(), key.public_key().to_public_key_pem(LineEnding::LF).ok()?))
}

/// Signs a text: base64 of the ASN.1 signature.
pub(super) fn sign(private_key_pem: &str, text: &[u8]) -> Option<String> {
    let key = SigningKey::new(USER_ID, &SecretKey::from_pkcs8_pem(private_key_pem).ok()?).ok()?;
    let signature: Signature = key.try_sign(text).ok()?;
    Some(STANDARD.encode(signature.to_der().as_bytes()))
}

/// Whether the key's owner signed this text.
pub(super) fn is_signed_by(public_key_pem: &str, text: &[u8], signature: &str) -> bool {
    let verified = || {
        let key = VerifyingKey::new(USER_ID, PublicKey::from_public_key_pem(public_key_pem).ok()?).ok()?;
        let signature = Signature::from_der(&STANDARD.decode(signature).ok()?).ok()?;
        key.verify(text, &signature).ok()
    };
    verified().is_some()
}

/// Opens a sensitive field.
pub(super) fn open(private_key_pem: &str, field: &str) -> Option<String> {
    if field.is_empty() {
        return Some(String::new());
    }
    let key = DecryptingKey::new(SecretKey::from_pkcs8_pem(private_key_pem).ok()?);
    String::from_utf8(key.decrypt_der(&STANDARD.decode(field).ok()?).ok()?).ok()
}

/// Seals a sensitive field.
pub(super) fn seal(public_key_pem: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return Some(String::new());
    }
    let key = EncryptingKey::new(PublicKey::from_public_key_pem(public_key_pem).ok()?);
    Some(STANDARD.encode(key.encrypt_der(&mut SysRng, text.as_bytes()).ok()?))
}

/// Seals what only the merchant may read: AEAD_SM4_GCM, the key being the first half of the APIv3 key's SM3.
pub(super) fn seal_resource(apiv3_key: &str, plain: &[u8], associated_data: &str) -> Option<Value> {
    let digest = Sm3::digest(apiv3_key.as_bytes());
    let nonce = hex(&random(6).ok()?);
    let ciphertext = sm4_gcm(digest.get(..16)?, nonce.as_bytes(), associated_data.as_bytes(), plain)?;
    Some(json!({"algorithm": "AEAD_SM4_GCM", "nonce": nonce, "associated_data": associated_data, "ciphertext": STANDARD.encode(ciphertext)}))
}

fn sm4_gcm(key: &[u8], nonce: &[u8], aad: &[u8], msg: &[u8]) -> Option<Vec<u8>> {
    let cipher = Sm4Gcm::new_from_slice(key).ok()?;
    cipher.encrypt(nonce.try_into().ok()?, Payload { msg, aad }).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
    }

    #[test]
    fn sm3_and_sm4_gcm_are_the_standards() {
        assert_eq!(hex(&Sm3::digest(b"abc")), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0", "GB/T 32905");
        let text = ["AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB", "CCCCCCCCCCCCCCCC", "DDDDDDDDDDDDDDDD", "EEEEEEEEEEEEEEEE", "FFFFFFFFFFFFFFFF"].concat();
        let text = format!("{text}EEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA");
        let sealed = sm4_gcm(
            &bytes("0123456789ABCDEFFEDCBA9876543210"),
            &bytes("00001234567800000000ABCD"),
            &bytes("FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2"),
            &bytes(&text),
        );
        let published =
            "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d";
        assert_eq!(sealed.map(|sealed| hex(&sealed)), Some(format!("{published}83de3541e4c2b58177e065a9bf7b62ec")), "RFC 8998");
    }

    #[test]
    fn the_standards_signature_verifies() {
        let key = SecretKey::from_slice(&bytes("3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8")).expect("a key");
        let (r, s) =
            ("F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3", "B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA");
        let signature = Signature::from_slice(&bytes(&format!("{r}{s}"))).expect("a signature");
        let public = key.public_key().to_public_key_pem(LineEnding::LF).expect("PEM");
        let signature = STANDARD.encode(signature.to_der().as_bytes());
        assert!(is_signed_by(&public, b"message digest", &signature), "GB/T 32918.5");
        assert!(!is_signed_by(&public, b"message digesT", &signature));
    }

    #[test]
    fn another_implementations_signature_verifies() {
        let vector: Value = serde_json::from_str(include_str!("../../tests/vectors/sm2.json")).expect("JSON");
        let text = |name: &str| vector[name].as_str().expect("text");
        assert!(is_signed_by(text("public_key"), text("message").as_bytes(), text("signature")));
        assert!(!is_signed_by(text("public_key"), b"x", text("signature")));
    }

    #[test]
    fn fields_and_keys_go_round() {
        let (private, public) = key_pair().expect("keys");
        let signature = sign(&private, b"x").expect("signed");
        assert!(is_signed_by(&public, b"x", &signature) && !is_signed_by(&public, b"y", &signature));
        let sealed = seal(&public, "张三").expect("sealed");
        assert_eq!(open(&private, &sealed).as_deref(), Some("张三"));
        assert_eq!(open(&key_pair().expect("keys").0, &sealed), None, "sealed for another");
        let resource = seal_resource("0123456789ABCDEFGHIJKLMNOPQRSTUV", b"{}", "transaction").expect("sealed");
        assert_eq!((resource["algorithm"].as_str(), resource["nonce"].as_str().map(str::len)), (Some("AEAD_SM4_GCM"), Some(12)));
    }
}
