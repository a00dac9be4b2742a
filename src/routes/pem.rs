//! Whether a PEM holds the key it is there for: found out when the file is read, where there is a line to name. Nothing is kept.

use aws_lc_rs::signature::{KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

/// An RSA private key, PKCS#8 or PKCS#1. Of a GuoMi account it has to be some private key: what is in it, its connector judges.
pub(super) fn is_private_key(pem: &str, is_guomi: bool) -> bool {
    if is_guomi {
        return PrivateKeyDer::from_pem_slice(pem.as_bytes()).is_ok();
    }
    let key = match PrivateKeyDer::from_pem_slice(pem.as_bytes()) {
        Ok(PrivateKeyDer::Pkcs8(der)) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        Ok(PrivateKeyDer::Pkcs1(der)) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        _ => return false,
    };
    key.is_ok_and(|key| !key.public_key().as_ref().is_empty())
}

/// An RSA public key (`PUBLIC KEY`) of 2048 bits or more; of a GuoMi account some public key.
pub(super) fn is_public_key(pem: &str, is_guomi: bool) -> bool {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes());
    der.is_ok_and(|der| is_guomi || ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref()).is_ok())
}
