//! The sandbox's other products: the self test, uploads, transfers, pay score, papay.

use serde_json::{Value, json};

use super::market::{Market, verdict};
use super::stall::Stall;
use super::visitor;

#[tokio::test]
async fn the_self_test_answers_seals_and_calls_back() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let test = json!({"echo_message": "hello", "encrypted_echo_message": market.sealed("6217000012345678901"), "notify_url": stall.url()});
    let echoed = market.post_sealed(&shop, "/v3/security/echo", &test).await;
    assert_eq!(echoed.status, 200, "{}", echoed.text());
    assert_eq!(
        (&echoed.json()["echo_message"], market.opened(&echoed.json()["encrypted_echo_message"])),
        (&json!("hello"), "6217000012345678901".to_owned())
    );
    let notice = stall.until(1).await.remove(0);
    let content = notice.open(&shop.apiv3_key);
    assert_eq!(
        (&notice.envelope["event_type"], market.opened(&content["encrypt_echo_message"])),
        (&json!("SECURITY_ECHO.SUCCESS"), "6217000012345678901".to_owned())
    );
    assert_eq!(verdict(&shop.post("/v3/security/echo", &test).await), (400, "PARAM_ERROR".to_owned()), "no Wechatpay-Serial");
}

#[tokio::test]
async fn an_upload_is_signed_over_its_meta_and_checked_by_its_digest() {
    let market = Market::open().await;
    let shop = market.demo();
    let file = b"\x89PNG\r\n\x1a\nfake";
    let digest = fengate::ids::hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, file).as_ref());
    let sent = async |meta: Value, signed: &str, path: &str| {
        let mut body =
            format!("--b0\r\nContent-Disposition: form-data; name=\"meta\";\r\nContent-Type: application/json\r\n\r\n{meta}\r\n").into_bytes();
        body.extend_from_slice(b"--b0\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\";\r\nContent-Type: image/png\r\n\r\n");
        body.extend_from_slice(file);
        body.extend_from_slice(b"\r\n--b0--\r\n");
        let authorization = shop.signed("POST", path, signed.as_bytes(), shop.clock.now().seconds());
        let fields = [("accept", "*/*"), ("user-agent", "shop/1"), ("authorization", authorization.as_str())];
        let mut request = visitor::post_request(market.address, path, &fields, body);
        request.headers_mut().insert("content-type", "multipart/form-data; boundary=b0".parse().expect("a value"));
        visitor::send(market.address, request).await
    };
    let path = "/v3/merchant/media/upload";
    let meta = json!({"filename": "a.png", "sha256": digest});
    let taken = sent(meta.clone(), &meta.to_string(), path).await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    assert!(taken.json()["media_id"].as_str().is_some_and(|id| id.contains(&digest)));
    assert_eq!(verdict(&sent(meta.clone(), "{}", path).await), (401, "SIGN_ERROR".to_owned()), "another text was signed");
    let wrong = json!({"filename": "a.png", "sha256": "0".repeat(64)});
    assert_eq!(verdict(&sent(wrong.clone(), &wrong.to_string(), path).await), (400, "PARAM_ERROR".to_owned()));
    let path = "/v3/merchant/media/video_upload";
    assert_eq!(verdict(&sent(meta.clone(), &meta.to_string(), path).await), (400, "PARAM_ERROR".to_owned()), "no video");
    let path = "/v3/marketing/favor/media/image-upload";
    assert!(sent(meta.clone(), &meta.to_string(), path).await.json()["media_url"].is_string());
}

fn transfer(appid: &str, number: &str, amount: i64, notify_url: &str) -> Value {
    json!({
        "appid": appid, "out_bill_no": number, "transfer_scene_id": "1000", "openid": "oUser", "transfer_amount": amount,
        "transfer_remark": "thanks", "notify_url": notify_url,
        "transfer_scene_report_infos": [{"info_type": "活动名称", "info_content": "新会员"}, {"info_type": "奖励说明", "info_content": "注册"}],
    })
}

const TRANSFERS: &str = "/v3/fund-app/mch-transfer/transfer-bills";

