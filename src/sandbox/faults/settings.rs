//! The JSON of `POST /sandbox/faults`: counters, which fall by one with each use, and rates, which are drawn for every request.

use serde::Deserialize;

/// Longest an answer may be held, in milliseconds.
pub(super) const DELAY_MS_MAX: u64 = 60_000;

/// Everything that may be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct All {
    /// Where the draws begin: the same seed and the same order of requests give the same faults.
    pub(super) seed: u64,
    pub(super) create: Api,
    pub(super) query: Api,
    pub(super) close: Api,
    pub(super) refund: Api,
    /// Everything else under `/v3`.
    pub(super) other: Api,
    pub(super) connections: Connections,
    pub(super) callbacks: Callbacks,
}

/// Faults of one family of operations.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Api {
    /// The connection is cut without an answer, after acting.
    pub(super) reset_after_acting: u32,
    /// 500 SYSTEM_ERROR, after acting.
    pub(super) status_500_after_acting: u32,
    /// 503 SERVICE_UNAVAILABLE, without acting.
    pub(super) status_503: u32,
    /// 400 PARAM_ERROR, without acting.
    pub(super) param_error: u32,
    /// An answer whose signature does not hold, after acting.
    pub(super) bad_signature: u32,
    /// 429, without acting; the two documented codes take turns.
    pub(super) status_429: u32,
    /// Every answer waits this long, in milliseconds.
    pub(super) delay_ms: u64,
    pub(super) rates: Rates,
}

/// How often each fault strikes, 0 to 1; at most one strikes a request, so that together they are at most 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Rates {
    /// The answer waits up to `latency_ms`; drawn apart from the others.
    pub(super) latency: f64,
    pub(super) latency_ms: u64,
    pub(super) reset_before_acting: f64,
    pub(super) reset_after_acting: f64,
    pub(super) status_500: f64,
    pub(super) status_500_after_acting: f64,
    pub(super) status_502_after_acting: f64,
    pub(super) status_503: f64,
    pub(super) status_429: f64,
    /// Half of the body, then the connection is cut; after acting.
    pub(super) truncated: f64,
    pub(super) bad_signature: f64,
}

/// Faults of connections, before a request is read.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Connections {
    /// How often a connection that brings a `/v3` request is reset unread, 0 to 1.
    pub(super) refused: f64,
}

/// Faults of callbacks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Callbacks {
    /// Deliveries that never leave.
    pub(super) drop: u32,
    /// Deliveries with a signature that must be refused.
    pub(super) bad_signature: u32,
    /// Every delivery is made twice.
    pub(super) duplicate: bool,
    pub(super) rates: CallbackRates,
}

/// How often deliveries go wrong, 0 to 1.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CallbackRates {
    /// It never leaves.
    pub(super) lost: f64,
    /// Its signature must be refused.
    pub(super) bad_signature: f64,
    /// It is made twice.
    pub(super) duplicated: f64,
    /// It is held for a while, so that later ones overtake it.
    pub(super) reordered: f64,
}

impl All {
    /// Reads and checks the JSON.
    pub(super) fn read(json: &[u8]) -> Result<Self, String> {
        let all: Self = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        let families = [("create", &all.create), ("query", &all.query), ("close", &all.close), ("refund", &all.refund), ("other", &all.other)];
        for (name, api) in families {
            let rates = &api.rates;
            check(name, &rates.each())?;
            check(name, &[rates.latency])?;
            if api.delay_ms > DELAY_MS_MAX || rates.latency_ms > DELAY_MS_MAX {
                return Err(format!("{name}: no answer waits longer than {DELAY_MS_MAX} ms"));
            }
        }
        let callbacks = &all.callbacks.rates;
        check("callbacks", &[callbacks.lost, callbacks.bad_signature])?;
        for rate in [callbacks.duplicated, callbacks.reordered, all.connections.refused] {
            check("callbacks and connections", &[rate])?;
        }
        Ok(all)
    }
}

impl Rates {
    /// The rates of which at most one strikes, in the order of [`super::STRIKES`].
    pub(super) fn each(&self) -> [f64; 9] {
        [
            self.reset_before_acting,
            self.reset_after_acting,
            self.status_500,
            self.status_500_after_acting,
            self.status_502_after_acting,
            self.status_503,
            self.status_429,
            self.truncated,
            self.bad_signature,
        ]
    }
}

fn check(name: &str, rates: &[f64]) -> Result<(), String> {
    let fine = rates.iter().all(|rate| (0.0..=1.0).contains(rate)) && rates.iter().sum::<f64>() <= 1.0;
    if fine { Ok(()) } else { Err(format!("{name}: rates are 0 to 1, and at most 1 together")) }
}
