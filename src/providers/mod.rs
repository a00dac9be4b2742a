//! Providers: the tower Service at the end of a lane. One file per dialect turns a `ChatCall` into an HTTP exchange and back.

mod errors;
mod events;
pub mod openai;
mod redact;
