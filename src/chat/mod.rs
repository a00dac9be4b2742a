//! One conversation in our own words: what was asked ([`call`], [`request`]), what came back ([`reply`]), what it used ([`usage`]).
//! No dialect of any provider; what is not understood rides along as bytes.

pub mod call;
pub mod reply;
pub mod request;
pub mod usage;
