//! Bytes to words and back, one module per dialect; pure. Only these files know how a request, a reply or an event is written.

pub mod by_name;
pub mod context;
pub mod depth;
pub mod members;
pub mod object;
pub mod openai;
pub mod sse;
