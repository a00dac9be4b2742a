//! The assembly: the whole stack on one screen, and what it takes to start and end it.

mod classic;
mod start;

use std::convert::Infallible;
use std::net::SocketAddr;

use http::header::AUTHORIZATION;
use http::{Request, Response};
use hyper::body::Incoming;
use tower::{Service, ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;

pub use start::{App, StartError, connectors};

use crate::edge::observe::Observe;
use crate::edge::{SharedHouse, answer, doors};
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::payments::carry::Carry;
use crate::payments::turns::PaymentLoop;
use crate::pipeline::{Next, step};
use crate::steps::account::Account;
use crate::steps::admit::Admit;
use crate::steps::breaker::Breaker;
use crate::steps::failover::{Failover, Lane};
use crate::steps::replay::Replay;

/// What the steps of every stack share.
#[derive(Clone)]
pub struct Means {
    /// What is true about payments, and where usage goes.
    pub ledger: Ledger,
    /// What merchants have used.
    pub limits: Limits,
    /// Carries out payment functions.
    pub carry: Carry,
    /// What Prometheus may ask.
    pub metrics: Metrics,
    /// Where clients reach this fengate.
    pub public_url: String,
}

/// http in, http out.
pub fn front(
    house: SharedHouse,
    peer: SocketAddr,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl http_body::Body<Data = bytes::Bytes, Error: Into<tower::BoxError>> + Send + 'static>,
    Error = Infallible,
    Future: Send,
> + Clone
+ Send
+ 'static {
    let panics = house.metrics.clone();
    ServiceBuilder::new()
        .layer(Observe::new(house.metrics.clone(), peer)) //      a name, a log line and metrics for every request, panics included
        .layer(CatchPanicLayer::custom(move |panic| {
            panics.panics.with_label_values(&["front"]).inc(); // one request's defect is not the process's end
            answer::panicked(panic)
        }))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION])) // whoever prints headers prints no key
        .service(service_fn(move |request| {
            let house = house.clone();
            async move { Ok::<_, Infallible>(doors::enter(house, request).await) } // body limits differ by door
        }))
}

/// One question, admitted and answered once.
pub fn chat(means: &Means, model: Next) -> Next {
    let (ledger, metrics) = (means.ledger.clone(), means.metrics.clone());
    ServiceBuilder::new()
        .layer(step(Admit { limits: means.limits.clone(), metrics: metrics.clone() })) //               the merchant's inference limit
        .layer(step(Replay { ledger, metrics, public_url: means.public_url.clone() })) //               the same request finds its payment
        // here: Comply (a local model's word before anything leaves)
        .layer(step(PaymentLoop { carry: means.carry.clone() })) //                                     outside failover: turns fail over, payments never
        .service(model)
}

/// One turn with a model.
pub fn model(means: &Means, name: &str, lanes: Vec<Lane>, fallback: Vec<Lane>) -> Next {
    // here, in this order: Mask (inside the loop, which must see real arguments), Trim, Recall (a turn may be recalled, a payment never), Variant
    Failover { model: name.to_owned(), lanes, fallback, metrics: means.metrics.clone() }.into_next() // only before the first byte to the client
}

/// One attempt at one provider.
pub fn lane(means: &Means, model: &str, (provider, their_model): (&str, &str), end: Next) -> Next {
    let account =
        Account { ledger: means.ledger.clone(), metrics: means.metrics.clone(), provider: provider.to_owned(), model: their_model.to_owned() };
    ServiceBuilder::new()
        .layer(step(account)) //                                                   outside the breaker, and silent about calls it let not pass
        .layer(step(Breaker::new(model, provider, means.metrics.clone()))) //      a lane that keeps failing is left alone for a while
        .service(end)
}
