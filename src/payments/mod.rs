//! A payment's life: from a model's words to settled money. In order: [`interpret`] → [`ground`] → [`decide`] → [`execute`] (which records
//! first) → [`settle`]; beside them [`functions`] (what models may call), [`reader`] (the second reader of money), [`classic`] (without a
//! model), [`turns`] and [`streamed`] (ask, pay, ask again), [`refunds`] (the way back) and [`reconcile`] (ask until it is known).

pub mod announce;
pub mod carry;
pub mod classic;
mod close;
pub mod day;
pub mod decide;
pub mod execute;
pub mod functions;
pub mod ground;
mod held;
pub mod interpret;
pub mod reader;
pub mod reconcile;
pub mod refunds;
pub mod settle;
pub mod streamed;
pub mod turns;
pub mod written;
