//! Faults to order: how the next requests or callbacks go wrong. Set by `POST /sandbox/faults`; each counter falls by one with each use.

use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

/// Faults of one operation of the API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Api {
    /// The connection is cut without an answer, after acting.
    reset_after_acting: u32,
    /// 500 SYSTEM_ERROR, after acting.
    status_500_after_acting: u32,
    /// 503 SERVICE_UNAVAILABLE, without acting.
    status_503: u32,
    /// 400 PARAM_ERROR, without acting.
    param_error: u32,
    /// An answer whose signature does not hold, after acting.
    bad_signature: u32,
    /// Every answer waits this long, in milliseconds.
    delay_ms: u64,
}

/// Faults of callbacks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Callbacks {
    /// Deliveries that never leave.
    drop: u32,
    /// Deliveries with a signature that must be refused.
    bad_signature: u32,
    /// Every delivery is made twice.
    pub(super) duplicate: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct All {
    create: Api,
    query: Api,
    close: Api,
    refund: Api,
    callbacks: Callbacks,
}

/// What goes wrong next.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<All>);

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
    /// Nothing is done.
    Unavailable,
    /// Nothing is done, and will not be.
    ParamError,
    /// It is done, and the connection is cut.
    ResetAfterActing,
    /// It is done, and 500 is answered.
    ErrorAfterActing,
    /// It is done, and the answer's signature does not hold.
    BadSignature,
}

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

fn take(counter: &mut u32) -> bool {
    let some = *counter > 0;
    *counter = counter.saturating_sub(1);
    some
}

impl Faults {
    /// Sets all faults anew.
    pub(super) fn set(&self, json: &[u8]) -> Result<(), String> {
        let all: All = serde_json::from_slice(json).map_err(|e| e.to_string())?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(())
    }

    /// How the next request of a family goes wrong, and how long its answer waits, in milliseconds.
    pub(super) fn next(&self, family: Family) -> (Fault, u64) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let api = match family {
            Family::Create => &mut all.create,
            Family::Query => &mut all.query,
            Family::Close => &mut all.close,
            Family::Refund => &mut all.refund,
            Family::Other => return (Fault::None, 0),
        };
        let fault = if take(&mut api.status_503) {
            Fault::Unavailable
        } else if take(&mut api.param_error) {
            Fault::ParamError
        } else if take(&mut api.reset_after_acting) {
            Fault::ResetAfterActing
        } else if take(&mut api.status_500_after_acting) {
            Fault::ErrorAfterActing
        } else if take(&mut api.bad_signature) {
            Fault::BadSignature
        } else {
            Fault::None
        };
        (fault, api.delay_ms.min(60_000))
    }

    /// How the next delivery goes wrong, and whether it is made twice.
    pub(super) fn next_delivery(&self) -> (Delivery, bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let delivery = if take(&mut all.callbacks.drop) {
            Delivery::Dropped
        } else if take(&mut all.callbacks.bad_signature) {
            Delivery::Probe
        } else {
            Delivery::Fine
        };
        (delivery, all.callbacks.duplicate)
    }
}
