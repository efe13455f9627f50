//! Trying again: which failures, how often, after what pause, at what cost, and never beyond the deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use super::Effort;
use super::budget::{self, Budget};
use super::counters::Counters;
use super::failure::{Again, Failure};
use super::in_flight::InFlight;
use super::refusal::Refusal;
use crate::model::options::Options;
use crate::runtime::limits;

/// Attempts of a call that somebody waits for. With the pauses below, a dead endpoint is reported in well under a
/// second, and a cached value can stand in.
const ATTEMPTS: u32 = 4;
/// Attempts of such a call when it is throttled: giving up loses a write, waiting does not.
const THROTTLED_ATTEMPTS: u32 = 10;
/// Attempts of one call that need no pause, since they differ from the one before: over a new connection, with a new
/// identity or the right time.
const AT_ONCE: u32 = 2;
/// First pause; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// What the calls of one store share.
#[derive(Debug)]
pub struct Shared {
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// The places of its requests.
    pub in_flight: InFlight,
    /// What it may spend on trying again.
    pub budget: Budget,
}

impl Shared {
    /// For a store that is opened now.
    pub fn new(options: &Options) -> Self {
        Shared {
            attempt_timeout: options.attempt_timeout,
            in_flight: InFlight::new(options.max_connections, limits::open_files()),
            budget: Budget::default(),
        }
    }
}

/// Who waits for the answer, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A reader, who may have an older value.
    Read,
    /// A writer, whose write is lost if it is given up.
    Write,
    /// Whoever stores a data set, at a pace that the table sets.
    Paced {
        /// Whether the table has been silent for too long.
        outage: bool,
    },
}

/// What one call has spent so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Spent {
    attempts: u32,
    at_once: u32,
    /// What its last retry cost.
    paid: u32,
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing.
    GiveUp,
    /// The next attempt, for so many tokens.
    AtOnce(u32),
    /// The next attempt after a pause, for so many tokens; without them, nothing.
    Pause(u32),
    /// The next attempt after a pause, as soon as there are so many tokens.
    PauseForTokens(u32),
}

impl Patience {
    fn after(self, failure: &Failure, spent: Spent) -> Step {
        let again = failure.again();
        if again == Again::AtOnce && spent.at_once < AT_ONCE {
            return Step::AtOnce(self.cost(failure.cost()));
        }
        let most = match (self, again) {
            (_, Again::Never) => 0,
            (Patience::Paced { outage: false }, _) => u32::MAX,
            (Patience::Read | Patience::Write, Again::WhenThereIsRoom) => THROTTLED_ATTEMPTS,
            _ => ATTEMPTS,
        };
        let cost = self.cost(failure.cost().max(budget::RETRY));
        match again {
            _ if spent.attempts >= most => Step::GiveUp,
            // The table takes some writes, and those refill the bucket: this one waits for its turn.
            Again::WhenThereIsRoom if self == Patience::Write => Step::PauseForTokens(cost),
            _ => Step::Pause(cost),
        }
    }

    /// What is paced is slowed down by its window, instead.
    fn cost(self, cost: u32) -> u32 {
        if matches!(self, Patience::Paced { .. }) { 0 } else { cost }
    }
}

/// Why there is no answer, and no further attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GaveUp {
    /// The failure that says most.
    pub failure: Failure,
    /// What kept it from being tried again, in words to follow the failure's.
    pub because: &'static str,
}

const NO_TIME: &str = " (tried again until the deadline left no time)";
const NO_TOKENS: &str = " (not tried again, since many requests of this store failed lately)";

