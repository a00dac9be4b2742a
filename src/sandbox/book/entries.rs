//! What the entries of the orders' journal mean: the one place where orders and refunds change.

use serde_json::Value;

use super::super::sign::KeyMode;
use super::Held;
use super::order::{Key, Order, Product, TradeState, UNPAID_MS_MAX};
use super::orders::Trade;
use super::refunds::{Refund, Status};
use crate::clock::UnixMs;

/// When something ends that was written down before times were: never.
const NEVER: UnixMs = UnixMs(i64::MAX);

fn text(entry: &Value, name: &str) -> String {
    entry[name].as_str().unwrap_or_default().to_owned()
}

fn time(entry: &Value, name: &str) -> Option<UnixMs> {
    entry[name].as_i64().map(UnixMs)
}

impl Held for Trade {
    fn take(&mut self, entry: &Value) {
        let owner = match entry["mchid"].as_str() {
            Some(mchid) => mchid.to_owned(),
            None => entry["parameters"]["mchid"].as_str().unwrap_or(&self.first_owner).to_owned(),
        };
        if self.first_owner.is_empty() {
            self.first_owner.clone_from(&owner);
        }
        let key = Key { mchid: owner, number: text(entry, "no") };
        match entry["is"].as_str() {
            Some("created") => self.created(key, entry),
            Some("combined") => self.combined(key, entry),
            Some("paid_together") => self.paid_together(&key, entry),
            Some("paid") => self.paid(key, entry),
            Some("closed") => self.ended(&key, TradeState::Closed),
            Some("reversed") => self.ended(&key, TradeState::Revoked),
            Some("declined") => self.declined(&key),
            // Deliveries had their place here before notices had a book of their own: what was taken is not sent again.
            Some("delivered") if entry["taken"] == true => self.change(&key, |order| order.notice_id = None),
            Some("refunded") => self.refunded(key, entry),
            Some("refund_again") => self.refund_again(&key, entry),
            Some("refund_ended") => self.refund_ended(&key, entry),
            _ => {}
        }
    }
}

impl Trade {
    fn change(&mut self, key: &Key, how: impl FnOnce(&mut Order)) {
        if let Some(order) = self.orders.get_mut(key) {
            how(order);
        }
    }

    fn declined(&mut self, key: &Key) {
        self.change(key, |order| order.declined += 1);
        if self.orders.get(key).is_some_and(|order| order.state == TradeState::UserPaying) {
            self.ended(key, TradeState::PayError);
        }
    }

    pub(super) fn created(&mut self, key: Key, entry: &Value) {
        let created_at = time(entry, "at_ms").unwrap_or(NEVER);
        let product = Product::of(entry["product"].as_str().unwrap_or_default());
        let order = self.orders.entry(key.clone()).or_insert_with(|| Order {
            key: key.clone(),
            product,
            parameters: entry["parameters"].clone(),
            key_mode: if entry["public_key"] == true { KeyMode::PublicKey } else { KeyMode::Certificates },
            // A code payment that is not paid at once waits for the payer's password.
            state: if product == Product::CodePay { TradeState::UserPaying } else { TradeState::NotPay },
            prepay_id: String::new(),
            code_url: String::new(),
            created_at,
            handed_at: created_at,
            expires_at: time(entry, "expires_ms").unwrap_or(NEVER),
            creates: 0,
            declined: 0,
            transaction_id: None,
            paid_at: None,
            notice_id: None,
            refunds: Vec::new(),
        });
        self.handles.remove(order.handle());
        (order.code_url, order.prepay_id, order.handed_at) = (text(entry, "code_url"), text(entry, "prepay_id"), created_at);
        order.creates += 1;
        // A part of a combined order has no handle of its own.
        if !order.handle().is_empty() {
            self.handles.insert(order.handle().to_owned(), key.clone());
        }
        self.expiring.insert((order.expires_at, key.clone()));
        self.ageing.insert((order.created_at.plus_ms(UNPAID_MS_MAX), key));
        if let (Some(openid), Some(appid)) = (entry["openid"][0].as_str(), entry["openid"][1].as_str()) {
            self.openids.insert(openid.to_owned(), appid.to_owned());
        }
    }

    pub(super) fn paid(&mut self, key: Key, entry: &Value) {
        let transaction_id = text(entry, "transaction_id");
        self.ended(&key, TradeState::Success);
        self.change(&key, |order| {
            (order.transaction_id, order.paid_at) = (Some(transaction_id.clone()), time(entry, "at_ms"));
            order.notice_id = entry["notice_id"].as_str().map(str::to_owned);
        });
        self.transactions.insert(transaction_id, key);
    }

    /// The order waits for its payer no longer.
    fn ended(&mut self, key: &Key, state: TradeState) {
        let Some(order) = self.orders.get_mut(key) else { return };
        order.state = state;
        self.expiring.remove(&(order.expires_at, key.clone()));
        self.ageing.remove(&(order.created_at.plus_ms(UNPAID_MS_MAX), key.clone()));
    }

    fn refunded(&mut self, key: Key, entry: &Value) {
        let refund = Refund {
            order: Key { mchid: key.mchid.clone(), number: text(entry, "order") },
            refund_id: text(entry, "refund_id"),
            parameters: entry["parameters"].clone(),
            key_mode: if entry["public_key"] == true { KeyMode::PublicKey } else { KeyMode::Certificates },
            status: Status::Processing,
            becomes: Status::of(entry["becomes"].as_str().unwrap_or_default()),
            accepted_at: time(entry, "at_ms").unwrap_or(NEVER),
            due_at: time(entry, "due_ms").unwrap_or(NEVER),
            ended_at: None,
            received_account: "支付用户零钱",
            notice_id: None,
            key: key.clone(),
        };
        self.change(&refund.order.clone(), |order| {
            order.state = TradeState::Refund;
            order.refunds.push(key.number.clone());
        });
        self.refund_ids.insert(refund.refund_id.clone(), key.clone());
        self.refunding.insert((refund.due_at, key.clone()));
        self.refunds.insert(key, refund);
    }

    fn refund_again(&mut self, key: &Key, entry: &Value) {
        let Some(refund) = self.refunds.get_mut(key) else { return };
        (refund.status, refund.becomes) = (Status::Processing, Status::Success);
        (refund.ended_at, refund.notice_id) = (None, None);
        refund.due_at = time(entry, "due_ms").unwrap_or(NEVER);
        refund.received_account = if entry["to"] == "MERCHANT_BANK_CARD" { "商户结算银行账户" } else { "用户银行卡" };
        self.refunding.insert((refund.due_at, key.clone()));
    }

    fn refund_ended(&mut self, key: &Key, entry: &Value) {
        let Some(refund) = self.refunds.get_mut(key) else { return };
        self.refunding.remove(&(refund.due_at, key.clone()));
        refund.status = refund.becomes;
        (refund.ended_at, refund.notice_id) = (time(entry, "at_ms"), entry["notice_id"].as_str().map(str::to_owned));
    }
}
