//! Pay score: a service that is used first and paid afterwards. The user confirms on the phone, the merchant completes, the money is collected.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::accounts::rfc3339;
use crate::clock::UnixMs;

/// An order the user does not confirm for thirty days expires.
const CONFIRM_WITHIN_MS: i64 = 30 * 86_400_000;

/// How a service order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ScoreState {
    /// The user has not confirmed.
    Created,
    /// The service is used.
    Doing,
    /// The merchant has completed it; the money is not there yet.
    Completed,
    Done,
    Revoked,
    Expired,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScoreError {
    /// The state does not allow it.
    State,
    Cancelled,
    Done,
    /// The amounts do not add up, or are more than agreed.
    Amount,
}

/// How the money came.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Collected {
    /// Empty where the merchant got it outside WeChat Pay.
    pub(crate) transaction_id: String,
    pub(crate) at_ms: i64,
}

/// One service order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ScoreOrder {
    pub(crate) mchid: String,
    pub(crate) out_order_no: String,
    pub(crate) order_id: String,
    /// What was sent at the beginning: the same number again has to be equal in all of it.
    pub(crate) parameters: Value,
    /// What the merchant completed with, changed once at most: `post_payments`, `post_discounts`, `total_amount`, `time_range`, `location`.
    pub(crate) completion: Value,
    pub(crate) modified: bool,
    pub(crate) state: ScoreState,
    pub(crate) package: String,
    pub(crate) openid: String,
    pub(crate) collected: Option<Collected>,
    /// It was asked for in public-key mode: its notices are signed so.
    pub(crate) is_public_key: bool,
    pub(crate) created_ms: i64,
}

/// What payments less discounts come to; `None` where that is not the total that was sent.
fn total_fen(request: &Value) -> Option<i64> {
    let sum = |list: &Value| -> Option<i64> {
        let mut amounts = list.as_array().into_iter().flatten().map(|one| one.get("amount").map_or(Some(0), Value::as_i64).filter(|fen| *fen >= 0));
        amounts.try_fold(0i64, |sum, fen| sum.checked_add(fen?))
    };
    let total = request["total_amount"].as_i64().filter(|fen| *fen >= 0)?;
    (sum(&request["post_payments"])? - sum(&request["post_discounts"])? == total).then_some(total)
}

