//! Pay score: a service first, its price afterwards, for payers with a good score. Times are Beijing's, 14 digits.

use serde::{Deserialize, Serialize};

use super::super::call::{Call, Operation, segment};
use super::super::retry::Nature;
use super::Products;
use crate::money::Money;

const CREATE: Operation = Operation::new("score_create", Nature::Reentrant);
const QUERY: Operation = Operation::new("score_query", Nature::Read);
const CANCEL: Operation = Operation::new("score_cancel", Nature::Reentrant);
// From here on the payer is charged.
const COMPLETE: Operation = Operation::new("score_complete", Nature::Money);

const ROOT: &str = "/v3/payscore/serviceorder";

/// A service about to begin.
#[derive(Clone, Copy, Debug)]
pub struct ScoreOrder<'a> {
    /// Its number.
    pub out_order_no: &'a str,
    /// The service, as opened for the merchant.
    pub service_id: &'a str,
    /// What the payer reads.
    pub introduction: &'a str,
    /// When it begins: 14 digits, or `OnAccept`.
    pub start_time: &'a str,
    /// What is at risk: `DEPOSIT`, `ADVANCE`, `CASH_DEPOSIT` or `ESTIMATE_ORDER_COST`.
    pub risk_name: &'a str,
    /// How much is at risk.
    pub risk: Money,
    /// Who uses it; `None` if the payer confirms it themselves.
    pub openid: Option<&'a str>,
    /// Whether the payer has to confirm it.
    pub need_user_confirm: bool,
    /// Where the rail reports.
    pub notify_url: &'a str,
}

/// One item of the price.
#[derive(Clone, Copy, Debug)]
pub struct ScoreFee<'a> {
    /// What it is for.
    pub name: &'a str,
    /// How much.
    pub amount: Money,
}

/// A service that ended, about to be charged.
#[derive(Clone, Copy, Debug)]
pub struct Collected<'a> {
    /// Its number.
    pub out_order_no: &'a str,
    /// The service.
    pub service_id: &'a str,
    /// What it is made of.
    pub fees: &'a [ScoreFee<'a>],
    /// All of it together.
    pub total: Money,
    /// When it ended: 14 digits.
    pub end_time: &'a str,
}

words! {
    /// How a service stands.
    ScoreState {
        /// Made; the payer may have to confirm it.
        Created = "CREATED",
        /// In use, or waits to be paid.
        Doing = "DOING",
        /// Paid.
        Done = "DONE",
        /// Taken back.
        Revoked = "REVOKED",
        /// Nobody confirmed it in time.
        Expired = "EXPIRED",
    }
}

/// A service as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Score {
    /// Its number.
    pub out_order_no: String,
    /// The rail's number.
    #[serde(default)]
    pub order_id: Option<String>,
    /// How it stands.
    #[serde(default)]
    pub state: Option<ScoreState>,
    /// `USER_CONFIRM` or `MCH_COMPLETE`: whose turn it is.
    #[serde(default)]
    pub state_description: Option<String>,
    /// What the front end passes on for the payer to confirm.
    #[serde(default)]
    pub package: Option<String>,
    /// What is charged, in fen.
    #[serde(default, rename = "total_amount")]
    pub total_fen: Option<i64>,
}

#[derive(Serialize)]
struct Fields<'a> {
    out_order_no: &'a str,
    appid: &'a str,
    service_id: &'a str,
    service_introduction: &'a str,
    time_range: RangeFields<'a>,
    risk_fund: RiskFields<'a>,
    notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    openid: Option<&'a str>,
    need_user_confirm: bool,
}

#[derive(Serialize)]
struct RangeFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<&'a str>,
}

#[derive(Serialize)]
struct RiskFields<'a> {
    name: &'a str,
    amount: i64,
}

#[derive(Serialize)]
struct CompleteFields<'a> {
    appid: &'a str,
    service_id: &'a str,
    post_payments: Vec<FeeFields<'a>>,
    total_amount: i64,
    time_range: RangeFields<'a>,
}

#[derive(Serialize)]
struct FeeFields<'a> {
    name: &'a str,
    amount: i64,
}

impl Products<'_> {
    /// Begins a service.
    pub fn score_create(&self, order: &ScoreOrder<'_>) -> Call<Score> {
        let fields = Fields {
            out_order_no: order.out_order_no,
            appid: &self.0.account.appid,
            service_id: order.service_id,
            service_introduction: order.introduction,
            time_range: RangeFields { start_time: Some(order.start_time), end_time: None },
            risk_fund: RiskFields { name: order.risk_name, amount: order.risk.minor() },
            notify_url: order.notify_url,
            openid: order.openid,
            need_user_confirm: order.need_user_confirm,
        };
        Call::post(CREATE, ROOT.to_owned(), &fields)
    }

    /// Asks about a service.
    pub fn score_query(&self, service_id: &str, out_order_no: &str) -> Call<Score> {
        let (service, appid, number) = (segment(service_id), segment(&self.0.account.appid), segment(out_order_no));
        Call::get(QUERY, format!("{ROOT}?service_id={service}&appid={appid}&out_order_no={number}"))
    }

    /// Takes a service back that was not used.
    pub fn score_cancel(&self, service_id: &str, out_order_no: &str, reason: &str) -> Call<Score> {
        let fields = serde_json::json!({"appid": self.0.account.appid, "service_id": service_id, "reason": reason});
        Call::post(CANCEL, format!("{ROOT}/{}/cancel", segment(out_order_no)), &fields)
    }

    /// Ends a service and charges it.
    pub fn score_complete<'a>(&self, collected: &Collected<'a>) -> Call<Score> {
        let fee = |fee: &ScoreFee<'a>| FeeFields { name: fee.name, amount: fee.amount.minor() };
        let fields = CompleteFields {
            appid: &self.0.account.appid,
            service_id: collected.service_id,
            post_payments: collected.fees.iter().map(fee).collect(),
            total_amount: collected.total.minor(),
            time_range: RangeFields { start_time: None, end_time: Some(collected.end_time) },
        };
        Call::post(COMPLETE, format!("{ROOT}/{}/complete", segment(collected.out_order_no)), &fields)
    }
}
