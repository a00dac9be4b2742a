//! Callbacks: only what WeChat Pay really signed, about an order that matches in every field, moves anything. Forgeries here are signed with
//! the sandbox's own platform key, so that each check is reached.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::rig::{Rig, order, payment_in};
use super::visitor::{self, Answer};

/// The platform, in a test's hands.
pub(crate) struct Platform {
    pub(crate) account: Value,
    key: RsaKeyPair,
}

impl Platform {
    pub(crate) fn of(rig: &Rig) -> Self {
        let text = std::fs::read_to_string(rig.dir.join("sandbox/account.json")).expect("an account");
        let account: Value = serde_json::from_str(&text).expect("JSON");
        let der = PrivatePkcs8KeyDer::from_pem_slice(account["platform_key"].as_str().expect("a key").as_bytes()).expect("PEM");
        Self { key: RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("RSA"), account }
    }

    /// A notice about `transaction`.
    fn notice(&self, transaction: &Value) -> String {
        self.sealed("TRANSACTION.SUCCESS", "transaction", transaction)
    }

    /// A notice about anything.
    pub(crate) fn sealed(&self, event_type: &str, kind: &str, resource: &Value) -> String {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.account["apiv3_key"].as_str().expect("a key").as_bytes()).expect("32 bytes"));
        let mut text = resource.to_string().into_bytes();
        key.seal_in_place_append_tag(Nonce::try_assume_unique_for_key(b"abcdefghijkl").expect("12 bytes"), Aad::from(kind), &mut text)
            .expect("sealed");
        let resource = json!({"algorithm": "AEAD_AES_256_GCM", "original_type": kind, "nonce": "abcdefghijkl", "associated_data": kind, "ciphertext": STANDARD.encode(text)});
        json!({"id": "n-1", "event_type": event_type, "resource_type": "encrypt-resource", "resource": resource}).to_string()
    }

    pub(crate) fn fields(&self, body: &str, seconds: i64) -> Vec<(&'static str, String)> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let text = format!("{seconds}\nnonce\n{body}\n");
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).expect("signed");
        let serial = self.account["platform_serial"].as_str().expect("a serial").to_owned();
        vec![
            ("wechatpay-timestamp", seconds.to_string()),
            ("wechatpay-nonce", "nonce".into()),
            ("wechatpay-serial", serial),
            ("wechatpay-signature", STANDARD.encode(signature)),
        ]
    }
}

