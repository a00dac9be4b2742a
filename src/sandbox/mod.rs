//! The sandbox: WeChat Pay v3 on this machine, the payer's phone, and a deterministic model.
