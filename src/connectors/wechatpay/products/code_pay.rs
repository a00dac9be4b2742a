//! Code pay: the merchant scans the payer's code. There is no notice, ever: what the answer leaves open is asked.
//! The v3 form is opened to some merchants only.

use http::Method;
use serde::{Deserialize, Serialize};

use super::super::call::{Call, Operation, segment, written};
use super::super::retry::Nature;
use super::super::transaction::transaction;
use super::Products;
use crate::connectors::Transaction;
use crate::ids::OutTradeNo;
use crate::payment::terms::Terms;

// A payer's code works once: sent again it is refused, so what became of the first sending is asked.
const PAY: Operation = Operation::new("code_pay", Nature::Money);
const REVERSE: Operation = Operation::new("reverse", Nature::Reentrant);

/// A payment by the payer's code, about to be made.
#[derive(Clone, Copy, Debug)]
pub struct CodePayment<'a> {
    /// Its number.
    pub out_trade_no: &'a OutTradeNo,
    /// What the payer pays.
    pub terms: &'a Terms,
    /// The payer's code: 18 digits that live for a minute.
    pub auth_code: &'a str,
    /// The shop, by the merchant's own number.
    pub store_id: &'a str,
}

/// An order that was reversed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Reversed {
    /// Its number.
    pub out_trade_no: String,
}

#[derive(Serialize)]
struct Fields<'a> {
    appid: &'a str,
    mchid: &'a str,
    description: &'a str,
    out_trade_no: &'a str,
    payer: PayerFields<'a>,
    amount: AmountFields,
    scene_info: SceneFields<'a>,
}

#[derive(Serialize)]
struct PayerFields<'a> {
    auth_code: &'a str,
}

#[derive(Serialize)]
struct AmountFields {
    total: i64,
    currency: &'static str,
}

#[derive(Serialize)]
struct SceneFields<'a> {
    store_info: StoreFields<'a>,
}

#[derive(Serialize)]
struct StoreFields<'a> {
    out_id: &'a str,
}

impl Products<'_> {
    /// A payment by the payer's code; of an ordinary merchant. `USERPAYING` is asked every five seconds, half a minute at most, then reversed.
    pub fn code_pay(&self, payment: &CodePayment<'_>) -> Call<Transaction> {
        let account = &self.0.account;
        let fields = Fields {
            appid: &account.appid,
            mchid: &account.mchid,
            description: &payment.terms.description,
            out_trade_no: payment.out_trade_no.as_str(),
            payer: PayerFields { auth_code: payment.auth_code },
            amount: AmountFields { total: payment.terms.amount.minor(), currency: payment.terms.amount.currency().code() },
            scene_info: SceneFields { store_info: StoreFields { out_id: payment.store_id } },
        };
        Call::new(PAY, Method::POST, "/v3/pay/transactions/codepay".to_owned(), written(&fields), transaction)
    }

    /// Reverses a payment by code: nothing is paid, or what was paid goes back.
    pub fn reverse(&self, out_trade_no: &OutTradeNo) -> Call<Reversed> {
        let target = format!("/v3/pay/transactions/out-trade-no/{}/reverse", segment(out_trade_no.as_str()));
        Call::post(REVERSE, target, &serde_json::json!({"appid": self.0.account.appid, "mchid": self.0.account.mchid}))
    }
}
