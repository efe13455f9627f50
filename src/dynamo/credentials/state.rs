//! When what was loaded is used, and when it is loaded anew: a state and the times, and what follows from them. No I/O.
//!
//! Two clocks: ends are the wall clock's, since whoever hands something out says when it ends; pauses are the monotonic
//! clock's, so that a clock that is set right neither makes nor prevents one.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The longest that the next is loaded before the end: as botocore begins to, so that a source may be away for long.
const LONGEST_LEAD: Duration = Duration::from_secs(15 * 60);
/// The share of a shorter life that is left when the next is loaded: more than a quarter, and time for many attempts.
const LEAD: f64 = 0.3;
/// How much of the lead is added at random, so that a fleet does not ask at once.
const LEAD_JITTER: f64 = 0.2;
/// After how long something without an end is loaded again.
const WITHOUT_END: Duration = Duration::from_secs(15 * 60);
/// How long what was just loaded is used, whatever it says of its end: this machine's clock may be wrong, the service
/// decides, and a source that hands out what is about to end is not asked by every request.
const LEAST_USE: Duration = Duration::from_secs(1);
/// The first and the longest pause after a failure while something valid is held, which nobody waits for.
const LEISURE: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// The same while nothing is, when everybody waits: a source that is back is seen within a second.
const URGENCY: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(800)];
/// At most so often something is loaded because the service did not take the last.
const BETWEEN_REFUSALS: Duration = Duration::from_millis(800);

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The wall clock's, as good as it is known.
    pub wall: SystemTime,
    /// The monotonic clock's.
    pub steady: Instant,
}

/// How long something that was loaded may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It has no end.
    Endless,
    /// It is of no use after this time.
    Until(SystemTime),
    /// It is to be renewed before this time, and used beyond it where that fails: what the metadata service of an
    /// instance gives out, by AWS's rule of static stability.
    Beyond(SystemTime),
}

/// What to do about it now.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// What is held is used.
    Use,
    /// What is held is used, and the next loaded meanwhile.
    UseAndLoad,
    /// Nothing valid is held: it is loaded, unless it is being loaded already, and waited for.
    Wait,
    /// Nothing valid is held, and the last load failed so recently that the next waits until then.
    Pause(Instant),
}

/// What is held of one thing, how its loads went, and whether one is under way.
#[derive(Debug)]
pub struct State<T, E> {
    held: Option<Held<T>>,
    failures: Failures<E>,
    loading: Option<Load>,
    /// When it was last loaded because the service did not take what was held.
    refused_at: Option<Instant>,
}

#[derive(Debug)]
struct Held<T> {
    value: Arc<T>,
    life: Life,
    loaded_at: Instant,
    /// How long before its end the next is loaded.
    lead: Duration,
    /// The service did not take it.
    refused: bool,
}

/// A load that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Nobody waits for it, since what is held is valid. If it fails, that says little about a source that was away and
    /// is needed now.
    AtLeisure,
    /// It began when nothing valid was held.
    Urgent,
}

/// The loads that failed since the last that went well.
#[derive(Debug)]
struct Failures<E> {
    at_leisure: u32,
    urgent: u32,
    last: Option<(Instant, E)>,
    /// A share of each pause, drawn anew with each failure.
    jitter: f64,
}

impl<T, E: Clone> State<T, E> {
    /// Nothing was loaded yet.
    pub fn new() -> Self {
        let failures = Failures { at_leisure: 0, urgent: 0, last: None, jitter: 1.0 };
        State { held: None, failures, loading: None, refused_at: None }
    }

    /// What is held, valid or not.
    pub fn held(&self) -> Option<&Arc<T>> {
        self.held.as_ref().map(|held| &held.value)
    }

    /// How the last load failed, if none went well since.
    pub fn failure(&self) -> Option<&E> {
        self.failures.last.as_ref().map(|(_, failure)| failure)
    }

    /// Whether a load is under way.
    pub fn loading(&self) -> bool {
        self.loading.is_some()
    }

    /// How long what is held is valid yet, if it ends.
    pub fn left(&self, now: Now) -> Option<Duration> {
        match self.held.as_ref().filter(|held| !held.refused)?.life {
            Life::Endless | Life::Beyond(_) => None,
            Life::Until(end) => end.duration_since(now.wall).ok(),
        }
    }

