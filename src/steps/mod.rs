//! Steps: one file, one step, one async fn. What each is for and why it stands where it stands is said in `app`.

pub mod account;
pub mod admit;
pub mod breaker;
pub mod failover;
pub mod replay;
