//! `GET /v1/payments/{id}`: a payment object, for the merchant whose payment it is.

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};

use super::body::Body;
use super::{Arrival, House, answer};
use crate::ids::PaymentId;
use crate::refusal::{Kind, Refusal};
use crate::wire::object::{self, Shown};

/// One payment; another merchant's does not exist.
pub(super) async fn one(house: &House, arrival: &Arrival, parts: &Parts, id: &str) -> Result<Response<Body>, Refusal> {
    let merchant = house.callers.identify(&parts.headers, arrival.peer)?;
    let payment = house.ledger.payment(&PaymentId::new(id)).await?.filter(|payment| payment.merchant == merchant.id);
    let payment = payment.ok_or_else(|| Refusal::new(Kind::NotFound, "payment_not_found", "There is no such payment.").param("id"))?;
    let refunds = house.ledger.refunds_of(&payment.id).await?;
    let json = object::write(&payment, &refunds, Shown { public_url: &house.public_url }).map_err(|e| Refusal::internal(e.to_string()))?;
    Ok(answer::json_response(StatusCode::OK, Bytes::from(json)))
}
