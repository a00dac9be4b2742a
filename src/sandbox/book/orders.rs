//! All orders and their refunds: an order is made once under its number, paid once, closed once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde_json::{Value, json};

use super::super::SandboxError;
use super::super::accounts::keys::{beijing_digits, digits, hex_of};
use super::super::sign::KeyMode;
use super::combined::Combined;
use super::order::{Key, Order, Product, TradeState, UNPAID_MS_MAX};
use super::refunds::Refund;
use super::{Book, Open, Unwritten};
use crate::clock::UnixMs;

/// Most orders one sandbox holds.
const ORDERS_MAX: usize = 1_000_000;

/// Why an order cannot be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderError {
    /// The order under this number was asked for with other parameters.
    Differs,
    /// The order under this number is one of another product.
    OtherProduct,
    Paid,
    Closed,
    /// Its `time_expire` is over.
    Expired,
    /// The handle's life is over: the merchant has to ask again.
    HandleExpired,
    /// It cannot be paid as the merchant made it: `payer_client_ip` is 127.0.0.1.
    Unpayable,
    /// Code pay is reversed, never closed.
    ReverseOnly,
    /// Only code pay can be reversed, and not once money went back.
    NotReversible,
    /// The openid was given to another application.
    OpenidMismatch,
    /// A combined order was asked for again with another settlement.
    SettlesDifferently,
    Unknown,
    /// The journal cannot be written, or there is no room.
    Unavailable,
}

impl From<Unwritten> for OrderError {
    fn from(_: Unwritten) -> Self {
        Self::Unavailable
    }
}

/// An order that is asked for.
#[derive(Debug)]
pub(crate) struct Wanted<'w> {
    pub(crate) key: Key,
    pub(crate) product: Product,
    pub(crate) parameters: &'w Value,
    /// The payer's openid and the application it belongs to.
    pub(crate) openid: Option<(String, String)>,
    pub(crate) expires_at: Option<UnixMs>,
    pub(crate) key_mode: KeyMode,
}

/// Whether there is an order for what is wanted already.
#[derive(Debug)]
pub(crate) enum Standing {
    New,
    /// There is: equal, and open.
    Open(Box<Order>),
}

/// All orders.
#[derive(Debug)]
pub(crate) struct Orders(pub(super) Book<Trade>);

/// What the orders' book holds; it grows in [`super::entries`].
#[derive(Debug, Default)]
pub(crate) struct Trade {
    pub(super) orders: BTreeMap<Key, Order>,
    /// Orders by what payers hold.
    pub(super) handles: HashMap<String, Key>,
    pub(super) transactions: HashMap<String, Key>,
    /// Which application an openid belongs to.
    pub(super) openids: HashMap<String, String>,
    /// Unpaid orders by when they expire, and by when they are too old.
    pub(super) expiring: BTreeSet<(UnixMs, Key)>,
    pub(super) ageing: BTreeSet<(UnixMs, Key)>,
    pub(super) combined: BTreeMap<Key, Combined>,
    pub(super) combined_handles: HashMap<String, Key>,
    pub(super) refunds: BTreeMap<Key, Refund>,
    pub(super) refund_ids: HashMap<String, Key>,
    /// Refunds under way by when they end.
    pub(super) refunding: BTreeSet<(UnixMs, Key)>,
    /// The owner of orders that were written down before there were several merchants.
    pub(super) first_owner: String,
}

impl Orders {
    pub(crate) fn at(path: &Path) -> Result<Self, SandboxError> {
        Book::at(path).map(Self)
    }

    /// Whether a wanted order stands already; an error if it cannot be made.
    pub(crate) fn standing(&self, wanted: &Wanted<'_>, now: UnixMs) -> Result<Standing, OrderError> {
        match self.0.open().orders.get(&wanted.key) {
            None => Ok(Standing::New),
            Some(order) => again(order, wanted, now).map(|()| Standing::Open(Box::new(order.clone()))),
        }
    }

