//! The classic path, gateway-signed: a fengate key is enough to make an order, which is a payment in the ledger from its first moment, and
//! whose merchant hears of it as from WeChat Pay itself.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fengate::ids::{MerchantId, OutTradeNo};
use fengate::payment::record::Payment;
use serde_json::{Value, json};
use x509_cert::Certificate;
use x509_cert::der::{DecodePem, Encode};

use super::rig::{KEY, OTHER, Rig};
use super::upstream::{Upstream, status_answer};
use super::visitor::{self, Answer};

const NATIVE: &str = "/v3/pay/transactions/native";

fn order(number: &str) -> Value {
    json!({"description": "蓝色球鞋", "out_trade_no": number, "attach": "附加", "amount": {"total": 188, "currency": "CNY"}})
}

async fn create(rig: &Rig, order: &Value) -> Answer {
    visitor::post(rig.public, NATIVE, &[KEY], order.to_string()).await
}

async fn payment(rig: &Rig, number: &str) -> Option<Payment> {
    rig.app.house.ledger.payment_by_out_trade_no(&MerchantId::new("demo"), &OutTradeNo::new(number)).await.expect("reads")
}

fn apiv3_key(rig: &Rig) -> String {
    let text = std::fs::read_to_string(rig.dir.join("sandbox/account.json")).expect("an account");
    serde_json::from_str::<Value>(&text).expect("JSON")["apiv3_key"].as_str().expect("a key").to_owned()
}

fn unsealed(key: &str, sealed: &Value) -> Vec<u8> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_bytes()).expect("32 bytes"));
    let text = |name: &str| sealed[name].as_str().expect("text").to_owned();
    let mut bytes = STANDARD.decode(text("ciphertext")).expect("base64");
    let nonce = Nonce::try_assume_unique_for_key(text("nonce").as_bytes()).expect("12 bytes");
    key.open_in_place(nonce, Aad::from(text("associated_data")), &mut bytes).expect("opens").to_vec()
}

/// Every certificate listed for the merchant, opened, by its number.
async fn certificates(rig: &Rig) -> Vec<(String, Certificate)> {
    let answer = visitor::get(rig.public, "/v3/certificates", &[KEY]).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let json = answer.json();
    let list = json["data"].as_array().expect("a list");
    list.iter()
        .map(|item| {
            let pem = unsealed(&apiv3_key(rig), &item["encrypt_certificate"]);
            (item["serial_no"].as_str().expect("a number").to_owned(), Certificate::from_pem(&pem).expect("a certificate"))
        })
        .collect()
}

#[tokio::test]
async fn an_order_is_in_the_ledger_and_its_merchant_is_told_as_by_wechat_pay() {
    let shop = Upstream::start(|_| status_answer(204, "")).await;
    let rig = Rig::start().await;
    let mut written = order("SO-2026-0001");
    written["notify_url"] = format!("http://{}/wechat/notify", shop.address).into();
    let answer = create(&rig, &written).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let code_url = answer.json()["code_url"].as_str().expect("a code").to_owned();
    let recorded = payment(&rig, "SO-2026-0001").await.expect("recorded");
    assert_eq!(answer.header("fengate-payment"), recorded.id.as_str());
    assert_eq!((recorded.decided_by.name(), recorded.state.name(), recorded.terms.amount.minor()), ("classic", "awaiting_user", 188));
    assert_eq!(rig.orders().await[0]["notify_url"], format!("http://{}/callbacks/wechatpay/demo", rig.public), "fengate hears first");

    rig.phone(&code_url).await;
    rig.until_state(recorded.id.as_str(), "paid").await;
    let heard = visitor::until("the notice", || async { shop.requests().first().cloned() }).await;
    let (head, body) = heard.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("POST /wechat/notify HTTP/1.1"), "{head}");
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_else(|| panic!("no {name}: {head}"));
    let serial = field("wechatpay-serial");
    let listed = certificates(&rig).await;
    assert_eq!(listed.len(), 2, "WeChat Pay's and fengate's");
    let (_, certificate) = listed.iter().find(|(number, _)| number == serial).expect("the signing certificate is listed");
    let spki = certificate.tbs_certificate.subject_public_key_info.to_der().expect("a key");
    let key = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &spki).expect("RSA");
    let text = format!("{}\n{}\n{body}\n", field("wechatpay-timestamp"), field("wechatpay-nonce"));
    key.verify_sig(text.as_bytes(), &STANDARD.decode(field("wechatpay-signature")).expect("base64")).expect("the signature holds");
    let envelope: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!((&envelope["event_type"], &envelope["resource_type"]), (&"TRANSACTION.SUCCESS".into(), &"encrypt-resource".into()));
    let resource: Value = serde_json::from_slice(&unsealed(&apiv3_key(&rig), &envelope["resource"])).expect("JSON");
    assert_eq!(
        (&resource["out_trade_no"], &resource["trade_state"], &resource["attach"]),
        (&"SO-2026-0001".into(), &"SUCCESS".into(), &"附加".into())
    );
    assert!(resource["payer"]["openid"].is_string(), "all that WeChat Pay said is passed on: {resource}");
    visitor::until("the answer to be written down", || async {
        let notices = rig.app.house.ledger.notices_of(&recorded.id).await.expect("reads");
        (notices[0].answered == Some(204) && notices[0].next.is_none()).then_some(())
    })
    .await;
    let asked = visitor::get(rig.public, "/v3/pay/transactions/out-trade-no/SO-2026-0001", &[KEY]).await;
    assert_eq!((asked.status.as_u16(), &asked.json()["trade_state"]), (200, &"SUCCESS".into()));
}

