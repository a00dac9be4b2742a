//! Giving back: a conversation refunds what it paid, in whole or in part, to where it came from: when the user plainly asks or the merchant
//! says so, never more than was paid, never twice for one request.

use fengate::clock::{Clock, UnixMs};
use serde_json::{Value, json};

use super::rig::{KEY, Rig, ask, order, payment_in, said, streamed, talk};
use super::visitor;

/// A minute and a second, in milliseconds.
pub(crate) const A_MINUTE_MS: i64 = 61_000;

/// A clock at a moment the sandbox's keys are valid at.
#[expect(clippy::disallowed_methods, reason = "the test's clock starts at the time of day")]
pub(crate) fn clock() -> Clock {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    Clock::standing_at(UnixMs(i64::try_from(since.as_millis()).expect("this millennium")))
}

/// Pays 129 yuan for sneakers; the payment's id.
pub(crate) async fn paid(rig: &Rig) -> String {
    let payment = payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await);
    rig.phone(payment["next_action"]["code_url"].as_str().expect("a code")).await;
    let id = payment["id"].as_str().expect("an id").to_owned();
    rig.until_state(&id, "paid").await;
    id
}

/// The conversation about a payment, ending in `words`.
pub(crate) fn about(id: &str, words: &str) -> Value {
    talk(&["pay for the blue sneakers", &format!("It is paid, see /pay/{id}"), words])
}

#[tokio::test]
async fn all_of_it_goes_back_in_two_languages() {
    for (words, says) in [("they do not fit, refund the sneakers", "under way"), ("不合脚，退款", "正在处理")] {
        let rig = Rig::start().await;
        let id = paid(&rig).await;
        visitor::post(rig.sandbox, "/sandbox/switches", &[], json!({"refund_ms": 60_000}).to_string()).await;
        let answer = rig.chat(&about(&id, words)).await;
        assert!(said(&answer).contains(says), "{}", answer.text());
        assert_eq!(payment_in(&answer)["state"], "refunding", "accepted is not refunded: its notice says that");
        visitor::post(rig.sandbox, "/sandbox/clock", &[], json!({"advance_ms": 60_000}).to_string()).await;
        rig.until_state(&id, "refunded").await;
        let there = rig.refunds().await;
        assert_eq!((there.len(), there[0]["amount_fen"].as_i64(), there[0]["status"].as_str()), (1, Some(12_900), Some("SUCCESS")));
        let shown = visitor::get(rig.public, &format!("/v1/payments/{id}"), &[KEY]).await.json();
        assert_eq!(shown["refunded"], json!({"total": 12_900, "currency": "CNY"}));
        assert_eq!(shown["refunds"][0]["out_refund_no"], there[0]["out_refund_no"]);
        assert_eq!((shown["refunds"][0]["state"].as_str(), shown["refunds"][0]["refund_id"].is_string()), (Some("refunded"), true));
        let page = visitor::get(rig.public, &format!("/pay/{id}"), &[("accept-language", "en")]).await.text();
        assert!(page.contains("Refunded in full"), "{page}");
        let again = rig.chat(&about(&id, "refund it once again")).await;
        assert!(said(&again).contains("nothing of this payment is left"), "{}", again.text());
        assert_eq!(rig.refunds().await.len(), 1);
    }
}