    /// Makes an order, or finds the equal one: its handle is renewed then, and the old one dies.
    pub(crate) fn create(&self, wanted: &Wanted<'_>, now: UnixMs) -> Result<Order, OrderError> {
        let mut book = self.0.open();
        let expires_at = match book.orders.get(&wanted.key) {
            None if book.is_full() => return Err(OrderError::Unavailable),
            None => wanted.expires_at.unwrap_or(now.plus_ms(UNPAID_MS_MAX)),
            Some(order) => {
                again(order, wanted, now)?;
                order.expires_at
            }
        };
        let is_anothers = |(openid, appid): &(String, String)| book.openids.get(openid).is_some_and(|owner| owner != appid);
        if wanted.openid.as_ref().is_some_and(is_anothers) {
            return Err(OrderError::OpenidMismatch);
        }
        let unavailable = |_| OrderError::Unavailable;
        let code_url = match wanted.product {
            Product::Native => format!("weixin://wxpay/bizpayurl?pr={}", hex_of(12).map_err(unavailable)?),
            _ => String::new(),
        };
        let prepay_id = match wanted.product {
            Product::CodePay => wanted.parameters["payer"]["auth_code"].as_str().unwrap_or_default().to_owned(),
            _ => format!("wx{}{}", beijing_digits(now.seconds()), hex_of(10).map_err(unavailable)?),
        };
        let entry = json!({
            "is": "created", "mchid": wanted.key.mchid, "no": wanted.key.number, "product": wanted.product.trade_type(),
            "parameters": wanted.parameters, "code_url": code_url, "prepay_id": prepay_id, "public_key": wanted.key_mode == KeyMode::PublicKey,
            "openid": wanted.openid, "at_ms": now.0, "expires_ms": expires_at.0,
        });
        note(&mut book, &entry, &wanted.key)
    }

    /// The payer pays; the answer says whether it was paid just now.
    pub(crate) fn pay(&self, handle: &str, now: UnixMs) -> Result<(Order, bool), OrderError> {
        let mut book = self.0.open();
        let order = book.by_handle(handle)?;
        match order.state {
            state if state.is_paid() => return Ok((order, false)),
            state if state.is_open() => payable(&order, now)?,
            _ => return Err(OrderError::Closed),
        }
        let transaction_id = transaction_id(now).map_err(|_| OrderError::Unavailable)?;
        // Code pay answers the cashier and calls nobody back.
        let notice = (order.product != Product::CodePay).then(|| uuid::Uuid::new_v4().to_string());
        let (mchid, number) = (&order.key.mchid, &order.key.number);
        let entry = json!({"is": "paid", "mchid": mchid, "no": number, "transaction_id": transaction_id, "at_ms": now.0, "notice_id": notice});
        note(&mut book, &entry, &order.key).map(|order| (order, true))
    }

    /// The payer declines: the order stays open, a code payment fails.
    pub(crate) fn decline(&self, handle: &str) -> Result<Order, OrderError> {
        let mut book = self.0.open();
        let order = book.by_handle(handle)?;
        note(&mut book, &json!({"is": "declined", "mchid": order.key.mchid, "no": order.key.number}), &order.key)
    }

    /// The merchant closes; closing again is fine.
    pub(crate) fn close(&self, key: &Key, sub_mchid: &str) -> Result<(), OrderError> {
        let mut book = self.0.open();
        let order = book.orders.get(key).filter(|order| order.sub_mchid() == sub_mchid).ok_or(OrderError::Unknown)?;
        match order.state {
            _ if order.product == Product::CodePay => Err(OrderError::ReverseOnly),
            state if state.is_paid() => Err(OrderError::Paid),
            TradeState::NotPay => book.close(key),
            _ => Ok(()),
        }
    }

