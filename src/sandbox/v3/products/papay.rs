//! Papay: the user signs on the phone, the merchant charges, either ends it.

use std::sync::Arc;

use serde_json::json;

use super::super::super::accounts::keys::digits;
use super::super::super::book::contracts::{Contract, ContractState, SESSION_MS};
use super::super::super::sign::KeyMode;
use super::super::super::{Inner, callbacks};
use super::super::Call;
use super::super::error::{ApiError, Reply};
use super::super::schema::{FEN, Field, Kind, OUT_TRADE_NO, TRADE_SIGNS, may, must};
use super::fields::{Fields, missing, used};
use super::telling::{Event, To, tell};
use super::trades::{self, Charge, OPENID};

/// The fields the public pages name.
const OFFER: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("plan_id", Kind::Int(1, i64::MAX)),
    must("out_contract_code", Kind::Number(1, 32, TRADE_SIGNS)),
    must("contract_display_account", Kind::Text(99)),
    must("notify_url", Kind::NotifyUrl),
    may("openid", Kind::Text(128)),
    may("out_user_code", Kind::Text(128)),
    may("return_url", Kind::Text(255)),
];

const TERMINATE: &[Field] = &[must("contract_termination_remark", Kind::Text(256))];

const AMOUNT: Kind = Kind::Object(&[must("total", FEN), may("currency", Kind::OneOf(&["CNY"]))]);

const APPLY: &[Field] = &[
    must("appid", Kind::Text(32)),
    must("out_trade_no", OUT_TRADE_NO),
    must("description", Kind::Text(127)),
    may("attach", Kind::Free(128)),
    must("transaction_notify_url", Kind::NotifyUrl),
    must("contract_id", Kind::Text(64)),
    must("amount", AMOUNT),
    may("goods_tag", Kind::Text(32)),
];

fn key(mchid: &str, plan_id: &str, out_contract_code: &str) -> String {
    format!("{mchid}/{plan_id}/{out_contract_code}")
}

/// `POST /v3/papay/sign/contracts/pre-entrust-sign`: the same contract asked for again gets a fresh session.
pub(super) fn offer(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, OFFER)?;
    let (plan, code) = (fields.0["plan_id"].to_string(), fields.text("out_contract_code").to_owned());
    let session = digits(32).map_err(|_| ApiError::system())?;
    let fresh = Contract {
        mchid: call.merchant.mchid.clone(),
        plan_id: plan.clone(),
        out_contract_code: code.clone(),
        parameters: fields.0.clone(),
        session: session.clone(),
        is_public_key: call.mode == KeyMode::PublicKey,
        offered_ms: call.inner.time.now().0,
        state: ContractState::Offered,
    };
    call.inner.products.contracts.change(&key(&call.merchant.mchid, &plan, &code), |is, _| match is {
        Some(known) if known.parameters != fields.0 => Err(used()),
        Some(known) if known.state != ContractState::Offered => Err(ApiError::invalid("该协议号已签约或已解约，请更换协议号")),
        _ => Ok((Some(fresh), ())),
    })?;
    Ok(Reply::ok(&json!({"pre_entrustweb_id": session})))
}

fn of_path(call: &Call<'_>) -> String {
    key(&call.merchant.mchid, &call.number(0), &call.number(1))
}

/// `GET …/plan-id/{plan_id}/out-contract-code/{code}`: there is no contract before the user signed.
pub(super) fn query(call: &Call<'_>) -> Result<Reply, ApiError> {
    let contract = call.inner.products.contracts.get(&of_path(call)).filter(|contract| contract.contract_id().is_some());
    Ok(Reply::ok(&contract.ok_or_else(not_found)?.told(OPENID)))
}

fn not_found() -> ApiError {
    missing("签约协议不存在")
}

/// `POST …/terminate`: ended again, it stays ended.
pub(super) fn terminate(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::of(call, TERMINATE)?;
    end(call.inner, &of_path(call), "MCH_API", fields.text("contract_termination_remark"))?;
    Ok(Reply::empty())
}

