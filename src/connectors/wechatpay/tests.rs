//! What the tests of this folder share: throw-away keys, a connector that is connected to nothing; and calls against a rail for tests.

use bytes::Bytes;
use http::{Method, StatusCode, Uri};

use super::call::Forwarded;
use super::fake::{Fake, Play};
use super::verify::tests::{KEY, NOW};
use super::{Algorithm, Config, Platform, SubMerchant, WechatPay};
use crate::clock::Clock;
use crate::connectors::{CloseOutcome, CreateOutcome, Invitation, QueryOutcome, RefundOutcome, RefundQueryOutcome, TradeType};
use crate::dial::Dial;
use crate::ids::{OutRefundNo, OutTradeNo};
use crate::merchant::WechatPayAccount;
use crate::metrics::Metrics;

/// A throw-away merchant key: made for each run, committed nowhere.
pub(super) fn fresh_key() -> rcgen::KeyPair {
    rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("an RSA key")
}

/// The vectors' merchant, with a key of its own, in public-key mode.
pub(super) fn connector_with(key: &rcgen::KeyPair, sub_merchant: Option<SubMerchant>) -> WechatPay {
    WechatPay::new(
        config(key, sub_merchant),
        Dial::new(std::time::Duration::from_secs(1)).expect("a client"),
        Clock::standing_at(NOW),
        Metrics::new().expect("metrics"),
    )
    .expect("an account")
}

pub(super) fn config(key: &rcgen::KeyPair, sub_merchant: Option<SubMerchant>) -> Config {
    Config {
        account: WechatPayAccount { mchid: "1900000001".to_owned(), appid: "wx0123456789abcdef".to_owned() },
        sub_merchant,
        algorithm: Algorithm::Rsa,
        serial: "5157F09EFDC096DE15EBE81A47057A7232F1B801".to_owned(),
        private_key_pem: key.serialize_pem(),
        apiv3_key: KEY.to_owned(),
        platform: Platform::PublicKey {
            id: "PUB_KEY_ID_0119000000012026010100000000000001".to_owned(),
            pem: include_str!("../../../tests/vectors/keys/wechatpay_pub_key.pem").to_owned(),
        },
        base_url: Uri::from_static("http://127.0.0.1:9"),
        backup_url: None,
    }
}

const ORDER: &[u8] = br#"{"frozen":1}"#;

fn signed(status: u16, body: &str) -> Play {
    Play::Signed(status, body.to_owned())
}

