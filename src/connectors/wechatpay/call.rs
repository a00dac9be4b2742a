//! One shape for every call: what is asked, what repeating it would do, how its answer is read. Answers are verified before they are read.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::Instant;

use super::super::advice::Failed;
use super::super::family::Family;
use super::fault;
use super::fields::Sealer;
use super::retry::{Condition, Nature, advice};
use super::verify::VerifyError;
use super::{WechatPay, fault::Fault};
use crate::dial::DialError;
use crate::metrics::seconds;

/// How long an answer may take and how large it may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) within: Duration,
    pub(super) bytes_max: usize,
}

/// The rail promises less time, and a payer waits; a query answer with fifty coupons is a tenth of it.
const ANSWER_ROOM: Room = Room { within: Duration::from_secs(10), bytes_max: 256 * 1024 };

const FORWARD_QUESTION: Operation = Operation::new("forward_question", Nature::Read);
const FORWARD: Operation = Operation::new("forward", Nature::Money);

/// Which operation a call is of: its name in metrics, and what repeating it would do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) nature: Nature,
}

impl Operation {
    pub(super) const fn new(name: &'static str, nature: Nature) -> Self {
        Self { name, nature }
    }
}

/// A call that can be made, and made again with the same bytes; `A` is what it answers.
#[derive(Clone, Debug)]
pub struct Call<A> {
    pub(super) operation: Operation,
    pub(super) method: Method,
    /// The path with its query, exactly as it goes onto the wire.
    pub(super) target: String,
    pub(super) body: Bytes,
    /// The platform key a field of the body is sealed with.
    pub(super) sealed_with: Option<String>,
    pub(super) read: Read<A>,
}

/// Reads a verified answer.
pub(super) type Read<A> = fn(&[u8]) -> Result<A, String>;

/// An answer of the rail as it came; verified if it is a success.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its body, byte for byte.
    pub body: Bytes,
}

/// What became of a request somebody else wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// The rail's answer: verified if it is a success, and as believable as the connection if it is an error.
    Answer {
        /// Its status.
        status: StatusCode,
        /// Its body, byte for byte.
        body: Bytes,
    },
    /// Not a byte has left.
    NotSent {
        /// For the log.
        why: String,
    },
    /// It may have arrived: no answer, or one that cannot be believed.
    Unknown {
        /// For the audit trail.
        why: String,
    },
}

impl<A> Call<A> {
    pub(super) fn new(operation: Operation, method: Method, target: String, body: Bytes, read: Read<A>) -> Self {
        Self { operation, method, target, body, sealed_with: None, read }
    }

    /// Which family's pace it keeps.
    pub fn family(&self) -> Family {
        Family::of(&self.method, self.target.split('?').next().unwrap_or_default())
    }

    /// The bytes of the body: write them down before the first sending.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The platform key its fields are sealed with; to be written down beside the body.
    pub fn sealed_with(&self) -> Option<&str> {
        self.sealed_with.as_deref()
    }

    /// The same call with what was written down: a body sealed again would be another in every byte.
    #[must_use]
    pub fn sent_before(self, body: Bytes, sealed_with: Option<String>) -> Self {
        Self { body, sealed_with, ..self }
    }

    /// Says which key sealed the fields of the body.
    pub(super) fn sealed_by(self, sealer: &Sealer) -> Self {
        Self { sealed_with: sealer.serial().map(str::to_owned), ..self }
    }
}

impl<A: DeserializeOwned> Call<A> {
    /// A question whose answer is JSON.
    pub(super) fn get(operation: Operation, target: String) -> Self {
        Self::new(operation, Method::GET, target, Bytes::new(), json)
    }

    /// A request with a JSON body, whose answer is JSON.
    pub(super) fn post(operation: Operation, target: String, body: &impl Serialize) -> Self {
        Self::new(operation, Method::POST, target, written(body), json)
    }
}

impl Call<()> {
    /// A request with a JSON body, whose answer says nothing but that it was taken (204).
    pub(super) fn command(operation: Operation, target: String, body: &impl Serialize) -> Self {
        Self::new(operation, Method::POST, target, written(body), |_| Ok(()))
    }
}

