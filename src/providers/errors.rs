//! What a provider's failure means: whose fault it is, whether another lane may serve, and what the caller is told.

use std::time::Duration;

use http::StatusCode;
use http::header::{HeaderMap, RETRY_AFTER};

use crate::dial::DialError;
use crate::refusal::{Kind, Refusal};
use crate::wire::openai::ErrorBody;

/// The longest wait a provider may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(120);

/// Most of a provider's words that a caller is told, in characters.
const WORDS_CHARS_MAX: usize = 2_000;

/// A failure of the connection.
pub(super) fn of_dial(error: &DialError) -> Refusal {
    if error.is_timeout() { timeout(error.to_string()) } else { broken(error.to_string()) }
}

/// The provider did not answer in time.
pub(super) fn timeout(detail: impl Into<Box<str>>) -> Refusal {
    Refusal::new(Kind::ProviderTimeout, "upstream_timeout", "The model provider did not answer in time.").detail(detail)
}

/// The provider could not be reached, or broke off.
pub(super) fn broken(detail: impl Into<Box<str>>) -> Refusal {
    Refusal::new(Kind::ProviderUnreachable, "upstream_unreachable", "The model provider could not be reached, or broke off its answer.")
        .detail(detail)
}

/// The provider answered with something that is no answer.
pub(super) fn invalid(detail: impl Into<Box<str>>) -> Refusal {
    Refusal::new(Kind::ProviderInvalid, "upstream_invalid", "The model provider answered with something that is not a chat completion.")
        .detail(detail)
}

/// A status that is not 200. `redact` takes keys out of the provider's words, as far as the caller gets to read any.
pub(super) fn of_status(status: StatusCode, headers: &HeaderMap, body: ErrorBody, redact: impl Fn(&str) -> String) -> Refusal {
    let detail = format!("status {}", status.as_u16());
    match status.as_u16() {
        400 | 413 | 415 | 422 => rejected(status.as_u16(), body, redact),
        401..=404 => Refusal::new(
            Kind::ProviderDenied,
            "upstream_denied",
            "The model provider refused this gateway; the operator has to look at its key or its model name.",
        )
        .detail(detail),
        429 => Refusal::new(Kind::ProviderBusy { retry_after: retry_after(headers) }, "upstream_busy", "The model provider is over its own limit.")
            .detail(detail),
        408 | 504 => timeout(detail),
        _ => Refusal::new(Kind::ProviderFailed, "upstream_error", "The model provider failed to answer.").detail(detail),
    }
}

/// The request itself is at fault, and would be at any provider: the caller needs the provider's words to mend it.
fn rejected(status: u16, body: ErrorBody, redact: impl Fn(&str) -> String) -> Refusal {
    let told = |text: Option<String>| text.map(|text| redact(&text).chars().take(WORDS_CHARS_MAX).collect::<String>());
    let message = told(body.message).unwrap_or_else(|| "The model provider rejected the request.".to_owned());
    let mut refusal = Refusal::new(Kind::ProviderRejected { status }, "invalid_request", message);
    if let Some(code) = told(body.code) {
        refusal.code = code.into();
    }
    match told(body.param) {
        Some(param) => refusal.param(param),
        None => refusal,
    }
}

/// Reads `Retry-After` in seconds, bounded; a date or words are taken for no wish at all.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16) -> Kind {
        of_status(StatusCode::from_u16(status).expect("a status"), &HeaderMap::new(), ErrorBody::default(), str::to_owned).kind
    }

    #[test]
    fn a_providers_401_is_never_the_callers() {
        for status in [401, 402, 403, 404] {
            assert_eq!(of(status), Kind::ProviderDenied);
        }
        assert_eq!(of(400), Kind::ProviderRejected { status: 400 });
        for status in [500, 502, 503, 520, 529, 301, 204] {
            assert_eq!(of(status), Kind::ProviderFailed, "{status}");
        }
        assert_eq!(of(408), Kind::ProviderTimeout);
    }

    #[test]
    fn retry_after_is_bounded_and_never_overflows() {
        for (field, wait) in [("7", Some(7)), ("99999", Some(120)), ("-1", None), ("soon", None), ("1e99", None), ("99999999999999999999999", None)] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, field.parse().expect("a field"));
            assert_eq!(retry_after(&headers), wait.map(Duration::from_secs), "{field}");
        }
    }
}
