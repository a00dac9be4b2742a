//! `GET /v1/models` and `/v1/models/{id}`: the names the caller's key may use.

use http::request::Parts;
use http::{Response, StatusCode};

use super::body::Body;
use super::{Arrival, House, answer};
use crate::refusal::{Kind, Refusal};
use crate::wire::openai;

/// The list.
pub(super) fn list(house: &House, arrival: &Arrival, parts: &Parts) -> Result<Response<Body>, Refusal> {
    let merchant = house.callers.identify(&parts.headers, arrival.peer)?;
    let mut names: Vec<&str> = house.models.keys().map(String::as_str).filter(|name| merchant.models.allows(name)).collect();
    names.sort_unstable();
    Ok(answer::json_response(StatusCode::OK, openai::model_list(&names, created(house))?))
}

/// One model; one that the key may not use does not exist for it.
pub(super) fn one(house: &House, arrival: &Arrival, parts: &Parts, name: &str) -> Result<Response<Body>, Refusal> {
    let merchant = house.callers.identify(&parts.headers, arrival.peer)?;
    if !house.models.contains_key(name) || !merchant.models.allows(name) {
        return Err(not_found(name));
    }
    Ok(answer::json_response(StatusCode::OK, openai::model_card(name, created(house))?))
}

/// A model that does not exist, or not for this caller: the same refusal.
pub(super) fn not_found(name: &str) -> Refusal {
    let name: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Refusal::new(
        Kind::NotFound,
        "model_not_found",
        format!("The model `{name}` does not exist or you do not have access to it; GET /v1/models lists yours."),
    )
    .param("model")
}

fn created(house: &House) -> u32 {
    u32::try_from(house.started.seconds()).unwrap_or(u32::MAX)
}
