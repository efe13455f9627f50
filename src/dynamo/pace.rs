//! How many writes of a data set are in flight: as many as the table takes, no more.
//!
//! Additive increase, multiplicative decrease: each acknowledged write widens the window a little, a throttled or failed
//! one halves it and holds everything back for a moment, so that neither a throttled table nor one that is away is
//! stormed.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::runtime::lock;

/// The window at the start: enough to fill a round trip, few enough not to startle a small table.
const FIRST_WINDOW: f64 = 16.0;
/// Throttled answers that come together count as one.
const ONE_DECREASE_PER: Duration = Duration::from_millis(100);
/// Without an answer from the table for so long, an outage is reported instead of waited out.
const OUTAGE: Duration = Duration::from_secs(30);

/// The window of one data set's writes.
#[derive(Debug)]
pub struct Pace {
    window: Mutex<Window>,
    freed: Notify,
}

#[derive(Debug)]
struct Window {
    size: f64,
    most: f64,
    in_flight: u32,
    /// Whether the table's last word was to slow down.
    throttled_last: bool,
    decreased: Option<Instant>,
    /// When the table last did what it was asked for, or said that it will.
    heard: Option<Instant>,
}

impl Window {
    fn decrease(&mut self, now: Instant) {
        if self.decreased.is_none_or(|then| now.duration_since(then) >= ONE_DECREASE_PER) {
            self.size = (self.size / 2.0).max(1.0);
            self.decreased = Some(now);
        }
    }
}

/// The right to have one request in flight.
#[derive(Debug)]
pub struct Turn<'a> {
    pace: &'a Pace,
}

impl Pace {
    /// A window that grows to at most `most` writes in flight.
    pub fn new(most: u32) -> Self {
        let most = f64::from(most.max(1));
        let window = Window {
            size: FIRST_WINDOW.min(most),
            most,
            in_flight: 0,
            throttled_last: false,
            decreased: None,
            heard: None,
        };
        Pace { window: Mutex::new(window), freed: Notify::new() }
    }

    /// Waits until one more request may be in flight.
    pub async fn turn(&self) -> Turn<'_> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            // Registered before the look, so that a turn freed in between is not missed.
            freed.as_mut().enable();
            {
                let mut window = lock(&self.window);
                if f64::from(window.in_flight) < window.size.floor().max(1.0) {
                    window.in_flight += 1;
                    return Turn { pace: self };
                }
            }
            freed.await;
        }
    }

    /// A request was acknowledged.
    pub fn acknowledged(&self) {
        let mut window = lock(&self.window);
        let step = if window.decreased.is_some() { 1.0 / window.size } else { 1.0 };
        window.size = (window.size + step).min(window.most);
        window.heard = Some(Instant::now());
        window.throttled_last = false;
        drop(window);
        self.freed.notify_one();
    }

    /// A request was throttled.
    pub fn throttled(&self) {
        let mut window = lock(&self.window);
        let now = Instant::now();
        window.heard = Some(now);
        window.throttled_last = true;
        window.decrease(now);
    }

    /// A request failed in a way that may pass.
    pub fn failed(&self) {
        lock(&self.window).decrease(Instant::now());
    }

    /// Whether the table's last word was to slow down.
    pub fn slowed(&self) -> bool {
        lock(&self.window).throttled_last
    }

    /// Whether the table has been silent for so long, or from the beginning, that waiting for it makes no sense.
    pub fn outage(&self) -> bool {
        lock(&self.window).heard.is_none_or(|heard| heard.elapsed() > OUTAGE)
    }

    /// How many writes may be in flight now.
    #[cfg(test)]
    fn size(&self) -> f64 {
        lock(&self.window).size
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(&self.pace.window).in_flight -= 1;
        self.pace.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_window_grows_with_success_and_halves_when_throttled() {
        let pace = Pace::new(64);
        for _ in 0..100 {
            pace.acknowledged();
        }
        assert!((pace.size() - 64.0).abs() < f64::EPSILON);
        pace.throttled();
        pace.throttled();
        assert!((pace.size() - 32.0).abs() < f64::EPSILON, "throttles that come together count once");
        pace.acknowledged();
        assert!(pace.size() > 32.0 && pace.size() < 33.0);
    }

    #[test]
    fn an_outage_shrinks_the_window_and_is_not_taken_for_throttling() {
        let pace = Pace::new(64);
        pace.acknowledged();
        let size = pace.size();
        pace.failed();
        assert!((pace.size() - size / 2.0).abs() < f64::EPSILON && !pace.slowed());
        pace.throttled();
        assert!(pace.slowed());
        pace.failed();
        assert!(pace.slowed(), "what came later is no word of the table");
        pace.acknowledged();
        assert!(!pace.slowed());
    }

    #[test]
    fn no_more_turns_are_given_than_the_window_holds() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let pace = Pace::new(2);
            let first = pace.turn().await;
            let _second = pace.turn().await;
            let third = pace.turn();
            tokio::pin!(third);
            assert!(third.as_mut().now_or_never().is_none());
            drop(first);
            assert!(third.as_mut().now_or_never().is_some());
        });
    }
}
