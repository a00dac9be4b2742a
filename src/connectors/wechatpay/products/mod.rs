//! WeChat Pay's other products, as thin calls of one shape: each file says what is sent and what is read, and nothing of how.
//!
//! A call is made in two steps, so that its bytes can be written down in between: `connector.products().transfer(&t).await?`, then
//! `connector.call(&call).await`. `Call::sent_before` makes the same call again out of what was written down.

#[macro_use]
mod words;

mod abnormal;
mod code_pay;
mod combined;
mod echo;
mod papay;
mod score;
mod sharing;
mod transfers;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

pub use abnormal::RefundTo;
pub use code_pay::{CodePayment, Reversed};
pub use combined::{Combined, CombinedAmount, CombinedOrder, CombinedPart, SubOrder};
pub use echo::{Echo, Echoed};
pub use papay::{Charge, Contract};
pub use score::{Collected, Score, ScoreFee, ScoreOrder, ScoreState};
pub use sharing::{
    NewReceiver, Part, PartReport, PartResult, Receiver, ReceiverKind, ReturnReport, ReturnResult, Returning, Sharing, SharingReport, SharingState,
    Unsplit,
};
pub use transfers::{Transfer, TransferReport, TransferState};

use super::WechatPay;

/// Makes calls; of one connector.
pub struct Products<'c>(pub(in crate::connectors) &'c WechatPay);

impl Products<'_> {
    /// The fields that name a sub-merchant, for products whose partner form only adds them.
    fn of_sub_merchant(&self) -> Map<String, Value> {
        let mut fields = Map::new();
        if let Some(sub) = &self.0.sub_merchant {
            fields.insert("sub_mchid".to_owned(), Value::from(sub.sub_mchid.as_str()));
        }
        fields
    }
}
