//! The book's rules of orders and refunds, and what a restart finds.

use std::path::Path;

use serde_json::{Value, json};

use super::super::sign::KeyMode;
use super::order::{Key, Order, Product, TradeState};
use super::orders::{OrderError, Orders, Wanted};
use super::refunds::{Course, Refund, RefundError, Status, WantedRefund};
use crate::clock::UnixMs;

const NOW: UnixMs = UnixMs(1_790_000_000_000);
const HOUR_MS: i64 = 3_600_000;
const AT_ONCE: Course = Course { takes_ms: 0, becomes: Status::Success, gap_ms: 0 };

struct Desk {
    orders: Orders,
    dir: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self { orders: Orders::at(&dir.path().join("o.jsonl")).expect("opens"), dir }
    }

    fn reopen(self) -> Self {
        Self { orders: Orders::at(&self.dir.path().join("o.jsonl")).expect("opens"), dir: self.dir }
    }

    fn create(&self, number: &str, product: Product, parameters: &Value, now: UnixMs) -> Result<Order, OrderError> {
        let wanted = Wanted { key: Key::new("19", number), product, parameters, openid: None, expires_at: None, key_mode: KeyMode::PublicKey };
        self.orders.create(&wanted, now)
    }

    fn native(&self, number: &str, total: i64) -> Result<Order, OrderError> {
        self.create(number, Product::Native, &parameters(total), NOW)
    }

    fn paid(&self, number: &str, total: i64) -> Order {
        let order = self.native(number, total).expect("made");
        self.orders.pay(&order.code_url, NOW).expect("paid").0
    }

    fn refund(&self, number: &str, order: &str, amount: (i64, i64), course: Course) -> Result<Refund, RefundError> {
        let parameters = json!({"out_trade_no": order, "amount": {"refund": amount.0, "total": amount.1}});
        let wanted = WantedRefund { key: Key::new("19", number), sub_mchid: "", parameters: &parameters, key_mode: KeyMode::PublicKey };
        self.orders.refund(&wanted, course, NOW).map(|(_, refund)| refund)
    }
}

fn parameters(total: i64) -> Value {
    json!({"appid": "wx1", "mchid": "19", "description": "x", "amount": {"total": total}})
}

#[test]
fn the_rules_of_asking_again() {
    let desk = Desk::open();
    let first = desk.native("no-0001", 1).expect("made");
    let second = desk.native("no-0001", 1).expect("found");
    assert_ne!(first.code_url, second.code_url);
    assert_eq!(desk.orders.pay(&first.code_url, NOW).map(|_| ()), Err(OrderError::Unknown), "the old code is dead");
    assert_eq!(desk.native("no-0001", 2).map(|_| ()), Err(OrderError::Differs));
    assert_eq!(desk.create("no-0001", Product::App, &parameters(1), NOW).map(|_| ()), Err(OrderError::OtherProduct));
    let mut later = parameters(1);
    later["time_expire"] = "2030-01-01T00:00:00Z".into();
    let third = desk.create("no-0001", Product::Native, &later, NOW).expect("the first time_expire stays");
    assert_eq!((third.expires_at, third.creates), (first.expires_at, 3));
    assert_eq!(desk.orders.pay(&third.code_url, NOW).map(|(order, new)| (order.state, new)), Ok((TradeState::Success, true)));
    assert_eq!(desk.orders.pay(&third.code_url, NOW).map(|(_, new)| new), Ok(false), "paid once");
    assert_eq!(desk.native("no-0001", 1).map(|_| ()), Err(OrderError::Paid));
    assert_eq!(desk.orders.close(&Key::new("19", "no-0001"), ""), Err(OrderError::Paid));
    desk.native("no-0002", 1).expect("made");
    let key = Key::new("19", "no-0002");
    assert_eq!((desk.orders.close(&key, ""), desk.orders.close(&key, "")), (Ok(()), Ok(())));
    assert_eq!(desk.native("no-0002", 1).map(|_| ()), Err(OrderError::Closed));
}

