//! What a client needs to invoke a payment: a page inside WeChat, a mini-program or an app. Signed with the merchant's key; the key stays here.

use std::collections::BTreeMap;

use super::super::advice::Failed;
use super::WechatPay;
use crate::ids::nonce;

/// Who invokes a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// A page inside WeChat (`WeixinJSBridge`, `chooseWXPay`).
    Jsapi,
    /// A mini-program (`wx.requestPayment`).
    MiniProgram,
    /// An app with WeChat's SDK.
    App,
}

/// Name and value of every parameter, as the client's SDK calls them.
pub type ClientParameters = BTreeMap<&'static str, String>;

/// The four lines that are signed, each with its LF. The fourth names the order; an app's has no `prepay_id=` before it.
fn message(app_id: &str, timestamp: &str, nonce: &str, fourth: &str) -> String {
    format!("{app_id}\n{timestamp}\n{nonce}\n{fourth}\n")
}

impl WechatPay {
    pub(in crate::connectors) fn client_parameters(&self, client: Client, prepay_id: &str) -> Result<ClientParameters, Failed> {
        let sub_appid = self.sub_merchant.as_ref().and_then(|sub| sub.sub_appid.as_deref());
        let app_id = sub_appid.unwrap_or(&self.account.appid).to_owned();
        let (timestamp, nonce) = (self.clock.now().seconds().to_string(), nonce());
        let package = format!("prepay_id={prepay_id}");
        let sign_type = self.signer.sign_type().ok_or_else(|| Failed::never("how a client signs with GuoMi is not documented"))?;
        let signed = |fourth: &str| {
            let signature = self.signer.sign(message(&app_id, &timestamp, &nonce, fourth).as_bytes());
            signature.ok_or_else(|| Failed::unsent("the system gives no random numbers"))
        };
        match client {
            Client::Jsapi | Client::MiniProgram => {
                let signature = signed(&package)?;
                let mut parameters = BTreeMap::from([
                    ("timeStamp", timestamp.clone()),
                    ("nonceStr", nonce.clone()),
                    ("package", package),
                    ("signType", sign_type.to_owned()),
                    ("paySign", signature),
                ]);
                if client == Client::Jsapi {
                    parameters.insert("appId", app_id);
                }
                Ok(parameters)
            }
            Client::App if self.sub_merchant.is_some() => {
                Err(Failed::never("which number a sub-merchant's app gives as partnerId is not documented"))
            }
            Client::App => {
                let signature = signed(prepay_id)?;
                Ok(BTreeMap::from([
                    ("appId", app_id.clone()),
                    ("partnerId", self.account.mchid.clone()),
                    ("prepayId", prepay_id.to_owned()),
                    ("packageValue", "Sign=WXPay".to_owned()),
                    ("nonceStr", nonce.clone()),
                    ("timeStamp", timestamp.clone()),
                    ("sign", signature),
                ]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rustls::pki_types::SubjectPublicKeyInfoDer;
    use rustls::pki_types::pem::PemObject;

    use super::super::tests::{connector_with, fresh_key};
    use super::super::verify::tests::{text_of, vectors};
    use super::*;

    #[test]
    fn the_signed_text_is_the_vendors_to_the_byte() {
        let pem = include_bytes!("../../../tests/vectors/keys/merchant_pub_key.pem");
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem).expect("a key");
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, spki.as_ref());
        let all = vectors("pay_sign");
        assert_eq!(all.len(), 2);
        for vector in &all {
            let prepay_id = text_of(vector, "prepay_id");
            let fourth = if text_of(vector, "field") == "paySign" { format!("prepay_id={prepay_id}") } else { prepay_id };
            let built = message(&text_of(vector, "appid"), &text_of(vector, "timestamp"), &text_of(vector, "nonce"), &fourth);
            assert_eq!(built, text_of(vector, "signed_message_utf8"), "{}", vector["id"]);
            let signature = STANDARD.decode(text_of(vector, "signature")).expect("base64");
            assert!(key.verify(built.as_bytes(), &signature).is_ok(), "{}", vector["id"]);
        }
    }

    #[test]
    fn each_client_gets_what_its_sdk_asks_for() {
        let pair = fresh_key();
        let rail = connector_with(&pair, None);
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key_raw());
        for (client, names, fourth, field) in [
            (Client::Jsapi, &["appId", "nonceStr", "package", "paySign", "signType", "timeStamp"][..], "prepay_id=wx01", "paySign"),
            (Client::MiniProgram, &["nonceStr", "package", "paySign", "signType", "timeStamp"], "prepay_id=wx01", "paySign"),
            (Client::App, &["appId", "nonceStr", "packageValue", "partnerId", "prepayId", "sign", "timeStamp"], "wx01", "sign"),
        ] {
            let parameters = rail.client_parameters(client, "wx01").expect("parameters");
            assert_eq!(parameters.keys().copied().collect::<Vec<_>>(), names);
            let text = message("wx0123456789abcdef", &parameters["timeStamp"], &parameters["nonceStr"], fourth);
            let signature = STANDARD.decode(&parameters[field]).expect("base64");
            assert!(key.verify(text.as_bytes(), &signature).is_ok(), "{client:?}");
        }
    }
}
