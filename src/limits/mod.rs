//! Limits: how much a merchant may use, counted in this process.
