//! The ledger against a real file: once under an identity, moved once, durable before anybody hears of it.

mod durable;

use std::path::Path;

use super::*;
use crate::chat::usage::{Outcome, Usage};
use crate::money::Money;
use crate::payment::record::Identity;
use crate::payment::terms::{AmountSource, DecidedBy, Method, Terms};
use crate::refusal::Refusal;

pub(super) fn open(dir: &Path, clock: &Clock) -> Ledger {
    let url = format!("sqlite:{}", dir.join("ledger.db").display());
    Ledger::open(&url, clock.clone(), Metrics::new().expect("metrics")).expect("opens")
}

pub(super) fn clock() -> Clock {
    Clock::standing_at(UnixMs(1_790_000_000_000))
}

pub(super) fn new_payment(identity: Identity, request: &str) -> NewPayment {
    NewPayment {
        merchant: MerchantId::new("demo"),
        identity,
        fingerprint: Fingerprint::of(&[request.as_bytes()]),
        request_id: RequestId::random(),
        terms: Terms { amount: Money::fen(12_900).expect("an amount"), description: "blue sneakers".to_owned(), method: Method::WechatNative },
        amount_source: AmountSource::MerchantOrder,
        decided_by: DecidedBy::Model,
        model_version: Some("base".to_owned()),
        order_id: Some(format!("SO-{request}")),
    }
}

pub(super) async fn record(ledger: &Ledger, identity: Identity, request: &str) -> Opened {
    let body: OrderBody = Box::new(|number, _| number.as_str().as_bytes().to_vec());
    ledger.open_payment(new_payment(identity, request), body).await.expect("recorded")
}

pub(super) fn payment(opened: Opened) -> Payment {
    match opened {
        Opened::New(payment) | Opened::Existing(payment) => payment,
    }
}

pub(super) fn paid() -> Event {
    let evidence = br#"{"trade_state":"SUCCESS"}"#.to_vec();
    Event::Paid { transaction_id: "42".to_owned(), success_time: "2026-01-01T08:00:00+08:00".to_owned(), evidence }
}

#[tokio::test]
async fn a_name_exists_once_and_survives_a_restart() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let cart = Identity::Named(IdempotencyKey::new("cart-77"));
    let first = record(&ledger, cart.clone(), "a").await;
    assert!(matches!(first, Opened::New(_)));
    let first = payment(first);
    assert_eq!(first.order_body, first.out_trade_no.as_str().as_bytes());
    ledger.close().await.expect("closes");
    let ledger = open(dir.path(), &clock);
    assert_eq!(record(&ledger, cart, "b").await, Opened::Existing(first.clone()));
    assert_eq!(ledger.payment(&first.id).await.expect("reads"), Some(first));
}

#[tokio::test]
async fn an_equal_request_is_the_same_payment_for_longer_than_sdks_repeat_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let record = async |request: &str| {
        let new = NewPayment { order_id: None, ..new_payment(Identity::Derived, request) };
        payment(ledger.open_payment(new, Box::new(|_, _| Vec::new())).await.expect("recorded"))
    };
    let first = record("a").await;
    clock.advance_ms(Identity::WINDOW_MS + 1);
    assert_eq!(record("a").await.id, first.id, "its code still lives");
    assert_ne!(record("b").await.id, first.id);
    ledger.apply(&first.id, paid(), Cause::of("notice")).await.expect("moves");
    let second = record("a").await;
    assert_ne!(second.out_trade_no, first.out_trade_no, "paid, and long ago");
    ledger.apply(&second.id, paid(), Cause::of("notice")).await.expect("moves");
    clock.advance_ms(Identity::WINDOW_MS - 1);
    assert_eq!(record("a").await.id, second.id, "paid, and an SDK may still repeat it");
    let third = {
        clock.advance_ms(1);
        record("a").await
    };
    clock.advance_ms(Identity::OPEN_WINDOW_MS);
    assert_ne!(record("a").await.id, third.id, "its code is dead");
}

#[tokio::test]
async fn an_order_without_a_key_has_one_live_payment() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let about = |request: &str| NewPayment { order_id: Some("SO-1".to_owned()), ..new_payment(Identity::Derived, request) };
    let record = async |request: &str| payment(ledger.open_payment(about(request), Box::new(|_, _| Vec::new())).await.expect("recorded"));
    let first = record("a").await;
    assert_eq!(record("b").await.id, first.id);
    ledger.apply(&first.id, Event::Closed, Cause::of("query")).await.expect("moves");
    let second = record("c").await;
    assert_ne!(second.id, first.id, "what ended unpaid makes room");
    ledger.apply(&second.id, paid(), Cause::of("notice")).await.expect("moves");
    assert_eq!(record("d").await.id, second.id, "paid for good");
}

