//! Replay: the same request again finds the payment of the first. OpenAI's SDKs repeat a request up to three times without an idempotency key;
//! a repetition must neither pay again nor ask a model again.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::chat::call::{ChatCall, PaymentPart};
use crate::chat::reply::{ChatReply, StreamReply, WholeReply};
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::payment::record::{Identity, Payment};
use crate::payment::words;
use crate::pipeline::{Next, Reply, Step};
use crate::refusal::{Kind, Refusal};

/// Says that an answer tells of an earlier request's payment; the field other payment APIs use for it.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The step.
pub struct Replay {
    /// Where earlier payments are found.
    pub ledger: Ledger,
    /// Where repetitions are counted.
    pub metrics: Metrics,
    /// Where clients reach this fengate, for the address of the pay page.
    pub public_url: String,
}

impl Step for Replay {
    async fn call(&self, call: ChatCall, next: &Next) -> Reply {
        let found = match &call.payment {
            Some(part) => self.earlier(&call, part).await?,
            None => None,
        };
        match (found, &call.payment) {
            (Some(payment), Some(part)) => {
                // The payment is there: whatever is wrong now, it must not be paid again.
                let payment = self.ledger.once_sent(payment).await.map_err(|e| Refusal::payment_in_doubt(e.to_string()))?;
                self.metrics.replays.with_label_values(&[call.merchant.id.as_str()]).inc();
                Ok(self.retold(&call, part, payment))
            }
            _ => next.ask(call).await,
        }
    }
}

impl Replay {
    async fn earlier(&self, call: &ChatCall, part: &PaymentPart) -> Result<Option<Payment>, Refusal> {
        let merchant = &call.merchant.id;
        let (Identity::Named(name) | Identity::Keyed(name)) = &part.identity else {
            return Ok(self.ledger.payment_by_request(merchant, &part.fingerprint).await?);
        };
        let Some(payment) = self.ledger.payment_by_name(merchant, name).await? else { return Ok(None) };
        if payment.fingerprint == part.fingerprint {
            return Ok(Some(payment));
        }
        if matches!(part.identity, Identity::Keyed(_)) {
            let message = "This Idempotency-Key was used for another request. Use a new key for a new payment, or send the same body again.";
            return Err(Refusal::new(Kind::KeyReused, "idempotency_key_reused", message).param("Idempotency-Key"));
        }
        Ok(None)
    }

    /// The payment of the first request, told from the ledger in the form the client asks for.
    fn retold(&self, call: &ChatCall, part: &PaymentPart, payment: Payment) -> ChatReply {
        let page = format!("{}/pay/{}", self.public_url, payment.id);
        let text = words::facts(&payment, &page, part.language);
        let replayed = HeaderValue::from_static("true");
        if call.request.stream {
            let mut stream = StreamReply::composed(text, vec![payment]);
            stream.headers.insert(REPLAYED, replayed);
            ChatReply::Stream(stream)
        } else {
            let headers = HeaderMap::from_iter([(REPLAYED, replayed)]);
            ChatReply::Whole(WholeReply { headers, ..WholeReply::composed(text, vec![payment], None) })
        }
    }
}
