//! Refunds when WeChat Pay does not play along: whatever gets lost, one refund exists, the ledger agrees, and what is unknown is said to be.

use fengate::clock::UnixMs;
use serde_json::{Value, json};

use super::callbacks::{Platform, deliver};
use super::giving_back::{A_MINUTE_MS, about, clock, paid};
use super::rig::{Rig, payment_in, said};

/// Long after everything is due.
const EVER: UnixMs = UnixMs(i64::MAX);

/// The states of a payment's refunds in the ledger.
async fn states(rig: &Rig, id: &str) -> Vec<&'static str> {
    let refunds = rig.app.house.ledger.refunds_of(&rig.payment(id).await.id).await.expect("reads");
    refunds.iter().map(|refund| refund.state.name()).collect()
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_about_under_the_same_number() {
    for fault in ["reset_after_acting", "status_500_after_acting", "bad_signature"] {
        let clock = clock();
        let rig = Rig::at(&clock, "").await;
        let id = paid(&rig).await;
        rig.faults(json!({"refund": {fault: 1}, "query": {"status_503": 1_000}, "callbacks": {"drop": 1_000}})).await;
        let answer = rig.chat(&about(&id, "refund 29 yuan")).await;
        assert_eq!((payment_in(&answer)["state"].as_str(), states(&rig, &id).await), (Some("refunding"), vec!["unknown"]), "{fault}");
        assert!(said(&answer).contains("being confirmed"), "{fault}: {}", answer.text());
        clock.advance_ms(A_MINUTE_MS);
        let second = rig.chat(&about(&id, "refund 10 yuan more")).await;
        assert!(said(&second).contains("still being confirmed"), "{fault}: in doubt no second refund starts: {}", second.text());
        rig.faults(json!({"callbacks": {"drop": 1_000}})).await;
        rig.reconcile().sweep(EVER).await;
        assert_eq!((rig.payment(&id).await.state.name(), states(&rig, &id).await), ("partially_refunded", vec!["refunded"]), "{fault}");
        assert_eq!(rig.refunds().await.len(), 1, "{fault}");
    }
}

#[tokio::test]
async fn a_refund_that_never_arrived_is_sent_again_with_the_same_number() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    rig.faults(json!({"refund": {"status_503": 1}})).await;
    rig.chat(&about(&id, "refund the sneakers")).await;
    assert_eq!((states(&rig, &id).await, rig.refunds().await.len()), (vec!["unknown"], 0));
    rig.reconcile().sweep(EVER).await;
    assert_eq!(rig.refunds().await.len(), 0, "it may still be on its way");
    clock.advance_ms(A_MINUTE_MS);
    rig.reconcile().sweep(EVER).await;
    rig.until_state(&id, "refunded").await;
    assert_eq!((states(&rig, &id).await, rig.refunds().await.len()), (vec!["refunded"], 1));
}

#[tokio::test]
async fn a_refusal_frees_what_it_held_and_the_refund_can_be_asked_for_anew() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    rig.faults(json!({"refund": {"param_error": 1}})).await;
    let answer = rig.chat(&about(&id, "refund the sneakers")).await;
    assert_eq!(payment_in(&answer)["state"], "paid");
    assert!(said(&answer).contains("nothing was given back"), "{}", answer.text());
    clock.advance_ms(A_MINUTE_MS);
    rig.chat(&about(&id, "please refund the sneakers now")).await;
    rig.until_state(&id, "refunded").await;
    assert_eq!(states(&rig, &id).await, ["failed", "refunded"]);
}

#[tokio::test]
async fn a_short_balance_waits_for_money() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    rig.switches(json!({"balance_short": true})).await;
    let answer = rig.chat(&about(&id, "refund the sneakers")).await;
    assert!(said(&answer).contains("balance"), "{}", answer.text());
    clock.advance_ms(A_MINUTE_MS);
    rig.reconcile().sweep(EVER).await;
    assert_eq!((rig.payment(&id).await.state.name(), states(&rig, &id).await), ("refunding", vec!["waiting"]));
    rig.switches(json!({})).await;
    rig.reconcile().sweep(EVER).await;
    rig.until_state(&id, "refunded").await;
    assert_eq!(rig.refunds().await.len(), 1);
}