fn end(inner: &Arc<Inner>, key: &str, by: &str, remark: &str) -> Result<(), ApiError> {
    let at_ms = inner.time.now().0;
    let ended = inner.products.contracts.change(key, |is, _| match is.map(|is| (is, &is.state)) {
        None | Some((_, ContractState::Offered)) => Err(not_found()),
        Some((_, ContractState::Terminated { .. })) => Ok((None, None)),
        Some((is, ContractState::Signed { contract_id, at_ms: signed_ms })) => {
            let (contract_id, by, remark) = (contract_id.clone(), by.to_owned(), remark.to_owned());
            let next = Contract { state: ContractState::Terminated { contract_id, signed_ms: *signed_ms, at_ms, by, remark }, ..is.clone() };
            Ok((Some(next.clone()), Some(next)))
        }
    })?;
    if let Some(contract) = ended {
        report(inner, &contract, "PAPAY.TERMINATE", "用户解约成功");
    }
    Ok(())
}

fn report(inner: &Arc<Inner>, contract: &Contract, event_type: &'static str, summary: &'static str) {
    let event = Event { event_type, original_type: "contract", summary };
    let to = To { mchid: &contract.mchid, notify_url: contract.text("notify_url"), is_public_key: contract.is_public_key };
    tell(inner, &to, &event, contract.told(OPENID));
}

/// The caller's contract that can be charged.
fn signed(call: &Call<'_>, contract_id: &str) -> Result<Contract, ApiError> {
    let mine = |one: &Contract| one.mchid == call.merchant.mchid && one.contract_id() == Some(contract_id);
    let contract = call.inner.products.contracts.find(mine).ok_or_else(not_found)?;
    if contract.is_signed() { Ok(contract) } else { Err(ApiError::invalid("签约协议已解约")) }
}

/// `POST /v3/papay/contracts/{contract_id}/notify`: the user is told of a charge to come.
pub(super) fn pre_notice(call: &Call<'_>) -> Result<Reply, ApiError> {
    call.json()?;
    signed(call, &call.number(0))?;
    Ok(Reply::empty())
}

/// `POST /v3/papay/pay/transactions/apply`: taken on with 204; the result comes as an order's, by callback and query.
pub(super) fn apply(call: &Call<'_>) -> Result<Reply, ApiError> {
    let fields = Fields::with_appid(call, APPLY)?;
    signed(call, fields.text("contract_id"))?;
    let charge = Charge {
        out_trade_no: fields.text("out_trade_no"),
        appid: fields.text("appid"),
        mchid: &call.merchant.mchid,
        description: fields.text("description"),
        attach: fields.text("attach"),
        total_fen: fields.fen("/amount/total"),
        notify_url: fields.text("transaction_notify_url"),
        is_public_key: call.mode == KeyMode::PublicKey,
    };
    let (order, is_new) = trades::charge(call.inner, &charge)?;
    if is_new {
        callbacks::paid(call.inner, &order);
    }
    Ok(Reply::empty())
}

/// The user signs on the phone.
pub(super) fn sign(inner: &Arc<Inner>, session: &str) -> Result<Contract, ApiError> {
    let known = inner.products.contracts.find(|one| one.session == session).ok_or_else(not_found)?;
    let (at_ms, contract_id) = (inner.time.now().0, digits(32).map_err(|_| ApiError::system())?);
    let contract = inner.products.contracts.change(&key(&known.mchid, &known.plan_id, &known.out_contract_code), |is, _| {
        let is = is.filter(|is| is.session == session && is.state == ContractState::Offered).ok_or_else(not_found)?;
        if at_ms > is.offered_ms + SESSION_MS {
            return Err(ApiError::invalid("预签约会话已过期"));
        }
        let next = Contract { state: ContractState::Signed { contract_id, at_ms }, ..is.clone() };
        Ok((Some(next.clone()), next))
    })?;
    report(inner, &contract, "PAPAY.SIGN", "用户签约成功");
    Ok(contract)
}

/// The user ends it on the phone.
pub(super) fn end_by_user(inner: &Arc<Inner>, contract_id: &str) -> Result<(), ApiError> {
    let known = inner.products.contracts.find(|one| one.contract_id() == Some(contract_id)).ok_or_else(not_found)?;
    end(inner, &key(&known.mchid, &known.plan_id, &known.out_contract_code), "USER", "用户主动解约")
}
