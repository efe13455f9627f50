//! The breaker: whether DynamoDB is worth waiting for.
//!
//! | state | reads that have something to stand in | next |
//! |---|---|---|
//! | closed | ask | open after a failure, or an answer that keeps a soft wait waiting |
//! | open, until a moment | are served that at once | from that moment on one of them probes |
//! | probing | are served that at once | closed by an answer; open for twice as long if there is none |
//!
//! Reads that have nothing ask for themselves in every state, and any answer to any of them closes it.
//!
//! The pauses end where they would be felt: five seconds after an outage everything is fresh again, also where the last
//! probe met silence and has to lose an attempt of two seconds first. A probe every two seconds is less than what a
//! process that reads asks while nothing is wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::moment::Moment;
use crate::runtime::lock;

/// After a failure DynamoDB is left alone this long, less the jitter, by whoever has something to stand in,
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// then twice as long after each probe that fails, and at most this long.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// What a read sees of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Circuit {
    /// DynamoDB answers, as far as is known.
    Closed,
    /// It did not, a moment ago; or somebody is finding out.
    Open,
    /// It did not, and it is time to find out.
    ProbeDue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Moment,
        pause: Duration,
    },
    /// The probe counts as lost from `until` on, should the threads that it runs on be no more.
    Probing {
        until: Moment,
        pause: Duration,
        number: u64,
    },
}

impl State {
    fn circuit(self, now: Moment) -> Circuit {
        match self {
            State::Closed => Circuit::Closed,
            State::Open { until, .. } | State::Probing { until, .. } if until.has_come(now) => Circuit::ProbeDue,
            State::Open { .. } | State::Probing { .. } => Circuit::Open,
        }
    }

    /// A read failed, or kept a caller waiting. What failed beside others says nothing new.
    fn failed(self, now: Moment, jitter: f64) -> State {
        match self {
            State::Closed => opened(FIRST_PAUSE, now, jitter),
            other => other,
        }
    }

    /// The probe ended without an answer.
    fn probe_failed(self, which: u64, now: Moment, jitter: f64) -> State {
        match self {
            State::Probing { pause, number, .. } if number == which => {
                opened(pause.saturating_mul(2).min(LONGEST_PAUSE), now, jitter)
            }
            other => other,
        }
    }

    /// A probe begins, if one is due.
    fn probed(self, number: u64, now: Moment, at_most: Duration) -> Option<State> {
        match self {
            State::Open { until, pause } | State::Probing { until, pause, .. } if until.has_come(now) => {
                Some(State::Probing { until: now.after(at_most), pause, number })
            }
            _ => None,
        }
    }
}

/// Up to half of the pause is left out at random, so that a fleet does not come back together.
fn opened(pause: Duration, now: Moment, jitter: f64) -> State {
    State::Open { until: now.after(pause.mul_f64(1.0 - 0.5 * jitter)), pause }
}

/// The breaker of one store.
pub struct Breaker(Mutex<Inner>);

struct Inner {
    state: State,
    /// Since when it is not closed.
    since: Option<Moment>,
    probes: u64,
}

/// The right to ask once. Given back without an answer having closed the breaker, it has failed.
pub struct Probe {
    breaker: Arc<Breaker>,
    number: u64,
}

impl Breaker {
    /// Closed.
    pub fn new() -> Arc<Breaker> {
        Arc::new(Breaker(Mutex::new(Inner { state: State::Closed, since: None, probes: 0 })))
    }

    /// What a read sees.
    pub fn circuit(&self, now: Moment) -> Circuit {
        lock(&self.0).state.circuit(now)
    }

    /// Since when DynamoDB is not known to answer; `None` while it does.
    pub fn away_since(&self) -> Option<Moment> {
        lock(&self.0).since
    }

    /// The right to probe, if it is time and nobody else does. The probe takes `at_most` so long.
    pub fn probe(self: &Arc<Self>, now: Moment, at_most: Duration) -> Option<Probe> {
        let mut inner = lock(&self.0);
        let number = inner.probes + 1;
        inner.state = inner.state.probed(number, now, at_most)?;
        inner.probes = number;
        Some(Probe { breaker: Arc::clone(self), number })
    }

    /// DynamoDB answered. Returns whether that is news.
    pub fn answered(&self) -> bool {
        let mut inner = lock(&self.0);
        inner.since = None;
        std::mem::replace(&mut inner.state, State::Closed) != State::Closed
    }