/// JSON of texts and numbers, which always serialises.
pub(super) fn written(body: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(body).unwrap_or_default())
}

fn json<A: DeserializeOwned>(body: &[u8]) -> Result<A, String> {
    serde_json::from_slice(body).map_err(|e| format!("an answer that makes no sense: {e}"))
}

/// A number as part of a path: everything but letters, digits, `-`, `.`, `_` and `~` escaped, so that what is signed is what is sent.
pub(super) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => drop(write!(escaped, "%{byte:02X}")),
        }
        escaped
    })
}

/// An answer of the rail, verified if it succeeded.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    /// What went wrong, unless the status is 200 or 204.
    pub(super) fault: Option<Fault>,
}

impl WechatPay {
    /// Makes a call and reads its answer.
    pub(in crate::connectors) async fn call<A>(&self, call: &Call<A>) -> Result<A, Failed> {
        judged(call, self.ask(call).await)
    }

    /// Signs and sends a request somebody else wrote. It is sent once: whether it may be repeated its author knows.
    pub(in crate::connectors) async fn forward(&self, method: Method, target: &str, body: Bytes) -> Forwarded {
        let operation = if method == Method::GET { FORWARD_QUESTION } else { FORWARD };
        let call = Call::<()>::new(operation, method, target.to_owned(), body, |_| Ok(()));
        match self.ask(&call).await {
            Ok(answered) => Forwarded::Answer { status: answered.status, body: answered.body },
            Err(Silence::NotSent(why)) => Forwarded::NotSent { why },
            Err(Silence::NoAnswer(why) | Silence::Unbelievable(why)) => Forwarded::Unknown { why },
        }
    }

    /// Signs and sends, and verifies what comes back.
    pub(super) async fn ask<A>(&self, call: &Call<A>) -> Result<Answered, Silence> {
        let started = Instant::now();
        let answered = self.answered(call).await;
        let outcome = match &answered {
            Ok(answered) if answered.fault.is_none() => "ok",
            Ok(_) => "refused",
            Err(Silence::NotSent(_)) => "not_sent",
            Err(Silence::NoAnswer(_) | Silence::Unbelievable(_)) => "unknown",
        };
        self.metrics.rail_calls.with_label_values(&[call.operation.name, outcome]).inc();
        self.metrics.rail_seconds.with_label_values(&[call.operation.name]).observe(seconds(started.elapsed()));
        answered
    }

    async fn answered<A>(&self, call: &Call<A>) -> Result<Answered, Silence> {
        let response = self.exchange(call).await?;
        let succeeded = response.status().is_success();
        match self.verified(response.headers(), response.body()).await {
            Ok(()) => {}
            // Errors of the rail may be unsigned: what they say is taken only for what nobody could gain by forging.
            Err(VerifyError::Missing(_)) if !succeeded && !response.headers().contains_key("wechatpay-signature") => {}
            Err(e) => return Err(Silence::Unbelievable(format!("the answer's signature does not hold: {e}"))),
        }
        // 202 is accepted and not finished; only 200 and 204 are answers.
        let fault = (!succeeded || response.status() == StatusCode::ACCEPTED).then(|| fault::read(&response));
        Ok(Answered { status: response.status(), fault, body: response.into_body() })
    }

    /// Sends a call, to the other host too where that is harmless.
    pub(super) async fn exchange<A>(&self, call: &Call<A>) -> Result<Response<Bytes>, Silence> {
        let authorization = self.authorization(call)?;
        let (first, other) = self.hosts.order();
        let result = self.send(first, call, &authorization, ANSWER_ROOM).await;
        let why = match (&result, call.operation.nature) {
            (Err(DialError::NotSent(_)), _) => "not_sent",
            (Err(DialError::Timeout(_)), Nature::Read) => "timeout",
            _ => return result.map_err(Silence::from),
        };
        let Some(other) = other else { return result.map_err(Silence::from) };
        self.metrics.rail_host_switches.with_label_values(&[why]).inc();
        // The signature covers no host: the same bytes, signature included, are as good there.
        Ok(self.send(other, call, &authorization, ANSWER_ROOM).await?)
    }

