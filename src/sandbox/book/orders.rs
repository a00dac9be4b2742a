//! Orders as the payment side has them: made once under their number, paid once, closed once; every change in the journal first.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::super::SandboxError;
use super::super::accounts::{random, rfc3339};
use super::super::sign::KeyMode;
use super::{Book, Held, Open, Unwritten};
use crate::clock::UnixMs;
use crate::ids::hex;

/// Most orders one sandbox holds.
const ORDERS_MAX: usize = 1_000_000;

/// How an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TradeState {
    NotPay,
    Success,
    Closed,
}

impl TradeState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotPay => "NOTPAY",
            Self::Success => "SUCCESS",
            Self::Closed => "CLOSED",
        }
    }
}

/// One order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) out_trade_no: String,
    /// Everything the merchant sent, as JSON: the same order again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) key_mode: KeyMode,
    pub(crate) state: TradeState,
    pub(crate) code_url: String,
    /// How often it was asked for.
    pub(crate) creates: u32,
    pub(crate) declined: u32,
    pub(crate) transaction_id: Option<String>,
    pub(crate) paid_at: Option<UnixMs>,
    /// The notice's own number, the same for every delivery.
    pub(crate) notice_id: Option<String>,
    /// The merchant has taken the notice.
    pub(crate) notified: bool,
    /// When each delivery was made and how it was answered; 0 for no answer.
    pub(crate) deliveries: Vec<(UnixMs, u16)>,
}

impl Order {
    /// A text of the order's parameters.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters[name].as_str().unwrap_or_default()
    }

    /// What is to be paid, in fen.
    pub(crate) fn total(&self) -> i64 {
        self.parameters["amount"]["total"].as_i64().unwrap_or_default()
    }
}

/// Why an order cannot be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderError {
    /// Another order stands under this number.
    Used,
    Paid,
    Closed,
    Unknown,
    /// The journal cannot be written, or there is no room.
    Unavailable,
}

/// All orders.
#[derive(Debug)]
pub(crate) struct Orders(Book<AllOrders>);

#[derive(Debug, Default)]
struct AllOrders {
    orders: BTreeMap<String, Order>,
    codes: HashMap<String, String>,
}

impl From<Unwritten> for OrderError {
    fn from(_: Unwritten) -> Self {
        Self::Unavailable
    }
}

impl Orders {
    pub(crate) fn at(path: &Path) -> Result<Self, SandboxError> {
        Book::at(path).map(Self)
    }

    /// Makes an order, or finds the equal one: its code is renewed then, and the old one dies.
    pub(crate) fn create(&self, out_trade_no: &str, parameters: &Value, key_mode: KeyMode) -> Result<Order, OrderError> {
        let mut book = self.0.open();
        match book.orders.get(out_trade_no).map(|order| (order.state, order.parameters == *parameters)) {
            Some((TradeState::Success, _)) => return Err(OrderError::Paid),
            Some((TradeState::Closed, _)) => return Err(OrderError::Closed),
            Some((TradeState::NotPay, false)) => return Err(OrderError::Used),
            None if book.orders.len() >= ORDERS_MAX => return Err(OrderError::Unavailable),
            Some((TradeState::NotPay, true)) | None => {}
        }
        let code = random(12).map_err(|_| OrderError::Unavailable)?;
        let code_url = format!("weixin://wxpay/bizpayurl?pr={}", hex(&code));
        let public_key = key_mode == KeyMode::PublicKey;
        note(
            &mut book,
            &json!({"is": "created", "no": out_trade_no, "parameters": parameters, "code_url": code_url, "public_key": public_key}),
            out_trade_no,
        )
    }

    /// The payer pays.
    pub(crate) fn pay(&self, code_url: &str, now: UnixMs) -> Result<(Order, bool), OrderError> {
        let mut book = self.0.open();
        let order = book.by_code(code_url)?;
        match order.state {
            TradeState::Closed => Err(OrderError::Closed),
            TradeState::Success => Ok((order, false)),
            TradeState::NotPay => {
                let digits: String = random(18).map_err(|_| OrderError::Unavailable)?.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
                let transaction_id = format!("4200{:06}{digits}", now.seconds() / 86_400 % 1_000_000);
                let notice = uuid::Uuid::new_v4().to_string();
                let entry = json!({"is": "paid", "no": order.out_trade_no, "transaction_id": transaction_id, "at_ms": now.0, "notice_id": notice});
                note(&mut book, &entry, &order.out_trade_no).map(|order| (order, true))
            }
        }
    }