#[tokio::test]
async fn a_hundred_at_once_record_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let all = (0..100).map(|_| record(&ledger, Identity::Derived, "a"));
    let opened = futures_util::future::join_all(all).await;
    assert_eq!(opened.iter().filter(|opened| matches!(opened, Opened::New(_))).count(), 1);
}

#[tokio::test]
async fn moves_are_audited_and_ends_stay() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let mut changes = ledger.changes();
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    let ordered = Event::Ordered { code_url: "weixin://x".to_owned() };
    ledger.apply(&id, ordered.clone(), Cause::of("create_answer")).await.expect("applies");
    let applied = ledger.apply(&id, paid(), Cause::of("notice").referring_to("n-1")).await.expect("applies");
    assert_eq!((applied.step, applied.payment.state), (Step::To(State::Paid), State::Paid));
    assert_eq!(applied.payment.code_url.as_deref(), Some("weixin://x"));
    assert_eq!(ledger.apply(&id, paid(), Cause::of("notice")).await.expect("applies").step, Step::Known);
    assert_eq!(ledger.apply(&id, Event::Closed, Cause::of("query")).await.expect("applies").step, Step::Contradicts);
    let trail = ledger.audit_trail(&id).await.expect("reads");
    let kinds: Vec<&str> = trail.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["recorded", "moved", "moved", "contradiction"]);
    assert_eq!(trail[2].refers.as_deref(), Some("n-1"));
    for _ in 0..3 {
        assert_eq!(changes.recv().await.expect("a report"), id);
    }
}

#[tokio::test]
async fn the_database_itself_refuses_to_forget() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    ledger.apply(&id, paid(), Cause::of("notice")).await.expect("applies");
    let other = Connection::open(dir.path().join("ledger.db")).expect("opens");
    for sql in [
        "DELETE FROM payment",
        "UPDATE payment SET amount_minor = 1",
        "UPDATE payment SET state = 'closed'",
        "DELETE FROM audit",
        "UPDATE audit SET kind = 'x'",
    ] {
        assert!(other.execute(sql, []).is_err(), "{sql}");
    }
}

#[tokio::test]
async fn a_change_that_fails_takes_no_other_with_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let nobody = PaymentId::random();
    let (failed, opened) = tokio::join!(ledger.apply(&nobody, paid(), Cause::of("notice")), record(&ledger, Identity::Derived, "a"));
    assert!(failed.is_err());
    assert!(matches!(opened, Opened::New(_)));
    assert!(ledger.ping().await.is_ok());
}

