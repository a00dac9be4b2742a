//! Refusals: why a question gets no answer. Whose fault, whether another lane may serve it, what the caller is told, and what only the log learns.
//! Only `edge::answer` knows which HTTP status each kind becomes.

use std::borrow::Cow;
use std::time::Duration;

/// What went wrong, in the words every floor shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be understood or asks for what cannot be done.
    BadRequest,
    /// No key, or one that opens nothing: the same refusal for both.
    Unauthenticated,
    /// No such path, payment or model for this caller.
    NotFound,
    /// The method is not one of this path's.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// An idempotency key was used again for another request.
    KeyReused,
    /// The body is over the limit.
    TooLarge,
    /// The header fields are over the limit.
    HeadersTooLarge,
    /// The body comes in a form that is not accepted (an encoding, a media type).
    UnsupportedMedia,
    /// The body comes in a transfer coding nobody decodes here.
    UnsupportedCoding,
    /// The caller's inference limit is spent; it may ask again after this wait.
    RateLimited {
        /// How long until the next request would be admitted.
        retry_after: Duration,
    },
    /// A model provider judged the caller's request unacceptable with this status (400, 413, 415 or 422); another would too.
    ProviderRejected {
        /// The provider's status.
        status: u16,
    },
    /// A model provider refused fengate itself: its key, its account, its model name.
    ProviderDenied,
    /// A model provider is over its own limit; it asked for this wait, if it said any.
    ProviderBusy {
        /// The provider's `Retry-After`, bounded.
        retry_after: Option<Duration>,
    },
    /// A model provider answered with a server error.
    ProviderFailed,
    /// A model provider could not be connected to, or broke off.
    ProviderUnreachable,
    /// A model provider did not answer in time.
    ProviderTimeout,
    /// A model provider answered with something that is no answer.
    ProviderInvalid,
    /// No lane of the model may be asked at the moment: every breaker is open.
    NoLane,
    /// The ledger cannot be written or read; no money moves until it can.
    LedgerUnavailable,
    /// The process is on its way out and starts nothing new.
    Draining,
    /// A fault of fengate's own.
    Internal,
}

/// Whose fault a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: asking again in the same way will not help.
    Caller,
    /// Ours.
    Gateway,
    /// A model provider's.
    Provider,
}

/// Why there is no answer. `message` is for the caller; `detail` goes to the log and nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// What went wrong.
    pub kind: Kind,
    /// A stable word for programs (`model_not_found`); OpenAI's where OpenAI has one.
    pub code: Cow<'static, str>,
    /// One or two sentences for the caller: what is wrong and what to do next.
    pub message: Cow<'static, str>,
    /// The field at fault, as OpenAI's `param`.
    pub param: Option<Box<str>>,
    /// What only the operator may read. Never a secret, never a user's words.
    pub detail: Option<Box<str>>,
    /// An order may exist because of this request: a client that retries by itself must not.
    pub order_may_exist: bool,
}

impl Refusal {
    /// A refusal with its code and its sentence for the caller.
    pub fn new(kind: Kind, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, code: Cow::Borrowed(code), message: message.into(), param: None, detail: None, order_may_exist: false }
    }

    /// A fault of fengate's own; the caller learns no more than that.
    pub fn internal(detail: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Internal, "internal_error", "fengate failed to handle this request; the operator's log says why.").detail(detail)
    }

    /// A payment or refund may stand in the ledger, or may have been sent, and what became of it is not known here.
    pub fn payment_in_doubt(detail: impl Into<Box<str>>) -> Self {
        let message = "Whether the payment was made could not be learned; fengate will find out by itself. Do not pay again: send the same request later to see how it stands.";
        Self::new(Kind::LedgerUnavailable, "payment_in_doubt", message).detail(detail).after_order()
    }

    /// Adds what only the log may say.
    pub fn detail(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the field at fault.
    pub fn param(mut self, param: impl Into<Box<str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Marks that an order may exist because of this request.
    pub fn after_order(mut self) -> Self {
        self.order_may_exist = true;
        self
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self.kind {
            Kind::BadRequest
            | Kind::Unauthenticated
            | Kind::NotFound
            | Kind::MethodNotAllowed
            | Kind::RequestTimeout
            | Kind::KeyReused
            | Kind::TooLarge
            | Kind::HeadersTooLarge
            | Kind::UnsupportedMedia
            | Kind::UnsupportedCoding
            | Kind::RateLimited { .. }
            | Kind::ProviderRejected { .. } => Fault::Caller,
            Kind::ProviderDenied
            | Kind::ProviderBusy { .. }
            | Kind::ProviderFailed
            | Kind::ProviderUnreachable
            | Kind::ProviderTimeout
            | Kind::ProviderInvalid => Fault::Provider,
            Kind::NoLane | Kind::LedgerUnavailable | Kind::Draining | Kind::Internal => Fault::Gateway,
        }
    }

    /// Whether another lane might serve the same question.
    pub fn try_elsewhere(&self) -> bool {
        self.fault() == Fault::Provider || self.kind == Kind::NoLane
    }

    /// Whether the models, rather than the request, are why there is no answer: what the classic path may step in for.
    pub fn models_unavailable(&self) -> bool {
        self.try_elsewhere() || matches!(self.kind, Kind::RateLimited { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_fault_is_never_tried_elsewhere() {
        let refusal = |kind| Refusal::new(kind, "x", "y");
        for kind in [Kind::BadRequest, Kind::TooLarge, Kind::ProviderRejected { status: 400 }] {
            assert!(!refusal(kind).try_elsewhere());
            assert!(!refusal(kind).models_unavailable());
        }
        assert!(refusal(Kind::ProviderDenied).try_elsewhere());
        let limited = refusal(Kind::RateLimited { retry_after: Duration::from_millis(10) });
        assert!(limited.models_unavailable() && !limited.try_elsewhere());
    }
}