impl ScoreOrder {
    /// A text of what was sent at the beginning.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters[name].as_str().unwrap_or_default()
    }

    /// What is to be collected, in fen.
    pub(crate) fn total(&self) -> i64 {
        self.completion["total_amount"].as_i64().unwrap_or_default()
    }

    /// What time alone has made of it; `None` if it stays as it is.
    pub(crate) fn aged(&self, now: UnixMs) -> Option<Self> {
        let over = self.state == ScoreState::Created && now.0 > self.created_ms + CONFIRM_WITHIN_MS;
        over.then(|| Self { state: ScoreState::Expired, ..self.clone() })
    }

    /// The user agrees.
    pub(crate) fn confirmed(&self, openid: &str) -> Result<Self, ScoreError> {
        self.only(ScoreState::Created)?;
        Ok(Self { state: ScoreState::Doing, openid: openid.to_owned(), ..self.clone() })
    }

    /// The merchant gives up; repeated, it stays given up.
    pub(crate) fn cancelled(&self) -> Result<Self, ScoreError> {
        match self.state {
            ScoreState::Created | ScoreState::Doing | ScoreState::Revoked => Ok(Self { state: ScoreState::Revoked, ..self.clone() }),
            ScoreState::Completed => Ok(Self { state: ScoreState::Revoked, ..self.clone() }),
            ScoreState::Done => Err(ScoreError::Done),
            ScoreState::Expired => Err(ScoreError::State),
        }
    }

    /// The merchant says what it cost: not more than agreed. The same again finds the same.
    pub(crate) fn completed(&self, request: &Value, now: UnixMs) -> Result<Self, ScoreError> {
        if matches!(self.state, ScoreState::Completed | ScoreState::Done) && self.completion == *request {
            return Ok(self.clone());
        }
        self.only(ScoreState::Doing)?;
        let agreed = self.parameters["risk_fund"]["amount"].as_i64().unwrap_or_default();
        let total = total_fen(request).filter(|total| *total <= agreed).ok_or(ScoreError::Amount)?;
        let completed = Self { state: ScoreState::Completed, completion: request.clone(), ..self.clone() };
        Ok(if total == 0 { completed.done(String::new(), now) } else { completed })
    }

    /// The merchant asks for less, once, before the money is there.
    pub(crate) fn modified(&self, request: &Value) -> Result<Self, ScoreError> {
        self.only(ScoreState::Completed)?;
        if self.modified {
            return Err(ScoreError::State);
        }
        total_fen(request).filter(|total| *total <= self.total()).ok_or(ScoreError::Amount)?;
        let mut completion = self.completion.clone();
        for name in ["post_payments", "post_discounts", "total_amount"] {
            completion[name] = request[name].clone();
        }
        Ok(Self { completion, modified: true, ..self.clone() })
    }

    /// The money is there.
    pub(crate) fn collected(&self, transaction_id: String, now: UnixMs) -> Result<Self, ScoreError> {
        self.only(ScoreState::Completed)?;
        Ok(self.clone().done(transaction_id, now))
    }

    fn done(self, transaction_id: String, now: UnixMs) -> Self {
        Self { state: ScoreState::Done, collected: Some(Collected { transaction_id, at_ms: now.0 }), ..self }
    }

    fn only(&self, wanted: ScoreState) -> Result<(), ScoreError> {
        match self.state {
            state if state == wanted => Ok(()),
            ScoreState::Revoked => Err(ScoreError::Cancelled),
            ScoreState::Done => Err(ScoreError::Done),
            _ => Err(ScoreError::State),
        }
    }

    /// The order as answers and notices tell it.
    pub(crate) fn told(&self) -> Value {
        let (state, description) = match self.state {
            ScoreState::Created => ("CREATED", None),
            ScoreState::Doing => ("DOING", Some("USER_CONFIRM")),
            ScoreState::Completed => ("DOING", Some("MCH_COMPLETE")),
            ScoreState::Done => ("DONE", None),
            ScoreState::Revoked => ("REVOKED", None),
            ScoreState::Expired => ("EXPIRED", None),
        };
        let mut json = json!({"mchid": self.mchid, "out_order_no": self.out_order_no, "order_id": self.order_id, "state": state});
        for name in [
            "appid",
            "service_id",
            "service_introduction",
            "post_payments",
            "post_discounts",
            "risk_fund",
            "time_range",
            "location",
            "attach",
            "notify_url",
        ] {
            let told = if self.completion[name].is_null() { &self.parameters[name] } else { &self.completion[name] };
            if !told.is_null() {
                json[name] = told.clone();
            }
        }
        if let Some(description) = description {
            json["state_description"] = description.into();
        }
        if !self.openid.is_empty() {
            json["openid"] = self.openid.as_str().into();
        }
        if matches!(self.state, ScoreState::Completed | ScoreState::Done) {
            json["total_amount"] = self.total().into();
            json["need_collection"] = (self.total() > 0).into();
            if self.total() > 0 {
                json["collection"] = self.collection();
            }
        }
        json
    }

    fn collection(&self) -> Value {
        let total = self.total();
        match &self.collected {
            None => json!({"state": "USER_PAYING", "total_amount": total, "paying_amount": total, "paid_amount": 0}),
            Some(collected) => {
                let mut detail = json!({"seq": 1, "amount": total, "paid_time": compact(collected.at_ms)});
                if collected.transaction_id.is_empty() {
                    detail["paid_type"] = "MCH".into();
                } else {
                    detail["paid_type"] = "NEWTON".into();
                    detail["transaction_id"] = collected.transaction_id.as_str().into();
                }
                json!({"state": "USER_PAID", "total_amount": total, "paying_amount": 0, "paid_amount": total, "details": [detail]})
            }
        }
    }
}