#[tokio::test]
async fn what_is_open_comes_due() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    assert!(ledger.due(clock.now(), 10).await.expect("reads").is_empty());
    ledger.apply(&id, Event::OutcomeUnknown { why: "timeout".to_owned() }, Cause::of("create_answer")).await.expect("applies");
    clock.advance_ms(1_000);
    assert_eq!(ledger.due(clock.now(), 10).await.expect("reads").len(), 1);
    assert!(ledger.open_counts().await.expect("reads").oldest_unknown.is_some());
    ledger.checked(&id).await.expect("written");
    assert!(ledger.due(clock.now(), 10).await.expect("reads").is_empty(), "asked a moment ago");
    clock.advance_ms(2_000);
    assert_eq!(ledger.due(clock.now(), 10).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn a_ledger_of_version_1_opens_and_keeps_its_rows() {
    let dir = tempfile::tempdir().expect("a folder");
    let old = Connection::open(dir.path().join("ledger.db")).expect("opens");
    old.execute_batch(include_str!("schema/1.sql")).expect("version 1");
    old.execute_batch(
        r#"PRAGMA user_version = 1;
        INSERT INTO payment (id, merchant, key, fingerprint, request_id, out_trade_no, amount_minor, currency, description, method, amount_source, decided_by,
            order_body, state, version, code_url, transaction_id, success_time, created_ms, updated_ms, checks)
        VALUES ('pay_1', 'demo', 'n:cart-1', 'f1', 'req_1', 'fg1', 12900, 'CNY', 'blue sneakers', 'wechat_native', 'merchant_order', 'model',
            x'7b7d', 'paid', 3, 'weixin://x', '42', '2026-01-01T08:00:00+08:00', 1, 2, 0);
        INSERT INTO payment (id, merchant, key, fingerprint, request_id, out_trade_no, amount_minor, currency, description, method, amount_source, decided_by,
            order_body, state, version, created_ms, updated_ms, checks, next_check_ms)
        VALUES ('pay_2', 'demo', 'n:cart-2', 'f2', 'req_2', 'fg2', 1, 'CNY', 'tea', 'wechat_native', 'user_words', 'rules', x'7b7d', 'unknown', 2, 1, 2, 4, 5);
        INSERT INTO audit (at_ms, kind, merchant, payment, "to") VALUES (1, 'recorded', 'demo', 'pay_1', 'created');"#,
    )
    .expect("filled");
    drop(old);
    let ledger = open(dir.path(), &clock());
    let paid = ledger.payment(&PaymentId::new("pay_1")).await.expect("reads").expect("kept");
    assert_eq!((paid.state, paid.version, paid.terms.amount.minor(), paid.refunded), (State::Paid, 3, 12_900, None));
    assert_eq!((paid.order_body.as_slice(), paid.transaction_id.as_deref()), (&b"{}"[..], Some("42")));
    assert_eq!(ledger.audit_trail(&paid.id).await.expect("reads").len(), 1);
    let due = ledger.due(UnixMs(6), 10).await.expect("reads");
    assert_eq!(due.iter().map(|payment| (payment.id.as_str(), payment.checks)).collect::<Vec<_>>(), [("pay_2", 4)]);
    // The rules came along.
    let other = Connection::open(dir.path().join("ledger.db")).expect("opens");
    for sql in ["DELETE FROM payment", "UPDATE payment SET amount_minor = 1", "UPDATE payment SET state = 'unknown' WHERE id = 'pay_1'"] {
        assert!(other.execute(sql, []).is_err(), "{sql}");
    }
    let version: i64 = other.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("a version");
    assert!(version >= 2);
}

#[tokio::test]
async fn the_books_are_read_while_the_ledger_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
    assert!(Books::open(&url).is_err(), "nothing is made by looking");
    let ledger = open(dir.path(), &clock());
    let first = payment(record(&ledger, Identity::Derived, "a").await);
    ledger.apply(&first.id, paid(), Cause::of("notice")).await.expect("applies");
    let books = Books::open(&url).expect("opens beside the writer");
    record(&ledger, Identity::Derived, "b").await;
    assert!(books.payment(&first.merchant, &first.out_trade_no).expect("reads").is_some());
    let mut seen = Vec::new();
    books.paid(&first.merchant, UnixMs(0), UnixMs(i64::MAX), &mut |payment| seen.push(payment.id)).expect("reads");
    assert_eq!(seen, [first.id]);
    ledger.close().await.expect("closes");
    assert!(Books::open(&url).is_ok(), "and when nobody writes it");
    let old = Connection::open(dir.path().join("old.db")).expect("opens");
    old.execute_batch("PRAGMA user_version = 1").expect("written");
    let old = Books::open(&format!("sqlite:{}", dir.path().join("old.db").display()));
    assert!(matches!(old, Err(LedgerError::TooOld { found: 1, .. })), "{old:?}");
}

#[tokio::test]
async fn one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let url = format!("sqlite:{}", dir.path().join("ledger.db").display());
    let second = Ledger::open(&url, clock(), Metrics::new().expect("metrics"));
    assert!(matches!(second, Err(LedgerError::InUse(_))));
    ledger.close().await.expect("closes");
    assert!(matches!(ledger.checked(&PaymentId::random()).await, Err(LedgerError::Closed)));
}

#[tokio::test]
async fn usage_is_kept_by_the_time_the_ledger_closes() {
    let dir = tempfile::tempdir().expect("a folder");
    let clock = clock();
    let ledger = open(dir.path(), &clock);
    let record = UsageRecord {
        request_id: RequestId::random(),
        merchant: MerchantId::new("demo"),
        provider: "sandbox".to_owned(),
        model: "base".to_owned(),
        stream: true,
        outcome: Outcome::Cut,
        usage: Some(Usage { prompt_tokens: 3, completion_tokens: u64::MAX, implausible: true }),
        duration_ms: 7,
    };
    ledger.record_usage(record.clone());
    ledger.close().await.expect("closes");
    let kept = open(dir.path(), &clock).usage_of(&record.request_id).await.expect("reads");
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].outcome, kept[0].usage.map(|usage| usage.prompt_tokens)), (Outcome::Cut, Some(3)));
}

