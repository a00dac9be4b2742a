//! A function call becomes an order: whole, streamed, paid, asked about; and the page that shows it.

use serde_json::{Value, json};

use super::rig::{KEY, OTHER, Rig, ask, order, payment_in, streamed};
use super::visitor::{self, events, told};

#[tokio::test]
async fn from_words_to_settled_money() {
    let rig = Rig::start().await;
    let question = order("pay for the blue sneakers", 12_900);
    let answer = rig.chat(&question).await;
    assert_eq!((answer.status.as_u16(), answer.header("x-should-retry")), (200, "false"), "{}", answer.text());
    let payment = payment_in(&answer);
    assert_eq!(payment["order_id"], question["payment"]["order"]["id"]);
    assert_eq!(payment["amount"], json!({"total": 12_900, "currency": "CNY"}));
    assert_eq!((payment["state"].as_str(), payment["decided_by"].as_str()), (Some("awaiting_user"), Some("model")));
    assert_eq!(payment["model_version"], "sandbox-base-1");
    let (id, code) = (payment["id"].as_str().expect("an id"), payment["next_action"]["code_url"].as_str().expect("a code"));
    assert!(answer.json()["usage"]["total_tokens"].as_u64().expect("usage") > 0);
    rig.phone(code).await;
    let paid = rig.until_state(id, "paid").await;
    let orders = rig.orders().await;
    assert_eq!((orders.len(), orders[0]["creates"].as_i64(), orders[0]["amount_fen"].as_i64()), (1, Some(1), Some(12_900)));
    assert_eq!(paid.transaction_id.as_deref(), orders[0]["transaction_id"].as_str());
    let object = visitor::get(rig.public, &format!("/v1/payments/{id}"), &[KEY]).await.json();
    assert_eq!((object["state"].as_str(), object["next_action"]["type"].as_str()), (Some("paid"), Some("none")));
    assert_eq!(visitor::get(rig.public, &format!("/v1/payments/{id}"), &[OTHER]).await.error_code(), "payment_not_found");
    let trail = rig.app.house.ledger.audit_trail(&paid.id).await.expect("reads");
    let moves: Vec<String> = trail.iter().map(|entry| format!("{}>{}", entry.kind, entry.to.clone().unwrap_or_default())).collect();
    assert_eq!(moves, ["recorded>created", "moved>awaiting_user", "moved>paid"]);
    assert_eq!(rig.metric("fengate_payments_total{decided_by=\"model\",state=\"paid\"}").await, 1.0);
}

#[tokio::test]
async fn the_same_streamed() {
    let rig = Rig::start().await;
    let mut body = streamed(order("帮我付蓝色球鞋的钱", 12_900));
    body["stream_options"] = json!({"include_usage": true});
    let stream = rig.chat(&body).await.text();
    assert!(stream.ends_with("data: [DONE]\n\n"), "{stream}");
    assert!(!stream.contains("tool_calls"), "payment calls never show: {stream}");
    assert!(told(&stream).contains("129.00 CNY"), "{}", told(&stream));
    let chunks: Vec<Value> = events(&stream).iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let ids: std::collections::HashSet<&str> = chunks.iter().filter_map(|chunk| chunk["id"].as_str()).collect();
    assert_eq!(ids.len(), 1, "one stream, one id");
    let roles = chunks.iter().filter(|chunk| chunk["choices"][0]["delta"]["role"].is_string()).count();
    assert_eq!(roles, 1, "one role");
    let with_payments: Vec<&Value> = chunks.iter().filter(|chunk| chunk["payments"].is_array()).collect();
    assert_eq!(with_payments.len(), 1);
    assert_eq!(
        (with_payments[0]["choices"][0]["finish_reason"].as_str(), with_payments[0]["payments"][0]["state"].as_str()),
        (Some("stop"), Some("awaiting_user"))
    );
    let usage = chunks.last().expect("a chunk");
    assert_eq!(usage["choices"], json!([]));
    assert!(usage["usage"]["prompt_tokens"].as_u64().expect("usage of both turns") > 0);
    let code = with_payments[0]["payments"][0]["next_action"]["code_url"].as_str().expect("a code");
    rig.phone(code).await;
    rig.until_state(with_payments[0]["payments"][0]["id"].as_str().expect("an id"), "paid").await;
}

