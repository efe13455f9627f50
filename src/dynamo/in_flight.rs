//! How many requests a store has in flight: a bound, and a queue in the order of asking.
//!
//! Each request has a connection, and each connection a descriptor of the host's process.

use std::time::Instant;

use tokio::sync::{Semaphore, SemaphorePermit};

/// What part of the descriptors that the process may open one store takes at most.
const SHARE: u64 = 4;

/// The places of one store's requests.
#[derive(Debug)]
pub struct InFlight {
    most: u32,
    places: Semaphore,
}

impl InFlight {
    /// So many places as are wanted, but no more than a part of the descriptors that the process may open.
    pub fn new(wanted: u32, open_files: u64) -> Self {
        let share = u32::try_from(open_files / SHARE).unwrap_or(u32::MAX);
        let most = wanted.min(share).max(1);
        InFlight { most, places: Semaphore::new(most as usize) }
    }

    /// How many places there are.
    pub fn most(&self) -> u32 {
        self.most
    }

    /// A place, as soon as one is free and nobody waits for longer; `None` if that is not before the deadline.
    pub async fn place(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        // What is freed goes to whoever waits: only a place that nobody waits for can be had at once.
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        tokio::time::timeout_at(deadline.into(), self.places.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_store_takes_no_more_than_a_quarter_of_the_descriptors() {
        for (wanted, open_files, most) in
            [(128, 1 << 20, 128), (128, 1_024, 128), (1_000, 1_024, 256), (128, 40, 10), (128, 1, 1), (1, u64::MAX, 1)]
        {
            assert_eq!(InFlight::new(wanted, open_files).most(), most, "{wanted} of {open_files}");
        }
    }

    #[test]
    fn places_are_given_in_the_order_of_asking_and_not_beyond_the_deadline() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let in_flight = InFlight::new(1, u64::MAX);
            let later = Instant::now() + Duration::from_secs(3600);
            let first = in_flight.place(later).await.expect("free");
            let mut second = Box::pin(in_flight.place(later));
            assert!(second.as_mut().now_or_never().is_none());
            assert!(in_flight.place(Instant::now()).await.is_none(), "the queue ends with the deadline");
            drop(first);
            assert!(in_flight.place(Instant::now()).await.is_none(), "nobody overtakes");
            let second = second.await.expect("its turn");
            assert!(in_flight.place(Instant::now()).await.is_none());
            drop(second);
            assert!(in_flight.place(later).now_or_never().flatten().is_some());
        });
    }
}