    /// The payer declines: the order stays open.
    pub(crate) fn decline(&self, code_url: &str) -> Result<Order, OrderError> {
        let mut book = self.0.open();
        let order = book.by_code(code_url)?;
        note(&mut book, &json!({"is": "declined", "no": order.out_trade_no}), &order.out_trade_no)
    }

    /// The merchant closes; closing again is fine.
    pub(crate) fn close(&self, out_trade_no: &str) -> Result<(), OrderError> {
        let mut book = self.0.open();
        match book.orders.get(out_trade_no).map(|order| order.state) {
            None => Err(OrderError::Unknown),
            Some(TradeState::Success) => Err(OrderError::Paid),
            Some(TradeState::Closed) => Ok(()),
            Some(TradeState::NotPay) => note(&mut book, &json!({"is": "closed", "no": out_trade_no}), out_trade_no).map(|_| ()),
        }
    }

    /// Writes down a delivery; true once the merchant has taken the notice.
    pub(crate) fn delivered(&self, out_trade_no: &str, status: u16, now: UnixMs) -> bool {
        let taken = matches!(status, 200 | 204);
        let entry = json!({"is": "delivered", "no": out_trade_no, "status": status, "at_ms": now.0, "taken": taken});
        note(&mut self.0.open(), &entry, out_trade_no).is_ok_and(|order| order.notified)
    }

    pub(crate) fn by_number(&self, out_trade_no: &str) -> Option<Order> {
        self.0.open().orders.get(out_trade_no).cloned()
    }

    pub(crate) fn by_transaction(&self, transaction_id: &str) -> Option<Order> {
        self.0.open().orders.values().find(|order| order.transaction_id.as_deref() == Some(transaction_id)).cloned()
    }

    /// Every order, by number.
    pub(crate) fn all(&self) -> Vec<Order> {
        self.0.open().orders.values().cloned().collect()
    }
}

/// Writes an entry about an order, then gives the order as it is now.
fn note(book: &mut Open<'_, AllOrders>, entry: &Value, out_trade_no: &str) -> Result<Order, OrderError> {
    book.note(entry)?;
    book.orders.get(out_trade_no).cloned().ok_or(OrderError::Unknown)
}

impl AllOrders {
    fn by_code(&self, code_url: &str) -> Result<Order, OrderError> {
        let number = self.codes.get(code_url).ok_or(OrderError::Unknown)?;
        self.orders.get(number).filter(|order| order.code_url == code_url).cloned().ok_or(OrderError::Unknown)
    }
}

impl Held for AllOrders {
    fn take(&mut self, entry: &Value) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let at = UnixMs(entry["at_ms"].as_i64().unwrap_or_default());
        let number = text("no");
        if entry["is"] == "created" {
            self.codes.insert(text("code_url"), number.clone());
            let key_mode = if entry["public_key"] == true { KeyMode::PublicKey } else { KeyMode::Certificates };
            let order = self.orders.entry(number.clone()).or_insert_with(|| Order {
                out_trade_no: number,
                parameters: entry["parameters"].clone(),
                key_mode,
                state: TradeState::NotPay,
                code_url: String::new(),
                creates: 0,
                declined: 0,
                transaction_id: None,
                paid_at: None,
                notice_id: None,
                notified: false,
                deliveries: Vec::new(),
            });
            order.code_url = text("code_url");
            order.creates += 1;
            return;
        }
        let Some(order) = self.orders.get_mut(&number) else { return };
        match entry["is"].as_str() {
            Some("paid") => {
                order.state = TradeState::Success;
                (order.transaction_id, order.notice_id, order.paid_at) = (Some(text("transaction_id")), Some(text("notice_id")), Some(at));
            }
            Some("closed") => order.state = TradeState::Closed,
            Some("declined") => order.declined += 1,
            Some("delivered") => {
                order.deliveries.push((at, u16::try_from(entry["status"].as_u64().unwrap_or_default()).unwrap_or_default()));
                order.notified |= entry["taken"] == true;
            }
            _ => {}
        }
    }
}

