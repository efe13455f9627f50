//! The breaker: whether DynamoDB is worth waiting for.
//!
//! | state | reads that have something to stand in | next |
//! |---|---|---|
//! | closed | ask | open after a failure, or an answer that keeps a soft wait waiting |
//! | open, until a moment | are served that at once | from that moment on one of them probes |
//! | probing | are served that at once | closed by an answer; open for twice as long if there is none, or probed anew if that does not come |
//!
//! Reads that have nothing ask for themselves in every state, and any answer to any of them closes it.
//!
//! One row may be away alone: a hot partition, a list that nobody may read. What failed is a *suspect* until it is answered,
//! and leaves the store's probe to others, should there be any. When the store's is closed by another's answer, a suspect is
//! on trial: it is asked for like any other. If it fails then, too, it has a state of its own from there on: it is
//! served what stands in, probed as a store is, and does not open the store's again.
//!
//! The pauses end where they would be felt: five seconds after an outage everything is fresh again, also where the last
//! probe met silence and has to lose an attempt of two seconds first. A probe every two seconds is less than what a
//! process that reads asks while nothing is wrong. A probe that waits longer for its answer than a pause is taken for one
//! that gets none: somebody else probes then.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldhash::fast::FixedState;

use super::moment::Moment;
use crate::runtime::lock;

/// After a failure DynamoDB is left alone this long, less the jitter, by whoever has something to stand in,
pub const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// then twice as long after each probe that fails, and at most this long.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// A probe that has no answer after this long, or after its pause if that is longer, stops nobody from probing any more.
const PROBE: Duration = Duration::from_millis(1_000);

/// The store's probe is left to what did not fail so long. Then it is a suspect's: there may be nothing else.
const LEFT_TO_OTHERS: Duration = Duration::from_millis(500);
/// Most suspects that are remembered. What is none opens the store's breaker.
const MOST_SUSPECTS: usize = 256;

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
    /// From `until` on somebody else may probe: this one met silence, or the threads that it runs on are no more.
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

    /// Whether it has been time to find out for so long.
    fn is_due_for(self, time: Duration, now: Moment) -> bool {
        match self {
            State::Closed => false,
            State::Open { until, .. } | State::Probing { until, .. } => until.after(time).has_come(now),
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
            State::Probing { pause, number, .. } if number == which => opened(longer(pause), now, jitter),
            other => other,
        }
    }

    /// A probe begins, if one is due.
    fn probed(self, number: u64, now: Moment) -> Option<State> {
        let pause = match self {
            State::Open { until, pause } if until.has_come(now) => pause,
            State::Probing { until, pause, .. } if until.has_come(now) => longer(pause),
            _ => return None,
        };
        Some(State::Probing { until: now.after(pause.max(PROBE)), pause, number })
    }
}

/// The pause after one that was in vain.
pub fn longer(pause: Duration) -> Duration {
    pause.saturating_mul(2).min(LONGEST_PAUSE)
}

/// Up to half of the pause is left out at random, so that a fleet does not come back together.
fn opened(pause: Duration, now: Moment, jitter: f64) -> State {
    State::Open { until: now.after(pause.mul_f64(1.0 - 0.5 * jitter)), pause }
}

/// A row, or a whole kind, by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place(u64);

impl Place {
    /// The row of a key, or without one the whole kind.
    pub fn of(kind: &str, key: Option<&str>) -> Place {
        Place(FixedState::with_seed(0).hash_one((kind, key)))
    }
}

/// The breaker of one store.
pub struct Breaker(Mutex<Inner>);

struct Inner {
    state: State,
    /// Since when it is not closed.
    since: Option<Moment>,
    suspects: HashMap<Place, Suspect>,
    probes: u64,
}

/// What failed and was not answered since.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    /// Its own, which counts while the store's is closed.
    state: State,
    /// Whether it is away alone as far as is known, rather than with everything else.
    alone: bool,
}

impl Inner {
    fn circuit(&self, place: Place, now: Moment) -> Circuit {
        let suspect = self.suspects.get(&place);
        match (self.state.circuit(now), suspect) {
            (Circuit::Closed, Some(suspect)) => suspect.state.circuit(now),
            (Circuit::ProbeDue, Some(_)) if !self.state.is_due_for(LEFT_TO_OTHERS, now) => Circuit::Open,
            (circuit, _) => circuit,
        }
    }

    fn probed(&mut self, place: Place, number: u64, now: Moment) -> Option<()> {
        if self.circuit(place, now) != Circuit::ProbeDue {
            return None;
        }
        let state = match &mut self.state {
            State::Closed => &mut self.suspects.get_mut(&place)?.state,
            open => open,
        };
        *state = state.probed(number, now)?;
        Some(())
    }

