//! The user's hand and the operator's: what of the products waits for the phone, and the switch for bills.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::Inner;
use super::super::super::book::contracts::{Contract, ContractState};
use super::super::super::book::score::{ScoreOrder, ScoreState};
use super::super::super::book::transfers::{Transfer, TransferState};
use super::super::super::desk::json_answer;
use super::super::super::serve::Body;
use super::super::error::ApiError;
use super::{papay, score, transfers};

/// What the user does on the phone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Touch {
    /// Takes the money of a transfer: its `package_info` or `transfer_bill_no`.
    ConfirmTransfer(String),
    /// Agrees to a service: its `package` or `order_id`.
    ConfirmService(String),
    /// Pays for a service that was completed: its `order_id`.
    PayService(String),
    /// Signs a contract: its `pre_entrustweb_id`.
    SignContract(String),
    /// Ends a contract: its `contract_id`.
    EndContract(String),
}

/// `POST /phone/products`
pub(crate) fn touch(inner: &Arc<Inner>, body: &[u8]) -> Response<Body> {
    let touch: Touch = match serde_json::from_slice(body) {
        Ok(touch) => touch,
        Err(e) => return json_answer(StatusCode::BAD_REQUEST, &json!({"error": e.to_string()})),
    };
    match act(inner, &touch) {
        Ok(json) => json_answer(StatusCode::OK, &json),
        Err(error) => json_answer(error.status, &json!({"error": error.message()})),
    }
}

fn act(inner: &Arc<Inner>, touch: &Touch) -> Result<Value, ApiError> {
    Ok(match touch {
        Touch::ConfirmTransfer(handle) => shown_transfer(&transfers::confirm(inner, handle)?),
        Touch::ConfirmService(handle) => shown_service(&score::confirm(inner, handle)?),
        Touch::PayService(order_id) => shown_service(&score::pay(inner, order_id)?),
        Touch::SignContract(session) => shown_contract(&papay::sign(inner, session)?),
        Touch::EndContract(contract_id) => {
            papay::end_by_user(inner, contract_id)?;
            json!({"ok": true})
        }
    })
}

/// `GET /sandbox/products`: transfers, services and contracts, as the phone and the operator see them.
pub(crate) fn list(inner: &Inner) -> Response<Body> {
    let products = &inner.products;
    json_answer(
        StatusCode::OK,
        &json!({
            "transfers": products.transfers.all().iter().map(shown_transfer).collect::<Vec<_>>(),
            "services": products.score.all().iter().map(shown_service).collect::<Vec<_>>(),
            "contracts": products.contracts.all().iter().map(shown_contract).collect::<Vec<_>>(),
        }),
    )
}

fn shown_transfer(transfer: &Transfer) -> Value {
    json!({
        "mchid": transfer.mchid, "out_bill_no": transfer.out_bill_no, "transfer_bill_no": transfer.transfer_bill_no,
        "amount_fen": transfer.amount_fen(), "description": transfer.text("transfer_remark"), "state": transfer.state.word(),
        "waits": transfer.state == TransferState::WaitUserConfirm,
    })
}

fn shown_service(order: &ScoreOrder) -> Value {
    let told = order.told();
    let waits = match order.state {
        ScoreState::Created => "confirm",
        ScoreState::Completed => "pay",
        _ => "",
    };
    json!({
        "mchid": order.mchid, "out_order_no": order.out_order_no, "order_id": order.order_id, "description": order.text("service_introduction"),
        "amount_fen": order.total(), "state": told["state"], "state_description": told["state_description"], "waits": waits,
    })
}

fn shown_contract(contract: &Contract) -> Value {
    let state = match contract.state {
        ContractState::Offered => "OFFERED",
        ContractState::Signed { .. } => "SIGNED",
        ContractState::Terminated { .. } => "TERMINATED",
    };
    json!({
        "mchid": contract.mchid, "plan_id": contract.plan_id, "out_contract_code": contract.out_contract_code,
        "pre_entrustweb_id": contract.session, "contract_id": contract.contract_id(), "description": contract.text("contract_display_account"),
        "state": state,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bills {
    same_day: bool,
}

/// `POST /sandbox/bills {"same_day": true}`: bills of the day itself can be had at once.
pub(crate) fn bills(inner: &Inner, body: &[u8]) -> Response<Body> {
    match serde_json::from_slice::<Bills>(body) {
        Ok(Bills { same_day }) => {
            inner.products.same_day_bills.store(same_day, Ordering::Relaxed);
            json_answer(StatusCode::OK, &json!({"same_day": same_day}))
        }
        Err(e) => json_answer(StatusCode::BAD_REQUEST, &json!({"error": format!("send {{\"same_day\": true}}: {e}")})),
    }
}
