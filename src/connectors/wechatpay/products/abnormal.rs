//! Abnormal refunds: the origin could not take the money, so a person names another account.

use http::Method;
use serde::Serialize;

use super::super::super::Refund;
use super::super::super::advice::Failed;
use super::super::call::{Call, Operation, segment, written};
use super::super::fields::SealedField;
use super::super::refunds::{REFUNDS, refund};
use super::super::retry::Nature;
use super::Products;
use crate::ids::OutRefundNo;

const APPLY: Operation = Operation::new("abnormal_refund", Nature::Money);

/// Where the money of an abnormal refund goes.
#[derive(Clone, Copy, Debug)]
pub enum RefundTo<'a> {
    /// A card of the payer.
    PayersCard {
        /// Its bank, `ICBC_DEBIT`, `CMB_DEBIT`, …
        bank_type: &'a str,
        /// Its number; sealed on the way.
        bank_account: &'a str,
        /// Whose it is; sealed on the way.
        real_name: &'a str,
    },
    /// The merchant's own settlement account, who pays the payer by themselves.
    Merchant,
}

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sub_mchid: Option<&'a str>,
    out_refund_no: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bank_account: Option<SealedField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    real_name: Option<SealedField>,
}

impl Products<'_> {
    /// Sends the money of an abnormal refund elsewhere. `refund_id` is the rail's number of it.
    pub async fn refund_to(&self, refund_id: &str, out_refund_no: &OutRefundNo, to: RefundTo<'_>) -> Result<Call<Refund>, Failed> {
        let (kind, bank_type, card, name) = match to {
            RefundTo::PayersCard { bank_type, bank_account, real_name } => ("USER_BANK_CARD", Some(bank_type), Some(bank_account), Some(real_name)),
            RefundTo::Merchant => ("MERCHANT_BANK_CARD", None, None, None),
        };
        let sealer = self.0.sealer_for(card.is_some()).await?;
        let sub_mchid = self.0.sub_merchant.as_ref().map(|sub| sub.sub_mchid.as_str());
        let (bank_account, real_name) = (sealer.seal(card)?, sealer.seal(name)?);
        let fields = Fields { sub_mchid, out_refund_no: out_refund_no.as_str(), kind, bank_type, bank_account, real_name };
        let target = format!("{REFUNDS}/{}/apply-abnormal-refund", segment(refund_id));
        Ok(Call::new(APPLY, Method::POST, target, written(&fields), refund).sealed_by(&sealer))
    }
}
