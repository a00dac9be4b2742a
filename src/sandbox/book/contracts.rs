//! Papay contracts: the user allows a merchant to charge, until one of them ends it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::accounts::rfc3339;

/// A signing session lives two hours.
pub(crate) const SESSION_MS: i64 = 7_200_000;

/// How a contract stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ContractState {
    /// A session waits for the user.
    Offered,
    Signed {
        contract_id: String,
        at_ms: i64,
    },
    Terminated {
        contract_id: String,
        signed_ms: i64,
        at_ms: i64,
        /// `MCH_API` or `USER`.
        by: String,
        remark: String,
    },
}

/// One contract.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contract {
    pub(crate) mchid: String,
    pub(crate) plan_id: String,
    pub(crate) out_contract_code: String,
    /// What was sent: the same code again has to be equal in all of it.
    pub(crate) parameters: Value,
    pub(crate) session: String,
    /// It was asked for in public-key mode: its notices are signed so.
    pub(crate) is_public_key: bool,
    pub(crate) offered_ms: i64,
    pub(crate) state: ContractState,
}

impl Contract {
    /// A text of the parameters.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.parameters[name].as_str().unwrap_or_default()
    }

    /// The contract's number, once it is signed.
    pub(crate) fn contract_id(&self) -> Option<&str> {
        match &self.state {
            ContractState::Offered => None,
            ContractState::Signed { contract_id, .. } | ContractState::Terminated { contract_id, .. } => Some(contract_id),
        }
    }

    /// Whether it can be charged.
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self.state, ContractState::Signed { .. })
    }

    /// The contract as answers and notices tell it.
    pub(crate) fn told(&self, openid: &str) -> Value {
        let mut json = json!({
            "mchid": self.mchid, "appid": self.text("appid"), "plan_id": self.parameters["plan_id"], "out_contract_code": self.out_contract_code,
            "contract_display_account": self.text("contract_display_account"), "openid": openid,
        });
        if let Some(user) = self.parameters["out_user_code"].as_str() {
            json["out_user_code"] = user.into();
        }
        match &self.state {
            ContractState::Offered => {}
            ContractState::Signed { contract_id, at_ms } => {
                json["contract_id"] = contract_id.as_str().into();
                json["contract_state"] = "SIGNED".into();
                json["contract_signed_time"] = rfc3339(at_ms / 1_000).into();
            }
            ContractState::Terminated { contract_id, signed_ms, at_ms, by, remark } => {
                json["contract_id"] = contract_id.as_str().into();
                json["contract_state"] = "TERMINATED".into();
                json["contract_signed_time"] = rfc3339(signed_ms / 1_000).into();
                json["contract_terminate_info"] = json!({
                    "contract_termination_mode": by, "contract_terminated_time": rfc3339(at_ms / 1_000), "contract_termination_remark": remark,
                });
            }
        }
        json
    }
}
