//! `ANY /v3/**`: the classic path. A request a merchant has signed itself passes through as the bytes it is; one that carries a fengate key
//! is signed here.

mod certificates;
mod claim;
mod fields;
mod form;
mod forward;
mod refusals;
mod signed;

use std::collections::HashMap;

use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Response, Uri};
use hyper::body::Incoming;

pub(super) use refusals::refused;

use super::body::Body;
use super::carried::Carried;
use super::{Arrival, House};
use crate::dial::Dial;
use crate::ids::MerchantId;
use crate::refusal::{Kind, Refusal};

/// Where every path of WeChat Pay v3 begins.
pub(super) const ROOT: &str = "/v3/";

/// What the classic path needs.
pub struct Classic {
    /// Where the requests of each merchant number go.
    pub by_mchid: HashMap<String, Upstream>,
    /// Where all others go.
    pub otherwise: Upstream,
    /// Passes bodies on as they come.
    pub dial: Dial<Carried>,
}

/// Where requests a merchant has signed go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Whose account it is, for metrics and the log; `None` for a merchant number that is in no `[[merchant]]`.
    pub merchant: Option<MerchantId>,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// Its host.
    pub authority: Authority,
    /// It sees the `Host` the client wrote, and builds addresses with it: the sandbox, whose downloads are then reached through fengate.
    pub keeps_host: bool,
}

impl Upstream {
    /// An upstream at `base`; `None` if that has no scheme or host.
    pub fn at(base: &Uri, merchant: Option<MerchantId>, keeps_host: bool) -> Option<Self> {
        Some(Self { merchant, scheme: base.scheme()?.clone(), authority: base.authority()?.clone(), keeps_host })
    }
}

/// Answers a request under `/v3/`.
pub(super) async fn enter(house: &House, arrival: &Arrival, parts: Parts, body: Incoming) -> Response<Body> {
    match claim::of(&parts.headers) {
        claim::Claim::Signed { mchid } => {
            let upstream = house.classic.by_mchid.get(&mchid).unwrap_or(&house.classic.otherwise);
            forward::forward(house, upstream, parts, body).await
        }
        claim::Claim::Key => match house.callers.identify(&parts.headers, arrival.peer) {
            Ok(merchant) => signed::enter(house, arrival, merchant, parts, body).await,
            Err(refusal) => {
                house.metrics.auth_failures.with_label_values(&["classic"]).inc();
                refused(&refusal)
            }
        },
        claim::Claim::None => {
            house.metrics.auth_failures.with_label_values(&["classic"]).inc();
            tracing::debug!(request_id = %arrival.request_id, "neither signed nor with a key");
            refused(&Refusal::new(
                Kind::Unauthenticated,
                "sign_error",
                "Sign the request as WeChat Pay v3 asks for it (Authorization: WECHATPAY2-SHA256-RSA2048 …), or send a fengate key (Authorization: Bearer …).",
            ))
        }
    }
}
