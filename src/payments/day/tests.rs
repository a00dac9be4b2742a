//! A day compared: each kind of difference shows, and nothing else does.

use super::*;
use crate::clock::Clock;
use crate::connectors::TradeTotals;
use crate::ids::{Fingerprint, IdempotencyKey, RequestId};
use crate::ledger::{Cause, Ledger, OrderBody, RefundBody, RefundOpened};
use crate::metrics::Metrics;
use crate::money::Money;
use crate::payment::record::{Identity, NewPayment};
use crate::payment::refund::{NewRefund, Refund, RefundAmount, RefundIdentity};
use crate::payment::refund_state::RefundEvent;
use crate::payment::state::Event;
use crate::payment::terms::{AmountSource, DecidedBy, Method, Terms};

const DAY: Date = jiff::civil::date(2026, 1, 1);

/// Noon of the day, in Beijing.
const NOON: UnixMs = UnixMs(1_767_240_000_000);

struct Shop {
    ledger: Ledger,
    clock: Clock,
    url: String,
    _dir: tempfile::TempDir,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (clock, url) = (Clock::standing_at(NOON), format!("sqlite:{}", dir.path().join("ledger.db").display()));
        let ledger = Ledger::open(&url, clock.clone(), Metrics::new().expect("metrics")).expect("opens");
        Self { ledger, clock, url, _dir: dir }
    }

    async fn paid(&self, name: &str, total: i64, success_time: &str) -> Payment {
        let new = NewPayment {
            merchant: MerchantId::new("demo"),
            identity: Identity::Named(IdempotencyKey::new(name)),
            fingerprint: Fingerprint::of(&[name.as_bytes()]),
            request_id: RequestId::random(),
            terms: Terms { amount: Money::fen(total).expect("an amount"), description: name.to_owned(), method: Method::WechatNative },
            amount_source: AmountSource::MerchantOrder,
            decided_by: DecidedBy::Model,
            model_version: None,
            order_id: None,
        };
        let body: OrderBody = Box::new(|_, _| b"{}".to_vec());
        let (crate::ledger::Opened::New(payment) | crate::ledger::Opened::Existing(payment)) =
            self.ledger.open_payment(new, body).await.expect("recorded");
        let event = Event::Paid { transaction_id: format!("42{name}"), success_time: success_time.to_owned(), evidence: b"{}".to_vec() };
        self.ledger.apply(&payment.id, event, Cause::of("notice")).await.expect("paid").payment
    }

    async fn refunded(&self, payment: &Payment, fen: i64, event: RefundEvent) -> Refund {
        self.clock.advance_ms(61_000);
        let name = format!("{fen}");
        let new = NewRefund {
            merchant: payment.merchant.clone(),
            payment: payment.id.clone(),
            identity: RefundIdentity::Merchant(IdempotencyKey::new(name.as_str())),
            fingerprint: Fingerprint::of(&[name.as_bytes()]),
            request_id: RequestId::random(),
            amount: RefundAmount::Exactly(Money::fen(fen).expect("an amount")),
            amount_source: AmountSource::UserWords,
            reason: None,
            decided_by: DecidedBy::Model,
            model_version: None,
        };
        let body: RefundBody = Box::new(|_, _, _| b"{}".to_vec());
        let RefundOpened::New(refund) = self.ledger.open_refund(new, body).await.expect("recorded") else { panic!("not new") };
        self.ledger.apply_refund(&refund, event, Cause::of("notice")).await.expect("moved").refund
    }

    fn compare(&self, rows: Vec<TradeRow>, pass_over_foreign: bool) -> Compared {
        let (books, merchants) = (Books::open(&self.url).expect("opens"), [MerchantId::new("demo")]);
        let day = Day { books: &books, merchants: &merchants, day: DAY, pass_over_foreign };
        day.compare(&TradeBill { rows, totals: TradeTotals::default() }, &mut |_, _| {}).expect("compares")
    }
}

fn row(payment: &Payment) -> TradeRow {
    TradeRow {
        trade_time: "2026-01-01 12:00:00".to_owned(),
        appid: "wx1".to_owned(),
        mchid: "19".to_owned(),
        sub_mchid: None,
        transaction_id: payment.transaction_id.clone().unwrap_or_default(),
        out_trade_no: payment.out_trade_no.as_str().to_owned(),
        trade_type: "NATIVE".to_owned(),
        trade_state: "SUCCESS".to_owned(),
        currency: "CNY".to_owned(),
        settlement_total_fen: payment.terms.amount.minor(),
        order_total_fen: Some(payment.terms.amount.minor()),
        refund: None,
        description: String::new(),
        fee_millifen: 0,
    }
}

