//! Merchant transfer: money from the merchant to a payer, who may have to confirm it.

use serde::{Deserialize, Serialize};

use super::super::super::advice::Failed;
use super::super::call::{Call, Operation, segment};
use super::super::fields::SealedField;
use super::super::retry::Nature;
use super::Products;
use crate::money::Money;

const TRANSFER: Operation = Operation::new("transfer", Nature::Money);
const QUERY: Operation = Operation::new("query_transfer", Nature::Read);
const CANCEL: Operation = Operation::new("cancel_transfer", Nature::Reentrant);

const BILLS: &str = "/v3/fund-app/mch-transfer/transfer-bills";

/// A transfer about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Its number: up to 32 letters and digits. The rail makes one transfer of it.
    pub out_bill_no: &'a str,
    /// What it is for: `1000` cash marketing, `1005` commission, … as opened for the merchant.
    pub scene_id: &'a str,
    /// Who gets it, in the account's application.
    pub openid: &'a str,
    /// Their name; sealed on the way. Needed from 2,000 yuan.
    pub user_name: Option<&'a str>,
    /// What they get.
    pub amount: Money,
    /// What they read: up to 32 characters.
    pub remark: &'a str,
    /// Where the rail reports.
    pub notify_url: Option<&'a str>,
    /// What the scene must say: type and content of each.
    pub reports: &'a [(&'a str, &'a str)],
}

words! {
    /// How a transfer stands.
    TransferState {
        /// Accepted.
        Accepted = "ACCEPTED",
        /// Under way; the merchant's balance may be short.
        Processing = "PROCESSING",
        /// The receiver has to confirm it, with `package_info`.
        WaitUserConfirm = "WAIT_USER_CONFIRM",
        /// On its way to the receiver.
        Transferring = "TRANSFERING",
        /// The receiver has it.
        Success = "SUCCESS",
        /// Nothing moved.
        Fail = "FAIL",
        /// Being taken back.
        Cancelling = "CANCELING",
        /// Taken back.
        Cancelled = "CANCELLED",
    }
}

/// A transfer as the rail reports it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct TransferReport {
    /// Its number.
    pub out_bill_no: String,
    /// The rail's number of it.
    pub transfer_bill_no: String,
    /// How it stands.
    pub state: TransferState,
    /// Merchant number; in queries and notices.
    #[serde(default)]
    pub mch_id: Option<String>,
    /// What the receiver gets, in fen; in queries and notices.
    #[serde(default, rename = "transfer_amount")]
    pub amount_fen: Option<i64>,
    /// Why it failed.
    #[serde(default)]
    pub fail_reason: Option<String>,
    /// What the front end passes on for the receiver to confirm.
    #[serde(default)]
    pub package_info: Option<String>,
}

#[derive(Serialize)]
struct Fields<'a> {
    appid: &'a str,
    out_bill_no: &'a str,
    transfer_scene_id: &'a str,
    openid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Option<SealedField>,
    transfer_amount: i64,
    transfer_remark: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify_url: Option<&'a str>,
    transfer_scene_report_infos: Vec<ReportFields<'a>>,
}

#[derive(Serialize)]
struct ReportFields<'a> {
    info_type: &'a str,
    info_content: &'a str,
}

impl Products<'_> {
    /// A transfer. Fails only if a name cannot be sealed.
    pub async fn transfer(&self, transfer: &Transfer<'_>) -> Result<Call<TransferReport>, Failed> {
        let sealer = self.0.sealer_for(transfer.user_name.is_some()).await?;
        let fields = Fields {
            appid: &self.0.account.appid,
            out_bill_no: transfer.out_bill_no,
            transfer_scene_id: transfer.scene_id,
            openid: transfer.openid,
            user_name: sealer.seal(transfer.user_name)?,
            transfer_amount: transfer.amount.minor(),
            transfer_remark: transfer.remark,
            notify_url: transfer.notify_url,
            transfer_scene_report_infos: transfer.reports.iter().map(|(info_type, info_content)| ReportFields { info_type, info_content }).collect(),
        };
        Ok(Call::post(TRANSFER, BILLS.to_owned(), &fields).sealed_by(&sealer))
    }

    /// Asks about a transfer by its number.
    pub fn query_transfer(&self, out_bill_no: &str) -> Call<TransferReport> {
        Call::get(QUERY, format!("{BILLS}/out-bill-no/{}", segment(out_bill_no)))
    }

    /// Asks about a transfer by the rail's number.
    pub fn query_transfer_by_id(&self, transfer_bill_no: &str) -> Call<TransferReport> {
        Call::get(QUERY, format!("{BILLS}/transfer-bill-no/{}", segment(transfer_bill_no)))
    }

    /// Takes a transfer back that nobody has confirmed. Accepted is not taken back: ask.
    pub fn cancel_transfer(&self, out_bill_no: &str) -> Call<TransferReport> {
        Call::post(CANCEL, format!("{BILLS}/out-bill-no/{}/cancel", segment(out_bill_no)), &serde_json::json!({}))
    }
}
