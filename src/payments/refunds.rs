//! Refunds: money that goes back to where it came from. In order: [`wish`] (did the user plainly ask) → [`ground`] (how much, and who says
//! so) → [`execute`] (which records first) → [`settle`]; [`reconcile`] asks until it is known.

pub mod execute;
pub mod ground;
pub mod reconcile;
pub mod settle;
pub mod wish;