/// A time in fourteen digits, Beijing's, as this product writes it.
fn compact(at_ms: i64) -> String {
    rfc3339(at_ms / 1_000).chars().filter(char::is_ascii_digit).take(14).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> ScoreOrder {
        let text = str::to_owned;
        ScoreOrder {
            mchid: text("19"),
            out_order_no: text("S1"),
            order_id: text("1"),
            parameters: json!({"appid": "wx", "service_id": "5", "risk_fund": {"name": "DEPOSIT", "amount": 10_000}}),
            completion: Value::Null,
            modified: false,
            state: ScoreState::Created,
            package: text("p"),
            openid: String::new(),
            collected: None,
            is_public_key: false,
            created_ms: 0,
        }
    }

    fn costs(payment: i64, discount: i64, total: i64) -> Value {
        json!({"post_payments": [{"name": "a", "amount": payment}], "post_discounts": [{"name": "b", "amount": discount}], "total_amount": total})
    }

    #[test]
    fn a_service_is_confirmed_used_completed_and_paid() {
        assert_eq!(order().completed(&costs(1, 0, 1), UnixMs(1)).map(|_| ()), Err(ScoreError::State), "not confirmed");
        let doing = order().confirmed("o").expect("confirmed");
        assert_eq!(doing.told()["state_description"], "USER_CONFIRM");
        let completed = doing.completed(&costs(4_000, 100, 3_900), UnixMs(1)).expect("completed");
        assert_eq!((&completed.told()["state"], &completed.told()["collection"]["state"]), (&json!("DOING"), &json!("USER_PAYING")));
        completed.completed(&costs(4_000, 100, 3_900), UnixMs(2)).expect("the same again");
        assert_eq!(completed.completed(&costs(5, 0, 5), UnixMs(2)).map(|_| ()), Err(ScoreError::State));
        let done = completed.collected("4200".to_owned(), UnixMs(1_767_225_600_000)).expect("paid");
        let told = done.told();
        assert_eq!((&told["state"], &told["collection"]["paid_amount"]), (&json!("DONE"), &json!(3_900)));
        assert_eq!(told["collection"]["details"][0]["paid_time"], "20260101080000");
        assert_eq!(
            (done.cancelled().map(|_| ()), done.collected(String::new(), UnixMs(1)).map(|_| ())),
            (Err(ScoreError::Done), Err(ScoreError::Done))
        );
    }

    #[test]
    fn nobody_pays_more_than_agreed() {
        let doing = order().confirmed("o").expect("confirmed");
        for wrong in [costs(10_001, 0, 10_001), costs(100, 10, 100), costs(100, 200, -100), json!({"total_amount": 1})] {
            assert_eq!(doing.completed(&wrong, UnixMs(1)).map(|_| ()), Err(ScoreError::Amount), "{wrong}");
        }
        let completed = doing.completed(&costs(10_000, 0, 10_000), UnixMs(1)).expect("completed");
        assert_eq!(completed.modified(&costs(10_001, 0, 10_001)).map(|_| ()), Err(ScoreError::Amount));
        let less = completed.modified(&costs(9_900, 0, 9_900)).expect("less");
        assert_eq!((less.total(), less.modified(&costs(1, 0, 1)).map(|_| ())), (9_900, Err(ScoreError::State)), "once");
    }

    #[test]
    fn an_order_ends_without_money_too() {
        let free = order().confirmed("o").and_then(|doing| doing.completed(&costs(0, 0, 0), UnixMs(1))).expect("free");
        assert_eq!((free.state, free.told()["need_collection"] == false), (ScoreState::Done, true));
        let revoked = order().cancelled().expect("revoked");
        assert_eq!((revoked.state, revoked.confirmed("o").map(|_| ())), (ScoreState::Revoked, Err(ScoreError::Cancelled)));
        assert_eq!(order().aged(UnixMs(CONFIRM_WITHIN_MS + 1)).map(|one| one.state), Some(ScoreState::Expired));
        assert!(order().aged(UnixMs(CONFIRM_WITHIN_MS)).is_none());
    }
}