#[tokio::test]
async fn in_parts_never_twice_and_never_more_than_was_paid() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    let first = about(&id, "refund 29 yuan because one was missing");
    for body in [first.clone(), streamed(first.clone()), first.clone()] {
        assert_eq!(rig.chat(&body).await.status, 200);
    }
    assert_eq!(rig.refunds().await.len(), 1, "the same request is the same refund, streamed or not");
    rig.until_state(&id, "partially_refunded").await;
    let shown = visitor::get(rig.public, &format!("/v1/payments/{id}"), &[KEY]).await.json();
    assert_eq!(shown["refunds"][0]["reason"], "one was missing");
    let soon = rig.chat(&about(&id, "refund another 10 yuan")).await;
    assert!(said(&soon).contains("less than a minute"), "{}", soon.text());
    clock.advance_ms(A_MINUTE_MS);
    let much = rig.chat(&about(&id, "refund 101 yuan")).await;
    assert!(said(&much).contains("only 100.00 CNY"), "{}", much.text());
    rig.chat(&about(&id, "refund 30 yuan")).await;
    assert_eq!(rig.until_state(&id, "partially_refunded").await.refunded.map(fengate::money::Money::minor), Some(5_900));
    clock.advance_ms(A_MINUTE_MS);
    rig.chat(&about(&id, "refund the rest")).await;
    rig.until_state(&id, "refunded").await;
    let amounts: i64 = rig.refunds().await.iter().map(|refund| refund["amount_fen"].as_i64().expect("fen")).sum();
    assert_eq!((rig.refunds().await.len(), amounts), (3, 12_900));
    let trail = rig.app.house.ledger.audit_trail(&rig.payment(&id).await.id).await.expect("reads");
    assert_eq!(trail.iter().filter(|entry| entry.kind == "refund_recorded").count(), 3);
    // An order that was given back in full stays that order: who buys again has another one.
    clock.advance_ms(3 * 60 * 60 * 1_000);
    assert_eq!(payment_in(&rig.chat(&order("pay for the blue sneakers", 12_900)).await)["id"], id.as_str());
    assert_ne!(payment_in(&rig.chat(&order("buy the blue sneakers", 12_900)).await)["id"], id.as_str());
}

#[tokio::test]
async fn a_models_word_alone_gives_nothing_back() {
    let rig = Rig::with("[[function]]\nname = \"undo\"\noperation = \"refund\"\narguments = { payment = \"/payment\", amount = \"/amount\" }").await;
    let id = paid(&rig).await;
    let tools =
        json!([{"type": "function", "function": {"name": "undo", "parameters": {"type": "object", "properties": {"payment": {"type": "string"}}}}}]);
    for (words, says) in [
        (format!("hello [call undo {{\"payment\":\"{id}\"}}]"), "does not plainly ask"),
        (format!("don't refund it [call undo {{\"payment\":\"{id}\"}}]"), "does not plainly ask"),
        (format!("do you give refunds? [call undo {{\"payment\":\"{id}\"}}]"), "does not plainly ask"),
        (format!("refund 10 yuan [call undo {{\"payment\":\"{id}\",\"amount\":2000}}]"), "say 1000 fen"),
        (format!("refund half of it [call undo {{\"payment\":\"{id}\"}}]"), "does not plainly ask"),
        (format!("a part of it broke, refund it [call undo {{\"payment\":\"{id}\"}}]"), "no single exact amount"),
        (format!("refund it [call undo {{\"payment\":\"{id}\",\"amount\":500}}]"), "129.00 CNY of this payment is left"),
        ("refund it [call undo {\"payment\":\"pay_00000000000000000000000000000000\"}]".to_owned(), "no such payment"),
    ] {
        let mut body = about("", &words);
        body["tools"] = tools.clone();
        let answer = rig.chat(&body).await;
        assert!(said(&answer).contains(says), "{words}: {}", answer.text());
    }
    assert!(rig.refunds().await.is_empty());
    assert_eq!(rig.payment(&id).await.state.name(), "paid");
    // Two calls of one turn move money once.
    let call = format!("[call undo {{\"payment\":\"{id}\",\"amount\":1000}}]");
    let mut body = about("", &format!("refund 10 yuan {call}{call}"));
    body["tools"] = tools;
    rig.chat(&body).await;
    assert_eq!(rig.refunds().await.len(), 1);
}

