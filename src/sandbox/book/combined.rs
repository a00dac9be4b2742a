//! Combined orders: several orders, of one merchant or of several, paid at once or not at all.

use serde_json::{Value, json};

use super::super::accounts::keys::{beijing_digits, hex_of};
use super::super::sign::KeyMode;
use super::Open;
use super::order::{Key, Order, Product, TradeState, UNPAID_MS_MAX};
use super::orders::{OrderError, Orders, Trade, transaction_id};
use crate::clock::UnixMs;

/// One combined order; its parts are orders like all others.
#[derive(Clone, Debug)]
pub(crate) struct Combined {
    /// Who combined, and the `combine_out_trade_no`.
    pub(crate) key: Key,
    pub(crate) product: Product,
    /// Everything that was sent.
    pub(crate) parameters: Value,
    pub(crate) key_mode: KeyMode,
    pub(crate) parts: Vec<Key>,
    pub(crate) prepay_id: String,
    pub(crate) code_url: String,
    pub(crate) handed_at: UnixMs,
    pub(crate) expires_at: UnixMs,
    pub(crate) transaction_id: Option<String>,
    pub(crate) paid_at: Option<UnixMs>,
    pub(crate) notice_id: Option<String>,
}

impl Combined {
    fn handle(&self) -> &str {
        if self.product == Product::Native { &self.code_url } else { &self.prepay_id }
    }
}

/// A combined order that is asked for: the whole, and each part as an order of its own.
#[derive(Debug)]
pub(crate) struct WantedTogether<'w> {
    pub(crate) key: Key,
    pub(crate) product: Product,
    pub(crate) parameters: &'w Value,
    pub(crate) parts: Vec<(Key, Value)>,
    pub(crate) expires_at: Option<UnixMs>,
    pub(crate) key_mode: KeyMode,
}

impl Orders {
    /// Makes a combined order, or finds the equal one with a new handle.
    pub(crate) fn combine(&self, wanted: &WantedTogether<'_>, now: UnixMs) -> Result<Combined, OrderError> {
        let mut book = self.0.open();
        let expires_at = match book.combined.get(&wanted.key) {
            Some(combined) => {
                book.again_together(combined, wanted, now)?;
                combined.expires_at
            }
            None if wanted.parts.iter().any(|(key, _)| book.orders.contains_key(key)) => return Err(OrderError::OtherProduct),
            None if book.is_full() => return Err(OrderError::Unavailable),
            None => wanted.expires_at.unwrap_or(now.plus_ms(UNPAID_MS_MAX)),
        };
        let unavailable = |_| OrderError::Unavailable;
        let code_url = match wanted.product {
            Product::Native => format!("weixin://wxpay/bizpayurl?pr={}", hex_of(12).map_err(unavailable)?),
            _ => String::new(),
        };
        let prepay_id = format!("wx{}{}", beijing_digits(now.seconds()), hex_of(10).map_err(unavailable)?);
        let parts: Vec<Value> =
            wanted.parts.iter().map(|(key, parameters)| json!({"mchid": key.mchid, "no": key.number, "parameters": parameters})).collect();
        let entry = json!({
            "is": "combined", "mchid": wanted.key.mchid, "no": wanted.key.number, "product": wanted.product.trade_type(),
            "parameters": wanted.parameters, "parts": parts, "code_url": code_url, "prepay_id": prepay_id,
            "public_key": wanted.key_mode == KeyMode::PublicKey, "at_ms": now.0, "expires_ms": expires_at.0,
        });
        noted(&mut book, &entry, &wanted.key).map(|(combined, _)| combined)
    }

    /// The payer pays all parts; says whether just now. `Unknown` if the handle is not a combined order's.
    pub(crate) fn pay_together(&self, handle: &str, now: UnixMs) -> Result<(Combined, Vec<Order>, bool), OrderError> {
        let mut book = self.0.open();
        let key = book.combined_handles.get(handle).cloned().ok_or(OrderError::Unknown)?;
        let (combined, parts) = book.together(&key).filter(|(combined, _)| combined.handle() == handle).ok_or(OrderError::Unknown)?;
        if combined.paid_at.is_some() {
            return Ok((combined, parts, false));
        }
        if parts.iter().any(|order| order.state != TradeState::NotPay) {
            return Err(OrderError::Closed);
        }
        if now >= combined.expires_at {
            return Err(OrderError::Expired);
        }
        if now >= combined.handed_at.plus_ms(combined.product.handle_ms()) {
            return Err(OrderError::HandleExpired);
        }
        let number = || transaction_id(now).map_err(|_| OrderError::Unavailable);
        let numbers = parts.iter().map(|_| number()).collect::<Result<Vec<_>, _>>()?;
        let entry = json!({
            "is": "paid_together", "mchid": key.mchid, "no": key.number, "transaction_id": number()?, "parts": numbers, "at_ms": now.0,
            "notice_id": uuid::Uuid::new_v4().to_string(),
        });
        noted(&mut book, &entry, &key).map(|(combined, parts)| (combined, parts, true))
    }