    /// DynamoDB did not answer, or not within the soft wait. Returns whether that is news.
    pub fn failed(&self, now: Moment) -> bool {
        let mut inner = lock(&self.0);
        let news = inner.state == State::Closed;
        inner.since = inner.since.or(Some(now));
        inner.state = inner.state.failed(now, fastrand::f64());
        news
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let mut inner = lock(&self.breaker.0);
        inner.state = inner.state.probe_failed(self.number, Moment::now(), fastrand::f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROBE: Duration = Duration::from_secs(5);

    fn at(time: u64) -> Moment {
        Moment::at(time, time)
    }

    /// When a state lets somebody probe, to the millisecond.
    fn due(state: State, from: u64) -> u64 {
        (from..).find(|now| state.circuit(at(*now)) == Circuit::ProbeDue).expect("some day")
    }

    #[test]
    fn pauses_double_from_half_a_second_to_two() {
        let mut now = 1_000;
        let mut state = State::Closed.failed(at(now), 0.0);
        for (number, pause) in [500, 1_000, 2_000, 2_000, 2_000].into_iter().enumerate() {
            assert_eq!(state.circuit(at(now)), Circuit::Open);
            assert_eq!(due(state, now), now + pause);
            now += pause;
            let number = number as u64;
            state = state.probed(number, at(now), PROBE).expect("it is time");
            assert_eq!(state.circuit(at(now)), Circuit::Open, "somebody probes");
            state = state.probe_failed(number, at(now), 0.0);
        }
    }

    #[test]
    fn whenever_an_outage_ends_a_read_finds_out_within_five_seconds() {
        // What a probe that meets silence loses before it asks again: by default an attempt, after the pause between two.
        let attempt = 2_000;
        let mut state = State::Closed.failed(at(0), 0.0);
        let mut begun = Vec::new();
        let mut now = 0;
        for number in 0..10 {
            now = due(state, now);
            begun.push(now);
            state = state.probed(number, at(now), PROBE).expect("it is time");
            now += attempt;
            state = state.probe_failed(number, at(now), 0.0);
        }
        for pair in begun.windows(2) {
            assert!(pair[1] - pair[0] <= 5_000, "{begun:?}");
        }
    }

    #[test]
    fn it_knows_since_when_dynamodb_is_away() {
        let breaker = Breaker::new();
        assert_eq!(breaker.away_since(), None);
        breaker.failed(at(100));
        breaker.failed(at(900));
        drop(breaker.probe(at(900), PROBE));
        assert_eq!(breaker.away_since(), Some(at(100)), "what fails later is the same outage");
        breaker.answered();
        assert_eq!(breaker.away_since(), None);
    }

    #[test]
    fn jitter_leaves_out_up_to_half_of_a_pause() {
        for (jitter, pause) in [(0.0, 500), (0.5, 375), (1.0, 250)] {
            assert_eq!(due(State::Closed.failed(at(0), jitter), 0), pause);
        }
    }

    #[test]
    fn what_fails_beside_others_lengthens_nothing() {
        let open = State::Closed.failed(at(0), 0.0);
        assert_eq!(open.failed(at(400), 0.0), open);
        let probing = open.probed(1, at(500), PROBE).expect("it is time");
        assert_eq!(probing.failed(at(600), 0.0), probing);
        assert_eq!(probing.probe_failed(7, at(600), 0.0), probing, "an older probe");
        assert_eq!(State::Closed.probe_failed(1, at(600), 0.0), State::Closed, "answered meanwhile");
    }

    #[test]
    fn one_probes_at_a_time_and_only_when_it_is_time() {
        assert_eq!(State::Closed.probed(1, at(0), PROBE), None);
        let open = State::Closed.failed(at(0), 0.0);
        assert_eq!(open.probed(1, at(499), PROBE), None);
        let probing = open.probed(1, at(500), PROBE).expect("it is time");
        assert_eq!(probing.probed(2, at(600), PROBE), None);
        // Whose probe never comes back, its threads being no more, stops nobody for ever.
        assert_eq!(probing.circuit(at(5_499)), Circuit::Open);
        assert!(probing.probed(2, at(5_500), PROBE).is_some());
    }

    #[test]
    fn a_probe_that_is_dropped_has_failed_and_one_that_was_answered_has_not() {
        let breaker = Breaker::new();
        assert!(breaker.failed(at(0)) && !breaker.failed(at(0)), "told once");
        let probe = breaker.probe(at(500), PROBE).expect("it is time");
        assert!(breaker.probe(at(500), PROBE).is_none());
        drop(probe);
        assert!(matches!(lock(&breaker.0).state, State::Open { pause, .. } if pause == 2 * FIRST_PAUSE));
        let long_after = Moment::at(u64::MAX / 2_000_000, 0);
        let probe = breaker.probe(long_after, PROBE).expect("it is time");
        assert!(breaker.answered() && !breaker.answered(), "told once");
        drop(probe);
        assert_eq!(breaker.circuit(long_after), Circuit::Closed);
    }
}