#[test]
fn handles_live_as_long_as_documented() {
    let desk = Desk::open();
    for (product, life) in [(Product::Native, 2 * HOUR_MS), (Product::Jsapi, 2 * HOUR_MS), (Product::App, 2 * HOUR_MS), (Product::H5, HOUR_MS / 12)] {
        let number = format!("no-{}", product.trade_type());
        let order = desk.create(&number, product, &parameters(1), NOW).expect("made");
        assert_eq!(desk.orders.pay(order.handle(), NOW.plus_ms(life)).map(|_| ()), Err(OrderError::HandleExpired), "{number}");
        let again = desk.create(&number, product, &parameters(1), NOW.plus_ms(life)).expect("found");
        assert!(desk.orders.pay(again.handle(), NOW.plus_ms(2 * life - 1)).is_ok(), "{number}");
    }
}

#[test]
fn an_order_ends_by_time() {
    let desk = Desk::open();
    let key = |number: &str| Key::new("19", number);
    let state = |desk: &Desk, number: &str| desk.orders.by_number(&key(number)).expect("there").state;
    let end = NOW.plus_ms(HOUR_MS);
    let parameters = parameters(1);
    let wanted = |number| Wanted {
        key: key(number),
        product: Product::Native,
        parameters: &parameters,
        openid: None,
        expires_at: Some(end),
        key_mode: KeyMode::Certificates,
    };
    let order = desk.orders.create(&wanted("no-0001"), NOW).expect("made");
    assert_eq!(desk.orders.pay(&order.code_url, end).map(|_| ()), Err(OrderError::Expired));
    assert_eq!(desk.orders.create(&wanted("no-0001"), end).map(|_| ()), Err(OrderError::Expired));
    desk.orders.ripen(end, false);
    assert_eq!(state(&desk, "no-0001"), TradeState::NotPay, "the switch is off");
    assert_eq!(desk.orders.next_due(true), Some(end));
    desk.orders.ripen(end, true);
    assert_eq!(state(&desk, "no-0001"), TradeState::Closed);
    desk.native("no-0002", 1).expect("made");
    let week = NOW.plus_ms(7 * 24 * HOUR_MS);
    assert_eq!(desk.orders.next_due(false), Some(week));
    desk.orders.ripen(week, false);
    assert_eq!(state(&desk, "no-0002"), TradeState::Closed, "seven days unpaid");
}

#[test]
fn refunds_never_exceed_what_was_paid() {
    let desk = Desk::open();
    assert_eq!(desk.refund("r-1", "no-0001", (1, 100), AT_ONCE).map(|_| ()), Err(RefundError::UnknownOrder));
    desk.native("no-0002", 100).expect("made");
    assert_eq!(desk.refund("r-1", "no-0002", (1, 100), AT_ONCE).map(|_| ()), Err(RefundError::Unpaid));
    desk.paid("no-0001", 100);
    assert_eq!(desk.refund("r-1", "no-0001", (1, 99), AT_ONCE).map(|_| ()), Err(RefundError::OtherTotal));
    let first = desk.refund("r-1", "no-0001", (60, 100), AT_ONCE).expect("accepted");
    assert_eq!((first.status, first.amount()), (Status::Processing, 60));
    assert_eq!(desk.refund("r-1", "no-0001", (60, 100), AT_ONCE).expect("found").refund_id, first.refund_id);
    assert_eq!(desk.refund("r-1", "no-0001", (50, 100), AT_ONCE).map(|_| ()), Err(RefundError::Differs));
    assert_eq!(desk.refund("r-2", "no-0001", (41, 100), AT_ONCE).map(|_| ()), Err(RefundError::TooMuch));
    let refused = desk.refund("r-3", "no-0001", (40, 100), Course { becomes: Status::Closed, ..AT_ONCE }).expect("accepted");
    assert_eq!(desk.refund("r-4", "no-0001", (1, 100), AT_ONCE).map(|_| ()), Err(RefundError::TooMuch), "under way counts");
    assert_eq!(desk.orders.ripen(NOW, false).len(), 2);
    assert_eq!(desk.orders.refund_by_number(&refused.key).map(|(_, refund)| refund.status), Some(Status::Closed));
    assert!(desk.refund("r-4", "no-0001", (40, 100), AT_ONCE).is_ok(), "what was refused for good does not count");
    let gap = Course { gap_ms: 60_000, ..AT_ONCE };
    desk.paid("no-0003", 100);
    assert!(desk.refund("r-5", "no-0003", (1, 100), gap).is_ok());
    assert_eq!(desk.refund("r-6", "no-0003", (1, 100), gap).map(|_| ()), Err(RefundError::TooSoon));
    for n in 7..56 {
        desk.refund(&format!("r-{n}"), "no-0003", (1, 100), AT_ONCE).expect("accepted");
    }
    assert_eq!(desk.refund("r-99", "no-0003", (1, 100), AT_ONCE).map(|_| ()), Err(RefundError::TooMany));
}

