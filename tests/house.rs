//! The whole house, in process and as the built binary: every promise of the README against real sockets, a real ledger and the sandbox.

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests start the other side of a conversation themselves")]
mod house {
    mod ahead;
    mod alone;
    mod amounts;
    mod attacks;
    mod bills;
    mod callbacks;
    mod cashiers;
    mod closing;
    mod combining;
    mod connecting;
    mod daily;
    mod failing;
    mod faults;
    mod forwarding;
    mod giving_back;
    mod guomi;
    mod living;
    mod market;
    mod merchants;
    mod once;
    mod order_of_checks;
    mod passing;
    mod paying;
    mod products;
    mod refund_faults;
    mod refunding;
    mod rig;
    mod sdk_shapes;
    mod services;
    mod sharing;
    mod signing;
    mod spikes;
    mod stall;
    mod storm;
    mod storm_faults;
    mod streams;
    mod upstream;
    mod visitor;
}