fn refund_row(payment: &Payment, refund: &Refund, status: &str) -> TradeRow {
    let back = TradeRefund {
        refund_id: refund.refund_id.clone().unwrap_or_else(|| "50".to_owned()),
        out_refund_no: refund.out_refund_no.as_str().to_owned(),
        refund_fen: refund.amount.minor(),
        requested_fen: Some(refund.amount.minor()),
        status: status.to_owned(),
    };
    TradeRow { trade_state: "REFUND".to_owned(), settlement_total_fen: 0, order_total_fen: Some(0), refund: Some(back), ..row(payment) }
}

fn made() -> RefundEvent {
    RefundEvent::Refunded { refund_id: "50".to_owned(), success_time: "2026-01-01T12:10:00+08:00".to_owned() }
}

fn kinds(compared: &Compared) -> Vec<(Kind, What)> {
    compared.differences.iter().map(|difference| (difference.kind, difference.what)).collect()
}

#[tokio::test]
async fn a_day_that_agrees_has_no_difference() {
    let shop = Shop::open();
    let (a, b) = (shop.paid("a", 12_900, "2026-01-01T12:00:00+08:00").await, shop.paid("b", 1, "2026-01-01T00:00:00+08:00").await);
    let (part, under_way) =
        (shop.refunded(&a, 2_900, made()).await, shop.refunded(&b, 1, RefundEvent::Accepted { refund_id: "51".to_owned() }).await);
    let rows = vec![row(&a), row(&b), refund_row(&a, &part, "SUCCESS"), refund_row(&b, &under_way, "PROCESSING")];
    let compared = shop.compare(rows, false);
    assert!(compared.differences.is_empty(), "{compared:?}");
    assert_eq!(compared.here, Sums { payments: 2, payments_fen: 12_901, refunds: 2, refunds_fen: 2_901 });
    assert_eq!(compared.here, compared.there);
}

#[tokio::test]
async fn every_kind_of_difference_shows() {
    let shop = Shop::open();
    let a = shop.paid("a", 12_900, "2026-01-01T12:00:00+08:00").await;
    // A fen less, another number of theirs, twice.
    let cheap = TradeRow { order_total_fen: Some(12_899), transaction_id: "43".to_owned(), ..row(&a) };
    assert_eq!(
        kinds(&shop.compare(vec![row(&a), cheap], false)),
        [(Kind::Twice, What::Payment), (Kind::Amount, What::Payment), (Kind::Number, What::Payment)]
    );
    let missing = shop.compare(Vec::new(), false);
    assert_eq!(kinds(&missing), [(Kind::MissingThere, What::Payment)]);
    assert_eq!(missing.differences[0].here, Some((12_900, "paid".to_owned())));
    // Of another day, by Beijing's calendar: not expected in this bill.
    let next = shop.paid("next", 5, "2026-01-01T16:00:00Z").await;
    assert_eq!(kinds(&shop.compare(vec![row(&a)], false)), []);
    assert_eq!(kinds(&shop.compare(vec![row(&a), row(&next)], false)), [], "and no harm if it is there");
    // Refunds: not made here but there, and the reverse; missing on either side.
    let back = shop.refunded(&a, 100, RefundEvent::OutcomeUnknown { why: "timeout".to_owned() }).await;
    assert_eq!(kinds(&shop.compare(vec![row(&a), refund_row(&a, &back, "SUCCESS")], false)), [(Kind::State, What::Refund)]);
    assert_eq!(kinds(&shop.compare(vec![row(&a)], false)), [], "nobody knows yet whether the bill must have it");
    let back = shop.ledger.apply_refund(&back, made(), Cause::of("query")).await.expect("moved").refund;
    assert_eq!(kinds(&shop.compare(vec![row(&a)], false)), [(Kind::MissingThere, What::Refund)]);
    assert_eq!(kinds(&shop.compare(vec![row(&a), refund_row(&a, &back, "FAIL")], false)), [(Kind::State, What::Refund)]);
    let mut lost = refund_row(&a, &back, "SUCCESS");
    lost.refund.as_mut().expect("a refund").out_refund_no = "fr00000000000000000000000000000x".to_owned();
    let lost = shop.compare(vec![row(&a), refund_row(&a, &back, "SUCCESS"), lost], true);
    assert_eq!(kinds(&lost), [(Kind::MissingHere, What::Refund)]);
}

#[tokio::test]
async fn another_systems_rows_can_be_passed_over_but_our_own_numbers_never() {
    let shop = Shop::open();
    let a = shop.paid("a", 12_900, "2026-01-01T12:00:00+08:00").await;
    let foreign = TradeRow { out_trade_no: "SHOP-1".to_owned(), ..row(&a) };
    let lost = TradeRow { out_trade_no: "fg00000000000000000000000000000x".to_owned(), ..row(&a) };
    let rows = vec![row(&a), foreign, lost];
    let strict = shop.compare(rows.clone(), false);
    assert_eq!((kinds(&strict).len(), strict.foreign), (2, 1));
    let lenient = shop.compare(rows, true);
    assert_eq!((kinds(&lenient), lenient.foreign), (vec![(Kind::MissingHere, What::Payment)], 1));
}
