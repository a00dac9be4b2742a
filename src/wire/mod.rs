//! Bytes to words and back, one module per dialect; pure. Only these files know how a request, a reply or an event is written.

pub mod context;
pub mod members;
pub mod object;
pub mod openai;
pub mod sse;
