//! What a page or an app hands to WeChat to start a payment, checked as WeChat checks it, and what is wrong with it said in words: the
//! commonest mistakes are tried one by one.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::Inner;
use super::super::accounts::MerchantKey;
use super::super::book::order::{Order, Product};
use super::Words;

/// What was handed over.
pub(super) struct Handed {
    product: Product,
    app_id: String,
    time_stamp: String,
    nonce: String,
    /// `prepay_id=…` of a JSAPI page, the bare number of an app.
    package: String,
    sign: String,
}

const JSAPI: [&str; 5] = ["appId", "timeStamp", "nonceStr", "package", "paySign"];
const APP: [&str; 5] = ["appid", "timestamp", "noncestr", "prepayid", "sign"];

impl Handed {
    /// Reads the parameters of `WeixinJSBridge`, or those of the app SDK: whichever name of theirs is there.
    pub(super) fn read(given: &BTreeMap<String, String>) -> Result<Self, Words> {
        let is_app = given.contains_key("prepayid");
        let names = if is_app { APP } else { JSAPI };
        let mut values = names.map(|name| given.get(name).cloned().unwrap_or_default());
        if values.iter().any(String::is_empty) {
            return Err(if is_app {
                (
                    "缺少参数：需要 appid、partnerid、prepayid、package、noncestr、timestamp、sign",
                    "a parameter is missing: appid, partnerid, prepayid, package, noncestr, timestamp, sign are needed",
                )
            } else {
                (
                    "缺少参数：需要 appId、timeStamp、nonceStr、package、signType、paySign（注意大小写）",
                    "a parameter is missing: appId, timeStamp, nonceStr, package, signType, paySign are needed, spelt so",
                )
            });
        }
        let [app_id, time_stamp, nonce, package, sign] = &mut values;
        let take = |text: &mut String| std::mem::take(text);
        let product = if is_app { Product::App } else { Product::Jsapi };
        let handed =
            Self { product, app_id: take(app_id), time_stamp: take(time_stamp), nonce: take(nonce), package: take(package), sign: take(sign) };
        handed.form(given)?;
        Ok(handed)
    }

    fn form(&self, given: &BTreeMap<String, String>) -> Result<(), Words> {
        let is = |name: &str, value: &str| given.get(name).is_some_and(|given| given == value);
        if self.time_stamp.len() != 10 || !self.time_stamp.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("timeStamp 应为以秒为单位的10位数字字符串", "timeStamp is a text of ten digits: seconds, not milliseconds"));
        }
        if self.product == Product::App && !is("package", "Sign=WXPay") {
            return Err(("package 应为 Sign=WXPay", "package has to be Sign=WXPay"));
        }
        if self.product == Product::Jsapi && !is("signType", "RSA") {
            return Err(("signType 应为 RSA", "signType has to be RSA"));
        }
        if self.product == Product::Jsapi && !self.package.starts_with("prepay_id=") {
            return Err(("package 应以 prepay_id= 开头", "package has to begin with prepay_id="));
        }
        Ok(())
    }

    fn prepay_id(&self) -> &str {
        self.package.strip_prefix("prepay_id=").unwrap_or(&self.package)
    }

    /// The order this starts the payment of, if WeChat would let it.
    pub(super) fn check(&self, inner: &Inner) -> Result<Order, Words> {
        let order = inner.orders.all().into_iter().find(|order| order.prepay_id == self.prepay_id());
        let order = order.ok_or(("没有这个 prepay_id，或它已被新的替换", "no order has this prepay_id, or a newer one has replaced it"))?;
        if order.product != self.product {
            return Err(("prepay_id 不是由此产品的下单接口返回的", "the prepay_id comes from another product's order"));
        }
        let own = ["appid", "sp_appid", "sub_appid"].iter().any(|name| order.text(name) == self.app_id);
        if !own {
            return Err(("appId 与下单时的 appid 不一致", "appId is not the one the order was made with"));
        }
        let merchant = inner.accounts.by_mchid(&order.key.mchid).ok_or(("商户不存在", "no such merchant"))?;
        self.verify(&merchant.key)?;
        Ok(order)
    }

    fn verify(&self, key: &MerchantKey) -> Result<(), Words> {
        if STANDARD.decode(&self.sign).is_err() {
            return Err(("签名不是base64", "the signature is not base64"));
        }
        let signed = |text: &str| key.verifies(text.as_bytes(), &self.sign);
        let text = |package: &str, end: &str| format!("{}\n{}\n{}\n{package}{end}", self.app_id, self.time_stamp, self.nonce);
        if signed(&text(&self.package, "\n")) {
            return Ok(());
        }
        let other = if self.product == Product::App { format!("prepay_id={}", self.package) } else { self.prepay_id().to_owned() };
        Err(if signed(&text(&self.package, "")) {
            ("签名串最后一行缺少换行符", "the signed text lacks the line feed after its last line")
        } else if signed(&text(&other, "\n")) {
            (
                "签名串第四行有误：JSAPI 为 prepay_id=…，App 为不带前缀的 prepay_id",
                "the fourth line is wrong: prepay_id=… for JSAPI, the bare number for an app",
            )
        } else {
            (
                "签名错误：四行依次为 appId、timeStamp、nonceStr、package，用商户私钥签名",
                "the signature does not hold: four lines, appId, timeStamp, nonceStr, package, signed with the merchant's key",
            )
        })
    }
}