#[tokio::test]
async fn closed_and_abnormal_ends_are_told_as_they_are() {
    let rig = Rig::start().await;
    let id = paid(&rig).await;
    rig.switches(json!({"refund_outcome": "CLOSED"})).await;
    rig.chat(&about(&id, "refund the sneakers")).await;
    rig.until_state(&id, "paid").await;
    assert_eq!(states(&rig, &id).await, ["failed"], "closed at WeChat Pay: nothing was given back");

    let rig = Rig::start().await;
    let id = paid(&rig).await;
    rig.switches(json!({"refund_outcome": "ABNORMAL"})).await;
    rig.chat(&about(&id, "refund the sneakers")).await;
    super::visitor::until("the refund to get stuck", || async { (states(&rig, &id).await == ["abnormal"]).then_some(()) }).await;
    assert_eq!(rig.payment(&id).await.state.name(), "refunding");
    assert!(rig.metric("fengate_payment_exceptions_total{kind=\"refund_abnormal\"}").await >= 1.0, "a person is called");
}

#[tokio::test]
async fn a_refund_that_takes_its_time_is_under_way_until_it_is_made() {
    let clock = clock();
    let rig = Rig::at(&clock, "").await;
    let id = paid(&rig).await;
    rig.switches(json!({"refund_ms": 3_600_000})).await;
    let answer = rig.chat(&about(&id, "refund the sneakers")).await;
    assert!(said(&answer).contains("under way"), "{}", answer.text());
    assert_eq!((payment_in(&answer)["state"].as_str(), states(&rig, &id).await), (Some("refunding"), vec!["processing"]));
    let asked = rig.chat(&about(&id, "what is the status?")).await;
    assert_eq!(payment_in(&asked)["state"], "refunding", "accepted is not refunded");
    clock.advance_ms(3_600_001);
    let asked = rig.chat(&about(&id, "what is the status now?")).await;
    assert_eq!(payment_in(&asked)["state"], "refunded", "asking finds out, notice or not");
}

#[tokio::test]
async fn a_refund_notice_that_does_not_match_moves_nothing() {
    let rig = Rig::start().await;
    let id = paid(&rig).await;
    rig.switches(json!({"refund_ms": 3_600_000})).await;
    rig.chat(&about(&id, "refund 29 yuan")).await;
    let (platform, payment, there) = (Platform::of(&rig), rig.payment(&id).await, rig.refunds().await[0].clone());
    let fine = json!({
        "mchid": platform.account["mchid"], "out_trade_no": payment.out_trade_no.as_str(), "transaction_id": payment.transaction_id,
        "out_refund_no": there["out_refund_no"], "refund_id": there["refund_id"], "refund_status": "SUCCESS", "success_time": "2026-01-01T08:00:00+08:00",
        "user_received_account": "支付用户零钱", "amount": {"total": 12_900, "refund": 2_900, "payer_total": 12_900, "payer_refund": 2_900},
    });
    let spoilt: [(&str, Value, u16); 7] = [
        ("/amount/refund", json!(12_900), 400),
        ("/amount/total", json!(2_900), 400),
        ("/mchid", json!("1999999999"), 400),
        ("/transaction_id", json!("42"), 400),
        ("/out_trade_no", json!("fg0"), 400),
        ("/refund_id", json!("50"), 400),
        ("/out_refund_no", json!("fr0"), 404),
    ];
    for (pointer, value, status) in spoilt {
        let mut resource = fine.clone();
        *resource.pointer_mut(pointer).expect("a field") = value;
        let body = platform.sealed("REFUND.SUCCESS", "refund", &resource);
        let answer = deliver(&rig, "demo", &platform.fields(&body, rig.app.house.clock.now().seconds()), &body).await;
        assert_eq!(answer.status.as_u16(), status, "{pointer}");
        assert_eq!(states(&rig, &id).await, ["processing"], "{pointer}");
    }
    for _ in 0..2 {
        let body = platform.sealed("REFUND.SUCCESS", "refund", &fine);
        assert_eq!(deliver(&rig, "demo", &platform.fields(&body, rig.app.house.clock.now().seconds()), &body).await.status, 204);
    }
    assert_eq!((rig.payment(&id).await.state.name(), states(&rig, &id).await), ("partially_refunded", vec!["refunded"]));
    // The reverse of what is known is an exception, and is answered so that somebody looks.
    let mut closed = fine.clone();
    closed["refund_status"] = json!("CLOSED");
    let body = platform.sealed("REFUND.CLOSED", "refund", &closed);
    assert_eq!(deliver(&rig, "demo", &platform.fields(&body, rig.app.house.clock.now().seconds()), &body).await.status, 409);
    assert_eq!(states(&rig, &id).await, ["refunded"]);
}
