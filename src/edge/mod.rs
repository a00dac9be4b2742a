//! The public listener and the admin listener: HTTP on our side. One file per door; [`doors`] is the route table, [`answer`] the only place where
//! a refusal becomes a status.

pub mod admin;
pub mod answer;
pub mod auth;
pub mod body;
pub mod callback;
mod carried;
pub mod chat;
mod chat_part;
pub mod classic;
mod conn_io;
mod crowd;
pub mod doors;
mod gather;
pub mod guard;
mod headers;
mod heads;
pub mod hosts;
pub mod models;
pub mod observe;
pub mod pay_events;
pub mod pay_page;
pub mod payments;
mod qr;
pub mod serve;
mod sse_out;
mod unbroken;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::Clock;
use crate::connectors::herald::Herald;
use crate::ids::RequestId;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::payment::function::PaymentFunction;
use crate::payments::execute::{Execute, Rails};
use crate::payments::settle::Settle;
use crate::pipeline::Next;
use crate::tasks::Tasks;

/// What every door needs; built once by `app`.
pub struct House {
    /// Who may come in.
    pub callers: auth::Callers,
    /// What may be asked for, by name.
    pub models: HashMap<String, Model>,
    /// Every payment function of `routes.toml`.
    pub functions: Vec<PaymentFunction>,
    /// What is true about payments.
    pub ledger: Ledger,
    /// Matches notices against it.
    pub settle: Settle,
    /// Records and sends orders.
    pub execute: Execute,
    /// Tells merchants of their payments.
    pub herald: Arc<Herald>,
    /// Where orders are made and notices come from.
    pub rails: Rails,
    /// Bounds how many bad callbacks are written into the audit trail.
    pub callback_audit: crate::limits::Limits,
    /// Where classic requests go.
    pub classic: classic::Classic,
    /// Where clients reach this fengate, without a slash at the end.
    pub public_url: String,
    /// The largest body of a chat request, in bytes.
    pub body_bytes_max: usize,
    /// When the process started: what models say they were `created`.
    pub started: crate::clock::UnixMs,
    /// The time of day.
    pub clock: Clock,
    /// Where work runs; says when the process is on its way out.
    pub tasks: Tasks,
    /// What Prometheus may ask.
    pub metrics: Metrics,
}

/// One model of `routes.toml`.
pub struct Model {
    /// Answers a question: the whole stack.
    pub stack: Next,
    /// Payment functions it is offered when a client declares none.
    pub offer: Vec<PaymentFunction>,
}

/// What is known of a request before it is read.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its name in the log and in `x-request-id`.
    pub request_id: RequestId,
    /// Where it came from.
    pub peer: SocketAddr,
    /// When its headers were there.
    pub at: tokio::time::Instant,
}

/// A house, shared.
pub type SharedHouse = Arc<House>;