    /// Closes all parts; `parts` has to be exactly those the order was made of. Closing again is fine.
    pub(crate) fn close_together(&self, key: &Key, parts: &[Key]) -> Result<(), OrderError> {
        let mut book = self.0.open();
        let (combined, orders) = book.together(key).ok_or(OrderError::Unknown)?;
        let mut named: Vec<&Key> = parts.iter().collect();
        let mut made: Vec<&Key> = combined.parts.iter().collect();
        named.sort();
        made.sort();
        if named != made {
            return Err(OrderError::Differs);
        }
        if combined.paid_at.is_some() {
            return Err(OrderError::Paid);
        }
        let open = orders.iter().filter(|order| order.state == TradeState::NotPay);
        open.map(|order| &order.key).try_for_each(|key| book.close(key))
    }

    /// The combined order under a number, and its parts in the order they were sent.
    pub(crate) fn together_by_number(&self, key: &Key) -> Option<(Combined, Vec<Order>)> {
        self.0.open().together(key)
    }

    /// Every combined order with its parts.
    pub(crate) fn all_together(&self) -> Vec<(Combined, Vec<Order>)> {
        let book = self.0.open();
        book.combined.keys().filter_map(|key| book.together(key)).collect()
    }
}

fn noted(book: &mut Open<'_, Trade>, entry: &Value, key: &Key) -> Result<(Combined, Vec<Order>), OrderError> {
    book.note(entry)?;
    book.together(key).ok_or(OrderError::Unknown)
}

impl Trade {
    fn together(&self, key: &Key) -> Option<(Combined, Vec<Order>)> {
        let combined = self.combined.get(key)?.clone();
        let parts = combined.parts.iter().map(|key| self.orders.get(key).cloned()).collect::<Option<Vec<_>>>()?;
        Some((combined, parts))
    }

    fn again_together(&self, combined: &Combined, wanted: &WantedTogether<'_>, now: UnixMs) -> Result<(), OrderError> {
        let is_closed = combined.parts.iter().filter_map(|key| self.orders.get(key)).any(|order| order.state == TradeState::Closed);
        let settled = |parameters: &Value| {
            let parts = parameters["sub_orders"].as_array().into_iter().flatten();
            parts.map(|part| part["settle_info"].clone()).collect::<Vec<_>>()
        };
        let without_times = |parameters: &Value| {
            let mut parameters = parameters.clone();
            if let Some(fields) = parameters.as_object_mut() {
                fields.retain(|name, _| !matches!(name.as_str(), "time_expire" | "time_start"));
            }
            parameters
        };
        match combined {
            _ if combined.paid_at.is_some() => Err(OrderError::Paid),
            _ if is_closed => Err(OrderError::Closed),
            _ if now >= combined.expires_at => Err(OrderError::Expired),
            _ if combined.product != wanted.product => Err(OrderError::OtherProduct),
            _ if settled(&combined.parameters) != settled(wanted.parameters) => Err(OrderError::SettlesDifferently),
            _ if without_times(&combined.parameters) != without_times(wanted.parameters) => Err(OrderError::Differs),
            _ => Ok(()),
        }
    }

    /// Lets a combined order be made or handed out anew.
    pub(super) fn combined(&mut self, key: Key, entry: &Value) {
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let at = UnixMs(entry["at_ms"].as_i64().unwrap_or_default());
        let key_mode = if entry["public_key"] == true { KeyMode::PublicKey } else { KeyMode::Certificates };
        let product = Product::of(&text("product"));
        let is_new = !self.combined.contains_key(&key);
        let combined = self.combined.entry(key.clone()).or_insert_with(|| Combined {
            key: key.clone(),
            product,
            parameters: entry["parameters"].clone(),
            key_mode,
            parts: Vec::new(),
            prepay_id: String::new(),
            code_url: String::new(),
            handed_at: at,
            expires_at: UnixMs(entry["expires_ms"].as_i64().unwrap_or_default()),
            transaction_id: None,
            paid_at: None,
            notice_id: None,
        });
        self.combined_handles.remove(combined.handle());
        (combined.prepay_id, combined.code_url, combined.handed_at) = (text("prepay_id"), text("code_url"), at);
        self.combined_handles.insert(combined.handle().to_owned(), key.clone());
        if !is_new {
            return;
        }
        for part in entry["parts"].as_array().into_iter().flatten() {
            let own = Key::new(part["mchid"].as_str().unwrap_or_default(), part["no"].as_str().unwrap_or_default());
            let mut made = entry.clone();
            (made["parameters"], made["code_url"], made["prepay_id"]) = (part["parameters"].clone(), "".into(), "".into());
            self.created(own.clone(), &made);
            if let Some(combined) = self.combined.get_mut(&key) {
                combined.parts.push(own);
            }
        }
    }

    /// Lets all parts be paid.
    pub(super) fn paid_together(&mut self, key: &Key, entry: &Value) {
        let Some(combined) = self.combined.get_mut(key) else { return };
        combined.paid_at = entry["at_ms"].as_i64().map(UnixMs);
        combined.transaction_id = entry["transaction_id"].as_str().map(str::to_owned);
        combined.notice_id = entry["notice_id"].as_str().map(str::to_owned);
        let parts = combined.parts.clone();
        for (part, number) in parts.into_iter().zip(entry["parts"].as_array().into_iter().flatten()) {
            self.paid(part, &json!({"transaction_id": number, "at_ms": entry["at_ms"]}));
        }
    }
}