    /// The rule.
    pub fn decide(&self, now: Now) -> Decision {
        let Some(held) = &self.held else { return self.urgently(now) };
        if held.refused {
            let lately = self.refused_at.is_some_and(|at| now.steady < at + BETWEEN_REFUSALS);
            // The service's own word is the best answer until it may be asked whether there is another.
            return if lately && !self.loading() && self.failures.last.is_none() {
                Decision::Use
            } else {
                self.urgently(now)
            };
        }
        if !held.valid(now) {
            return self.urgently(now);
        }
        let next = self.failures.next(LEISURE, self.failures.at_leisure);
        let due = !self.loading() && held.due(now) && next.is_none_or(|next| now.steady >= next);
        if due { Decision::UseAndLoad } else { Decision::Use }
    }

    fn urgently(&self, now: Now) -> Decision {
        match self.failures.next(URGENCY, self.failures.urgent) {
            Some(next) if now.steady < next && !self.loading() => Decision::Pause(next),
            _ => Decision::Wait,
        }
    }

    /// A load begins.
    pub fn begins(&mut self, now: Now) {
        let valid = self.held.as_ref().is_some_and(|held| !held.refused && held.valid(now));
        self.loading = Some(if valid { Load::AtLeisure } else { Load::Urgent });
        if self.held.as_ref().is_some_and(|held| held.refused) {
            self.refused_at = Some(now.steady);
        }
    }

    /// A load went well. `random` is from 0 to 1.
    pub fn loaded(&mut self, value: T, life: Life, now: Now, random: f64) {
        let left = match life {
            Life::Endless => Duration::ZERO,
            Life::Until(end) | Life::Beyond(end) => end.duration_since(now.wall).unwrap_or_default(),
        };
        let lead = LONGEST_LEAD.min(left.mul_f64(LEAD)).mul_f64(1.0 + LEAD_JITTER * random);
        self.held = Some(Held { value: Arc::new(value), life, loaded_at: now.steady, lead, refused: false });
        self.failures = Failures { at_leisure: 0, urgent: 0, last: None, jitter: 1.0 };
        self.loading = None;
    }

    /// A load failed. `random` is from 0 to 1.
    pub fn failed(&mut self, failure: E, now: Now, random: f64) {
        let count = match self.loading.take() {
            Some(Load::AtLeisure) => &mut self.failures.at_leisure,
            Some(Load::Urgent) | None => &mut self.failures.urgent,
        };
        *count = count.saturating_add(1);
        self.failures.last = Some((now.steady, failure));
        self.failures.jitter = f64::midpoint(1.0, random);
    }

    /// The service did not take what is held, if it is that.
    pub fn refused(&mut self, used: &Arc<T>) {
        if let Some(held) = &mut self.held
            && Arc::ptr_eq(&held.value, used)
        {
            held.refused = true;
        }
    }
}

impl<T> Held<T> {
    fn valid(&self, now: Now) -> bool {
        match self.life {
            Life::Endless | Life::Beyond(_) => true,
            Life::Until(end) => now.wall < end || now.steady < self.loaded_at + LEAST_USE,
        }
    }

    fn due(&self, now: Now) -> bool {
        match self.life {
            Life::Endless => now.steady >= self.loaded_at + WITHOUT_END,
            Life::Until(end) | Life::Beyond(end) => {
                now.steady >= self.loaded_at + LEAST_USE
                    && end.duration_since(now.wall).unwrap_or_default() <= self.lead
            }
        }
    }
}

