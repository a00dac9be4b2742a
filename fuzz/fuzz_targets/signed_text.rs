//! The text a request is signed as: it says exactly what was put in.

#![no_main]

use std::sync::LazyLock;

use fengate::connectors::wechatpay::probe::Probe;

static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().expect("random numbers"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| assert!(PROBE.signed_text(data)));
