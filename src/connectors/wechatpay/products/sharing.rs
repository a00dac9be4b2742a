//! Profit sharing: parts of a paid order go to others, and come back.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::super::advice::Failed;
use super::super::call::{Call, Operation, segment};
use super::super::fields::SealedField;
use super::super::retry::Nature;
use super::Products;
use crate::money::Money;

const RECEIVER: Operation = Operation::new("sharing_receiver", Nature::Reentrant);
const SHARE: Operation = Operation::new("share", Nature::Money);
const QUERY: Operation = Operation::new("query_sharing", Nature::Read);
const RETURN: Operation = Operation::new("return_share", Nature::Money);

const ROOT: &str = "/v3/profitsharing";

/// Who a part goes to.
#[derive(Clone, Copy, Debug)]
pub struct Receiver<'a> {
    /// What the account is.
    pub kind: ReceiverKind,
    /// A merchant number or an openid.
    pub account: &'a str,
    /// Their name; sealed on the way. Needed for merchants.
    pub name: Option<&'a str>,
}

/// What a receiver's account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum ReceiverKind {
    /// A merchant number.
    #[serde(rename = "MERCHANT_ID")]
    Merchant,
    /// A person, by their openid in the account's application.
    #[serde(rename = "PERSONAL_OPENID")]
    Person,
    /// A person, by their openid in the sub-merchant's application.
    #[serde(rename = "PERSONAL_SUB_OPENID")]
    SubPerson,
}

/// Somebody who is to be able to receive parts.
#[derive(Clone, Copy, Debug)]
pub struct NewReceiver<'a> {
    /// Who.
    pub receiver: Receiver<'a>,
    /// What they are to the merchant: `SERVICE_PROVIDER`, `STORE`, `STAFF`, `PARTNER`, `SUPPLIER`, `CUSTOM`, …
    pub relation: &'a str,
    /// What `CUSTOM` means.
    pub custom_relation: Option<&'a str>,
}

/// A part of an order.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Who gets it.
    pub receiver: Receiver<'a>,
    /// How much.
    pub amount: Money,
    /// What they read.
    pub description: &'a str,
}

/// Parts of a paid order about to be shared: at most 50.
#[derive(Clone, Copy, Debug)]
pub struct Sharing<'a> {
    /// The paid order, by the rail's number.
    pub transaction_id: &'a str,
    /// The sharing's own number.
    pub out_order_no: &'a str,
    /// The parts.
    pub parts: &'a [Part<'a>],
    /// Whether the rest goes to the merchant at once.
    pub unfreeze_rest: bool,
}

/// A part on its way back; from merchants only.
#[derive(Clone, Copy, Debug)]
pub struct Returning<'a> {
    /// The sharing's number.
    pub out_order_no: &'a str,
    /// The return's own number.
    pub out_return_no: &'a str,
    /// Who gives it back.
    pub return_mchid: &'a str,
    /// How much.
    pub amount: Money,
    /// Why.
    pub description: &'a str,
}

words! {
    /// How a sharing stands. Finished says that it ended, not that every part arrived.
    SharingState {
        /// Under way.
        Processing = "PROCESSING",
        /// It ended: look at each part.
        Finished = "FINISHED",
    }
}

words! {
    /// How a part stands.
    PartResult {
        /// Under way.
        Pending = "PENDING",
        /// Arrived.
        Success = "SUCCESS",
        /// It will not arrive.
        Closed = "CLOSED",
    }
}

words! {
    /// How a return stands.
    ReturnResult {
        /// Under way.
        Processing = "PROCESSING",
        /// Back.
        Success = "SUCCESS",
        /// It will not come back.
        Failed = "FAILED",
    }
}

/// A sharing as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SharingReport {
    /// The paid order.
    pub transaction_id: String,
    /// The sharing's number.
    pub out_order_no: String,
    /// The rail's number of it.
    pub order_id: String,
    /// How it stands.
    pub state: SharingState,
    /// Its parts.
    #[serde(default)]
    pub receivers: Vec<PartReport>,
}

/// A part as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PartReport {
    /// Who gets it.
    pub account: String,
    /// How much, in fen.
    #[serde(rename = "amount")]
    pub amount_fen: i64,
    /// How it stands.
    pub result: PartResult,
    /// Why it will not arrive.
    #[serde(default)]
    pub fail_reason: Option<String>,
    /// The rail's number of it.
    #[serde(default)]
    pub detail_id: Option<String>,
}

/// A return as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ReturnReport {
    /// The return's number.
    pub out_return_no: String,
    /// How much, in fen.
    #[serde(rename = "amount")]
    pub amount_fen: i64,
    /// How it stands.
    pub result: ReturnResult,
    /// Why it will not come back.
    #[serde(default)]
    pub fail_reason: Option<String>,
}

/// What of an order is not shared yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Unsplit {
    /// In fen.
    #[serde(rename = "unsplit_amount")]
    pub amount_fen: i64,
}

#[derive(Serialize)]
struct ReceiverFields<'a> {
    #[serde(rename = "type")]
    kind: ReceiverKind,
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<SealedField>,
}

#[derive(Serialize)]
struct NewReceiverFields<'a> {
    #[serde(flatten)]
    sub_merchant: Map<String, Value>,
    appid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<&'a str>,
    #[serde(flatten)]
    receiver: ReceiverFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relation_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_relation: Option<&'a str>,
}

