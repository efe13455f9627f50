//! What a store may spend on trying again: a bucket of tokens, as in the AWS SDKs' standard mode.
//!
//! A retry costs tokens and a success brings them back, so that a failure here and there is repaired, while in an outage,
//! where nothing succeeds, the bucket is soon empty and each call makes one request.

use std::sync::atomic::{AtomicU32, Ordering};

/// What the bucket holds at most, and at the start.
const FULL: u32 = 500;
/// What trying again costs.
pub const RETRY: u32 = 5;
/// What it costs after a time-out, which has kept a connection and the caller for long.
pub const RETRY_AFTER_TIMEOUT: u32 = 10;
/// What a call brings that went well the first time.
const SUCCESS: u32 = 1;

/// The tokens of one store.
#[derive(Debug)]
pub struct Budget {
    tokens: AtomicU32,
}

impl Default for Budget {
    fn default() -> Self {
        Budget { tokens: AtomicU32::new(FULL) }
    }
}

impl Budget {
    /// Pays for a retry; false if there is not enough.
    pub fn pay(&self, cost: u32) -> bool {
        let pay = |tokens: u32| tokens.checked_sub(cost);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay).is_ok()
    }

    /// A call went well: what its last retry cost comes back.
    pub fn succeeded(&self, paid: u32) {
        // A full bucket, as it is on every good day, costs no write to a line that all threads share.
        if self.tokens.load(Ordering::Relaxed) < FULL {
            let more = |tokens: u32| Some(tokens.saturating_add(paid.max(SUCCESS)).min(FULL));
            let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_spent_and_filled_again_by_what_goes_well() {
        let budget = Budget::default();
        assert_eq!((0..1000).filter(|_| budget.pay(RETRY)).count(), 100);
        assert!(!budget.pay(RETRY_AFTER_TIMEOUT) && !budget.pay(1));
        for _ in 0..4 {
            budget.succeeded(0);
        }
        assert!(!budget.pay(RETRY));
        budget.succeeded(0);
        assert!(budget.pay(RETRY));
        budget.succeeded(RETRY_AFTER_TIMEOUT);
        assert!(budget.pay(RETRY) && budget.pay(RETRY) && !budget.pay(1));
    }

    #[test]
    fn it_never_holds_more_than_at_the_start() {
        let budget = Budget::default();
        assert!(budget.pay(1));
        budget.succeeded(RETRY_AFTER_TIMEOUT);
        assert!(budget.pay(FULL) && !budget.pay(1));
    }

    #[test]
    fn an_outage_meets_less_than_a_third_more_requests_than_calls() {
        // Twenty callers for a minute, each with three attempts before it gives up, and each call of 2 s at the least.
        let (budget, calls) = (Budget::default(), 20 * 60 / 2);
        let requests: u32 =
            (0..calls).map(|_| 1 + (0..2).filter(|_| budget.pay(RETRY_AFTER_TIMEOUT)).count() as u32).sum();
        assert!(f64::from(requests) / f64::from(calls) <= 1.3, "{requests} for {calls}");
    }
}