#[tokio::test]
async fn one_number_is_one_order_however_often_it_is_sent() {
    let rig = Rig::start().await;
    let written = order("SO-2026-0002");
    let answers = futures_util::future::join_all((0..8).map(|_| create(&rig, &written))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let mut changed = written.clone();
    changed["amount"]["total"] = 1.into();
    let refused = create(&rig, &changed).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &"OUT_TRADE_NO_USED".into()));
    let orders = rig.orders().await;
    assert_eq!((orders.len(), orders[0]["creates"].as_u64()), (1, Some(8)), "one order; the changed one was never sent");
    let code_url = answers.last().expect("one").json()["code_url"].clone();
    assert!(code_url.is_string());

    let closed = visitor::post(rig.public, "/v3/pay/transactions/out-trade-no/SO-2026-0002/close", &[KEY], "").await;
    assert_eq!((closed.status.as_u16(), closed.body.len()), (204, 0), "{}", closed.text());
    assert_eq!(payment(&rig, "SO-2026-0002").await.expect("there").state.name(), "closed");
    let again = create(&rig, &written).await;
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (400, &"ORDER_CLOSED".into()));
}

#[tokio::test]
async fn an_answer_that_got_lost_is_an_unknown_that_the_same_request_resolves() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"reset_after_acting": 1}})).await;
    let written = order("SO-2026-0003");
    let lost = create(&rig, &written).await;
    assert_eq!((lost.status.as_u16(), &lost.json()["code"]), (502, &"SYSTEM_ERROR".into()));
    assert_eq!(payment(&rig, "SO-2026-0003").await.expect("recorded before it left").state.name(), "unknown");
    let again = create(&rig, &written).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(payment(&rig, "SO-2026-0003").await.expect("there").state.name(), "awaiting_user");
    assert_eq!(rig.orders().await.len(), 1);
}

#[tokio::test]
async fn what_wechat_pay_refuses_comes_back_as_it_said_it() {
    let rig = Rig::start().await;
    rig.faults(json!({"create": {"param_error": 1}})).await;
    let refused = create(&rig, &order("SO-2026-0004")).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (400, &"PARAM_ERROR".into()));
    assert_eq!(payment(&rig, "SO-2026-0004").await.expect("recorded").state.name(), "failed");
    let unknown = visitor::get(rig.public, "/v3/pay/transactions/out-trade-no/nobody-0001", &[KEY]).await;
    assert_eq!((unknown.status.as_u16(), &unknown.json()["code"]), (404, &"ORDER_NOT_EXIST".into()));
}

#[tokio::test]
async fn a_key_opens_what_is_safe_and_nothing_else() {
    let rig = Rig::start().await;
    let post = async |path: &str, field: (&str, &str), body: String| visitor::post(rig.public, path, &[field], body).await;
    for (what, answer, status, code) in [
        ("a wrong key", post(NATIVE, ("authorization", "Bearer sk-nobody"), order("SO-2026-0005").to_string()).await, 401, "SIGN_ERROR"),
        ("a merchant without an account", post(NATIVE, OTHER, order("SO-2026-0005").to_string()).await, 403, "NO_AUTH"),
        ("a refund", post("/v3/refund/domestic/refunds", KEY, "{}".to_owned()).await, 403, "NO_AUTH"),
        ("a transfer", post("/v3/fund-app/mch-transfer/transfer-bills", KEY, "{}".to_owned()).await, 403, "NO_AUTH"),
        ("another's number", post(NATIVE, KEY, json!({"mchid": "1900000002"}).to_string()).await, 400, "PARAM_ERROR"),
        ("no order", post(NATIVE, KEY, "[]".to_owned()).await, 400, "PARAM_ERROR"),
        ("a long body", post(NATIVE, KEY, "x".repeat(70_000)).await, 413, "INVALID_REQUEST"),
    ] {
        assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &code.into()), "{what}: {}", answer.text());
    }
    assert!(rig.orders().await.is_empty());
    assert!(payment(&rig, "SO-2026-0005").await.is_none());
}

#[tokio::test]
async fn in_public_key_mode_fengates_is_the_one_certificate_or_stands_beside() {
    let rig = Rig::with("# public_key_mode").await;
    let listed = certificates(&rig).await;
    let own = rig.app.house.herald.key.serial.clone();
    assert!(listed.iter().any(|(serial, _)| *serial == own));
    assert_eq!(create(&rig, &order("SO-2026-0006")).await.status, 200);
}

#[tokio::test]
async fn a_partner_signs_for_itself() {
    let dir = tempfile::tempdir().expect("a folder");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    std::fs::write(dir.path().join("merchant.pem"), key.serialize_pem()).expect("written");
    std::fs::write(dir.path().join("apiv3.txt"), "0123456789ABCDEFGHIJKLMNOPQRSTUV").expect("written");
    let hash = fengate::ids::hex(&fengate::routes::hash_key("sk-partner"));
    let nobody = Upstream::nobody().await;
    let more = format!(
        "[[merchant]]\nid = \"partner\"\nkeys = [\"sha256:{hash}\"]\n[merchant.wechatpay]\nmchid = \"1900000101\"\nsub_mchid = \"1900000109\"\nappid = \"wx0123456789abcdef\"\nserial = \"01\"\nprivate_key = \"file:merchant.pem\"\napiv3_key = \"file:apiv3.txt\"\nplatform = \"certificates\"\nbase_url = \"http://{nobody}\"\n"
    );
    let rig = Rig::in_dir(dir.path(), &super::rig::routes_text(&more)).await;
    let refused = visitor::post(rig.public, NATIVE, &[("authorization", "Bearer sk-partner")], order("SO-2026-0007").to_string()).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (403, &"NO_AUTH".into()));
    assert!(refused.json()["message"].as_str().expect("text").contains("partner"));
}
