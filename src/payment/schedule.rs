//! When to ask the payment side about a payment or a refund nobody has told us the end of.

use super::refund_state::RefundState;
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
        // A refund under way has a schedule of its own.
        State::Paid | State::Refunding | State::PartiallyRefunded | State::Refunded | State::Closed | State::Failed => None,
    }
}

/// Waits while a refund is under way, in milliseconds: to the balance it takes seconds, to a card up to three working days.
const PROCESSING_MS: [i64; 8] = [2_000, 10_000, 30_000, 60_000, 300_000, 1_800_000, 3_600_000, 21_600_000];

/// Waits until a refund the merchant's balance could not bear is sent again, in milliseconds.
const WAITING_MS: [i64; 4] = [60_000, 300_000, 1_800_000, 3_600_000];

/// How often the rail is asked about a refund a person has to see to, in milliseconds.
const ABNORMAL_MS: i64 = 3_600_000;

/// The same of a refund in `state`. The last wait of each list repeats.
pub fn check_refund_after_ms(state: RefundState, checks: u32) -> Option<i64> {
    let nth = |waits: &[i64]| waits.get(checks as usize).or(waits.last()).copied();
    match state {
        RefundState::Created => Some(CREATED_MS),
        RefundState::Unknown => nth(&UNKNOWN_MS),
        RefundState::Waiting => nth(&WAITING_MS),
        RefundState::Processing => nth(&PROCESSING_MS),
        RefundState::Abnormal => Some(ABNORMAL_MS),
        RefundState::Refunded | RefundState::Failed => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_state_is_asked_about_and_no_final_one() {
        for state in State::ALL {
            let asked = !state.is_final() && state != State::Refunding;
            assert_eq!(check_after_ms(state, 0).is_some(), asked);
            assert_eq!(check_after_ms(state, u32::MAX).is_some(), asked);
        }
        for state in RefundState::ALL {
            assert_eq!(check_refund_after_ms(state, 0).is_some(), !state.is_final());
            assert_eq!(check_refund_after_ms(state, u32::MAX).is_some(), !state.is_final());
        }
        assert_eq!(check_after_ms(State::Unknown, 0), Some(1_000));
        assert_eq!(check_after_ms(State::AwaitingUser, 99), Some(1_800_000));
    }
}
