//! Refunds against a real file: never more than was paid, once under an identity, the payment moving along.

use std::path::Path;

use super::*;
use crate::clock::Clock;
use crate::ids::{Fingerprint, IdempotencyKey, RequestId};
use crate::ledger::tests::{clock, open, paid, payment, record};
use crate::payment::record::Identity;
use crate::payment::refund::{REFUND_GAP_MS, REFUNDS_MAX, RefundAmount, RefundIdentity};
use crate::payment::state::State;
use crate::payment::terms::{AmountSource, DecidedBy};

/// A ledger with one payment of 129.00 that is paid.
async fn with_a_paid_one(dir: &Path, clock: &Clock) -> (Ledger, Payment) {
    let ledger = open(dir, clock);
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    let payment = ledger.apply(&id, paid(), Cause::of("notice")).await.expect("paid").payment;
    (ledger, payment)
}

fn fen(fen: i64) -> RefundAmount {
    RefundAmount::Exactly(Money::fen(fen).expect("an amount"))
}

fn new_refund(payment: &Payment, name: &str, amount: RefundAmount) -> NewRefund {
    NewRefund {
        merchant: payment.merchant.clone(),
        payment: payment.id.clone(),
        identity: RefundIdentity::Request(IdempotencyKey::new(name)),
        fingerprint: Fingerprint::of(&[name.as_bytes()]),
        request_id: RequestId::random(),
        amount,
        amount_source: AmountSource::UserWords,
        reason: Some("too small".to_owned()),
        decided_by: DecidedBy::Model,
        model_version: None,
    }
}

async fn start(ledger: &Ledger, payment: &Payment, name: &str, amount: RefundAmount) -> RefundOpened {
    let body: RefundBody = Box::new(|payment, number, amount| format!("{} {number} {amount}", payment.out_trade_no).into_bytes());
    ledger.open_refund(new_refund(payment, name, amount), body).await.expect("asked")
}

fn refund(opened: RefundOpened) -> Refund {
    match opened {
        RefundOpened::New(refund) | RefundOpened::Existing(refund) => refund,
        RefundOpened::Denied(denied) => panic!("{denied}"),
    }
}

fn made() -> RefundEvent {
    RefundEvent::Refunded { refund_id: "50".to_owned(), success_time: "2026-01-01T09:00:00+08:00".to_owned() }
}

async fn apply(ledger: &Ledger, refund: &Refund, event: RefundEvent) -> RefundApplied {
    ledger.apply_refund(refund, event, Cause::of("notice")).await.expect("applied")
}

#[tokio::test]
async fn in_parts_until_all_is_given_back() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let (ledger, payment) = with_a_paid_one(dir.path(), &clock).await;
    let first = refund(start(&ledger, &payment, "a", fen(2_900)).await);
    assert_eq!(first.body, format!("{} {} 29.00 CNY", payment.out_trade_no, first.out_refund_no).into_bytes());
    assert_eq!(ledger.payment(&payment.id).await.expect("reads").expect("there").state, State::Refunding);
    assert_eq!(start(&ledger, &payment, "a", fen(2_900)).await, RefundOpened::Existing(first.clone()), "the same request is the same refund");
    let applied = apply(&ledger, &first, made()).await;
    assert_eq!((applied.payment.state, applied.payment.refunded.map(Money::minor)), (State::PartiallyRefunded, Some(2_900)));
    assert_eq!(applied.payment.transaction_id.as_deref(), Some("42"), "what is known of the payment stays");
    clock.advance_ms(REFUND_GAP_MS);
    assert!(
        matches!(start(&ledger, &payment, "b", fen(10_001)).await, RefundOpened::Denied(RefundDenied::MoreThanLeft(left)) if left.minor() == 10_000)
    );
    let rest = refund(start(&ledger, &payment, "c", RefundAmount::Remaining).await);
    assert_eq!(rest.amount.minor(), 10_000);
    let applied = apply(&ledger, &rest, made()).await;
    assert_eq!(applied.payment.state, State::Refunded);
    clock.advance_ms(REFUND_GAP_MS);
    assert_eq!(start(&ledger, &payment, "d", RefundAmount::Remaining).await, RefundOpened::Denied(RefundDenied::NothingLeft));
    let trail = ledger.audit_trail(&payment.id).await.expect("reads");
    let moves: Vec<String> = trail.iter().skip(2).map(|entry| format!("{}>{}", entry.kind, entry.to.clone().unwrap_or_default())).collect();
    let expected = ["refund_recorded>created", "moved>refunding", "refund_moved>refunded", "moved>partially_refunded"];
    assert_eq!(moves[..4], expected);
    assert_eq!(moves[4..], ["refund_recorded>created", "moved>refunding", "refund_moved>refunded", "moved>refunded"]);
    assert_eq!(trail[2].refund, Some(first.out_refund_no));
}