    /// Returns whether that is news.
    fn failed(&mut self, place: Place, now: Moment, jitter: f64) -> bool {
        let state = State::Closed.failed(now, jitter);
        match self.suspects.get_mut(&place) {
            Some(suspect) if suspect.state == State::Closed => *suspect = Suspect { state, alone: true },
            Some(_) => return false,
            None => {
                if self.suspects.len() >= MOST_SUSPECTS
                    && let Some(any) = self.suspects.keys().next().copied()
                {
                    self.suspects.remove(&any);
                }
                self.suspects.insert(place, Suspect { state, alone: false });
            }
        }
        let news = self.state == State::Closed;
        self.state = self.state.failed(now, jitter);
        self.since = self.since.or(Some(now));
        news
    }

    fn probe_failed(&mut self, place: Place, number: u64, now: Moment, jitter: f64) {
        self.state = self.state.probe_failed(number, now, jitter);
        if let Some(suspect) = self.suspects.get_mut(&place) {
            suspect.state = suspect.state.probe_failed(number, now, jitter);
        }
    }

    /// Returns whether that is news.
    fn answered(&mut self, place: Option<Place>) -> bool {
        if let Some(place) = place
            && !self.suspects.is_empty()
        {
            self.suspects.remove(&place);
        }
        self.since = None;
        let news = std::mem::replace(&mut self.state, State::Closed) != State::Closed;
        if news {
            let tried = self.suspects.values_mut().filter(|suspect| !suspect.alone);
            tried.for_each(|suspect| suspect.state = State::Closed);
        }
        news
    }
}

/// The right to ask once. Given back without an answer having closed the breaker, it has failed.
pub struct Probe {
    breaker: Arc<Breaker>,
    place: Place,
    number: u64,
}

impl Breaker {
    /// Closed.
    pub fn new() -> Arc<Breaker> {
        let (state, since, suspects) = (State::Closed, None, HashMap::new());
        Arc::new(Breaker(Mutex::new(Inner { state, since, suspects, probes: 0 })))
    }

    /// What a read of a place sees.
    pub fn circuit(&self, place: Place, now: Moment) -> Circuit {
        lock(&self.0).circuit(place, now)
    }

    /// Since when DynamoDB is not known to answer; `None` while it does.
    pub fn away_since(&self) -> Option<Moment> {
        lock(&self.0).since
    }

    /// The right to probe with a place, if it is time and nobody else does.
    pub fn probe(self: &Arc<Self>, place: Place, now: Moment) -> Option<Probe> {
        let mut inner = lock(&self.0);
        let number = inner.probes + 1;
        inner.probed(place, number, now)?;
        inner.probes = number;
        Some(Probe { breaker: Arc::clone(self), place, number })
    }

    /// DynamoDB answered for a place, or for something else. Returns whether that is news.
    pub fn answered(&self, place: Option<Place>) -> bool {
        lock(&self.0).answered(place)
    }

    /// DynamoDB did not answer for a place, or not within the soft wait. Returns whether that is news.
    pub fn failed(&self, place: Place, now: Moment) -> bool {
        lock(&self.0).failed(place, now, fastrand::f64())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        lock(&self.breaker.0).probe_failed(self.place, self.number, Moment::now(), fastrand::f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            state = state.probed(number, at(now)).expect("it is time");
            assert_eq!(state.circuit(at(now)), Circuit::Open, "somebody probes");
            state = state.probe_failed(number, at(now), 0.0);
        }
    }

    #[test]
    fn whenever_an_outage_ends_a_read_finds_out_within_five_seconds() {
        // How long a probe takes to fail: not at all, an attempt, or for ever.
        for fails_after in [Some(0), Some(900), Some(2_000), None] {
            let mut state = State::Closed.failed(at(0), 0.0);
            let mut begun = Vec::new();
            let mut now = 0;
            for number in 0..10 {
                now = due(state, now);
                begun.push(now);
                state = state.probed(number, at(now)).expect("it is time");
                if let Some(time) = fails_after.filter(|time| state.circuit(at(now + time)) == Circuit::Open) {
                    now += time;
                    state = state.probe_failed(number, at(now), 0.0);
                }
            }
            for pair in begun.windows(2) {
                assert!(pair[1] - pair[0] <= 5_000, "{fails_after:?}: {begun:?}");
            }
        }
    }

    fn place(key: &str) -> Place {
        Place::of("features", Some(key))
    }

    #[test]
    fn it_knows_since_when_dynamodb_is_away() {
        let breaker = Breaker::new();
        assert_eq!(breaker.away_since(), None);
        breaker.failed(place("a"), at(100));
        breaker.failed(place("b"), at(900));
        drop(breaker.probe(place("c"), at(900)));
        assert_eq!(breaker.away_since(), Some(at(100)), "what fails later is the same outage");
        breaker.answered(None);
        assert_eq!(breaker.away_since(), None);
    }

