//! Merchant transfers: money to a user, who confirms on the phone. The merchant may cancel until then; after a day it is too late.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::accounts::rfc3339;
use crate::clock::UnixMs;

/// How long a user may take to confirm: a day.
pub(crate) const CONFIRM_WITHIN_MS: i64 = 86_400_000;

/// How a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TransferState {
    WaitUserConfirm,
    Success,
    Fail,
    /// The merchant cancelled; CANCELLED once somebody asks again.
    Canceling,
    Cancelled,
}

impl TransferState {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::WaitUserConfirm => "WAIT_USER_CONFIRM",
            Self::Success => "SUCCESS",
            Self::Fail => "FAIL",
            Self::Canceling => "CANCELING",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Nothing changes it any more.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Fail | Self::Cancelled)
    }
}

/// One transfer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) mchid: String,
    pub(crate) out_bill_no: String,
    pub(crate) transfer_bill_no: String,
    /// What was sent, the name opened: the same number again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) package_info: String,
    pub(crate) state: TransferState,
    pub(crate) fail_reason: Option<String>,
    /// It was asked for in public-key mode: its notices are signed so.
    pub(crate) is_public_key: bool,
    pub(crate) created_ms: i64,
    pub(crate) updated_ms: i64,
}

impl Transfer {
    /// A text of the parameters.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters[name].as_str().unwrap_or_default()
    }

    /// What is sent, in fen.
    pub(crate) fn amount_fen(&self) -> i64 {
        self.parameters["transfer_amount"].as_i64().unwrap_or_default()
    }

    /// What time alone has made of it: a cancellation is carried out, a transfer nobody confirmed fails. `None` if it stays as it is.
    pub(crate) fn aged(&self, now: UnixMs) -> Option<Self> {
        match self.state {
            TransferState::Canceling if now.0 > self.updated_ms => Some(self.became(TransferState::Cancelled, None, now)),
            TransferState::WaitUserConfirm if now.0 > self.created_ms + CONFIRM_WITHIN_MS => {
                Some(self.became(TransferState::Fail, Some("OVERDUE_CLOSE"), now))
            }
            _ => None,
        }
    }

    /// The user takes the money; `None` if it is not there to be taken.
    pub(crate) fn confirmed(&self, now: UnixMs) -> Option<Self> {
        let open = self.state == TransferState::WaitUserConfirm && now.0 <= self.created_ms + CONFIRM_WITHIN_MS;
        open.then(|| self.became(TransferState::Success, None, now))
    }

    /// The merchant cancels: `None` if it can no longer be.
    pub(crate) fn cancelled(&self, now: UnixMs) -> Option<Self> {
        match self.state {
            TransferState::WaitUserConfirm => Some(self.became(TransferState::Canceling, None, now)),
            TransferState::Canceling | TransferState::Cancelled => Some(self.clone()),
            TransferState::Success | TransferState::Fail => None,
        }
    }

    fn became(&self, state: TransferState, reason: Option<&str>, now: UnixMs) -> Self {
        Self { state, fail_reason: reason.map(str::to_owned), updated_ms: now.0, ..self.clone() }
    }

    /// The transfer as a query answers it; `sealed_name` only the merchant can open.
    pub(crate) fn told(&self, sealed_name: Option<String>) -> Value {
        let mut json = json!({
            "mch_id": self.mchid, "out_bill_no": self.out_bill_no, "transfer_bill_no": self.transfer_bill_no, "appid": self.text("appid"),
            "state": self.state.word(), "transfer_amount": self.amount_fen(), "transfer_remark": self.text("transfer_remark"),
            "openid": self.text("openid"), "create_time": rfc3339(self.created_ms / 1_000), "update_time": rfc3339(self.updated_ms / 1_000),
        });
        if let Some(reason) = &self.fail_reason {
            json["fail_reason"] = reason.as_str().into();
        }
        if let Some(name) = sealed_name {
            json["user_name"] = name.into();
        }
        json
    }

    /// The transfer as its callback reports it.
    pub(crate) fn notice(&self) -> Value {
        let mut json = self.told(None);
        if let Some(members) = json.as_object_mut() {
            members.remove("appid");
            members.remove("transfer_remark");
            members.insert("payment_method_type".to_owned(), "CFT".into());
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer() -> Transfer {
        let text = str::to_owned;
        let parameters = json!({"appid": "wx", "openid": "o", "transfer_amount": 100, "transfer_remark": "x", "notify_url": "https://m"});
        let (mchid, out_bill_no, transfer_bill_no, package_info) = (text("19"), text("B1"), text("13"), text("p"));
        let state = TransferState::WaitUserConfirm;
        Transfer {
            mchid,
            out_bill_no,
            transfer_bill_no,
            parameters,
            package_info,
            state,
            fail_reason: None,
            is_public_key: false,
            created_ms: 0,
            updated_ms: 0,
        }
    }

    #[test]
    fn the_user_decides_within_a_day_and_once() {
        let taken = transfer().confirmed(UnixMs(5)).expect("taken");
        assert_eq!((taken.state, taken.state.is_final()), (TransferState::Success, true));
        assert!(taken.confirmed(UnixMs(6)).is_none() && taken.cancelled(UnixMs(6)).is_none() && taken.aged(UnixMs(i64::MAX)).is_none());
        assert!(transfer().confirmed(UnixMs(CONFIRM_WITHIN_MS + 1)).is_none(), "too late");
        let overdue = transfer().aged(UnixMs(CONFIRM_WITHIN_MS + 1)).expect("closed");
        assert_eq!((overdue.state, overdue.fail_reason.as_deref()), (TransferState::Fail, Some("OVERDUE_CLOSE")));
    }

    #[test]
    fn cancelling_takes_its_time_and_can_be_repeated() {
        let asked = transfer().cancelled(UnixMs(5)).expect("asked");
        assert_eq!((asked.state, asked.cancelled(UnixMs(6)).map(|one| one.state)), (TransferState::Canceling, Some(TransferState::Canceling)));
        assert!(asked.confirmed(UnixMs(6)).is_none(), "the user comes too late");
        assert_eq!(asked.aged(UnixMs(6)).map(|one| one.state), Some(TransferState::Cancelled));
    }
}
