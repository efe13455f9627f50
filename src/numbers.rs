//! Numbers that stand for something across the boundary: a store, a queue, a call.
//!
//! Each kind counts for itself and no number comes twice, so one that is zero, over or invented is recognised, however many
//! there were since. They are spread over the numbers that are positive in every language, so that one that is wrong in a
//! digit is none; and since the spreading can be undone, a number tells what it stood for when that is long gone.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a number stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Kind {
    /// A handle of a store.
    Store = 0,
    /// A completion queue.
    Queue = 1,
    /// An asynchronous call.
    Call = 2,
}

/// How many of each kind were given out.
static GIVEN: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

const KINDS: [Kind; 3] = [Kind::Store, Kind::Queue, Kind::Call];
/// Bits of a number that are its kind's.
const KIND_BITS: u32 = 2;
/// The numbers that are positive in every language.
const MOST: u64 = u64::MAX >> 1;
/// It is odd, so no two counts give the same number, and there is another that undoes it.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
/// The one that undoes it.
const GATHER: u64 = inverse(SPREAD);

/// The number that makes one of an odd one, of 64 bits: each round of Newton's doubles the bits that are right.
const fn inverse(odd: u64) -> u64 {
    let mut found = odd;
    let mut round = 0;
    while round < 6 {
        found = found.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(found)));
        round += 1;
    }
    found
}

/// A number that was never given out.
pub fn next(kind: Kind) -> u64 {
    let count = GIVEN[kind as usize].fetch_add(1, Ordering::Relaxed) + 1;
    ((count << KIND_BITS) | kind as u64).wrapping_mul(SPREAD) & MOST
}

/// What a number stands for or stood for; `None` if it was never given out, by this process or those it descends from.
pub fn kind_of(number: u64) -> Option<Kind> {
    let gathered = number.wrapping_mul(GATHER) & MOST;
    let kind = *KINDS.get((gathered & ((1 << KIND_BITS) - 1)) as usize)?;
    let count = gathered >> KIND_BITS;
    let given = (1..=GIVEN[kind as usize].load(Ordering::Relaxed)).contains(&count);
    (given && number <= MOST).then_some(kind)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_number_never_comes_back_is_positive_in_every_language_and_tells_its_kind() {
        // More than a generation of 15 or 16 bits could number; fewer where each costs a thousandfold.
        let rounds = if cfg!(miri) { 100 } else { 70_000 };
        let mut seen = HashSet::new();
        for round in 0..rounds {
            let kind = KINDS[round % KINDS.len()];
            let number = next(kind);
            assert!(seen.insert(number) && i64::try_from(number).is_ok_and(|number| number > 0));
            assert_eq!(kind_of(number), Some(kind), "{number:x}");
        }
    }

    #[test]
    fn a_number_that_was_never_given_out_has_no_kind() {
        let number = next(Kind::Call);
        for bit in 0..64 {
            assert_eq!(kind_of(number ^ (1 << bit)), None, "{bit}");
        }
        for invented in [0, 1, 2, 3, 4711, MOST, u64::MAX] {
            assert_eq!(kind_of(invented), None, "{invented}");
        }
    }
}