    /// The cashier reverses a code payment: money that moved goes back. Reversing again is fine.
    pub(crate) fn reverse(&self, key: &Key, sub_mchid: &str) -> Result<Order, OrderError> {
        let mut book = self.0.open();
        let order = book.orders.get(key).filter(|order| order.sub_mchid() == sub_mchid).ok_or(OrderError::Unknown)?;
        match order.state {
            TradeState::Revoked => Ok(order.clone()),
            TradeState::Refund => Err(OrderError::NotReversible),
            _ if order.product != Product::CodePay => Err(OrderError::NotReversible),
            _ => note(&mut book, &json!({"is": "reversed", "mchid": key.mchid, "no": key.number}), key),
        }
    }

    /// The order under a merchant's number.
    pub(crate) fn by_number(&self, key: &Key) -> Option<Order> {
        self.0.open().orders.get(key).cloned()
    }

    /// The order under WeChat Pay's number.
    pub(crate) fn by_transaction(&self, transaction_id: &str) -> Option<Order> {
        let book = self.0.open();
        book.orders.get(book.transactions.get(transaction_id)?).cloned()
    }

    /// Every order, by number.
    pub(crate) fn all(&self) -> Vec<Order> {
        self.0.open().orders.values().cloned().collect()
    }
}

/// Whether an order may be asked for again: equal in everything but `time_expire`, which only the first request sets.
fn again(order: &Order, wanted: &Wanted<'_>, now: UnixMs) -> Result<(), OrderError> {
    let without_expiry = |parameters: &Value| {
        let mut parameters = parameters.clone();
        if let Some(fields) = parameters.as_object_mut() {
            fields.remove("time_expire");
        }
        parameters
    };
    match order.state {
        state if state.is_paid() => Err(OrderError::Paid),
        state if !state.is_open() => Err(OrderError::Closed),
        _ if now >= order.expires_at => Err(OrderError::Expired),
        _ if order.product != wanted.product => Err(OrderError::OtherProduct),
        _ if without_expiry(&order.parameters) != without_expiry(wanted.parameters) => Err(OrderError::Differs),
        _ => Ok(()),
    }
}

/// Whether an open order can be paid now.
fn payable(order: &Order, now: UnixMs) -> Result<(), OrderError> {
    if now >= order.expires_at {
        return Err(OrderError::Expired);
    }
    if now >= order.handed_at.plus_ms(order.product.handle_ms()) {
        return Err(OrderError::HandleExpired);
    }
    let is_loopback = order.product == Product::H5 && order.parameters["scene_info"]["payer_client_ip"] == "127.0.0.1";
    if is_loopback { Err(OrderError::Unpayable) } else { Ok(()) }
}

/// WeChat Pay's number of a payment: 28 digits.
pub(super) fn transaction_id(now: UnixMs) -> Result<String, SandboxError> {
    Ok(format!("4200{:06}{}", now.seconds() / 86_400 % 1_000_000, digits(18)?))
}

/// Writes an entry about an order, then gives the order as it is now.
pub(super) fn note(book: &mut Open<'_, Trade>, entry: &Value, key: &Key) -> Result<Order, OrderError> {
    book.note(entry)?;
    book.orders.get(key).cloned().ok_or(OrderError::Unknown)
}

impl Open<'_, Trade> {
    /// Writes down that an order is closed.
    pub(super) fn close(&mut self, key: &Key) -> Result<(), OrderError> {
        self.note(&json!({"is": "closed", "mchid": key.mchid, "no": key.number})).map_err(OrderError::from)
    }
}

impl Trade {
    /// Whether there is no room for another order.
    pub(super) fn is_full(&self) -> bool {
        self.orders.len() >= ORDERS_MAX
    }

    fn by_handle(&self, handle: &str) -> Result<Order, OrderError> {
        let key = self.handles.get(handle).ok_or(OrderError::Unknown)?;
        self.orders.get(key).filter(|order| order.handle() == handle).cloned().ok_or(OrderError::Unknown)
    }
}
