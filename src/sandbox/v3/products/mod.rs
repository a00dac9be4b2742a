//! The products beside orders and refunds: bills, uploads, the self test, profit sharing, merchant transfers, pay score, papay. One file
//! each; their routes are in the table below.

mod bills;
pub(crate) mod desk;
mod echo;
mod fields;
mod media;
mod papay;
mod score;
mod sealed;
mod sharing;
mod telling;
mod trades;
mod transfers;

use std::sync::Arc;

use super::super::Inner;
use super::super::book::Unwritten;
use super::super::faults::Family;
use super::error::ApiError;
use super::routes::{Route, get, post};

pub(super) use media::signed_part;

/// The table.
#[rustfmt::skip]
pub(super) const ROUTES: &[Route] = &[
    // Bills
    get ("/v3/bill/tradebill",                                                   Family::Other, bills::trade_bill),
    get ("/v3/bill/fundflowbill",                                                Family::Other, bills::fund_flow_bill).at_most(3),
    get ("/v3/billdownload/file",                                                Family::Other, bills::download),
    // Uploads
    post("/v3/merchant/media/upload",                                            Family::Other, media::image),
    post("/v3/merchant/media/video_upload",                                      Family::Other, media::video),
    post("/v3/marketing/favor/media/image-upload",                               Family::Other, media::marketing_image),
    post("/v3/merchant-service/images/upload",                                   Family::Other, media::service_image),
    // The self test
    post("/v3/security/echo",                                                    Family::Other, echo::echo),
    // Profit sharing
    post("/v3/profitsharing/receivers/add",                                      Family::Other, sharing::add_receiver),
    post("/v3/profitsharing/receivers/delete",                                   Family::Other, sharing::delete_receiver),
    post("/v3/profitsharing/orders",                                             Family::Other, sharing::create).at_most(300),
    post("/v3/profitsharing/orders/unfreeze",                                    Family::Other, sharing::unfreeze),
    get ("/v3/profitsharing/orders/{}",                                          Family::Other, sharing::query).at_most(500),
    post("/v3/profitsharing/return-orders",                                      Family::Other, sharing::take_back).at_most(100),
    get ("/v3/profitsharing/return-orders/{}",                                   Family::Other, sharing::query_return),
    get ("/v3/profitsharing/transactions/{}/amounts",                            Family::Other, sharing::amounts),
    get ("/v3/profitsharing/merchant-configs/{}",                                Family::Other, sharing::config),
    // Merchant transfers
    post("/v3/fund-app/mch-transfer/transfer-bills",                             Family::Other, transfers::create),
    get ("/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{}",              Family::Other, transfers::query),
    get ("/v3/fund-app/mch-transfer/transfer-bills/transfer-bill-no/{}",         Family::Other, transfers::query_by_id),
    post("/v3/fund-app/mch-transfer/transfer-bills/out-bill-no/{}/cancel",       Family::Other, transfers::cancel),
    // Pay score
    post("/v3/payscore/serviceorder",                                            Family::Other, score::create),
    get ("/v3/payscore/serviceorder",                                            Family::Other, score::query),
    post("/v3/payscore/serviceorder/{}/cancel",                                  Family::Other, score::cancel),
    post("/v3/payscore/serviceorder/{}/modify",                                  Family::Other, score::modify),
    post("/v3/payscore/serviceorder/{}/complete",                                Family::Other, score::complete),
    post("/v3/payscore/serviceorder/{}/sync",                                    Family::Other, score::sync),
    // Papay
    post("/v3/papay/sign/contracts/pre-entrust-sign",                            Family::Other, papay::offer),
    get ("/v3/papay/sign/contracts/plan-id/{}/out-contract-code/{}",             Family::Other, papay::query),
    post("/v3/papay/sign/contracts/plan-id/{}/out-contract-code/{}/terminate",   Family::Other, papay::terminate),
    post("/v3/papay/contracts/{}/notify",                                        Family::Other, papay::pre_notice),
    post("/v3/papay/pay/transactions/apply",                                     Family::Other, papay::apply),
];

impl From<Unwritten> for ApiError {
    fn from(_: Unwritten) -> Self {
        Self::system()
    }
}

/// What time alone has ended is reported.
pub(crate) fn ripen(inner: &Arc<Inner>) {
    transfers::ripen(inner);
}
