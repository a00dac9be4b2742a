//! The ledger: what is true about money and usage, durable before anything acts on it.
