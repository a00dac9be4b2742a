//! Seals what only the merchant may read, with the APIv3 key: AEAD_AES_256_GCM.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::accounts::{Merchant, random};
use super::guomi;

/// Seals for a merchant, by the algorithm it is set to.
pub(super) fn seal_for(merchant: &Merchant, plain: &[u8], associated_data: &str) -> Option<Value> {
    if merchant.is_guomi() {
        return guomi::seal_resource(&merchant.apiv3_key, plain, associated_data);
    }
    seal(&merchant.apiv3_key, plain, associated_data)
}

/// The sealed object; `None` for a key that has not 32 characters.
pub(super) fn seal(apiv3_key: &str, plain: &[u8], associated_data: &str) -> Option<Value> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, apiv3_key.as_bytes()).ok()?);
    let nonce = crate::ids::hex(&random(6).ok()?);
    let mut text = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?, Aad::from(associated_data), &mut text).ok()?;
    Some(json!({"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": associated_data, "ciphertext": STANDARD.encode(text)}))
}