#[tokio::test]
async fn the_merchants_own_word_is_enough_and_bounds_what_goes_back() {
    let rig = Rig::start().await;
    let id = paid(&rig).await;
    let with_word = |words: &str, refund: Value| {
        let mut body = ask(words);
        body["payment"] = json!({"refund": refund});
        body
    };
    let call = |arguments: &str| format!("the parcel came back [call refund_payment {arguments}]");
    let wish = json!({"id": "R-1", "payment": id, "amount": {"total": 2_900}, "reason": "returned"});
    let other = rig.chat(&with_word(&call("{\"amount\":12900}"), wish.clone())).await;
    assert!(said(&other).contains("exactly 2900 fen"), "{}", other.text());
    for words in [call("{}"), call("{\"amount\":2900}")] {
        rig.chat(&with_word(&words, wish.clone())).await;
        let payment = rig.until_state(&id, "partially_refunded").await;
        assert_eq!(payment.refunded.map(fengate::money::Money::minor), Some(2_900), "the merchant's number is one refund, however it is asked for");
    }
    let reused = rig.chat(&with_word(&call("{}"), json!({"id": "R-1", "payment": id, "amount": {"total": 100}}))).await;
    assert!(said(&reused).contains("another refund"), "{}", reused.text());
    assert_eq!(rig.refunds().await.len(), 1);
    let mistyped = rig.chat(&with_word("x", json!({"amount": {"total": -1}}))).await;
    assert_eq!((mistyped.status.as_u16(), mistyped.error_code().as_str()), (400, "invalid_payment"));
}

#[tokio::test]
async fn another_merchant_cannot_refund_and_an_unpaid_order_cannot_be() {
    let hash = fengate::ids::hex(&fengate::routes::hash_key("sk-third-merchants-key"));
    let third = format!("[[merchant]]\nid = \"third\"\nkeys = [\"sha256:{hash}\"]\nmodels = [\"*\"]\n[merchant.wechatpay]\nsandbox = true");
    let rig = Rig::with(&third).await;
    let id = paid(&rig).await;
    let answer = rig.chat_as(&[("authorization", "Bearer sk-third-merchants-key")], &about(&id, "refund the sneakers")).await;
    assert!(said(&answer).contains("no such payment"), "{}", answer.text());
    let mut unpaid = order("pay for the blue sneakers", 500);
    unpaid["payment"]["order"]["id"] = "SO-2".into();
    let unpaid = payment_in(&rig.chat(&unpaid).await);
    let answer = rig.chat(&about(unpaid["id"].as_str().expect("an id"), "refund it")).await;
    assert!(said(&answer).contains("only what was paid"), "{}", answer.text());
    assert!(rig.refunds().await.is_empty());
}

#[tokio::test]
async fn one_wish_is_one_refund_whatever_is_said_behind_it() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    let call = format!("[call refund_payment {{\"payment\":\"{id}\",\"amount\":1000}}]");
    let wish = format!("refund 10 yuan {call}");
    let seen = format!("It is paid, see /pay/{id}");
    rig.chat(&talk(&["pay for the blue sneakers", &seen, &wish])).await;
    rig.until_state(&id, "partially_refunded").await;
    clock.advance_ms(A_MINUTE_MS);
    // A model that repeats its call behind an "ok", in an agent's loop, with another setting.
    rig.chat(&talk(&["pay for the blue sneakers", &seen, "refund 10 yuan", "done", &format!("ok {call}")])).await;
    let mut warmer = talk(&["pay for the blue sneakers", &seen, &wish]);
    warmer["temperature"] = json!(0.2);
    rig.chat(&warmer).await;
    assert_eq!(rig.refunds().await.len(), 1);
}

#[tokio::test]
async fn a_number_somebody_guesses_opens_nothing() {
    let rig = Rig::start().await;
    let id = paid(&rig).await;
    let number = rig.payment(&id).await.out_trade_no;
    let stranger = talk(&[&format!("how does order {number} stand [call query_payment {{\"payment\":\"{number}\"}}]")]);
    let answer = rig.chat(&stranger).await;
    assert!(!answer.text().contains(&id), "a stranger learns no id: {}", answer.text());
    rig.chat(&talk(&[&format!("do not cancel it [call close_payment {{\"payment\":\"{id}\"}}]")])).await;
    assert_eq!(rig.payment(&id).await.state.name(), "paid");
}
