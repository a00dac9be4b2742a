//! **fengate**: an OpenAI-compatible reverse proxy that turns a conversation or a function call into a real WeChat Pay order.
//!
//! Ranked values: correct money, honest failure, readable code, speed. When two collide, the earlier wins.
//!
//! # The house
//!
//! Imports go down the floors only, never up, never across (`tests/tidy.rs` reads every path and fails otherwise).
//!
//! | floor | modules | may know about |
//! | --- | --- | --- |
//! | 6 wiring | [`app`] < [`cli`] < `main` | everything |
//! | 5 doors | [`edge`] [`sandbox`] | HTTP on our side; `sandbox` imports floor 0 only, so that a signing bug cannot cancel itself out |
//! | 4 rules | [`steps`] [`payments`] | what is decided: no HTTP, no SQL, no provider's format |
//! | 3 outlets | [`providers`] [`connectors`] | the formats and errors of model providers and payment rails |
//! | 2 means | [`ledger`] [`limits`] [`dial`] | SQLite, counters, sockets |
//! | 1 forms | [`wire`] [`routes`] [`pipeline`] | bytes to words and back |
//! | 0 words | [`ids`] [`money`] [`clock`] [`language`] [`tasks`] [`metrics`] < [`refusal`] < [`merchant`] < [`payment`] < [`chat`] | nothing of ours; no serde: a word is not a wire format |
//!
//! Start reading at [`app`], which shows the whole stack on one screen.

pub mod app;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod connectors;
pub mod dial;
pub mod edge;
pub mod ids;
pub mod language;
pub mod ledger;
pub mod limits;
pub mod merchant;
pub mod metrics;
pub mod money;
pub mod payment;
pub mod payments;
pub mod pipeline;
pub mod providers;
pub mod refusal;
pub mod routes;
pub mod sandbox;
pub mod steps;
pub mod tasks;
pub mod wire;
