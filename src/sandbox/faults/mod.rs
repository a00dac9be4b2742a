//! Faults to order: how requests, connections and callbacks go wrong. Set by `POST /sandbox/faults`.

mod settings;

use std::sync::{Mutex, MutexGuard, PoisonError};

use settings::{All, Api, DELAY_MS_MAX};

/// Longest a reordered delivery is held, in milliseconds of the callback schedule.
const HELD_MS_MAX: u64 = 60_000;

/// Which operations share faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Making an order.
    Create,
    /// Asking about an order or a refund.
    Query,
    /// Closing an order.
    Close,
    /// Giving money back.
    Refund,
    /// Everything else.
    Other,
}

/// How one request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not.
    None,
    /// Nothing is done: 503.
    Unavailable,
    /// Nothing is done, and will not be: 400.
    ParamError,
    /// Nothing is done, and an unsigned answer says that the order is closed: 400.
    ClaimedClosed,
    /// Nothing is done: 429, with one of the two documented codes.
    Limited(&'static str),
    /// Nothing is done: 401, as if the signature did not hold.
    NotSigned,
    /// Nothing is done: 403.
    Forbidden,
    /// Nothing is done: 500.
    Error,
    /// Nothing is done, and the connection is cut.
    ResetBeforeActing,
    /// It is done, and the connection is cut.
    ResetAfterActing,
    /// It is done, and no answer comes for a minute; then the connection is cut.
    StallAfterActing,
    /// It is done, and 500 is answered.
    ErrorAfterActing,
    /// It is done, and something on the way answers 502 without a signature.
    BadGateway,
    /// The same with 504.
    GatewayTimeout,
    /// It is done, and something on the way answers 200 with a page.
    Html,
    /// It is done, and the answer breaks off in the middle.
    Truncated,
    /// It is done, and the answer's signature is a probe.
    BadSignature,
    /// It is done, and the answer's signature is one over something else.
    Forged,
    /// It is done, and the answer is not signed.
    Unsigned,
    /// It is done, and the signed answer says nothing.
    EmptyJson,
    /// It is done, and the signed answer is of two megabytes.
    Oversize,
    /// It is done, and the signed answer says an amount a fen too large.
    OtherAmount,
}

/// Every fault by its name in the JSON. Of counters that are set together the earlier strikes first.
const FAULTS: [(&str, Fault); 21] = [
    ("status_503", Fault::Unavailable),
    ("param_error", Fault::ParamError),
    ("claimed_closed", Fault::ClaimedClosed),
    ("status_429", Fault::Limited("")),
    ("status_401", Fault::NotSigned),
    ("status_403", Fault::Forbidden),
    ("status_500", Fault::Error),
    ("reset_before_acting", Fault::ResetBeforeActing),
    ("reset_after_acting", Fault::ResetAfterActing),
    ("stall_after_acting", Fault::StallAfterActing),
    ("status_500_after_acting", Fault::ErrorAfterActing),
    ("status_502_after_acting", Fault::BadGateway),
    ("status_504_after_acting", Fault::GatewayTimeout),
    ("html", Fault::Html),
    ("truncated", Fault::Truncated),
    ("bad_signature", Fault::BadSignature),
    ("forged_signature", Fault::Forged),
    ("unsigned", Fault::Unsigned),
    ("empty_json", Fault::EmptyJson),
    ("oversize", Fault::Oversize),
    ("other_amount", Fault::OtherAmount),
];

/// The two codes of 429.
const LIMITED: [&str; 2] = ["RATELIMIT_EXCEEDED", "FREQUENCY_LIMITED"];

/// How one delivery goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// It does not.
    Fine,
    /// It never leaves.
    Dropped,
    /// Its signature is a probe.
    Probe,
}

/// What becomes of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Course {
    pub(super) delivery: Delivery,
    pub(super) is_twice: bool,
    /// How long it is held first, in milliseconds of the schedule.
    pub(super) held_ms: u64,
}

/// What goes wrong next.
#[derive(Debug)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug)]
struct State {
    all: All,
    dice: fastrand::Rng,
    limited: usize,
}

impl Default for Faults {
    fn default() -> Self {
        Self(Mutex::new(State { all: All::default(), dice: fastrand::Rng::with_seed(0), limited: 0 }))
    }
}

impl Faults {
    /// Sets all faults anew; draws begin at the seed again.
    pub(super) fn set(&self, json: &[u8]) -> Result<(), String> {
        let all = All::read(json)?;
        *self.state() = State { dice: fastrand::Rng::with_seed(all.seed), all, limited: 0 };
        Ok(())
    }