#[derive(Serialize)]
struct SharingFields<'a> {
    #[serde(flatten)]
    sub_merchant: Map<String, Value>,
    appid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_appid: Option<&'a str>,
    transaction_id: &'a str,
    out_order_no: &'a str,
    receivers: Vec<PartFields<'a>>,
    unfreeze_unsplit: bool,
}

#[derive(Serialize)]
struct PartFields<'a> {
    #[serde(flatten)]
    receiver: ReceiverFields<'a>,
    amount: i64,
    description: &'a str,
}

/// What is read of an answer about a receiver: nothing but that it is one.
type Done = serde::de::IgnoredAny;

impl Products<'_> {
    fn sub_appid(&self) -> Option<&str> {
        self.0.sub_merchant.as_ref().and_then(|sub| sub.sub_appid.as_deref())
    }

    /// Lets somebody receive parts.
    pub async fn add_receiver(&self, new: &NewReceiver<'_>) -> Result<Call<Done>, Failed> {
        let sealer = self.0.sealer_for(new.receiver.name.is_some()).await?;
        let NewReceiver { receiver, relation, custom_relation } = *new;
        let receiver = ReceiverFields { kind: receiver.kind, account: receiver.account, name: sealer.seal(receiver.name)? };
        let (sub_merchant, appid) = (self.of_sub_merchant(), self.0.account.appid.as_str());
        let fields = NewReceiverFields { sub_merchant, appid, sub_appid: self.sub_appid(), receiver, relation_type: Some(relation), custom_relation };
        Ok(Call::post(RECEIVER, format!("{ROOT}/receivers/add"), &fields).sealed_by(&sealer))
    }

    /// Lets somebody receive parts no longer.
    pub fn delete_receiver(&self, kind: ReceiverKind, account: &str) -> Call<Done> {
        let receiver = ReceiverFields { kind, account, name: None };
        let (sub_merchant, appid) = (self.of_sub_merchant(), self.0.account.appid.as_str());
        let fields = NewReceiverFields { sub_merchant, appid, sub_appid: self.sub_appid(), receiver, relation_type: None, custom_relation: None };
        Call::post(RECEIVER, format!("{ROOT}/receivers/delete"), &fields)
    }

    /// Shares a paid order. Fails only if a name cannot be sealed.
    pub async fn share(&self, sharing: &Sharing<'_>) -> Result<Call<SharingReport>, Failed> {
        let sealer = self.0.sealer_for(sharing.parts.iter().any(|part| part.receiver.name.is_some())).await?;
        let mut receivers = Vec::with_capacity(sharing.parts.len());
        for part in sharing.parts {
            let receiver = ReceiverFields { kind: part.receiver.kind, account: part.receiver.account, name: sealer.seal(part.receiver.name)? };
            receivers.push(PartFields { receiver, amount: part.amount.minor(), description: part.description });
        }
        let fields = SharingFields {
            sub_merchant: self.of_sub_merchant(),
            appid: &self.0.account.appid,
            sub_appid: self.sub_appid(),
            transaction_id: sharing.transaction_id,
            out_order_no: sharing.out_order_no,
            receivers,
            unfreeze_unsplit: sharing.unfreeze_rest,
        };
        Ok(Call::post(SHARE, format!("{ROOT}/orders"), &fields).sealed_by(&sealer))
    }

    /// Asks about a sharing.
    pub fn query_sharing(&self, out_order_no: &str, transaction_id: &str) -> Call<SharingReport> {
        let whose = self.0.sub_merchant.as_ref().map(|sub| format!("&sub_mchid={}", sub.sub_mchid)).unwrap_or_default();
        Call::get(QUERY, format!("{ROOT}/orders/{}?transaction_id={}{whose}", segment(out_order_no), segment(transaction_id)))
    }

    /// Gives the rest of an order to the merchant. `out_order_no` is a new number: with an old one the rail says yes and does nothing.
    pub fn unfreeze(&self, transaction_id: &str, out_order_no: &str, description: &str) -> Call<SharingReport> {
        let mut fields = self.of_sub_merchant();
        for (name, value) in [("transaction_id", transaction_id), ("out_order_no", out_order_no), ("description", description)] {
            fields.insert(name.to_owned(), Value::from(value));
        }
        Call::post(SHARE, format!("{ROOT}/orders/unfreeze"), &fields)
    }

    /// Takes a part back.
    pub fn return_share(&self, returning: &Returning<'_>) -> Call<ReturnReport> {
        let mut fields = self.of_sub_merchant();
        let texts = [
            ("out_order_no", returning.out_order_no),
            ("out_return_no", returning.out_return_no),
            ("return_mchid", returning.return_mchid),
            ("description", returning.description),
        ];
        for (name, value) in texts {
            fields.insert(name.to_owned(), Value::from(value));
        }
        fields.insert("amount".to_owned(), Value::from(returning.amount.minor()));
        Call::post(RETURN, format!("{ROOT}/return-orders"), &fields)
    }

    /// Asks about a return.
    pub fn query_return(&self, out_return_no: &str, out_order_no: &str) -> Call<ReturnReport> {
        let whose = self.0.sub_merchant.as_ref().map(|sub| format!("&sub_mchid={}", sub.sub_mchid)).unwrap_or_default();
        Call::get(QUERY, format!("{ROOT}/return-orders/{}?out_order_no={}{whose}", segment(out_return_no), segment(out_order_no)))
    }

    /// Asks what of an order is not shared yet.
    pub fn unsplit(&self, transaction_id: &str) -> Call<Unsplit> {
        Call::get(QUERY, format!("{ROOT}/transactions/{}/amounts", segment(transaction_id)))
    }
}
