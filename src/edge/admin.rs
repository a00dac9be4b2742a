//! The admin listener: `/metrics`, `/healthz`, `/readyz`. Never exposed to the outside: it asks nobody who they are.

use std::convert::Infallible;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::hosts::Hosts;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::tasks::Tasks;

/// What the admin listener shows.
#[derive(Clone)]
pub struct Admin {
    /// Whom it takes itself for.
    pub hosts: Hosts,
    /// Everything Prometheus may ask.
    pub metrics: Metrics,
    /// Must be readable and writable for fengate to be ready.
    pub ledger: Ledger,
    /// Says when the process is on its way out.
    pub tasks: Tasks,
}

impl Admin {
    /// Answers one request.
    pub async fn enter(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        if !self.hosts.allows(request.headers()) {
            return Ok(text(StatusCode::MISDIRECTED_REQUEST, "this listener is called by localhost or its address\n".to_owned()));
        }
        Ok(match (request.method(), request.uri().path()) {
            (&Method::GET, "/metrics") => self.metrics_page(),
            (&Method::GET, "/healthz") => text(StatusCode::OK, "ok\n".to_owned()),
            (&Method::GET, "/readyz") => self.readiness().await,
            _ => text(StatusCode::NOT_FOUND, "here are: /metrics /healthz /readyz\n".to_owned()),
        })
    }

    fn metrics_page(&self) -> Response<Body> {
        match self.metrics.render() {
            Ok((kind, page)) => {
                let mut response = Response::new(Body::whole(page));
                if let Ok(kind) = HeaderValue::from_str(&kind) {
                    response.headers_mut().insert(CONTENT_TYPE, kind);
                }
                response
            }
            Err(e) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("metrics cannot be rendered: {e}\n")),
        }
    }

    async fn readiness(&self) -> Response<Body> {
        if self.tasks.is_stopping() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
        }
        match self.ledger.ping().await {
            Ok(()) => text(StatusCode::OK, "ready\n".to_owned()),
            Err(e) => text(StatusCode::SERVICE_UNAVAILABLE, format!("{e}\n")),
        }
    }
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