/// Runs attempts until one succeeds, fails for good, or the deadline comes. Each is told when it has to end.
pub async fn attempts<T, F: Future<Output = Result<T, Failure>>>(
    shared: &Shared,
    counters: &Counters,
    effort: Effort<'_>,
    writes: bool,
    mut attempt: impl FnMut(Instant) -> F,
) -> Result<T, GaveUp> {
    let Effort { deadline, pace } = effort;
    let mut spent = Spent::default();
    let mut last: Option<Failure> = None;
    let mut because = NO_TIME;
    loop {
        let turn = match pace {
            None => None,
            Some(pace) => match before(deadline, pace.turn()).await {
                Some(turn) => Some(turn),
                None => break,
            },
        };
        let asked = Instant::now();
        let place = shared.in_flight.place(deadline).await;
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        if place.is_none() || now - asked > left.max(Duration::from_millis(1)) {
            // Should the time that is left not be enough, this is where it went.
            last.get_or_insert(Failure::Queued(shared.in_flight.most()));
        }
        if place.is_none() || left.is_zero() {
            break;
        }
        let ends = deadline.min(now + shared.attempt_timeout);
        let outcome = attempt(ends).await;
        drop(place);
        let failure = match outcome {
            Ok(value) => {
                shared.budget.succeeded(spent.paid);
                if let Some(pace) = pace {
                    pace.acknowledged();
                }
                return Ok(value);
            }
            Err(failure) => failure,
        };
        spent.attempts += 1;
        if failure.is_throttle() {
            Counters::add(&counters.throttles);
        }
        let patience = match pace {
            Some(pace) => {
                match failure.again() {
                    Again::WhenThereIsRoom => pace.throttled(),
                    Again::Later | Again::AtOnce => pace.failed(),
                    Again::Never => {}
                }
                Patience::Paced { outage: pace.outage() }
            }
            None if writes => Patience::Write,
            None => Patience::Read,
        };
        let step = patience.after(&failure, spent);
        last = Some(failure.or_earlier(last, ends == deadline));
        let (paid, paused) = match step {
            Step::GiveUp => {
                because = "";
                break;
            }
            Step::AtOnce(cost) => {
                spent.at_once += 1;
                (shared.budget.pay(cost).then_some(cost), true)
            }
            Step::Pause(cost) => match shared.budget.pay(cost).then_some(cost) {
                Some(cost) => (Some(cost), pause(deadline, spent.attempts).await),
                None => (None, true),
            },
            Step::PauseForTokens(cost) => {
                let mut paused = pause(deadline, spent.attempts).await;
                while paused && !shared.budget.pay(cost) {
                    spent.attempts = spent.attempts.saturating_add(1).min(THROTTLED_ATTEMPTS - 1);
                    paused = pause(deadline, spent.attempts).await;
                }
                (Some(cost), paused)
            }
        };
        // Only now: what pauses still counts as in flight, or it would come back over and above the window.
        drop(turn);
        match paid {
            Some(cost) if paused => spent.paid = cost,
            Some(_) => break,
            None => {
                because = NO_TOKENS;
                break;
            }
        }
        Counters::add(&counters.retries);
    }
    Counters::add(&counters.errors);
    Err(match last {
        Some(Failure::Queued(most)) => GaveUp { failure: Failure::Queued(most), because: "" },
        Some(failure) => GaveUp { failure, because },
        // It never had its turn, because others of this data set were asked to slow down.
        None if pace.is_some_and(|pace| pace.slowed()) => {
            GaveUp { failure: Failure::Refused(Box::new(Refusal::throttled())), because: NO_TIME }
        }
        None => GaveUp { failure: Failure::Late, because: "" },
    })
}

/// What a future gives, if it does so before the deadline.
async fn before<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(deadline.into(), future).await.ok()
}

/// Waits before the next attempt. False if the deadline leaves no time for one.
async fn pause(deadline: Instant, attempts: u32) -> bool {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < FIRST_PAUSE {
        return false;
    }
    // A pause never eats the time that is left: what can still be tried before the deadline is.
    tokio::time::sleep(jittered(attempts).min(left / 2)).await;
    true
}