impl<E> Failures<E> {
    /// When the next load may begin after so many failures, if there were any.
    fn next(&self, [first, longest]: [Duration; 2], count: u32) -> Option<Instant> {
        let (at, _) = self.last.as_ref().filter(|_| count > 0)?;
        let pause = first.saturating_mul(1 << (count.min(16) - 1)).min(longest);
        Some(*at + pause.mul_f64(self.jitter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    /// A day on which the tests happen.
    struct Day {
        dawn: Now,
    }

    impl Day {
        fn new() -> Day {
            let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
            Day { dawn: Now { wall, steady: Instant::now() } }
        }

        /// Seconds after dawn.
        fn at(&self, seconds: f64) -> Now {
            let after = Duration::from_secs_f64(seconds);
            Now { wall: self.dawn.wall + after, steady: self.dawn.steady + after }
        }

        fn end(&self, seconds: u64) -> SystemTime {
            self.dawn.wall + Duration::from_secs(seconds)
        }

        /// The state after a load at dawn.
        fn holding(&self, life: Life, random: f64) -> State<&'static str, &'static str> {
            let mut state = State::new();
            state.begins(self.dawn);
            state.loaded("held", life, self.dawn, random);
            state
        }
    }

    #[test]
    fn it_is_used_to_its_end_and_loaded_anew_long_before() {
        let day = Day::new();
        let (until, beyond) = (Life::Until, Life::Beyond);
        let hour = HOUR as f64;
        for (life, random, seconds, decision) in [
            (until(day.end(HOUR)), 0.0, 0.0, Decision::Use),
            (until(day.end(HOUR)), 0.0, hour - 901.0, Decision::Use),
            (until(day.end(HOUR)), 0.0, hour - 900.0, Decision::UseAndLoad),
            (until(day.end(HOUR)), 1.0, hour - 1081.0, Decision::Use),
            (until(day.end(HOUR)), 1.0, hour - 1080.0, Decision::UseAndLoad),
            (until(day.end(HOUR)), 0.0, hour - 0.1, Decision::UseAndLoad),
            (until(day.end(HOUR)), 0.0, hour, Decision::Wait),
            (until(day.end(100)), 0.0, 69.0, Decision::Use),
            (until(day.end(100)), 0.0, 70.5, Decision::UseAndLoad),
            (until(day.end(2)), 0.0, 1.0, Decision::Use),
            (until(day.end(2)), 0.0, 1.5, Decision::UseAndLoad),
            (beyond(day.end(HOUR)), 0.0, hour - 901.0, Decision::Use),
            (beyond(day.end(HOUR)), 0.0, hour + 1.0, Decision::UseAndLoad),
            (beyond(day.end(HOUR)), 0.0, 100.0 * hour, Decision::UseAndLoad),
            (Life::Endless, 0.0, 899.0, Decision::Use),
            (Life::Endless, 0.0, 900.0, Decision::UseAndLoad),
            (Life::Endless, 0.0, 100.0 * hour, Decision::UseAndLoad),
        ] {
            let state = day.holding(life, random);
            assert_eq!(state.decide(day.at(seconds)), decision, "{life:?} {random} {seconds}");
        }
    }

    #[test]
    fn what_is_loaded_late_is_neither_loaded_twice_nor_waited_for_while_another_is_valid() {
        let day = Day::new();
        let mut state = day.holding(Life::Until(day.end(HOUR)), 0.0);
        state.begins(day.at(3000.0));
        assert_eq!(state.decide(day.at(3001.0)), Decision::Use);
        assert_eq!(state.decide(day.at(3600.0)), Decision::Wait);
    }

    #[test]
    #[cfg_attr(miri, ignore = "minutes, interpreted")]
    fn a_failure_is_followed_by_a_pause_that_grows_and_is_short_when_nothing_is_held() {
        let day = Day::new();
        let mut state = day.holding(Life::Until(day.end(HOUR)), 0.0);
        let mut begun = Vec::new();
        // Whether a load may begin is looked at each tenth of a second from when it is due to a minute after the end.
        for tenth in 0..9600 {
            let now = day.at(2700.0 + f64::from(tenth) / 10.0);
            match state.decide(now) {
                Decision::UseAndLoad | Decision::Wait => {
                    state.begins(now);
                    state.failed("away", now, 1.0);
                    begun.push((now.wall.duration_since(day.dawn.wall).expect("later")).as_secs_f64() - 2700.0);
                }
                Decision::Use => assert!(now.wall < day.end(HOUR), "used after its end"),
                Decision::Pause(_) => assert!(now.wall >= day.end(HOUR), "paused before its end"),
            }
        }
        let pauses: Vec<_> = begun.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let before = begun.iter().filter(|at| **at < 900.0).count();
        assert!((18..=22).contains(&before), "{before} loads in the last quarter: {begun:?}");
        assert!(pauses[..3].is_sorted() && pauses[0] < 1.2 && pauses[2] > 3.9, "{pauses:?}");
        assert!(pauses[before..].iter().all(|pause| *pause < 1.0), "{pauses:?}");
    }

    #[test]
    fn a_source_that_was_away_is_asked_at_once_when_it_is_needed() {
        let day = Day::new();
        let mut state = day.holding(Life::Until(day.end(HOUR)), 0.0);
        for minute in 46..60 {
            state.begins(day.at(f64::from(minute) * 60.0));
            state.failed("away", day.at(f64::from(minute) * 60.0 + 59.9), 1.0);
        }
        assert_eq!(state.decide(day.at(3600.0)), Decision::Wait, "the last failure is a tenth of a second old");
        state.begins(day.at(3600.0));
        state.failed("away", day.at(3600.1), 1.0);
        assert!(matches!(state.decide(day.at(3600.1)), Decision::Pause(_)));
    }

    #[test]
    fn how_long_a_load_may_take_follows_from_what_is_held() {
        let day = Day::new();
        let left = |life, seconds| day.holding(life, 0.0).left(day.at(seconds)).map(|left| left.as_secs());
        assert_eq!(left(Life::Until(day.end(HOUR)), 3590.0), Some(10));
        assert_eq!(left(Life::Until(day.end(HOUR)), 3601.0), None);
        assert_eq!(left(Life::Beyond(day.end(HOUR)), 3590.0), None);
        assert_eq!(left(Life::Endless, 3590.0), None);
    }

    #[test]
    fn the_first_load_is_waited_for_and_a_failure_is_tried_again_within_a_second() {
        let day = Day::new();
        let mut state = State::<&str, &str>::new();
        assert_eq!(state.decide(day.at(0.0)), Decision::Wait);
        let mut last = 0.0;
        for _ in 0..20 {
            state.begins(day.at(last));
            assert_eq!(state.decide(day.at(last)), Decision::Wait, "it is under way");
            state.failed("nothing there", day.at(last), 1.0);
            let Decision::Pause(until) = state.decide(day.at(last)) else { panic!("no pause") };
            let pause = until.duration_since(day.at(last).steady);
            assert!(pause >= Duration::from_millis(50) && pause <= Duration::from_millis(800), "{pause:?}");
            last += pause.as_secs_f64() + 0.001;
            assert_eq!(state.decide(day.at(last)), Decision::Wait);
        }
        state.loaded("found", Life::Endless, day.at(last), 0.0);
        assert_eq!((state.decide(day.at(last)), state.failure()), (Decision::Use, None));
    }

    #[test]
    fn what_the_service_does_not_take_is_loaded_anew_but_not_by_every_request() {
        let day = Day::new();
        let mut state = day.holding(Life::Endless, 0.0);
        let held = Arc::clone(state.held().expect("held"));
        state.refused(&Arc::new("an older one"));
        assert_eq!(state.decide(day.at(10.0)), Decision::Use, "it was not what is held");
        state.refused(&held);
        assert_eq!(state.decide(day.at(10.0)), Decision::Wait);
        state.begins(day.at(10.0));
        state.loaded("the same", Life::Endless, day.at(10.1), 0.0);
        assert_eq!(state.decide(day.at(10.1)), Decision::Use);
        let held = Arc::clone(state.held().expect("held"));
        state.refused(&held);
        assert_eq!(state.decide(day.at(10.2)), Decision::Use, "it was loaded a moment ago");
        assert_eq!(state.decide(day.at(10.8)), Decision::Wait);
        state.begins(day.at(10.8));
        state.failed("away", day.at(10.9), 0.0);
        assert!(matches!(state.decide(day.at(10.9)), Decision::Pause(_)), "a failure is no reason to use it again");
        assert_eq!(state.decide(day.at(11.0)), Decision::Wait);
    }

    #[test]
    fn a_wrong_clock_makes_no_storm_and_is_forgiven_when_it_is_set_right() {
        let day = Day::new();
        // Two hours fast: what lasts an hour seems to have ended before it came.
        let fast = |seconds: f64| {
            let now = day.at(seconds);
            Now { wall: now.wall + Duration::from_secs(2 * HOUR), ..now }
        };
        let mut state = State::<&str, &str>::new();
        state.loaded("held", Life::Until(day.end(HOUR)), fast(0.0), 0.0);
        assert_eq!(state.decide(fast(0.9)), Decision::Use, "the service decides, not this clock");
        assert_eq!(state.decide(fast(1.0)), Decision::Wait);
        assert_eq!(state.decide(day.at(1.0)), Decision::Use, "the clock is right now");
        // Two hours slow: it seems to last for three.
        let slow = Now { wall: day.dawn.wall - Duration::from_secs(2 * HOUR), ..day.dawn };
        let mut state = State::<&str, &str>::new();
        state.loaded("held", Life::Until(day.end(HOUR)), slow, 0.0);
        assert_eq!(state.decide(day.at(2699.0)), Decision::Use);
        assert_eq!(state.decide(day.at(2701.0)), Decision::UseAndLoad);
    }

    #[test]
    fn a_source_that_hands_out_the_same_until_its_end_is_asked_a_few_times() {
        let day = Day::new();
        let end = 60;
        let mut state = day.holding(Life::Until(day.end(end)), 0.5);
        let mut loads = 0;
        for millisecond in 0..end * 1000 {
            let now = day.at(millisecond as f64 / 1000.0);
            if state.decide(now) != Decision::Use {
                loads += 1;
                state.begins(now);
                state.loaded("the same", Life::Until(day.end(end)), now, 0.5);
            }
        }
        assert!((2..=6).contains(&loads), "{loads}");
    }
}