#[tokio::test]
async fn an_order_is_made_only_by_an_answer_that_can_be_believed() {
    let good = r#"{"code_url":"weixin://wxpay/bizpayurl?pr=1"}"#;
    let made = CreateOutcome::Ordered(Invitation::Code { code_url: "weixin://wxpay/bizpayurl?pr=1".to_owned() });
    for (play, expected) in [
        (signed(200, good), Some(made)),
        (Play::Forged(200, good.to_owned()), None),
        (Play::Bare(200, good.as_bytes().to_vec()), None),
        (signed(200, r#"{"prepay_id":"wx1"}"#), None),
        (signed(202, good), None),
        (Play::HangUp, None),
        (Play::Bare(502, b"<html>".to_vec()), None),
        (Play::Forged(400, r#"{"code":"PARAM_ERROR","message":"m"}"#.to_owned()), None),
        (
            signed(400, r#"{"code":"PARAM_ERROR","message":"m"}"#),
            Some(CreateOutcome::Refused { code: "PARAMERROR".to_owned(), message: "m".to_owned() }),
        ),
        (
            Play::Bare(400, br#"{"code":"PARAM_ERROR","message":"m"}"#.to_vec()),
            Some(CreateOutcome::Refused { code: "PARAMERROR".to_owned(), message: "m".to_owned() }),
        ),
    ] {
        let fake = Fake::serving(vec![play]).await;
        let outcome = fake.rail(|_| ()).create(TradeType::Native, ORDER).await;
        match expected {
            Some(expected) => assert_eq!(outcome, expected),
            None => assert!(matches!(outcome, CreateOutcome::Unknown { .. }), "{outcome:?}"),
        }
        let asked = fake.asked();
        assert_eq!(asked.len(), 1, "sent once");
        assert!(asked[0].starts_with("POST /v3/pay/transactions/native HTTP/1.1\r\n") && asked[0].ends_with(r#"{"frozen":1}"#), "{}", asked[0]);
    }
}

#[tokio::test]
async fn money_is_in_doubt_where_an_order_would_be_busy() {
    let busy = || signed(429, r#"{"code":"FREQUENCY_LIMITED","message":"m"}"#);
    let fake = Fake::serving(vec![busy()]).await;
    let rail = fake.rail(|_| ());
    assert!(matches!(rail.create(TradeType::Jsapi, ORDER).await, CreateOutcome::Busy { .. }));
    assert!(matches!(rail.refund(ORDER).await, RefundOutcome::Unknown { .. }));
    assert!(matches!(rail.close(&OutTradeNo::new("fg1")).await, CloseOutcome::Busy { .. }));
}

#[tokio::test]
async fn partners_ask_in_their_own_form() {
    let paid = r#"{"sp_mchid":"1900000001","sp_appid":"wx0123456789abcdef","sub_mchid":"OTHER","out_trade_no":"fg1","trade_state":"NOTPAY"}"#;
    let fake = Fake::serving(vec![
        signed(200, &paid.replace("OTHER", "1900000109")),
        signed(200, paid),
        signed(204, ""),
        signed(404, r#"{"code":"RESOURCE_NOT_EXISTS","message":"m"}"#),
    ])
    .await;
    let rail = fake.rail(|config| config.sub_merchant = Some(SubMerchant { sub_mchid: "1900000109".to_owned(), sub_appid: None }));
    let number = OutTradeNo::new("fg|1");
    assert!(matches!(rail.query(&number).await, QueryOutcome::Found(_)));
    assert!(matches!(rail.query_by_id("4200").await, QueryOutcome::Unknown { .. }), "another sub-merchant's order is none of ours");
    assert_eq!(rail.close(&number).await, CloseOutcome::Closed);
    assert_eq!(rail.query_refund(&OutRefundNo::new("r@1")).await, RefundQueryOutcome::NotFound);
    let lines: Vec<String> = fake.asked().iter().map(|request| request.lines().next().expect("a line").to_owned()).collect();
    assert_eq!(lines[0], "GET /v3/pay/partner/transactions/out-trade-no/fg%7C1?sp_mchid=1900000001&sub_mchid=1900000109 HTTP/1.1");
    assert_eq!(lines[1], "GET /v3/pay/partner/transactions/id/4200?sp_mchid=1900000001&sub_mchid=1900000109 HTTP/1.1");
    assert_eq!(lines[2], "POST /v3/pay/partner/transactions/out-trade-no/fg%7C1/close HTTP/1.1");
    assert_eq!(lines[3], "GET /v3/refund/domestic/refunds/r%401?sub_mchid=1900000109 HTTP/1.1");
    assert!(fake.asked()[2].ends_with(r#"{"sp_mchid":"1900000001","sub_mchid":"1900000109"}"#));
}

/// An address nobody listens on.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

#[tokio::test]
async fn the_backup_gets_the_same_bytes_when_nothing_was_sent_and_nothing_when_something_was() {
    let good = r#"{"code_url":"weixin://x"}"#;
    let backup = Fake::serving(vec![signed(200, good)]).await;
    let primary = nobody().await;
    let rail = backup.rail(|config| {
        config.base_url = primary.parse().expect("an address");
        config.backup_url = Some(backup.base.parse().expect("an address"));
    });
    for n in 1..=4 {
        assert!(matches!(rail.create(TradeType::Native, ORDER).await, CreateOutcome::Ordered(_)), "the backup carries on");
        let switches = rail.metrics.rail_host_switches.with_label_values(&["not_sent"]).get();
        assert_eq!(switches, u64::min(n, 3), "after three failures calls begin at the backup");
    }
    assert!(backup.asked().iter().all(|request| request.ends_with(r#"{"frozen":1}"#)));

    let hangs = Fake::serving(vec![Play::HangUp]).await;
    let spare = Fake::serving(vec![signed(200, good)]).await;
    let rail = spare.rail(|config| {
        config.base_url = hangs.base.parse().expect("an address");
        config.backup_url = Some(spare.base.parse().expect("an address"));
    });
    assert!(matches!(rail.create(TradeType::Native, ORDER).await, CreateOutcome::Unknown { .. }), "it may have arrived");
    assert!(spare.asked().is_empty());
    let refuses = Fake::serving(vec![Play::Bare(503, b"{}".to_vec())]).await;
    let rail = spare.rail(|config| {
        config.base_url = refuses.base.parse().expect("an address");
        config.backup_url = Some(spare.base.parse().expect("an address"));
    });
    assert!(matches!(rail.query(&OutTradeNo::new("fg1")).await, QueryOutcome::Unknown { .. }), "an answer is never a reason");
    assert!(spare.asked().is_empty());
}

#[tokio::test]
async fn a_foreign_request_goes_out_as_it_is_and_its_answer_comes_back_as_it_is() {
    let fake = Fake::serving(vec![signed(200, r#"{"a": 1}"#), signed(403, r#"{"code":"NO_AUTH"}"#), Play::Bare(200, b"{}".to_vec())]).await;
    let rail = fake.rail(|_| ());
    let target = "/v3/pay/transactions/out-trade-no/a%7Cb?mchid=1900000001";
    let answer = |status: StatusCode, body: &'static str| Forwarded::Answer { status, body: Bytes::from(body) };
    assert_eq!(rail.forward(Method::GET, target, Bytes::new()).await, answer(StatusCode::OK, r#"{"a": 1}"#));
    assert_eq!(rail.forward(Method::POST, "/v3/x", Bytes::from("{ }")).await, answer(StatusCode::FORBIDDEN, r#"{"code":"NO_AUTH"}"#));
    assert!(matches!(rail.forward(Method::POST, "/v3/x", Bytes::from("{ }")).await, Forwarded::Unknown { .. }), "unsigned success");
    assert!(fake.asked()[0].starts_with(&format!("GET {target} HTTP/1.1\r\n")) && fake.asked()[1].ends_with("{ }"));
}

/// A certificate for `pair`, as the platform lists it: sealed with the vectors' APIv3 key.
fn listed(pair: &rcgen::KeyPair, serial: &[u8]) -> String {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use base64::Engine;
    let mut params = rcgen::CertificateParams::default();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(serial));
    let mut pem = params.self_signed(pair).expect("a certificate").pem().into_bytes();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, KEY.as_bytes()).expect("a key"));
    key.seal_in_place_append_tag(Nonce::try_assume_unique_for_key(b"uluk4a9R25RW").expect("a nonce"), Aad::from("certificate"), &mut pem)
        .expect("sealed");
    let ciphertext = base64::engine::general_purpose::STANDARD.encode(pem);
    let sealed =
        serde_json::json!({"algorithm": "AEAD_AES_256_GCM", "nonce": "uluk4a9R25RW", "associated_data": "certificate", "ciphertext": ciphertext});
    serde_json::json!({"data": [{"serial_no": crate::ids::hex(serial).to_uppercase(), "effective_time": "x", "expire_time": "x", "encrypt_certificate": sealed}]}).to_string()
}

#[tokio::test]
async fn certificates_are_fetched_once_before_anything_is_believed() {
    let (pair, serial) = (fresh_key(), [0x0a; 20]);
    let keys = (pair.serialize_pem(), pair.public_key_pem());
    let unpaid = r#"{"mchid":"1900000001","appid":"wx0123456789abcdef","out_trade_no":"fg1","trade_state":"NOTPAY"}"#;
    let plays = vec![signed(200, unpaid), signed(200, &listed(&pair, &serial)), signed(200, unpaid)];
    let fake = Fake::with(Algorithm::Rsa, &crate::ids::hex(&serial), keys, plays).await;
    let rail = fake.rail(|config| config.platform = Platform::Certificates);
    let number = OutTradeNo::new("fg1");
    assert!(matches!(rail.query(&number).await, QueryOutcome::Found(_)));
    assert!(fake.asked()[1].starts_with("GET /v3/certificates HTTP/1.1\r\n"));
    assert!(matches!(rail.query(&number).await, QueryOutcome::Found(_)));
    assert_eq!(fake.asked().len(), 3, "asked for once");
    assert_eq!(rail.sealer_for(true).await.expect("a key").serial(), Some("0A".repeat(20).as_str()), "fields are sealed with it too");
}

#[tokio::test]
async fn certificates_come_by_themselves() {
    let (pair, serial) = (fresh_key(), [0x0b; 20]);
    let keys = (pair.serialize_pem(), pair.public_key_pem());
    let fake = Fake::with(Algorithm::Rsa, &crate::ids::hex(&serial), keys, vec![signed(200, &listed(&pair, &serial))]).await;
    let rail = std::sync::Arc::new(fake.rail(|config| config.platform = Platform::Certificates));
    let tasks = crate::tasks::Tasks::new();
    rail.keep_fresh(&tasks);
    while rail.ring.is_empty() {
        tokio::task::yield_now().await;
    }
    tasks.stop();
    assert_eq!(rail.metrics.rail_calls.with_label_values(&["certificates", "ok"]).get(), 1);
}

#[tokio::test]
async fn guomi_goes_both_ways() {
    let fake = Fake::of_guomi(vec![signed(200, r#"{"code_url":"weixin://x"}"#), Play::Forged(200, r#"{"code_url":"weixin://x"}"#.to_owned())]).await;
    let rail = fake.rail(|_| ());
    assert!(matches!(rail.create(TradeType::Native, ORDER).await, CreateOutcome::Ordered(_)));
    assert!(matches!(rail.create(TradeType::Native, ORDER).await, CreateOutcome::Unknown { .. }));
    assert!(fake.asked()[0].contains("authorization: WECHATPAY2-SM2-WITH-SM3 mchid="), "{}", fake.asked()[0]);
    let sealer = rail.sealer_for(true).await.expect("a key");
    assert!(sealer.seal(Some("张三")).is_ok_and(|field| field.is_some()));
    assert!(rail.client_parameters(super::paysign::Client::Jsapi, "wx1").is_err(), "how clients sign is not documented");
    let mut mixed = config(&fresh_key(), None);
    mixed.algorithm = Algorithm::Sm2;
    let dial = Dial::new(std::time::Duration::from_secs(1)).expect("a client");
    let made = WechatPay::new(mixed, dial, Clock::standing_at(NOW), Metrics::new().expect("metrics"));
    assert!(made.is_err(), "an RSA key signs no GuoMi");
}
