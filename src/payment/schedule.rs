//! When to ask the payment side about a payment nobody has told us the end of.

use super::state::State;

/// Waits after an outcome became unknown, in milliseconds: the order may exist and nobody has seen its QR code.
const UNKNOWN_MS: [i64; 6] = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/// Waits while the payer is expected to pay, in milliseconds; the vendor's advice is 5 s, 30 s, 1, 3, 5, 10, 30 min.
const AWAITING_MS: [i64; 7] = [5_000, 30_000, 60_000, 180_000, 300_000, 600_000, 1_800_000];

/// How long after recording a payment that was never sent is picked up: long enough for the task that recorded it.
const CREATED_MS: i64 = 30_000;

/// Milliseconds until the payment side is asked again about a payment in `state` that was asked about `checks` times
/// since it got there; `None` once nothing more is expected. The last wait of each list repeats.
pub fn check_after_ms(state: State, checks: u32) -> Option<i64> {
    let nth = |waits: &[i64]| waits.get(checks as usize).or(waits.last()).copied();
    match state {
        State::Created => Some(CREATED_MS),
        State::Unknown => nth(&UNKNOWN_MS),
        State::AwaitingUser => nth(&AWAITING_MS),
        State::Paid | State::Closed | State::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_state_is_asked_about_and_no_final_one() {
        for state in State::ALL {
            assert_eq!(check_after_ms(state, 0).is_none(), state.is_final());
            assert_eq!(check_after_ms(state, u32::MAX).is_none(), state.is_final());
        }
        assert_eq!(check_after_ms(State::Unknown, 0), Some(1_000));
        assert_eq!(check_after_ms(State::AwaitingUser, 99), Some(1_800_000));
    }
}