/// Full jitter: anything up to the doubled pause, so that many clients do not come back together.
fn jittered(attempts: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE);
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::Ordering;

    use super::super::pace::Pace;
    use super::super::refusal::Meaning;
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    fn shared() -> Shared {
        Shared {
            attempt_timeout: Duration::from_secs(1),
            in_flight: InFlight::new(4, u64::MAX),
            budget: Budget::default(),
        }
    }

    fn refused(meaning: Meaning) -> Failure {
        Failure::Refused(Box::new(Refusal { meaning, ..Refusal::throttled() }))
    }

    fn mended() -> Failure {
        Failure::Refused(Box::new(Refusal { meaning: Meaning::Time, mended: true, ..Refusal::throttled() }))
    }

    /// How often a call is tried whose every attempt fails like this, and what it ends with.
    async fn failing(
        shared: &Shared,
        counters: &Counters,
        effort: Effort<'_>,
        writes: bool,
        failure: Failure,
    ) -> (u32, GaveUp) {
        let tries = Cell::new(0);
        let attempt = |_| {
            tries.set(tries.get() + 1);
            std::future::ready(Err::<(), _>(failure.clone()))
        };
        let outcome = attempts(shared, counters, effort, writes, attempt).await;
        (tries.get(), outcome.expect_err("every attempt fails"))
    }

    #[test]
    fn who_tries_again_and_for_how_long() {
        let (read, write) = (Patience::Read, Patience::Write);
        let (paced, outage) = (Patience::Paced { outage: false }, Patience::Paced { outage: true });
        let (throttled, fault) = (refused(Meaning::Throttled), refused(Meaning::Fault));
        let silent = Failure::TimedOut { after: Duration::from_secs(1), anew: false };
        let reset = Failure::Connection {
            kind: super::super::http::Kind::Network,
            why: "reset".into(),
            late: false,
            anew: true,
        };
        for (patience, failure, attempts, at_once, step) in [
            (read, &refused(Meaning::NoTable), 1, 0, Step::GiveUp),
            (paced, &refused(Meaning::NoTable), 1, 0, Step::GiveUp),
            (read, &fault, 1, 0, Step::Pause(5)),
            (read, &fault, 3, 0, Step::Pause(5)),
            (write, &fault, 4, 0, Step::GiveUp),
            (read, &silent, 1, 0, Step::Pause(10)),
            (read, &throttled, 4, 0, Step::Pause(5)),
            (read, &throttled, 10, 0, Step::GiveUp),
            (write, &throttled, 4, 0, Step::PauseForTokens(5)),
            (write, &throttled, 10, 0, Step::GiveUp),
            (paced, &throttled, 1_000, 0, Step::Pause(0)),
            (paced, &fault, 1_000, 0, Step::Pause(0)),
            (outage, &fault, 3, 0, Step::Pause(0)),
            (outage, &fault, 4, 0, Step::GiveUp),
            (read, &reset, 1, 0, Step::AtOnce(0)),
            (read, &reset, 3, 2, Step::Pause(5)),
            (read, &mended(), 1, 0, Step::AtOnce(5)),
            (paced, &mended(), 1, 0, Step::AtOnce(0)),
        ] {
            let spent = Spent { attempts, at_once, paid: 0 };
            assert_eq!(patience.after(failure, spent), step, "{patience:?} {failure:?} {spent:?}");
        }
    }

    #[test]
    fn what_cannot_get_better_is_tried_once() {
        let (shared, counters) = (shared(), Counters::default());
        let denied = refused(Meaning::AccessDenied);
        let (tries, end) = run(failing(&shared, &counters, Effort::until(soon(60_000)), false, denied.clone()));
        assert_eq!((tries, end), (1, GaveUp { failure: denied, because: "" }));
        assert_eq!(counters.errors.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_can_is_tried_again() {
        let (shared, counters) = (shared(), Counters::default());
        let outcome = failing(&shared, &counters, Effort::until(soon(60_000)), false, refused(Meaning::Fault));
        assert_eq!(run(outcome).0, ATTEMPTS);
        assert_eq!(counters.retries.load(Ordering::Relaxed), u64::from(ATTEMPTS - 1));
    }

    #[test]
    fn in_an_outage_every_call_makes_one_request_when_the_bucket_is_empty() {
        let (shared, counters) = (shared(), Counters::default());
        while shared.budget.pay(20) {}
        shared.budget.succeeded(20);
        run(async {
            let silent = Failure::TimedOut { after: Duration::from_secs(2), anew: true };
            for tries in [3, 1, 1] {
                let effort = Effort::until(soon(60_000));
                let outcome = failing(&shared, &counters, effort, false, silent.clone()).await;
                assert_eq!(outcome, (tries, GaveUp { failure: silent.clone(), because: NO_TOKENS }));
            }
        });
    }

    #[test]
    fn a_throttled_write_waits_for_tokens_that_others_bring_and_a_read_does_not() {
        let (shared, counters) = (shared(), Counters::default());
        while shared.budget.pay(1) {}
        run(async {
            let throttled = refused(Meaning::Throttled);
            let (tries, end) = failing(&shared, &counters, Effort::until(soon(60_000)), false, throttled.clone()).await;
            assert_eq!((tries, end.because), (1, NO_TOKENS));
            let (tries, end) = failing(&shared, &counters, Effort::until(soon(200)), true, throttled.clone()).await;
            assert_eq!((tries, end.because), (1, NO_TIME), "it waits, and sends nothing meanwhile");
            for _ in 0..5 {
                shared.budget.succeeded(0);
            }
            let (tries, _) = failing(&shared, &counters, Effort::until(soon(200)), true, throttled).await;
            assert_eq!(tries, 2);
        });
    }

    #[test]
    fn what_a_retry_cost_comes_back_when_it_succeeds() {
        let (shared, counters) = (shared(), Counters::default());
        run(async {
            let tries = Cell::new(0);
            let attempt = |_| {
                tries.set(tries.get() + 1);
                std::future::ready(if tries.get() % 2 == 1 { Err(refused(Meaning::Fault)) } else { Ok(()) })
            };
            for _ in 0..3 {
                let effort = Effort::until(soon(60_000));
                attempts(&shared, &counters, effort, false, attempt).await.expect("the second succeeds");
            }
        });
        assert!(shared.budget.pay(500));
    }

    #[test]
    fn a_call_that_waits_in_the_queue_beyond_its_deadline_says_so() {
        let (shared, counters) = (Shared { in_flight: InFlight::new(1, u64::MAX), ..shared() }, Counters::default());
        run(async {
            let _taken = shared.in_flight.place(soon(60_000)).await.expect("free");
            let (tries, end) = failing(&shared, &counters, Effort::until(soon(20)), false, Failure::Cut).await;
            assert_eq!((tries, end.failure), (0, Failure::Queued(1)));
        });
    }

    #[test]
    fn no_pause_gives_up_time_in_which_another_attempt_could_succeed() {
        let (shared, counters, pace) = (shared(), Counters::default(), Pace::new(4));
        let (deadline, last) = (soon(1_000), Cell::new(Instant::now()));
        let effort = Effort { deadline, pace: Some(&pace) };
        let attempt = |_| {
            last.set(Instant::now());
            std::future::ready(Err::<(), _>(refused(Meaning::Throttled)))
        };
        assert!(run(attempts(&shared, &counters, effort, true, attempt)).is_err());
        assert!(deadline - last.get() < Duration::from_millis(200), "the last attempt was long before the deadline");
    }

    #[test]
    #[cfg_attr(miri, ignore = "time for one attempt only")]
    fn paced_writes_are_tried_until_the_deadline_and_keep_the_cause() {
        let (shared, counters, pace) = (shared(), Counters::default(), Pace::new(4));
        let effort = Effort { deadline: soon(250), pace: Some(&pace) };
        let (tries, end) = run(failing(&shared, &counters, effort, true, refused(Meaning::Throttled)));
        assert!(tries > 2, "{tries}");
        assert_eq!(end, GaveUp { failure: refused(Meaning::Throttled), because: NO_TIME });
        assert_eq!(counters.throttles.load(Ordering::Relaxed), u64::from(tries));
    }

    #[test]
    fn a_paced_write_that_never_had_its_turn_tells_that_the_table_is_throttled() {
        let (shared, counters, pace) = (shared(), Counters::default(), Pace::new(1));
        run(async {
            let _turn = pace.turn().await;
            pace.throttled();
            let effort = Effort { deadline: soon(20), pace: Some(&pace) };
            let (tries, end) = failing(&shared, &counters, effort, true, Failure::Cut).await;
            assert_eq!((tries, end.failure), (0, refused(Meaning::Throttled)));
        });
    }
}
