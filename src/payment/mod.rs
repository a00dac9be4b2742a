//! A payment in our own words: what was agreed ([`terms`]), where it stands ([`state`]), what the merchant vouches for ([`context`]),
//! and which function of a model asks for it ([`function`]). Beside it what goes back ([`refund`], [`refund_state`]) and what
//! is passed on to the merchant ([`notice`]).

pub mod context;
pub mod function;
pub mod notice;
pub mod record;
pub mod refund;
pub mod refund_state;
pub mod schedule;
pub mod state;
pub mod terms;
pub mod words;
