//! Profit sharing: what a payment that was made for it is divided into, and what comes back. One thing on the shelf is one transaction, so
//! that no two requests divide the same fen.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::accounts::rfc3339;
use crate::clock::UnixMs;

/// How long a run takes: until then it is PROCESSING.
const RUN_MS: i64 = 1_000;

/// A payment can be divided from a minute after it was made, for thirty days; a return may come for 180.
const EARLIEST_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;
const SHARE_DAYS: i64 = 30;
const RETURN_DAYS: i64 = 180;

/// Most requests for one payment.
const ORDERS_MAX: usize = 50;

/// What may be divided at most, in percent of the payment.
const PERCENT_MAX: i64 = 30;

/// The part that goes back to the merchant itself when the rest is unfrozen.
const OWN_PART: &str = "解冻给分账方";

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharingError {
    /// It was paid less than a minute ago.
    TooEarly,
    /// Its time is over.
    TooLate,
    /// More than fifty requests, or more than the ratio allows.
    Limit,
    /// More than is left.
    NotEnough,
    /// The number stands for something else.
    Used,
    /// There is no such order or receiver.
    Unknown,
    /// The run it wants something back from has not ended.
    Running,
}

/// A payment that is divided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sharing {
    pub(crate) mchid: String,
    pub(crate) transaction_id: String,
    pub(crate) total_fen: i64,
    pub(crate) paid_at_ms: i64,
    pub(crate) orders: Vec<SharingOrder>,
    pub(crate) returns: Vec<Return>,
    /// Nothing is held back any more.
    pub(crate) unfrozen: bool,
}

/// One request to divide.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SharingOrder {
    pub(crate) out_order_no: String,
    pub(crate) order_id: String,
    /// What was sent, names opened: the same number again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) parts: Vec<Part>,
    pub(crate) at_ms: i64,
}

/// What one receiver gets.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) kind: String,
    pub(crate) account: String,
    pub(crate) amount_fen: i64,
    pub(crate) description: String,
    pub(crate) detail_id: String,
    /// Why this receiver gets nothing.
    pub(crate) fail_reason: Option<String>,
}

/// What a receiver gives back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Return {
    pub(crate) out_return_no: String,
    pub(crate) return_id: String,
    pub(crate) out_order_no: String,
    pub(crate) order_id: String,
    pub(crate) return_mchid: String,
    pub(crate) amount_fen: i64,
    pub(crate) description: String,
    pub(crate) at_ms: i64,
}

impl Part {
    fn is_own(&self) -> bool {
        self.description == OWN_PART
    }
}

impl Sharing {
    /// What is still held back, in fen. `refunded_fen` went back to the payer meanwhile.
    pub(crate) fn unsplit_fen(&self, refunded_fen: i64) -> i64 {
        if self.unfrozen { 0 } else { (self.total_fen - refunded_fen - self.shared_fen()).max(0) }
    }

    /// What receivers other than the merchant itself got, in fen.
    fn shared_fen(&self) -> i64 {
        let parts = self.orders.iter().flat_map(|order| &order.parts);
        parts.filter(|part| part.fail_reason.is_none() && !part.is_own()).map(|part| part.amount_fen).sum()
    }

    pub(crate) fn order(&self, out_order_no: &str) -> Option<&SharingOrder> {
        self.orders.iter().find(|order| order.out_order_no == out_order_no)
    }

    /// Divides; with `unfreeze` what is left afterwards is the merchant's own.
    pub(crate) fn split(&mut self, order: SharingOrder, refunded_fen: i64, unfreeze: bool, now: UnixMs) -> Result<SharingOrder, SharingError> {
        if now.0 < self.paid_at_ms + EARLIEST_MS {
            return Err(SharingError::TooEarly);
        }
        if self.unfrozen || now.0 > self.paid_at_ms + SHARE_DAYS * DAY_MS {
            return Err(SharingError::TooLate);
        }
        let wanted: i64 = order.parts.iter().map(|part| part.amount_fen).sum();
        let given: i64 = order.parts.iter().filter(|part| part.fail_reason.is_none()).map(|part| part.amount_fen).sum();
        if self.orders.len() >= ORDERS_MAX || (self.shared_fen() + given) * 100 > self.total_fen * PERCENT_MAX {
            return Err(SharingError::Limit);
        }
        if wanted > self.unsplit_fen(refunded_fen) {
            return Err(SharingError::NotEnough);
        }
        let mut order = order;
        let left = self.unsplit_fen(refunded_fen) - given;
        if unfreeze {
            self.unfrozen = true;
            if left > 0 {
                order.parts.push(own_part(&self.mchid, left, &order.order_id));
            }
        }
        self.orders.push(order.clone());
        Ok(order)
    }