/// The order as a query answers and a notice reports it: what has no value is absent, as at WeChat Pay.
pub(crate) fn transaction(order: &Order) -> Value {
    let mut json = json!({
        "appid": order.text("appid"), "mchid": order.text("mchid"), "out_trade_no": order.out_trade_no, "promotion_detail": [],
        "scene_info": {"device_id": ""}, "trade_state": order.state.word(),
    });
    let (description, amount) = match order.state {
        TradeState::NotPay => ("订单未支付", json!({"payer_currency": "CNY", "total": order.total()})),
        TradeState::Closed => ("订单已关闭", json!({"payer_currency": "CNY", "total": order.total()})),
        TradeState::Success => {
            ("支付成功", json!({"currency": "CNY", "payer_currency": "CNY", "payer_total": order.total(), "total": order.total()}))
        }
    };
    json["trade_state_desc"] = description.into();
    json["amount"] = amount;
    if let (Some(transaction_id), Some(at)) = (&order.transaction_id, order.paid_at) {
        json["transaction_id"] = transaction_id.as_str().into();
        json["trade_type"] = "NATIVE".into();
        json["bank_type"] = "OTHERS".into();
        json["success_time"] = rfc3339(at.seconds()).into();
        json["payer"] = json!({"openid": "oSandboxPayer000000000000001"});
        if let Some(attach) = order.parameters["attach"].as_str() {
            json["attach"] = attach.into();
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_790_000_000_000);

    fn parameters(total: i64) -> Value {
        json!({"appid": "wx1", "mchid": "19", "description": "x", "amount": {"total": total}})
    }

    #[test]
    fn the_rules_of_asking_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let orders = Orders::at(&dir.path().join("o.jsonl")).expect("opens");
        let first = orders.create("no-0001", &parameters(1), KeyMode::PublicKey).expect("made");
        let second = orders.create("no-0001", &parameters(1), KeyMode::PublicKey).expect("found");
        assert_ne!(first.code_url, second.code_url);
        assert_eq!(orders.pay(&first.code_url, NOW).map(|_| ()), Err(OrderError::Unknown), "the old code is dead");
        assert_eq!(orders.create("no-0001", &parameters(2), KeyMode::PublicKey).map(|_| ()), Err(OrderError::Used));
        assert_eq!(orders.pay(&second.code_url, NOW).map(|(order, new)| (order.state, new)), Ok((TradeState::Success, true)));
        assert_eq!(orders.pay(&second.code_url, NOW).map(|(_, new)| new), Ok(false), "paid once");
        assert_eq!(orders.create("no-0001", &parameters(1), KeyMode::PublicKey).map(|_| ()), Err(OrderError::Paid));
        assert_eq!(orders.close("no-0001"), Err(OrderError::Paid));
        orders.create("no-0002", &parameters(1), KeyMode::Certificates).expect("made");
        assert_eq!((orders.close("no-0002"), orders.close("no-0002")), (Ok(()), Ok(())));
        assert_eq!(orders.create("no-0002", &parameters(1), KeyMode::Certificates).map(|_| ()), Err(OrderError::Closed));
    }

    #[test]
    fn a_restart_finds_everything_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("o.jsonl");
        let code = {
            let orders = Orders::at(&path).expect("opens");
            let code = orders.create("no-0001", &parameters(5), KeyMode::PublicKey).expect("made").code_url;
            orders.pay(&code, NOW).expect("paid");
            assert!(!orders.delivered("no-0001", 500, NOW));
            code
        };
        let orders = Orders::at(&path).expect("opens");
        let order = orders.0.open().by_code(&code).expect("there");
        assert_eq!(
            (order.state, order.creates, order.total(), order.key_mode, order.notified),
            (TradeState::Success, 1, 5, KeyMode::PublicKey, false)
        );
        assert!(orders.delivered("no-0001", 204, NOW));
        assert_eq!(transaction(&order)["trade_state"], "SUCCESS");
    }
}