#[tokio::test]
async fn the_users_own_words_can_name_the_amount_and_the_client_can_declare_the_tool() {
    let rig = Rig::start().await;
    let mut body = ask("pay 45 yuan for a pot of tea");
    body["model"] = "plain".into();
    body["tools"] = json!([{"type": "function", "function": {"name": "create_payment", "parameters": {"type": "object", "properties": {"total_fee": {"type": "integer"}, "body": {"type": "string"}}}}}]);
    body["tool_choice"] = json!({"type": "function", "function": {"name": "create_payment"}});
    let payment = payment_in(&rig.chat(&body).await);
    assert_eq!(payment["amount"]["total"], 4_500);
    assert_eq!(payment["lines"][0]["description"], "pot of tea");
    let said = payment_in(&rig.chat(&ask("12块5，微信付奶茶")).await);
    assert_eq!(said["amount"]["total"], 1_250);
}

#[tokio::test]
async fn a_conversation_asks_how_its_payment_stands() {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let id = payment["id"].as_str().expect("an id");
    // The notice is lost: the question itself must find out.
    rig.faults(json!({"callbacks": {"drop": 1_000}})).await;
    rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await;
    let mut body = order("x", 12_900);
    body["messages"] = json!([
        {"role": "user", "content": "pay for the blue sneakers"}, {"role": "assistant", "content": format!("Here: /pay/{id}")}, {"role": "user", "content": "did it go through?"},
    ]);
    let answer = rig.chat(&body).await;
    assert_eq!(payment_in(&answer)["state"], "paid", "{}", answer.text());
    assert!(answer.json()["choices"][0]["message"]["content"].as_str().expect("text").contains("is paid"));
    assert_eq!(rig.orders().await.len(), 1);
    let mut foreign = ask(&format!("did it go through, {id}?"));
    foreign["model"] = "wechat-pay-base".into();
    let answer = rig.chat_as(&[OTHER], &foreign).await;
    assert!(answer.json()["payments"].is_null(), "another merchant's payment is none: {}", answer.text());
}

#[tokio::test]
async fn the_page_shows_the_code_and_follows_the_payment() {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let id = payment["id"].as_str().expect("an id").to_owned();
    let path = format!("/pay/{id}");
    let page = visitor::get(rig.public, &path, &[("accept-language", "zh-CN,zh;q=0.9")]).await;
    assert_eq!(page.status, 200);
    for part in ["<svg", "129.00", "blue sneakers", "lang=\"zh-CN\"", "请用微信扫码支付"] {
        assert!(page.text().contains(part), "{part}");
    }
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert!(visitor::get(rig.public, &path, &[]).await.text().contains("lang=\"en\""));
    let public = rig.public;
    let following = tokio::task::spawn(async move { visitor::get(public, &format!("/pay/{id}/events"), &[]).await.text() });
    // Every other connection of this test is closed by now.
    visitor::until("a listener", || async { (rig.metric("fengate_connections{listener=\"public\"}").await == 1.0).then_some(()) }).await;
    rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await;
    let seen = following.await.expect("followed");
    let last: Value = serde_json::from_str(events(&seen).last().expect("an event")).expect("JSON");
    assert_eq!((last["state"].as_str(), last["final"].as_bool()), (Some("paid"), Some(true)), "{seen}");
    assert!(!visitor::get(rig.public, &path, &[]).await.text().contains("<svg"), "nothing left to scan");
    assert_eq!(visitor::get(rig.public, "/pay/pay_unknown", &[]).await.status, 404);
}

#[tokio::test]
async fn a_description_cannot_write_into_the_page() {
    let rig = Rig::start().await;
    let mut body = order("pay for it", 100);
    body["payment"]["order"]["description"] = "<script>alert(1)</script>".into();
    let payment = payment_in(&rig.chat(&body).await);
    let page = visitor::get(rig.public, &format!("/pay/{}", payment["id"].as_str().expect("an id")), &[]).await.text();
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
}

#[tokio::test]
async fn declining_leaves_it_open_and_paying_later_settles_it() {
    let rig = Rig::with("# public_key_mode").await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let code = payment["next_action"]["code_url"].as_str().expect("a code");
    let declined = visitor::post(rig.sandbox, "/phone/pay", &[], json!({"code_url": code, "decline": true}).to_string()).await;
    assert_eq!(declined.json()["trade_state"], "NOTPAY");
    let id = payment["id"].as_str().expect("an id");
    assert_eq!(rig.payment(id).await.state.name(), "awaiting_user");
    rig.phone(code).await;
    rig.until_state(id, "paid").await;
    assert_eq!(visitor::post(rig.sandbox, "/phone/pay", &[], r#"{"code_url":"weixin://nothing"}"#).await.status, 404);
    assert!(visitor::get(rig.sandbox, "/", &[("accept-language", "zh")]).await.text().contains("付款人的手机"));
}