#[test]
fn an_abnormal_refund_goes_elsewhere() {
    let desk = Desk::open();
    desk.paid("no-0001", 100);
    let refund = desk.refund("r-1", "no-0001", (100, 100), Course { becomes: Status::Abnormal, ..AT_ONCE }).expect("accepted");
    assert_eq!(desk.orders.refund_elsewhere(&refund.key, "USER_BANK_CARD", AT_ONCE, NOW).map(|_| ()), Err(RefundError::NotAbnormal));
    assert_eq!(desk.orders.ripen(NOW, false)[0].1.status, Status::Abnormal);
    let slow = Course { takes_ms: HOUR_MS, ..AT_ONCE };
    let (_, sent) = desk.orders.refund_elsewhere(&refund.key, "MERCHANT_BANK_CARD", slow, NOW).expect("sent");
    assert_eq!((sent.status, sent.received_account), (Status::Processing, "商户结算银行账户"));
    let desk = desk.reopen();
    assert!(desk.orders.ripen(NOW, false).is_empty());
    assert_eq!(desk.orders.ripen(NOW.plus_ms(HOUR_MS), false)[0].1.status, Status::Success);
}

#[test]
fn a_restart_finds_everything_again() {
    let desk = Desk::open();
    let order = desk.paid("no-0001", 5);
    desk.refund("r-1", "no-0001", (2, 5), AT_ONCE).expect("accepted");
    desk.orders.ripen(NOW, false);
    let desk = desk.reopen();
    let found = desk.orders.by_transaction(order.transaction_id.as_deref().expect("paid")).expect("there");
    assert_eq!((found.state, found.creates, found.total(), found.key_mode), (TradeState::Refund, 1, 5, KeyMode::PublicKey));
    assert_eq!(desk.orders.pay(&order.code_url, NOW).map(|(_, new)| new), Ok(false));
    assert_eq!(desk.refund("r-1", "no-0001", (2, 5), AT_ONCE).map(|refund| refund.status), Ok(Status::Success));
    assert_eq!(desk.refund("r-2", "no-0001", (4, 5), AT_ONCE).map(|_| ()), Err(RefundError::TooMuch));
}

#[test]
fn a_journal_of_before_there_were_several_merchants_still_opens() {
    let dir = tempfile::tempdir().expect("a folder");
    let path: &Path = &dir.path().join("o.jsonl");
    let lines = [
        json!({"is": "created", "no": "no-0001", "parameters": parameters(7), "code_url": "weixin://a", "public_key": false}),
        json!({"is": "paid", "no": "no-0001", "transaction_id": "42", "at_ms": 1, "notice_id": "n-1"}),
        json!({"is": "delivered", "no": "no-0001", "status": 204, "at_ms": 2, "taken": true}),
        json!({"is": "created", "no": "no-0002", "parameters": parameters(8), "code_url": "weixin://b", "public_key": false}),
    ];
    std::fs::write(path, lines.map(|line| format!("{line}\n")).concat()).expect("written");
    let orders = Orders::at(path).expect("opens");
    let paid = orders.by_number(&Key::new("19", "no-0001")).expect("there");
    assert_eq!((paid.state, paid.notice_id), (TradeState::Success, None), "its notice is not sent again");
    orders.ripen(NOW, true);
    assert_eq!(orders.pay("weixin://b", NOW).map(|(order, _)| order.state), Ok(TradeState::Success));
}