pub(crate) async fn deliver(rig: &Rig, merchant: &str, fields: &[(&'static str, String)], body: &str) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    visitor::post(rig.public, &format!("/callbacks/wechatpay/{merchant}"), &fields, body.to_owned()).await
}

fn now(rig: &Rig) -> i64 {
    rig.app.house.clock.now().seconds()
}

/// A transaction that settles the payment, to be spoilt field by field.
fn transaction(platform: &Platform, payment: &Value) -> Value {
    json!({
        "mchid": platform.account["mchid"], "appid": platform.account["appid"], "out_trade_no": payment["out_trade_no"], "trade_state": "SUCCESS",
        "transaction_id": "4200000000000000000000000001", "success_time": "2026-01-01T08:00:00+08:00", "amount": {"total": 12_900, "currency": "CNY", "payer_total": 12_900},
    })
}

#[tokio::test]
async fn what_does_not_match_the_ledger_moves_nothing() {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let platform = Platform::of(&rig);
    let spoilt: [(&str, Value, u16, &str); 8] = [
        ("/amount/total", json!(1), 400, "mismatch"),
        ("/amount/total", json!(1_290_000), 400, "mismatch"),
        ("/amount/total", Value::Null, 400, "mismatch"),
        ("/amount/currency", json!("USD"), 400, "mismatch"),
        ("/mchid", json!("1999999999"), 400, "mismatch"),
        ("/appid", json!("wx9"), 400, "mismatch"),
        ("/transaction_id", Value::Null, 400, "mismatch"),
        ("/out_trade_no", json!("fg00000000000000000000000000000x"), 404, "unknown_order"),
    ];
    for (pointer, value, status, verdict) in spoilt {
        let mut transaction = transaction(&platform, &payment);
        *transaction.pointer_mut(pointer).expect("a field") = value;
        let body = platform.notice(&transaction);
        let before = rig.metric(&format!("fengate_callbacks_total{{verdict=\"{verdict}\"}}")).await;
        let answer = deliver(&rig, "demo", &platform.fields(&body, now(&rig)), &body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str()), (status, Some("FAIL")), "{pointer}");
        assert_eq!(rig.metric(&format!("fengate_callbacks_total{{verdict=\"{verdict}\"}}")).await, before + 1.0);
    }
    let id = payment["id"].as_str().expect("an id");
    assert_eq!(rig.payment(id).await.state.name(), "awaiting_user");
    let trail = rig.app.house.ledger.audit_trail(&rig.payment(id).await.id).await.expect("reads");
    assert_eq!(trail.iter().filter(|entry| entry.kind == "exception").count(), 7, "each mismatch is in the trail");
    // Unspoilt it settles, once; again it is known; another word for it is no news.
    let body = platform.notice(&transaction(&platform, &payment));
    for _ in 0..2 {
        assert_eq!(deliver(&rig, "demo", &platform.fields(&body, now(&rig)), &body).await.status, 204);
    }
    assert_eq!(rig.payment(id).await.state.name(), "paid");
    assert_eq!(
        (rig.metric("fengate_callbacks_total{verdict=\"settled\"}").await, rig.metric("fengate_callbacks_total{verdict=\"known\"}").await),
        (1.0, 1.0)
    );
}

#[tokio::test]
async fn what_wechat_pay_did_not_sign_moves_nothing() {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let platform = Platform::of(&rig);
    let body = platform.notice(&transaction(&platform, &payment));
    let good = platform.fields(&body, now(&rig));
    let with = |name: &str, value: String| {
        good.iter().map(|(field, old)| (*field, if *field == name { value.clone() } else { old.clone() })).collect::<Vec<_>>()
    };
    let probe = format!("WECHATPAY/SIGNTEST/{}", good[3].1);
    let cases = [
        ("a changed byte", good.clone(), body.replacen("n-1", "n-2", 1), 401, "bad_signature"),
        ("no signature", good[..3].to_vec(), body.clone(), 401, "bad_signature"),
        ("an old one", platform.fields(&body, now(&rig) - 301), body.clone(), 401, "stale"),
        ("one of tomorrow", platform.fields(&body, now(&rig) + 400), body.clone(), 401, "stale"),
        ("a probe", with("wechatpay-signature", probe), body.clone(), 401, "probe"),
        ("an unknown key", with("wechatpay-serial", "7777".into()), body.clone(), 401, "bad_signature"),
        ("signed rubbish", platform.fields("{}", now(&rig)), "{}".into(), 400, "malformed"),
        ("too long", good.clone(), "x".repeat(70_000), 413, "malformed"),
    ];
    for (what, fields, body, status, verdict) in cases {
        let before = rig.metric(&format!("fengate_callbacks_total{{verdict=\"{verdict}\"}}")).await;
        assert_eq!(deliver(&rig, "demo", &fields, &body).await.status.as_u16(), status, "{what}");
        assert_eq!(rig.metric(&format!("fengate_callbacks_total{{verdict=\"{verdict}\"}}")).await, before + 1.0, "{what}");
    }
    assert_eq!(deliver(&rig, "nobody", &good, &body).await.status, 404);
    assert_eq!(deliver(&rig, "other", &good, &body).await.status, 404, "a merchant without an account");
    assert_eq!(rig.payment(payment["id"].as_str().expect("an id")).await.state.name(), "awaiting_user");
}

#[tokio::test]
async fn a_notice_that_does_not_come_is_answered_before_wechat_pay_hangs_up() {
    let rig = Rig::start().await;
    let since = tokio::time::Instant::now();
    let half = "POST /callbacks/wechatpay/demo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 100\r\n\r\n{";
    let answer = visitor::raw(rig.public, half.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("FAIL"), "{answer}");
    assert!((4..5).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    assert_eq!(rig.metric("fengate_callbacks_total{verdict=\"unavailable\"}").await, 1.0);
}

#[tokio::test]
async fn thirty_copies_of_a_notice_at_once_settle_once() {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let platform = Platform::of(&rig);
    let body = platform.notice(&transaction(&platform, &payment));
    let fields = platform.fields(&body, now(&rig));
    let answers = futures_util::future::join_all((0..30).map(|_| deliver(&rig, "demo", &fields, &body))).await;
    assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
    let verdicts = async |verdict| rig.metric(&format!("fengate_callbacks_total{{verdict=\"{verdict}\"}}")).await;
    assert_eq!((verdicts("settled").await, verdicts("known").await), (1.0, 29.0));
    let trail = rig.app.house.ledger.audit_trail(&rig.payment(payment["id"].as_str().expect("an id")).await.id).await.expect("reads");
    assert_eq!(trail.iter().filter(|entry| entry.to.as_deref() == Some("paid")).count(), 1);
    assert_eq!(rig.metric("fengate_payments_total{decided_by=\"model\",state=\"paid\"}").await, 1.0);
}

#[tokio::test]
async fn probes_drops_and_doubles_of_the_payment_side_still_settle_once() {
    let rig = Rig::with("").await;
    rig.faults(json!({"callbacks": {"bad_signature": 1, "drop": 1, "duplicate": true}})).await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await;
    let id = payment["id"].as_str().expect("an id");
    rig.until_state(id, "paid").await;
    visitor::until("the notice to be taken", || async { rig.orders().await[0]["notified"].as_bool().filter(|taken| *taken) }).await;
    let trail = rig.app.house.ledger.audit_trail(&rig.payment(id).await.id).await.expect("reads");
    assert_eq!(trail.iter().filter(|entry| entry.to.as_deref() == Some("paid")).count(), 1);
}
