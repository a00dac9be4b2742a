//! `GET /pay/{id}/events`: how a payment stands, told anew whenever it moves, until it is final. Whoever knows the id may listen.

use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use http::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::House;
use super::body::Body;
use super::unbroken::unbroken;
use crate::ids::PaymentId;
use crate::language::Language;
use crate::ledger::Ledger;
use crate::payment::record::Payment;
use crate::payment::words;
use crate::refusal::{Kind, Refusal};
use crate::tasks::Tasks;

/// A comment this often keeps proxies from taking the silence for an end.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// A listener is sent away after this long; browsers come back by themselves.
const LISTEN_MAX: Duration = Duration::from_secs(15 * 60);

/// Follows a payment.
pub(super) async fn follow(house: &House, parts: &Parts, id: &str) -> Result<Response<Body>, Refusal> {
    let changes = house.ledger.changes();
    let payment = house.ledger.payment(&PaymentId::new(id)).await?;
    let payment = payment.ok_or_else(|| Refusal::new(Kind::NotFound, "payment_not_found", "There is no such payment."))?;
    let language = Language::accepted(parts.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default());
    let following = Following {
        ledger: house.ledger.clone(),
        tasks: house.tasks.clone(),
        changes,
        language,
        next: Some(payment),
        id: PaymentId::new(id),
        until: Instant::now() + LISTEN_MAX,
    };
    // A browser whose stream breaks off comes back by itself: no last words.
    let pieces = unbroken(events(following), house.metrics.clone(), || None);
    let mut response = Response::new(Body::Pieces(Box::pin(pieces)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Following {
    ledger: Ledger,
    tasks: Tasks,
    changes: tokio::sync::broadcast::Receiver<PaymentId>,
    language: Language,
    /// Told next; `None` while waiting.
    next: Option<Payment>,
    id: PaymentId,
    until: Instant,
}

/// What a wait came to.
enum Woken {
    Changed,
    Heartbeat,
    End,
}

fn events(following: Following) -> impl Stream<Item = Bytes> + Send {
    futures_util::stream::unfold(Some(following), |following| async {
        let mut following = following?;
        if let Some(payment) = following.next.take() {
            let event = event(&payment, following.language);
            return Some((event, Some(following).filter(|_| !payment.state.is_final())));
        }
        match following.woken().await {
            Woken::End => None,
            Woken::Heartbeat => Some((Bytes::from_static(b": still here\n\n"), Some(following))),
            Woken::Changed => {
                let Ok(Some(payment)) = following.ledger.payment(&following.id).await else { return None };
                let event = event(&payment, following.language);
                Some((event, Some(following).filter(|_| !payment.state.is_final())))
            }
        }
    })
}

impl Following {
    async fn woken(&mut self) -> Woken {
        let heartbeat = tokio::time::sleep(HEARTBEAT);
        tokio::pin!(heartbeat);
        let stopping = self.tasks.stopping();
        tokio::pin!(stopping);
        loop {
            tokio::select! {
                () = &mut stopping => return Woken::End,
                () = tokio::time::sleep_until(self.until) => return Woken::End,
                () = &mut heartbeat => return Woken::Heartbeat,
                changed = self.changes.recv() => match changed {
                    Ok(id) if id == self.id => return Woken::Changed,
                    Ok(_) => {}
                    // Some reports were missed; ours may have been among them.
                    Err(RecvError::Lagged(_)) => return Woken::Changed,
                    Err(RecvError::Closed) => return Woken::End,
                },
            }
        }
    }
}

fn event(payment: &Payment, language: Language) -> Bytes {
    let data = json!({"state": payment.state.name(), "standing": words::headline(payment.state, language), "final": payment.state.is_final()});
    Bytes::from(format!("data: {data}\n\n"))
}
