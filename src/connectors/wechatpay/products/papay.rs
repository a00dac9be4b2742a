//! Papay: the payer has signed a contract, the merchant charges by it. Charges are asked about and refunded as orders are.

use serde::{Deserialize, Serialize};

use super::super::call::{Call, Operation, segment};
use super::super::retry::Nature;
use super::Products;
use crate::ids::OutTradeNo;
use crate::money::Money;

const CONTRACT: Operation = Operation::new("papay_contract", Nature::Read);
const CHARGE: Operation = Operation::new("papay_charge", Nature::Money);

const CONTRACTS: &str = "/v3/papay/sign/contracts";

/// A charge by a contract, about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// Its number.
    pub out_trade_no: &'a OutTradeNo,
    /// By which contract, the rail's number.
    pub contract_id: &'a str,
    /// How much.
    pub amount: Money,
    /// What the payer reads.
    pub description: &'a str,
    /// Where the rail reports.
    pub notify_url: &'a str,
}

/// A contract as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Contract {
    /// The rail's number.
    #[serde(default)]
    pub contract_id: Option<String>,
    /// The merchant's number.
    #[serde(default)]
    pub out_contract_code: Option<String>,
    /// How it stands, in the rail's word.
    #[serde(default)]
    pub contract_state: Option<String>,
}

#[derive(Serialize)]
struct ChargeFields<'a> {
    appid: &'a str,
    out_trade_no: &'a str,
    description: &'a str,
    transaction_notify_url: &'a str,
    contract_id: &'a str,
    amount: AmountFields,
}

#[derive(Serialize)]
struct AmountFields {
    total: i64,
    currency: &'static str,
}

impl Products<'_> {
    /// Asks about a contract.
    pub fn papay_contract(&self, plan_id: &str, out_contract_code: &str) -> Call<Contract> {
        Call::get(CONTRACT, format!("{CONTRACTS}/plan-id/{}/out-contract-code/{}", segment(plan_id), segment(out_contract_code)))
    }

    /// Charges. Accepted is not paid: a notice or a query of the order says so.
    pub fn papay_charge(&self, charge: &Charge<'_>) -> Call<()> {
        let fields = ChargeFields {
            appid: &self.0.account.appid,
            out_trade_no: charge.out_trade_no.as_str(),
            description: charge.description,
            transaction_notify_url: charge.notify_url,
            contract_id: charge.contract_id,
            amount: AmountFields { total: charge.amount.minor(), currency: charge.amount.currency().code() },
        };
        Call::command(CHARGE, "/v3/papay/pay/transactions/apply".to_owned(), &fields)
    }
}