#[tokio::test]
async fn a_transfer_waits_for_its_user() {
    let (mut market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let asked = transfer(&shop.appid, "B1", 100, &stall.url());
    let made = shop.post(TRANSFERS, &asked).await.json();
    assert_eq!((&made["state"], made["package_info"].is_string()), (&json!("WAIT_USER_CONFIRM"), true), "{made}");
    assert_eq!(shop.post(TRANSFERS, &asked).await.json()["transfer_bill_no"], made["transfer_bill_no"]);
    let other = transfer(&shop.appid, "B1", 101, &stall.url());
    assert_eq!(verdict(&shop.post(TRANSFERS, &other).await), (400, "ALREADY_EXISTS".to_owned()));
    market.restart().await;
    let shop = market.demo();
    market.say("/phone/products", json!({"confirm_transfer": made["package_info"]})).await;
    let told = shop.get(&format!("{TRANSFERS}/out-bill-no/B1")).await.json();
    assert_eq!((&told["state"], &told["mch_id"]), (&json!("SUCCESS"), &json!(shop.mchid)));
    let notice = stall.until(1).await.remove(0);
    assert_eq!(notice.envelope["event_type"], "MCHTRANSFER.BILL.FINISHED");
    assert_eq!(notice.open(&shop.apiv3_key)["state"], "SUCCESS");
    assert_eq!(verdict(&shop.post(&format!("{TRANSFERS}/out-bill-no/B1/cancel"), &json!({})).await), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(verdict(&shop.get(&format!("{TRANSFERS}/out-bill-no/B9")).await), (404, "NOT_FOUND".to_owned()));
}

#[tokio::test]
async fn a_transfer_is_cancelled_or_closed_and_large_ones_need_a_name() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let large = transfer(&shop.appid, "B1", 200_000, &stall.url());
    assert_eq!(verdict(&shop.post(TRANSFERS, &large).await), (400, "PARAM_ERROR".to_owned()));
    let named = |sealed: String| {
        let mut named = large.clone();
        named["user_name"] = sealed.into();
        named
    };
    let made = market.post_sealed(&shop, TRANSFERS, &named(market.sealed("张三"))).await.json();
    let again = market.post_sealed(&shop, TRANSFERS, &named(market.sealed("张三"))).await.json();
    assert_eq!(again["transfer_bill_no"], made["transfer_bill_no"], "the same name, sealed differently");
    let told = shop.get(&format!("{TRANSFERS}/transfer-bill-no/{}", made["transfer_bill_no"].as_str().expect("text"))).await.json();
    assert_eq!(market.opened(&told["user_name"]), "张三");
    let cancelled = shop.post(&format!("{TRANSFERS}/out-bill-no/B1/cancel"), &json!({})).await.json();
    assert_eq!(cancelled["state"], "CANCELING");
    market.say("/sandbox/clock", json!({"advance_ms": 1_000})).await;
    assert_eq!(shop.get(&format!("{TRANSFERS}/out-bill-no/B1")).await.json()["state"], "CANCELLED");
    shop.post(TRANSFERS, &transfer(&shop.appid, "B2", 30, &stall.url())).await;
    market.say("/sandbox/clock", json!({"advance_ms": 86_400_001})).await;
    let notices = stall.until(2).await;
    let states: Vec<_> = notices.iter().map(|notice| notice.open(&shop.apiv3_key)["state"].clone()).collect();
    assert_eq!(states, [json!("CANCELLED"), json!("FAIL")], "nobody had to ask");
    assert_eq!(shop.get(&format!("{TRANSFERS}/out-bill-no/B2")).await.json()["fail_reason"], "OVERDUE_CLOSE");
}

const SCORE: &str = "/v3/payscore/serviceorder";

#[tokio::test]
async fn a_service_is_used_first_and_paid_afterwards() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let service = json!({
        "out_order_no": "S1", "appid": shop.appid, "service_id": "500001", "service_introduction": "充电宝",
        "time_range": {"start_time": "20260101080000"}, "risk_fund": {"name": "DEPOSIT", "amount": 10_000}, "notify_url": stall.url(), "need_user_confirm": true,
    });
    let made = shop.post(SCORE, &service).await.json();
    assert_eq!((&made["state"], made["package"].is_string()), (&json!("CREATED"), true), "{made}");
    assert_eq!(shop.post(SCORE, &service).await.json()["order_id"], made["order_id"]);
    let named = |more: Value| {
        let mut json = json!({"appid": shop.appid, "service_id": "500001"});
        json.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        json
    };
    let bill =
        named(json!({"post_payments": [{"name": "费用", "amount": 400}], "post_discounts": [{"name": "优惠", "amount": 100}], "total_amount": 300}));
    assert_eq!(verdict(&shop.post(&format!("{SCORE}/S1/complete"), &bill).await), (400, "INVALID_ORDER_STATE".to_owned()));
    market.say("/phone/products", json!({"confirm_service": made["package"]})).await;
    let completed = shop.post(&format!("{SCORE}/S1/complete"), &bill).await.json();
    assert_eq!((&completed["state_description"], &completed["collection"]["state"]), (&json!("MCH_COMPLETE"), &json!("USER_PAYING")), "{completed}");
    let less = named(json!({"post_payments": [{"name": "费用", "amount": 250}], "total_amount": 250, "reason": "投诉"}));
    assert_eq!(shop.post(&format!("{SCORE}/S1/modify"), &less).await.json()["total_amount"], 250);
    assert_eq!(shop.post(&format!("{SCORE}/S1/modify"), &less).await.status, 400, "once");
    market.say("/phone/products", json!({"pay_service": made["order_id"]})).await;
    let told = shop.get(&format!("{SCORE}?service_id=500001&appid={}&out_order_no=S1", shop.appid)).await.json();
    assert_eq!((&told["state"], &told["collection"]["paid_amount"]), (&json!("DONE"), &json!(250)));
    let kinds: Vec<_> = stall.until(2).await.iter().map(|notice| notice.envelope["event_type"].clone()).collect();
    assert_eq!(kinds, [json!("PAYSCORE.USER_CONFIRM"), json!("PAYSCORE.USER_PAID")]);
    let refund = json!({
        "transaction_id": told["collection"]["details"][0]["transaction_id"], "out_refund_no": "R1",
        "amount": {"refund": 250, "total": 250, "currency": "CNY"},
    });
    assert_eq!(shop.post("/v3/refund/domestic/refunds", &refund).await.status, 200, "a collection is refunded like any payment");
    let cancel = named(json!({"reason": "不要了"}));
    assert_eq!(verdict(&shop.post(&format!("{SCORE}/S1/cancel"), &cancel).await), (400, "ORDER_DONE".to_owned()));
    assert_eq!(verdict(&shop.post(&format!("{SCORE}/S9/cancel"), &cancel).await), (404, "ORDER_NOT_EXIST".to_owned()));
}