    /// Takes a part back from a receiver that is a merchant.
    pub(crate) fn take_back(&mut self, wanted: Return, now: UnixMs) -> Result<Return, SharingError> {
        if let Some(known) = self.returns.iter().find(|one| one.out_return_no == wanted.out_return_no) {
            let same = (&known.out_order_no, &known.return_mchid, known.amount_fen, &known.description)
                == (&wanted.out_order_no, &wanted.return_mchid, wanted.amount_fen, &wanted.description);
            return if same { Ok(known.clone()) } else { Err(SharingError::Used) };
        }
        let order = self.order(&wanted.out_order_no).ok_or(SharingError::Unknown)?;
        if !order.is_finished(now) {
            return Err(SharingError::Running);
        }
        if now.0 > order.at_ms + RETURN_DAYS * DAY_MS {
            return Err(SharingError::TooLate);
        }
        let got = order.parts.iter().filter(|part| part.kind == "MERCHANT_ID" && part.account == wanted.return_mchid && part.fail_reason.is_none());
        let got: i64 = got.filter(|part| !part.is_own()).map(|part| part.amount_fen).sum();
        let back = self.returns.iter().filter(|one| one.out_order_no == wanted.out_order_no && one.return_mchid == wanted.return_mchid);
        let back: i64 = back.map(|one| one.amount_fen).sum();
        if got == 0 {
            return Err(SharingError::Unknown);
        }
        if back + wanted.amount_fen > got {
            return Err(SharingError::NotEnough);
        }
        self.returns.push(wanted.clone());
        Ok(wanted)
    }
}

fn own_part(mchid: &str, amount_fen: i64, order_id: &str) -> Part {
    let (kind, account, description) = ("MERCHANT_ID".to_owned(), mchid.to_owned(), OWN_PART.to_owned());
    Part { kind, account, amount_fen, description, detail_id: format!("{order_id}00"), fail_reason: None }
}

impl SharingOrder {
    pub(crate) fn is_finished(&self, now: UnixMs) -> bool {
        now.0 >= self.at_ms + RUN_MS
    }

    /// The order as answers tell it.
    pub(crate) fn told(&self, transaction_id: &str, now: UnixMs) -> Value {
        let finished = self.is_finished(now);
        let parts: Vec<Value> = self.parts.iter().map(|part| self.told_part(part, finished)).collect();
        let state = if finished { "FINISHED" } else { "PROCESSING" };
        json!({
            "transaction_id": transaction_id, "out_order_no": self.out_order_no, "order_id": self.order_id, "state": state, "receivers": parts,
        })
    }

    fn told_part(&self, part: &Part, finished: bool) -> Value {
        let result = match (&part.fail_reason, finished) {
            (_, false) => "PENDING",
            (None, true) => "SUCCESS",
            (Some(_), true) => "CLOSED",
        };
        let mut json = json!({
            "type": part.kind, "account": part.account, "amount": part.amount_fen, "description": part.description, "result": result,
            "detail_id": part.detail_id, "create_time": rfc3339(self.at_ms / 1_000),
        });
        if finished {
            json["finish_time"] = rfc3339((self.at_ms + RUN_MS) / 1_000).into();
            if let Some(reason) = &part.fail_reason {
                json["fail_reason"] = reason.as_str().into();
            }
        }
        json
    }
}

