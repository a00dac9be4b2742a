//! Verification of answers and notices: only what the platform signed passes.

#![no_main]

use std::sync::LazyLock;

use fengate::connectors::wechatpay::probe::Probe;

static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().expect("random numbers"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| assert!(PROBE.verification(data)));