#[tokio::test]
async fn a_contract_is_signed_charged_and_ended() {
    let (market, stall) = (Market::open().await, Stall::open().await);
    let shop = market.demo();
    let offer = json!({
        "appid": shop.appid, "plan_id": 12535, "out_contract_code": "C1", "contract_display_account": "会员", "notify_url": stall.url(),
    });
    let offered = shop.post("/v3/papay/sign/contracts/pre-entrust-sign", &offer).await.json();
    let path = "/v3/papay/sign/contracts/plan-id/12535/out-contract-code/C1";
    assert_eq!(shop.get(path).await.status, 404, "nobody signed");
    let signed = market.say("/phone/products", json!({"sign_contract": offered["pre_entrustweb_id"]})).await;
    let told = shop.get(path).await.json();
    assert_eq!((&told["contract_id"], &told["contract_state"]), (&signed["contract_id"], &json!("SIGNED")));
    let charge = |number: &str, total: i64| {
        json!({
            "appid": shop.appid, "out_trade_no": number, "description": "月费", "transaction_notify_url": stall.url(),
            "contract_id": told["contract_id"], "amount": {"total": total, "currency": "CNY"},
        })
    };
    let apply = "/v3/papay/pay/transactions/apply";
    assert_eq!(shop.post(apply, &charge("papay-0001", 1_500)).await.status, 204);
    assert_eq!(shop.post(apply, &charge("papay-0001", 1_500)).await.status, 204, "the same again charges nothing");
    assert_eq!(verdict(&shop.post(apply, &charge("papay-0001", 1_501)).await).0, 400);
    let order = shop.get(&format!("/v3/pay/transactions/out-trade-no/papay-0001?mchid={}", shop.mchid)).await.json();
    assert_eq!((&order["trade_state"], &order["amount"]["total"]), (&json!("SUCCESS"), &json!(1_500)));
    let notices = stall.until(2).await;
    let kinds: Vec<_> = notices.iter().map(|notice| notice.envelope["event_type"].clone()).collect();
    assert_eq!(kinds, [json!("PAPAY.SIGN"), json!("TRANSACTION.SUCCESS")]);
    assert_eq!(shop.post(&format!("{path}/terminate"), &json!({"contract_termination_remark": "到期"})).await.status, 204);
    assert_eq!(shop.get(path).await.json()["contract_state"], "TERMINATED");
    assert_eq!(verdict(&shop.post(apply, &charge("papay-0002", 1)).await), (400, "INVALID_REQUEST".to_owned()));
    assert_eq!(stall.until(3).await.pop().expect("one").envelope["event_type"], "PAPAY.TERMINATE");
}
