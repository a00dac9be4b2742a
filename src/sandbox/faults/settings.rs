//! The JSON of `POST /sandbox/faults`: counters, which fall by one with each use, and rates, which are drawn for every request.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::FAULTS;

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

/// Faults of one family of operations. In the JSON every name of [`FAULTS`] may be a counter, and a rate under `rates`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, Value>")]
pub(super) struct Api {
    /// How many requests each fault still strikes, in the order of [`FAULTS`].
    pub(super) counters: [u32; FAULTS.len()],
    /// How often each strikes, 0 to 1; at most one strikes a request, so that together they are at most 1.
    pub(super) rates: [f64; FAULTS.len()],
    /// Every answer waits this long, in milliseconds.
    pub(super) delay_ms: u64,
    /// How often an answer waits up to `latency_ms` besides.
    pub(super) latency: f64,
    pub(super) latency_ms: u64,
}

impl TryFrom<BTreeMap<String, Value>> for Api {
    type Error = String;

    fn try_from(json: BTreeMap<String, Value>) -> Result<Self, String> {
        let mut api = Self::default();
        for (name, value) in &json {
            let wrong = || format!("`{name}` cannot be {value}");
            match name.as_str() {
                "delay_ms" => api.delay_ms = value.as_u64().ok_or_else(wrong)?,
                "rates" => api.read_rates(value.as_object().ok_or_else(wrong)?)?,
                name => *slot(&mut api.counters, name)? = value.as_u64().and_then(|count| u32::try_from(count).ok()).ok_or_else(wrong)?,
            }
        }
        Ok(api)
    }
}

impl Api {
    fn read_rates(&mut self, json: &serde_json::Map<String, Value>) -> Result<(), String> {
        for (name, value) in json {
            let wrong = || format!("`{name}` cannot be {value}");
            match name.as_str() {
                "latency" => self.latency = value.as_f64().ok_or_else(wrong)?,
                "latency_ms" => self.latency_ms = value.as_u64().ok_or_else(wrong)?,
                name => *slot(&mut self.rates, name)? = value.as_f64().ok_or_else(wrong)?,
            }
        }
        Ok(())
    }
}

/// The place of a fault's name in a list.
fn slot<'l, T>(list: &'l mut [T; FAULTS.len()], name: &str) -> Result<&'l mut T, String> {
    let found = list.iter_mut().zip(FAULTS).find(|(_, (known, _))| *known == name);
    found.map(|(place, _)| place).ok_or_else(|| format!("there is no fault `{name}`; there are {}", FAULTS.map(|(known, _)| known).join(", ")))
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
            check(name, &api.rates)?;
            check(name, &[api.latency])?;
            if api.delay_ms > DELAY_MS_MAX || api.latency_ms > DELAY_MS_MAX {
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

fn check(name: &str, rates: &[f64]) -> Result<(), String> {
    let fine = rates.iter().all(|rate| (0.0..=1.0).contains(rate)) && rates.iter().sum::<f64>() <= 1.0;
    if fine { Ok(()) } else { Err(format!("{name}: rates are 0 to 1, and at most 1 together")) }
}
