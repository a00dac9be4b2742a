//! Closing: an order nobody has paid is called off, and is closed only once WeChat Pay says so. Paid meanwhile is paid.

use serde_json::json;

use super::rig::{Rig, ask, order, payment_in, said, talk};
use super::visitor;

/// A rig with an order that waits for its payer: its id and the code to scan.
async fn with_an_order() -> (Rig, String, String) {
    let rig = Rig::start().await;
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    (rig, text(&payment["id"]), text(&payment["next_action"]["code_url"]))
}

#[tokio::test]
async fn an_order_is_called_off_in_two_languages() {
    for words in ["cancel the order", "取消订单"] {
        let (rig, id, code) = with_an_order().await;
        let answer = rig.chat(&talk(&["pay for the blue sneakers", &format!("Scan here: /pay/{id}"), words])).await;
        assert_eq!(payment_in(&answer)["state"], "closed", "{}", answer.text());
        assert_eq!(rig.orders().await[0]["trade_state"], "CLOSED");
        assert_ne!(rig.phone(&code).await.json()["trade_state"], "SUCCESS", "nobody can pay it any more");
        let trail = rig.app.house.ledger.audit_trail(&rig.payment(&id).await.id).await.expect("reads");
        let kinds: Vec<&str> = trail.iter().map(|entry| entry.kind.as_str()).collect();
        assert_eq!(kinds, ["recorded", "moved", "close_asked", "moved"]);
        let again = rig.chat(&talk(&["x", &format!("/pay/{id}"), words, "ok", words])).await;
        assert_eq!(payment_in(&again)["state"], "closed", "closing what is closed changes nothing");
    }
}

#[tokio::test]
async fn paid_meanwhile_is_paid() {
    let (rig, id, code) = with_an_order().await;
    rig.faults(json!({"callbacks": {"drop": 1_000}})).await;
    rig.phone(&code).await;
    let answer = rig.chat(&talk(&["pay for the blue sneakers", &format!("Scan here: /pay/{id}"), "cancel the order"])).await;
    assert!(said(&answer).contains("paid"), "{}", answer.text());
    assert_eq!(rig.payment(&id).await.state.name(), "paid");
    assert_eq!(rig.orders().await[0]["trade_state"], "SUCCESS");
}

#[tokio::test]
async fn what_no_query_confirms_is_not_closed_yet() {
    let (rig, id, _) = with_an_order().await;
    rig.faults(json!({"query": {"status_503": 1}})).await;
    let answer = rig.chat(&talk(&["pay for the blue sneakers", &format!("Scan here: /pay/{id}"), "cancel the order"])).await;
    assert_eq!(payment_in(&answer)["state"], "awaiting_user", "{}", answer.text());
    rig.reconcile().sweep(fengate::clock::UnixMs(i64::MAX)).await;
    assert_eq!(rig.payment(&id).await.state.name(), "closed", "reconciliation finds out");
}

#[tokio::test]
async fn nobody_closes_what_is_not_theirs() {
    let other = fengate::ids::hex(&fengate::routes::hash_key("sk-third-merchants-key"));
    let third = format!("[[merchant]]\nid = \"third\"\nkeys = [\"sha256:{other}\"]\nmodels = [\"*\"]\n[merchant.wechatpay]\nsandbox = true");
    let rig = Rig::with(&third).await;
    let mut body = order("pay for the blue sneakers", 12_900);
    body["payment"]["idempotency_key"] = "cart-1".into();
    let payment = payment_in(&rig.chat(&body).await);
    let (id, number) = (payment["id"].as_str().expect("an id"), payment["out_trade_no"].as_str().expect("a number"));
    let key = ("authorization", "Bearer sk-third-merchants-key");
    let answer = rig.chat_as(&[key], &ask(&format!("cancel the order {id}"))).await;
    assert!(answer.json()["payments"].is_null() && said(&answer).contains("no such payment"), "{}", answer.text());
    // The number of a cart's order can be worked out; it opens nothing by itself.
    let by_number = ask(&format!("[call close_payment {{\"payment\":\"{number}\"}}]"));
    assert!(said(&rig.chat(&by_number).await).contains("no such payment"));
    assert_eq!(rig.payment(id).await.state.name(), "awaiting_user");
    // With the merchant's own word for the cart it means this order, named or not.
    let mut in_cart = talk(&["pay for it", "done", &format!("[call close_payment {{\"payment\":\"{number}\"}}]")]);
    in_cart["payment"] = json!({"idempotency_key": "cart-1"});
    assert_eq!(payment_in(&rig.chat(&in_cart).await)["state"], "closed");
    let closed = visitor::get(rig.public, &format!("/v1/payments/{id}"), &[super::rig::KEY]).await.json();
    assert_eq!(closed["state"], "closed");
}
