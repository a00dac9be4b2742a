//! Series that are there from the start, at 0: `increase()` sees nothing of a series that begins at 1, so the first exception would raise no
//! alarm. Only fixed words are here; what is named in `routes.toml` appears when it is used.

use super::Metrics;

const DOORS: [&str; 8] = ["chat", "models", "payments", "callbacks", "pay", "pay_events", "classic", "nowhere"];
const CLASSES: [&str; 3] = ["2xx", "4xx", "5xx"];
const CUTS: [&str; 6] = ["silent", "malformed", "slow_body", "never_reading", "too_many", "too_many_of_one"];
const EXCEPTIONS: [&str; 7] =
    ["unknown_order", "mismatch", "contradiction", "order_conflict", "unknown_refund", "refund_abnormal", "refund_conflict"];
const VERDICTS: [&str; 11] =
    ["settled", "known", "ignored", "probe", "bad_signature", "stale", "malformed", "mismatch", "contradiction", "unknown_order", "unavailable"];
const CALL_REFUSALS: [&str; 25] = [
    "amount_invalid",
    "amount_mismatch",
    "amount_missing",
    "amount_not_grounded",
    "amount_unclear",
    "arguments_invalid",
    "arguments_too_long",
    "close_in_doubt",
    "close_not_asked",
    "close_paid",
    "description_missing",
    "merchant_without_account",
    "one_payment",
    "order_mismatch",
    "payment_mismatch",
    "payment_unknown",
    "refund_in_doubt",
    "refund_more_than_left",
    "refund_name_reused",
    "refund_not_asked",
    "refund_not_paid",
    "refund_nothing_left",
    "refund_too_many",
    "refund_too_soon",
    "user_declined",
];
const PAYMENT_STATES: [&str; 9] = ["created", "unknown", "awaiting_user", "paid", "refunding", "partially_refunded", "refunded", "closed", "failed"];
const REFUND_STATES: [&str; 7] = ["created", "unknown", "waiting", "processing", "abnormal", "refunded", "failed"];

/// Makes them.
pub(super) fn begin(metrics: &Metrics) {
    for (vec, words) in [
        (&metrics.connections_cut, &CUTS[..]),
        (&metrics.panics, &["front", "stream"]),
        (&metrics.usage_dropped, &["commit", "storage", "tray_full"]),
        (&metrics.exceptions, &EXCEPTIONS),
        (&metrics.callbacks, &VERDICTS),
        (&metrics.calls_refused, &CALL_REFUSALS),
        (&metrics.auth_failures, &["chat", "classic"]),
        (&metrics.passed_notices, &["taken", "refused", "unreachable", "given_up"]),
        (&metrics.rail_host_switches, &["not_sent", "timeout"]),
        (&metrics.refunds, &REFUND_STATES),
    ] {
        for word in words {
            vec.with_label_values(&[*word]).inc_by(0);
        }
    }
    for (vec, words, others) in [(&metrics.requests, &DOORS[..], &CLASSES[..]), (&metrics.payments, &PAYMENT_STATES, &["model", "rules"])] {
        for (word, other) in words.iter().flat_map(|word| others.iter().map(move |other| (word, other))) {
            vec.with_label_values(&[*word, *other]).inc_by(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every word that follows `before` somewhere in the sources, tests left out.
    fn words(dir: &Path, before: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                words(&path, before, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).expect("a file");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let after = code.split(before).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
                found.extend(after.map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_word_the_sources_count_by_is_there_from_the_start() {
        let page = String::from_utf8(Metrics::new().expect("registers").render().expect("renders").1).expect("UTF-8");
        for (before, metric, label) in [
            ("exceptions.with_label_values(&[", "fengate_payment_exceptions_total", "kind"),
            (".exception(", "fengate_payment_exceptions_total", "kind"),
            ("panics.with_label_values(&[", "fengate_panics_total", "door"),
            ("usage_dropped.with_label_values(&[", "fengate_usage_dropped_total", "reason"),
            ("connections_cut.with_label_values(&[", "fengate_connections_cut_total", "reason"),
            ("auth_failures.with_label_values(&[", "fengate_auth_failures_total", "door"),
            ("CallRefusal::new(", "fengate_payment_calls_refused_total", "reason"),
        ] {
            let mut found = Vec::new();
            words(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), before, &mut found);
            assert!(!found.is_empty(), "nothing follows {before}");
            for word in found {
                let series = format!("{metric}{{{label}=\"{word}\"}} 0");
                assert!(page.contains(&series), "{series} is missing: add the word to this file");
            }
        }
        for series in ["fengate_callbacks_total{verdict=\"mismatch\"} 0", "fengate_requests_total{door=\"chat\",status=\"5xx\"} 0"] {
            assert!(page.contains(series), "{series}");
        }
    }
}
