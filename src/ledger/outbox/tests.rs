//! The outbox against a real file: a notice is laid once, in the commit that moves the payment, and comes due on the schedule.

use super::super::tests::{clock, new_payment, open, paid, payment};
use super::*;
use crate::ids::OutTradeNo;
use crate::ledger::{Cause, Opened, OrderBody};
use crate::payment::record::Identity;

const NEWS: &[u8] = br#"{"trade_state":"SUCCESS"}"#;

async fn told(ledger: &Ledger, number: &str) -> Payment {
    let body: OrderBody = Box::new(|number, _| number.as_str().as_bytes().to_vec());
    let new = new_payment(Identity::Numbered(OutTradeNo::new(number)), number);
    payment(ledger.open_payment_telling(new, body, "https://shop.example/notify".to_owned()).await.expect("recorded"))
}

#[tokio::test]
async fn an_order_of_the_merchants_own_number_exists_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let first = told(&ledger, "SO-1|a").await;
    assert_eq!(first.out_trade_no.as_str(), "SO-1|a");
    let body: OrderBody = Box::new(|_, _| panic!("the first bytes stay"));
    let again = ledger.open_payment_telling(new_payment(Identity::Numbered(first.out_trade_no.clone()), "b"), body, String::new()).await;
    assert_eq!(again.expect("found"), Opened::Existing(first));
}

#[tokio::test]
async fn a_notice_is_laid_once_and_survives_a_restart_until_it_is_taken() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let id = told(&ledger, "SO-0001").await.id;
    for _ in 0..2 {
        ledger.apply(&id, paid(), Cause::of("notice")).await.expect("applies");
    }
    ledger.close().await.expect("closes");
    let ledger = open(dir.path(), &clock);
    let due = ledger.due_notices(clock.now(), 10).await.expect("reads");
    assert_eq!(due.len(), 1);
    let notice = &due[0];
    assert_eq!((notice.resource.as_slice(), notice.event_type.as_str(), notice.deliveries), (NEWS, "TRANSACTION.SUCCESS", 0));
    ledger.notice_delivered(notice, 500).await.expect("written");
    assert!(ledger.due_notices(clock.now(), 10).await.expect("reads").is_empty());
    clock.advance_ms(15_000);
    let again = ledger.due_notices(clock.now(), 10).await.expect("reads");
    assert_eq!((again[0].notice_id.as_str(), again[0].deliveries, again[0].answered), (notice.notice_id.as_str(), 1, Some(500)));
    ledger.notice_delivered(&again[0], 204).await.expect("written");
    assert_eq!(ledger.notices_of(&id).await.expect("reads")[0].next, None, "taken");
}

#[tokio::test]
async fn a_notice_nobody_takes_is_given_up_after_a_day() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let id = told(&ledger, "SO-0001").await.id;
    ledger.apply(&id, paid(), Cause::of("query")).await.expect("applies");
    let began = clock.now();
    let mut deliveries = 0;
    while let Some(next) = ledger.notices_of(&id).await.expect("reads")[0].next {
        clock.advance_ms(next.0 - clock.now().0);
        let due = ledger.due_notices(clock.now(), 10).await.expect("reads");
        ledger.notice_delivered(&due[0], 0).await.expect("written");
        deliveries += 1;
    }
    assert_eq!((deliveries, clock.now().0 - began.0), (16, (24 * 3_600 + 4 * 60) * 1_000));
}

#[tokio::test]
async fn who_asked_for_none_is_sent_none() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let id = payment(super::super::tests::record(&ledger, Identity::Derived, "a").await).id;
    ledger.apply(&id, paid(), Cause::of("notice")).await.expect("applies");
    assert!(ledger.notices_of(&id).await.expect("reads").is_empty());
}
