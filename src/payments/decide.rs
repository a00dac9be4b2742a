//! Decide: the one place that can make an [`Approved`]. What is executed is what was approved here, never a model's text read again.

use super::ground::Grounded;
use super::interpret::CallRefusal;
use super::refunds::ground::GroundedRefund;
use crate::chat::call::{ChatCall, PaymentPart};
use crate::payment::record::NewPayment;
use crate::payment::refund::NewRefund;
use crate::payment::terms::DecidedBy;

/// A payment that may be executed. Only this module can build one.
#[derive(Clone, Debug)]
pub struct Approved(NewPayment);

impl Approved {
    /// What is to be recorded and then sent.
    pub fn into_new_payment(self) -> NewPayment {
        self.0
    }
}

/// A refund that may be executed, if the ledger finds that much left. Only this module can build one.
#[derive(Clone, Debug)]
pub struct ApprovedRefund(NewRefund);

impl ApprovedRefund {
    /// What is to be recorded and then sent.
    pub fn into_new_refund(self) -> NewRefund {
        self.0
    }
}

/// Judges a grounded refund. The same floor as for payments; that no more goes back than came in is the ledger's to see to.
pub fn decide_refund(
    grounded: GroundedRefund,
    model_version: Option<String>,
    call: &ChatCall,
    part: &PaymentPart,
) -> Result<ApprovedRefund, CallRefusal> {
    if call.merchant.wechatpay.is_none() {
        return Err(CallRefusal::new("merchant_without_account", "this merchant cannot refund payments here; tell the user so"));
    }
    Ok(ApprovedRefund(NewRefund {
        merchant: call.merchant.id.clone(),
        payment: grounded.payment,
        identity: grounded.identity,
        fingerprint: part.fingerprint.clone(),
        request_id: call.request_id.clone(),
        amount: grounded.amount,
        amount_source: grounded.source,
        reason: grounded.reason,
        decided_by: DecidedBy::Model,
        model_version,
    }))
}

/// Judges grounded terms. Merchant rules, step-up and review will raise the verdict here; today's floor: the merchant takes payments.
pub fn decide(
    grounded: Grounded,
    decided_by: DecidedBy,
    model_version: Option<String>,
    call: &ChatCall,
    part: &PaymentPart,
) -> Result<Approved, CallRefusal> {
    if call.merchant.wechatpay.is_none() {
        return Err(CallRefusal::new("merchant_without_account", "this merchant cannot take payments; tell the user so"));
    }
    let (terms, amount_source, order_id) = grounded.into_parts();
    Ok(Approved(NewPayment {
        merchant: call.merchant.id.clone(),
        identity: part.identity.clone(),
        fingerprint: part.fingerprint.clone(),
        request_id: call.request_id.clone(),
        terms,
        amount_source,
        decided_by,
        model_version,
        order_id,
    }))
}