#[tokio::test]
async fn a_hundred_at_once_never_exceed_what_was_paid() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let (ledger, payment) = with_a_paid_one(dir.path(), &clock).await;
    let names: Vec<String> = (0..100).map(|n| format!("r{n}")).collect();
    let all = names.iter().map(|name| start(&ledger, &payment, name, fen(12_900)));
    let opened = futures_util::future::join_all(all).await;
    assert_eq!(opened.iter().filter(|opened| matches!(opened, RefundOpened::New(_))).count(), 1);
    // The database refuses by itself, too.
    let other = Connection::open(dir.path().join("ledger.db")).expect("opens");
    let copy = "INSERT INTO refund SELECT merchant, 'fr2', payment, 'k2', fingerprint, request_id, 1, currency, reason, amount_source, decided_by, model_version, body,
                    state, version, refund_id, success_time, why, created_ms, updated_ms, checks, next_check_ms FROM refund";
    assert!(other.execute(copy, []).expect_err("refused").to_string().contains("never exceed"));
    for sql in ["DELETE FROM refund", "UPDATE refund SET amount_minor = 1", "UPDATE refund SET body = x''"] {
        assert!(other.execute(sql, []).is_err(), "{sql}");
    }
}

#[tokio::test]
async fn what_failed_is_free_again_and_what_is_in_doubt_blocks() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let (ledger, payment) = with_a_paid_one(dir.path(), &clock).await;
    let first = refund(start(&ledger, &payment, "a", fen(100)).await);
    apply(&ledger, &first, RefundEvent::OutcomeUnknown { why: "timeout".to_owned() }).await;
    clock.advance_ms(REFUND_GAP_MS);
    assert_eq!(start(&ledger, &payment, "b", fen(100)).await, RefundOpened::Denied(RefundDenied::InDoubt));
    let applied = apply(&ledger, &first, RefundEvent::Refused { why: "PARAM_ERROR".to_owned() }).await;
    assert_eq!((applied.refund.state, applied.payment.state), (RefundState::Failed, State::Paid));
    let whole = refund(start(&ledger, &payment, "c", RefundAmount::Remaining).await);
    assert_eq!(whole.amount, payment.terms.amount);
    // Money that moves for a dead refund is an exception, and moves nothing here.
    let contradiction = apply(&ledger, &first, made()).await;
    assert_eq!((contradiction.step, contradiction.payment.state), (RefundStep::Contradicts, State::Refunding));
}

#[tokio::test]
async fn the_rails_rules_hold() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let (ledger, payment) = with_a_paid_one(dir.path(), &clock).await;
    for n in 0..REFUNDS_MAX {
        let refund = refund(start(&ledger, &payment, &format!("r{n}"), fen(1)).await);
        apply(&ledger, &refund, made()).await;
        assert_eq!(
            start(&ledger, &payment, &format!("x{n}"), fen(1)).await,
            RefundOpened::Denied(if n + 1 == REFUNDS_MAX { RefundDenied::TooMany } else { RefundDenied::TooSoon })
        );
        clock.advance_ms(REFUND_GAP_MS);
    }
    assert_eq!(start(&ledger, &payment, "one more", fen(1)).await, RefundOpened::Denied(RefundDenied::TooMany));
    let unpaid = self::payment(record(&ledger, Identity::Derived, "b").await);
    assert_eq!(start(&ledger, &unpaid, "r", fen(1)).await, RefundOpened::Denied(RefundDenied::NotPaid(State::Created)));
    let fresh = self::payment(record(&ledger, Identity::Derived, "c").await).id;
    let fresh = ledger.apply(&fresh, paid(), Cause::of("notice")).await.expect("paid").payment;
    let wrong = RefundAmount::RemainingOf(Money::fen(1).expect("an amount"));
    assert!(matches!(start(&ledger, &fresh, "r", wrong).await, RefundOpened::Denied(RefundDenied::NotWhatIsLeft(_))));
}

#[tokio::test]
async fn a_name_is_one_refund_and_survives_a_restart() {
    let (dir, clock) = (tempfile::tempdir().expect("a folder"), clock());
    let (ledger, payment) = with_a_paid_one(dir.path(), &clock).await;
    let first = refund(start(&ledger, &payment, "a", fen(100)).await);
    ledger.close().await.expect("closes");
    let ledger = open(dir.path(), &clock);
    assert_eq!(ledger.due_refunds(UnixMs(i64::MAX), 10).await.expect("reads"), std::slice::from_ref(&first));
    assert_eq!(start(&ledger, &payment, "a", fen(100)).await, RefundOpened::Existing(first.clone()));
    let mut reused = new_refund(&payment, "a", fen(200));
    reused.fingerprint = Fingerprint::of(&[b"another"]);
    let body: RefundBody = Box::new(|_, _, _| Vec::new());
    assert_eq!(ledger.open_refund(reused, body).await.expect("asked"), RefundOpened::Denied(RefundDenied::NameReused));
    assert_eq!(ledger.refund(&first.merchant, &first.out_refund_no).await.expect("reads"), Some(first.clone()));
    ledger.refund_checked(&first).await.expect("written");
    assert_eq!(ledger.refunds_of(&payment.id).await.expect("reads")[0].checks, 1);
    assert_eq!(ledger.open_refund_counts().await.expect("reads"), [(RefundState::Created, 1)]);
}
