//! Opening of notices: a notice or an error, whatever comes.

#![no_main]

use std::sync::LazyLock;

use fengate::connectors::wechatpay::probe::Probe;

static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().expect("random numbers"));

libfuzzer_sys::fuzz_target!(|data: &[u8]| assert!(PROBE.notice(data)));