    #[test]
    fn what_is_away_alone_does_not_take_the_others_along() {
        use Circuit::{Closed, Open, ProbeDue};
        let breaker = Breaker::new();
        let circuits = |now: u64| ["a", "b", "c"].map(|key| breaker.circuit(place(key), at(now)));
        let fails = |key: &str, now: u64| lock(&breaker.0).failed(place(key), at(now), 0.0);
        let probe_fails = |key: &str, number: u64, now: u64| {
            fails(key, now);
            lock(&breaker.0).probe_failed(place(key), number, at(now), 0.0);
        };
        let take = |key: &str, now: u64| {
            let mut inner = lock(&breaker.0);
            let number = inner.probes + 1;
            inner.probed(place(key), number, at(now)).expect("it is time");
            inner.probes = number;
        };
        assert!(fails("a", 0));
        assert_eq!(circuits(0), [Open; 3], "it may be everything");
        assert_eq!(circuits(500), [Open, ProbeDue, ProbeDue], "not what failed is to find out");
        take("b", 500);
        probe_fails("b", 1, 600);
        assert_eq!(circuits(1_600), [Open, Open, ProbeDue]);
        assert_eq!(circuits(2_100), [ProbeDue; 3], "unless nobody else does");
        take("c", 1_600);
        assert!(breaker.answered(Some(place("c"))));
        assert_eq!(circuits(1_700), [Closed; 3], "the outage is over, for all or for some");
        assert!(fails("a", 1_700), "it may be everything, again");
        take("c", 2_200);
        assert!(breaker.answered(Some(place("c"))));
        assert_eq!(circuits(1_700), [Open, Closed, Closed], "it is away alone");
        take("a", 2_200);
        assert!(!fails("a", 2_300), "of what is away alone that is no news");
        probe_fails("a", 4, 2_300);
        breaker.answered(Some(place("b")));
        assert_eq!(circuits(2_300), [Open, Closed, Closed]);
        assert_eq!(circuits(3_300), [ProbeDue, Closed, Closed], "twice its pause later");
        take("a", 3_300);
        assert!(!breaker.answered(Some(place("a"))), "the store's was closed");
        assert_eq!(circuits(3_300), [Closed; 3]);
        assert!(fails("a", 9_000), "from here on it fails like any other");
        assert_eq!(circuits(9_000), [Open; 3]);
    }

    #[test]
    fn what_failed_with_everything_else_is_asked_for_when_everything_is_back() {
        let breaker = Breaker::new();
        let keys: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        for key in &keys {
            breaker.failed(place(key), at(0));
        }
        assert!(breaker.answered(None));
        assert!(keys.iter().all(|key| breaker.circuit(place(key), at(0)) == Circuit::Closed));
        assert!(breaker.failed(place("3"), at(0)), "the next outage is one for all");
        assert!(keys.iter().all(|key| breaker.circuit(place(key), at(0)) == Circuit::Open));
    }

    #[test]
    fn so_many_suspects_are_remembered_and_no_more() {
        let breaker = Breaker::new();
        for number in 0..2 * MOST_SUSPECTS {
            breaker.failed(place(&number.to_string()), at(0));
        }
        assert_eq!(lock(&breaker.0).suspects.len(), MOST_SUSPECTS);
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
        let probing = open.probed(1, at(500)).expect("it is time");
        assert_eq!(probing.failed(at(600), 0.0), probing);
        assert_eq!(probing.probe_failed(7, at(600), 0.0), probing, "an older probe");
        assert_eq!(State::Closed.probe_failed(1, at(600), 0.0), State::Closed, "answered meanwhile");
    }

    #[test]
    fn one_probes_at_a_time_and_only_when_it_is_time() {
        assert_eq!(State::Closed.probed(1, at(0)), None);
        let open = State::Closed.failed(at(0), 0.0);
        assert_eq!(open.probed(1, at(499)), None);
        let probing = open.probed(1, at(500)).expect("it is time");
        assert_eq!(probing.probed(2, at(600)), None);
    }

    #[test]
    fn a_probe_that_meets_silence_or_never_comes_back_keeps_nobody_from_asking_for_another_row() {
        let mut state = State::Closed.failed(at(0), 0.0);
        let mut now = 500;
        for (number, next) in [(1, 1_000), (2, 1_000), (3, 2_000), (4, 2_000)] {
            state = state.probed(number, at(now)).expect("it is time");
            assert_eq!(state.circuit(at(now + next - 1)), Circuit::Open);
            assert_eq!(due(state, now), now + next);
            assert_eq!(state.probe_failed(number - 1, at(now), 0.0), state, "the one before fails at last");
            now += next;
        }
    }

    #[test]
    fn a_probe_that_is_dropped_has_failed_and_one_that_was_answered_has_not() {
        let breaker = Breaker::new();
        assert!(breaker.failed(place("a"), at(0)) && !breaker.failed(place("b"), at(0)), "told once");
        let probe = breaker.probe(place("c"), at(500)).expect("it is time");
        assert!(breaker.probe(place("c"), at(500)).is_none());
        drop(probe);
        assert!(matches!(lock(&breaker.0).state, State::Open { pause, .. } if pause == 2 * FIRST_PAUSE));
        let long_after = Moment::at(u64::MAX / 2_000_000, 0);
        let probe = breaker.probe(place("c"), long_after).expect("it is time");
        assert!(breaker.answered(None) && !breaker.answered(None), "told once");
        drop(probe);
        assert_eq!(breaker.circuit(place("c"), long_after), Circuit::Closed);
    }
}