#[tokio::test]
async fn another_programs_lock_is_waited_out_and_then_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    let other = Connection::open(dir.path().join("ledger.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let refused = ledger.checked(&id).await;
    assert!(matches!(refused, Err(LedgerError::Busy)), "{refused:?}");
    other.execute_batch("ROLLBACK").expect("unlocks");
    ledger.checked(&id).await.expect("the ledger goes on");
    assert!(ledger.ping().await.is_ok());
}

#[tokio::test]
async fn a_full_disk_fails_what_was_asked_and_nothing_after() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    let pages = |limit: &'static str| {
        // The limit is the connection's own, so the writer has to set it.
        ledger.change(move |connection| Ok(connection.query_row(limit, [], |_| Ok(()))?))
    };
    pages("PRAGMA max_page_count = 1").await.expect("set");
    let note = || AuditNote { kind: "test", merchant: None, payment: Some(id.clone()), detail: "x".repeat(100_000) };
    // Together in one commit, so that one comes after the one at which SQLite undoes the transaction.
    let full = futures_util::future::join_all((0..8).map(|_| ledger.audit(note()))).await;
    assert!(full.iter().all(|outcome| matches!(outcome, Err(LedgerError::Storage(_)))), "{full:?}");
    assert_eq!(ledger.audit_trail(&id).await.expect("reads").len(), 1, "what was refused was not written");
    assert!(ledger.ping().await.is_ok());
    pages("PRAGMA max_page_count = 100000").await.expect("set");
    ledger.audit(note()).await.expect("the ledger goes on");
    assert_eq!(ledger.audit_trail(&id).await.expect("reads").len(), 2);
}

#[tokio::test]
async fn a_transaction_that_sqlite_undid_takes_nothing_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    // The first change keeps the writer busy until the others wait together.
    let (begun, has_begun) = oneshot::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let first = ledger.change(move |_| Ok(begun.send(()).is_ok() && wait.recv().is_ok()));
    let others = async {
        has_begun.await.expect("begun");
        let undo = ledger.change(|connection| {
            connection.execute_batch("ROLLBACK")?;
            Err::<(), _>(LedgerError::Storage("full".to_owned()))
        });
        let note = ledger.audit(AuditNote { kind: "test", merchant: None, payment: Some(id.clone()), detail: String::new() });
        let release = async { go.send(()).is_ok() };
        tokio::join!(biased; undo, note, release)
    };
    let (first, (undone, after, _)) = tokio::join!(first, others);
    assert!(first.expect("committed") && undone.is_err());
    assert!(after.is_err(), "the change after it is not written outside the transaction");
    assert_eq!(ledger.audit_trail(&id).await.expect("reads").len(), 1);
    assert!(ledger.ping().await.is_ok());
}

#[tokio::test]
async fn a_link_to_the_ledger_is_the_ledger() {
    let dir = tempfile::tempdir().expect("a folder");
    let link = dir.path().join("link.db");
    std::os::unix::fs::symlink("ledger.db", &link).expect("a link");
    let at = |path: &Path| Ledger::open(&format!("sqlite:{}", path.display()), clock(), Metrics::new().expect("metrics"));
    let through_link = at(&link).expect("made through the link");
    assert!(matches!(at(&dir.path().join("ledger.db")), Err(LedgerError::InUse(_))));
    through_link.close().await.expect("closes");
    let _straight = at(&dir.path().join("ledger.db")).expect("opens");
    assert!(matches!(at(&link), Err(LedgerError::InUse(_))));
}

#[tokio::test]
async fn the_ledgers_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    record(&ledger, Identity::Derived, "a").await;
    for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.lock"] {
        let mode = std::fs::metadata(dir.path().join(name)).expect(name).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_ledger_whose_payments_are_gone_is_not_ready() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let other = Connection::open(dir.path().join("ledger.db")).expect("opens");
    other.execute_batch("DROP TABLE payment").expect("dropped");
    assert!(ledger.ping().await.is_err());
}

#[tokio::test]
async fn a_commit_of_uncertain_end_is_the_last() {
    let dir = tempfile::tempdir().expect("a folder");
    let ledger = open(dir.path(), &clock());
    let id = payment(record(&ledger, Identity::Derived, "a").await).id;
    // A deferred foreign key fails at COMMIT itself: no fault that is known to be harmless.
    let sql = "CREATE TABLE debt (id INTEGER PRIMARY KEY, of INTEGER REFERENCES debt DEFERRABLE INITIALLY DEFERRED); INSERT INTO debt VALUES (1, 7)";
    let failed = ledger.change(move |connection| Ok(connection.execute_batch(sql)?)).await;
    assert!(matches!(failed, Err(LedgerError::Uncertain(_))), "{failed:?}");
    let told = failed.map_err(Refusal::from).expect_err("refused");
    assert!(told.code == "payment_in_doubt" && told.order_may_exist && !told.message.contains("no payment"), "{told:?}");
    let after = ledger.checked(&id).await.expect_err("closed for good");
    assert!(matches!(after, LedgerError::Failed));
    assert!(!Refusal::from(after).order_may_exist, "what is not taken on is surely not written");
    assert!(ledger.ping().await.is_err());
}