impl Return {
    /// The return as answers tell it.
    pub(crate) fn told(&self, now: UnixMs) -> Value {
        let finished = now.0 >= self.at_ms + RUN_MS;
        let mut json = json!({
            "order_id": self.order_id, "out_order_no": self.out_order_no, "out_return_no": self.out_return_no, "return_id": self.return_id,
            "return_mchid": self.return_mchid, "amount": self.amount_fen, "description": self.description,
            "result": if finished { "SUCCESS" } else { "PROCESSING" }, "create_time": rfc3339(self.at_ms / 1_000),
        });
        if finished {
            json["finish_time"] = rfc3339((self.at_ms + RUN_MS) / 1_000).into();
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: UnixMs = UnixMs(120_000);

    fn sharing(total_fen: i64) -> Sharing {
        let (mchid, transaction_id) = ("1900".to_owned(), "4200".to_owned());
        Sharing { mchid, transaction_id, total_fen, paid_at_ms: 0, orders: Vec::new(), returns: Vec::new(), unfrozen: false }
    }

    fn order(no: &str, amounts: &[i64]) -> SharingOrder {
        let part = |amount_fen: &i64| Part {
            kind: "MERCHANT_ID".to_owned(),
            account: "1901".to_owned(),
            amount_fen: *amount_fen,
            description: "share".to_owned(),
            detail_id: "d".to_owned(),
            fail_reason: None,
        };
        let parts = amounts.iter().map(part).collect();
        SharingOrder { out_order_no: no.to_owned(), order_id: format!("30{no}"), parameters: Value::Null, parts, at_ms: LATER.0 }
    }

    fn back(no: &str, amount_fen: i64) -> Return {
        let text = str::to_owned;
        let (out_return_no, return_id, out_order_no, order_id) = (text(no), text("r"), text("A"), text("30A"));
        Return { out_return_no, return_id, out_order_no, order_id, return_mchid: text("1901"), amount_fen, description: text("x"), at_ms: LATER.0 }
    }

    #[test]
    fn no_fen_is_divided_twice() {
        let mut held = sharing(1_000);
        assert_eq!(held.split(order("A", &[100]), 0, false, UnixMs(59_999)).map(|_| ()), Err(SharingError::TooEarly));
        held.split(order("A", &[100, 50]), 0, false, LATER).expect("divided");
        assert_eq!(held.unsplit_fen(0), 850);
        assert_eq!(held.split(order("B", &[151]), 0, false, LATER).map(|_| ()), Err(SharingError::Limit), "thirty percent");
        assert_eq!(held.split(order("B", &[150]), 701, false, LATER).map(|_| ()), Err(SharingError::NotEnough), "the payer had it back");
        let last = held.split(order("B", &[150]), 0, true, LATER).expect("divided");
        assert_eq!((last.parts.len(), last.parts[1].amount_fen, held.unsplit_fen(0)), (2, 700, 0));
        assert_eq!(held.split(order("C", &[1]), 0, false, LATER).map(|_| ()), Err(SharingError::TooLate), "nothing is held back");
        let total: i64 = held.orders.iter().flat_map(|order| &order.parts).map(|part| part.amount_fen).sum();
        assert_eq!(total, 1_000);
    }

    #[test]
    fn no_more_comes_back_than_went() {
        let mut held = sharing(1_000);
        held.split(order("A", &[200]), 0, false, LATER).expect("divided");
        let later = LATER.plus_ms(RUN_MS);
        assert_eq!(held.take_back(back("R1", 150), LATER).map(|_| ()), Err(SharingError::Running));
        held.take_back(back("R1", 150), later).expect("back");
        held.take_back(back("R1", 150), later).expect("the same again");
        assert_eq!(held.take_back(back("R1", 151), later).map(|_| ()), Err(SharingError::Used));
        assert_eq!(held.take_back(back("R2", 51), later).map(|_| ()), Err(SharingError::NotEnough));
        assert_eq!(held.returns.len(), 1);
    }

    #[test]
    fn an_order_runs_and_then_tells_each_result() {
        let mut one = order("A", &[10, 20]);
        one.parts[1].fail_reason = Some("NO_RELATION".to_owned());
        let (running, ended) = (one.told("4200", LATER), one.told("4200", LATER.plus_ms(RUN_MS)));
        assert_eq!((&running["state"], &running["receivers"][1]["result"]), (&json!("PROCESSING"), &json!("PENDING")));
        assert_eq!((&ended["state"], &ended["receivers"][0]["result"]), (&json!("FINISHED"), &json!("SUCCESS")));
        assert_eq!((&ended["receivers"][1]["result"], &ended["receivers"][1]["fail_reason"]), (&json!("CLOSED"), &json!("NO_RELATION")));
    }
}
