//! Metrics: everything Prometheus may ask of fengate, documented where it is registered. Base units; label sets are bounded
//! (names from `routes.toml` and fixed words), never a user's text, never an id of a request or a payment.

mod series;

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

/// Seconds; from a tenth of a millisecond to half a minute.
const LATENCY_SECONDS: [f64; 16] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Seconds; from ten microseconds to a second: what fengate itself adds.
const OVERHEAD_SECONDS: [f64; 12] = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.05, 0.25, 1.0];

/// Seconds; from a second to two hours: how long people take to pay.
const PAY_SECONDS: [f64; 10] = [1.0, 3.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 1800.0, 7200.0];

/// Declares the metrics struct and its registration from one table, so that no metric exists without its help text.
macro_rules! metrics {
    ($( $field:ident: $kind:ident($name:literal, $help:literal $(, [$($label:literal),*])? $(; $buckets:expr)?); )*) => {
        /// Every metric of the process; cheap to clone.
        #[derive(Clone)]
        pub struct Metrics(Arc<Registered>);

        /// The registered metrics, one field each; the doc of a field is the help text Prometheus shows.
        pub struct Registered {
            registry: Registry,
            $( #[doc = $help] pub $field: $kind, )*
        }

        impl Metrics {
            /// Registers everything. Fails only if two metrics carry one name, which a test rules out.
            pub fn new() -> prometheus::Result<Self> {
                let registry = Registry::new();
                $( let $field = metrics!(@make $kind, $name, $help $(, [$($label),*])? $(; $buckets)?); registry.register(Box::new($field.clone()))?; )*
                registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
                let metrics = Self(Arc::new(Registered { registry, $( $field, )* }));
                series::begin(&metrics);
                Ok(metrics)
            }
        }
    };
    (@make IntCounterVec, $name:literal, $help:literal, [$($label:literal),*]) => { IntCounterVec::new(Opts::new($name, $help), &[$($label),*])? };
    (@make IntGaugeVec, $name:literal, $help:literal, [$($label:literal),*]) => { IntGaugeVec::new(Opts::new($name, $help), &[$($label),*])? };
    (@make IntGauge, $name:literal, $help:literal) => { IntGauge::new($name, $help)? };
    (@make HistogramVec, $name:literal, $help:literal, [$($label:literal),*]; $buckets:expr) => {
        HistogramVec::new(HistogramOpts::new($name, $help).buckets($buckets.to_vec()), &[$($label),*])?
    };
    (@make Histogram, $name:literal, $help:literal; $buckets:expr) => { Histogram::with_opts(HistogramOpts::new($name, $help).buckets($buckets.to_vec()))? };
}

metrics! {
    requests: IntCounterVec("fengate_requests_total", "HTTP requests answered on the public listener, by door and status class.", ["door", "status"]);
    request_seconds: HistogramVec("fengate_request_duration_seconds", "From a request's headers to the last byte of its answer.", ["door"]; LATENCY_SECONDS);
    overhead_seconds: Histogram("fengate_gateway_overhead_seconds", "What fengate itself adds to a chat request: total less the waits for providers and payment rails; for a stream, up to its first event."; OVERHEAD_SECONDS);
    first_event_seconds: HistogramVec("fengate_time_to_first_event_seconds", "From sending a streamed request to a provider to its first event.", ["provider"]; LATENCY_SECONDS);
    connections: IntGaugeVec("fengate_connections", "Open connections, by listener (public, admin).", ["listener"]);
    connections_cut: IntCounterVec("fengate_connections_cut_total", "Connections ended by fengate: silent (headers that do not come), malformed (no HTTP request; answered without a body), slow_body, never_reading, too_many, too_many_of_one (address).", ["reason"]);
    panics: IntCounterVec("fengate_panics_total", "Requests that ended in a panic: front (before the answer), stream (in the middle of one). Anything but zero is a defect.", ["door"]);
    attempts: IntCounterVec("fengate_attempts_total", "Attempts at model providers, by how they ended.", ["provider", "model", "outcome"]);
    attempt_seconds: HistogramVec("fengate_attempt_duration_seconds", "From sending an attempt to its last byte.", ["provider"]; LATENCY_SECONDS);
    tokens: IntCounterVec("fengate_tokens_total", "Tokens as providers report them, by direction (prompt, completion).", ["merchant", "provider", "model", "direction"]);
    usage_missing: IntCounterVec("fengate_usage_missing_total", "Complete attempts whose provider reported no usage.", ["provider"]);
    usage_implausible: IntCounterVec("fengate_usage_implausible_total", "Attempts whose provider reported a negative count of tokens or one beyond belief; it is counted as the nearest that is believed.", ["provider"]);
    failovers: IntCounterVec("fengate_failovers_total", "Times a question went on to another lane, by the provider that failed it.", ["model", "provider"]);
    breaker_open: IntGaugeVec("fengate_breaker_open", "1 while a lane is not asked because it failed too often.", ["model", "provider"]);
    admissions: IntCounterVec("fengate_admissions_total", "Inference requests at admission: admitted, limited, classic (over the limit, goes on without a model).", ["merchant", "verdict"]);
    classic: IntCounterVec("fengate_classic_fallbacks_total", "Payments determined by the trusted context alone, by why no model was asked: limited, models_down.", ["merchant", "why"]);
    replays: IntCounterVec("fengate_replays_total", "Requests that found the payment of an earlier, equal request.", ["merchant"]);
    calls_refused: IntCounterVec("fengate_payment_calls_refused_total", "Payment calls of models that were refused back to the model, by reason.", ["reason"]);
    payments: IntCounterVec("fengate_payments_total", "Moves of payments, by the state they reached and who determined them.", ["state", "decided_by"]);
    time_to_paid: Histogram("fengate_time_to_paid_seconds", "From recording a payment to learning that it is paid."; PAY_SECONDS);
    payments_open: IntGaugeVec("fengate_payments_open", "Payments that are not final, by state.", ["state"]);
    refunds: IntCounterVec("fengate_refunds_total", "Moves of refunds, by the state they reached.", ["state"]);
    refunds_open: IntGaugeVec("fengate_refunds_open", "Refunds that are not final, by state. An abnormal one waits for a person.", ["state"]);
    reconcile_age: IntGauge("fengate_reconcile_age_seconds", "How long ago the oldest payment of unknown outcome became so; 0 when there is none.");
    rail_calls: IntCounterVec("fengate_rail_calls_total", "Calls to payment rails, by operation and outcome (ok, refused, unknown, not_sent).", ["operation", "outcome"]);
    rail_seconds: HistogramVec("fengate_rail_call_duration_seconds", "How long payment rails take.", ["operation"]; LATENCY_SECONDS);
    rail_host_switches: IntCounterVec("fengate_rail_host_switches_total", "Calls that went on at a payment rail's other host, by why: not_sent, timeout.", ["why"]);
    v3_requests: IntCounterVec("fengate_v3_requests_total", "Requests of the classic path, by merchant (other: a merchant number that is not in routes.toml), whose signature they carry (client, gateway), family of operations and status class.", ["merchant", "signed_by", "family", "status"]);
    v3_seconds: HistogramVec("fengate_v3_request_duration_seconds", "From a classic request's headers to those of its answer.", ["merchant", "family"]; LATENCY_SECONDS);
    callbacks: IntCounterVec("fengate_callbacks_total", "Callbacks of payment rails, by verdict: settled, known, ignored, probe, bad_signature, stale, malformed, mismatch, contradiction, unknown_order, unavailable.", ["verdict"]);
    passed_notices: IntCounterVec("fengate_passed_notices_total", "Notices passed on to merchants, by how a delivery ended: taken, refused, unreachable, given_up (after a day; a person must look).", ["outcome"]);
    exceptions: IntCounterVec("fengate_payment_exceptions_total", "Words of a payment rail that contradict the ledger: a person must look. Alarm on any.", ["kind"]);
    ledger_commit_seconds: HistogramVec("fengate_ledger_commit_duration_seconds", "From asking the ledger for a change to knowing it durable.", ["kind"]; LATENCY_SECONDS);
    ledger_group: Histogram("fengate_ledger_group_size", "Changes made durable by one commit."; [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0]);
    usage_dropped: IntCounterVec("fengate_usage_dropped_total", "Usage records that could not be written. Anything but zero is a defect or a full disk.", ["reason"]);
    auth_failures: IntCounterVec("fengate_auth_failures_total", "Requests without a key that opens anything, by door.", ["door"]);
}

impl std::ops::Deref for Metrics {
    type Target = Registered;

    fn deref(&self) -> &Registered {
        &self.0
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// The text format of Prometheus, and its content type.
    pub fn render(&self) -> prometheus::Result<(String, Vec<u8>)> {
        let encoder = TextEncoder::new();
        let mut text = Vec::new();
        encoder.encode(&self.0.registry.gather(), &mut text)?;
        Ok((encoder.format_type().to_owned(), text))
    }
}

/// How many of something, for a histogram. A count beyond `u32` stays there.
pub fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}

/// Seconds of a duration, for a histogram. Only here does a time or a count become a float: for people and graphs.
pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_registers_and_renders() {
        let metrics = Metrics::new().expect("no two metrics of one name");
        metrics.payments.with_label_values(&["paid", "model"]).inc();
        let (_, text) = metrics.render().expect("renders");
        let text = String::from_utf8(text).expect("UTF-8");
        assert!(text.contains("fengate_payments_total{decided_by=\"model\",state=\"paid\"} 1"), "{text}");
    }
}