    fn authorization<A>(&self, call: &Call<A>) -> Result<String, Silence> {
        let authorization = self.signer.authorization(&call.method, &call.target, &call.body, self.clock.now().seconds());
        authorization.ok_or_else(|| Silence::NotSent("the system gives no random numbers".to_owned()))
    }

    /// Fetches a file from `origin`. It comes unsigned: whoever asked knows its digest.
    pub(super) async fn download(&self, operation: Operation, origin: &str, target: String, room: Room) -> Result<Bytes, Failed> {
        let call = Call::<()>::new(operation, Method::GET, target, Bytes::new(), |_| Ok(()));
        let result = match self.authorization(&call) {
            Ok(authorization) => self.send(origin, &call, &authorization, room).await.map_err(Silence::from),
            Err(silence) => Err(silence),
        };
        let result = match result {
            Ok(response) if response.status() == StatusCode::OK => Ok(response.into_body()),
            Ok(response) => Err(fault::read(&response).failed(operation.nature)),
            Err(silence) => Err(silence.failed(operation.nature)),
        };
        self.metrics.rail_calls.with_label_values(&[operation.name, if result.is_ok() { "ok" } else { "refused" }]).inc();
        result
    }

    async fn send<A>(&self, host: &str, call: &Call<A>, authorization: &str, room: Room) -> Result<Response<Bytes>, DialError> {
        let request = self.request(host, call, authorization).map_err(|e| DialError::NotSent(e.to_string()))?;
        let result = self.dial.send_whole(request, room.within, room.bytes_max).await;
        self.hosts.note(host, !matches!(result, Err(DialError::NotSent(_) | DialError::Timeout(_))));
        result
    }

    fn request<A>(&self, host: &str, call: &Call<A>, authorization: &str) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(&call.method)
            .uri(format!("{host}{}", call.target))
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("fengate/", env!("CARGO_PKG_VERSION")))
            .header(AUTHORIZATION, authorization);
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let key = call.sealed_with.as_deref().map(HeaderValue::from_str).transpose()?;
        if let Some(key) = key.as_ref().or(self.asks_for_key.as_ref()) {
            request = request.header("Wechatpay-Serial", key);
        }
        request.body(Full::new(call.body.clone()))
    }
}

/// What came of a call, read.
pub(super) fn judged<A>(call: &Call<A>, came: Result<Answered, Silence>) -> Result<A, Failed> {
    let nature = call.operation.nature;
    let answered = came.map_err(|silence| silence.failed(nature))?;
    match answered.fault {
        None => (call.read)(&answered.body).map_err(|why| Silence::Unbelievable(why).failed(nature)),
        Some(fault) => Err(fault.failed(nature)),
    }
}

/// Why there is nothing that can be read.
#[derive(Debug)]
pub(super) enum Silence {
    /// Not a byte has left.
    NotSent(String),
    /// It may have arrived.
    NoAnswer(String),
    /// There is an answer, and it cannot be believed.
    Unbelievable(String),
}

impl Silence {
    /// What may be done about it.
    pub(super) fn failed(self, nature: Nature) -> Failed {
        let (condition, why) = match self {
            Self::NotSent(why) => (Condition::NotSent, why),
            Self::NoAnswer(why) => (Condition::NoAnswer, why),
            Self::Unbelievable(why) => (Condition::Unbelievable, why),
        };
        Failed { advice: advice(nature, condition), ..Failed::unsent(why) }
    }
}

impl From<DialError> for Silence {
    fn from(error: DialError) -> Self {
        match error {
            DialError::NotSent(why) => Self::NotSent(why),
            e => Self::NoAnswer(e.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_paths_are_escaped_as_they_are_signed() {
        assert_eq!(segment("SBX|2026*01_01-1"), "SBX%7C2026%2A01_01-1");
        assert_eq!(segment("a/../b?c#d 中"), "a%2F..%2Fb%3Fc%23d%20%E4%B8%AD");
    }
}