    /// How the next request of a family goes wrong, and how long its answer waits, in milliseconds.
    pub(super) fn next(&self, family: Family) -> (Fault, u64) {
        let mut state = self.state();
        let state = &mut *state;
        let api = match family {
            Family::Create => &mut state.all.create,
            Family::Query => &mut state.all.query,
            Family::Close => &mut state.all.close,
            Family::Refund => &mut state.all.refund,
            Family::Other => &mut state.all.other,
        };
        let drawn = drawn(api, &mut state.dice);
        let delay_ms = (api.delay_ms + latency(api, &mut state.dice)).min(DELAY_MS_MAX);
        let fault = counted(api).unwrap_or(drawn);
        if !matches!(fault, Fault::Limited(_)) {
            return (fault, delay_ms);
        }
        state.limited += 1;
        (Fault::Limited(LIMITED.get(state.limited % 2).copied().unwrap_or_default()), delay_ms)
    }

    /// Whether the next connection that brings a `/v3` request is reset unread.
    pub(super) fn refuses(&self) -> bool {
        let mut state = self.state();
        let rate = state.all.connections.refused;
        rate > 0.0 && state.dice.f64() < rate
    }

    /// What becomes of the next delivery.
    pub(super) fn next_delivery(&self) -> Course {
        let mut state = self.state();
        let state = &mut *state;
        let (callbacks, dice) = (&mut state.all.callbacks, &mut state.dice);
        let rates = callbacks.rates;
        let draw = dice.f64();
        let delivery = if take(&mut callbacks.drop) || draw < rates.lost {
            Delivery::Dropped
        } else if take(&mut callbacks.bad_signature) || draw < rates.lost + rates.bad_signature {
            Delivery::Probe
        } else {
            Delivery::Fine
        };
        let is_twice = callbacks.duplicate || dice.f64() < rates.duplicated;
        let held_ms = if dice.f64() < rates.reordered { dice.u64(1..=HELD_MS_MAX) } else { 0 };
        Course { delivery, is_twice, held_ms }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take(counter: &mut u32) -> bool {
    let some = *counter > 0;
    *counter = counter.saturating_sub(1);
    some
}

/// The fault that was ordered for exactly so many requests.
fn counted(api: &mut Api) -> Option<Fault> {
    api.counters.iter_mut().zip(FAULTS).find_map(|(counter, (_, fault))| take(counter).then_some(fault))
}

/// The fault the dice give: one draw, whatever the rates, so that the next draws do not depend on them.
fn drawn(api: &Api, dice: &mut fastrand::Rng) -> Fault {
    let mut draw = dice.f64();
    for (rate, (_, fault)) in api.rates.iter().zip(FAULTS) {
        if draw < *rate {
            return fault;
        }
        draw -= rate;
    }
    Fault::None
}

fn latency(api: &Api, dice: &mut fastrand::Rng) -> u64 {
    let (strikes, wait) = (dice.f64() < api.latency, dice.u64(0..=api.latency_ms));
    if strikes { wait } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(faults: &Faults, count: usize) -> Vec<Fault> {
        (0..count).map(|_| faults.next(Family::Create).0).collect()
    }

    #[test]
    fn counters_come_first_and_end() {
        let faults = Faults::default();
        faults.set(br#"{"create": {"status_503": 1, "status_429": 2, "bad_signature": 1}}"#).expect("fine");
        let expected =
            [Fault::Unavailable, Fault::Limited("FREQUENCY_LIMITED"), Fault::Limited("RATELIMIT_EXCEEDED"), Fault::BadSignature, Fault::None];
        assert_eq!(strikes(&faults, 5), expected);
        assert_eq!(faults.next(Family::Query).0, Fault::None);
    }

    #[test]
    fn rates_are_kept_and_a_seed_repeats_them() {
        let faults = Faults::default();
        let json = br#"{"seed": 7, "create": {"rates": {"reset_after_acting": 0.1, "truncated": 0.2}}, "callbacks": {"rates": {"lost": 0.3}}}"#;
        faults.set(json).expect("fine");
        let first = strikes(&faults, 10_000);
        let share = |fault| first.iter().filter(|strike| **strike == fault).count();
        assert!((800..1_200).contains(&share(Fault::ResetAfterActing)) && (1_800..2_200).contains(&share(Fault::Truncated)));
        assert_eq!(share(Fault::None) + share(Fault::ResetAfterActing) + share(Fault::Truncated), 10_000);
        faults.set(json).expect("fine");
        assert_eq!(strikes(&faults, 10_000), first);
        let lost = (0..10_000).filter(|_| faults.next_delivery().delivery == Delivery::Dropped).count();
        assert!((2_700..3_300).contains(&lost), "{lost}");
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for json in [
            r#"{"create": {"rates": {"truncated": 1.1}}}"#,
            r#"{"create": {"rates": {"truncated": 0.6, "status_503": 0.6}}}"#,
            r#"{"refund": {"rates": {"latency": -1}}}"#,
            r#"{"refund": {"delay_ms": 60001}}"#,
            r#"{"callbacks": {"rates": {"lost": 2}}}"#,
            r#"{"connections": {"refused": 2}}"#,
            r#"{"unknown": 1}"#,
            r#"{"create": {"unknown": 1}}"#,
            r#"{"create": {"rates": {"unknown": 1}}}"#,
            r#"{"create": {"truncated": -1}}"#,
        ] {
            assert!(Faults::default().set(json.as_bytes()).is_err(), "{json}");
        }
    }
}
