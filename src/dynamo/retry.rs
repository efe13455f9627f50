//! Trying again: which failures, how often, after what pause, and never beyond the deadline.

use std::future::Future;
use std::time::{Duration, Instant};

use super::Effort;
use super::counters::Counters;
use crate::model::{Code, Error, Result};

/// Attempts of a call that somebody waits for. With the pauses below, a dead endpoint is reported in well under a
/// second, and a cached value can stand in.
const ATTEMPTS: u32 = 4;
/// Attempts of such a call when it is throttled: giving up loses a write, waiting does not.
const THROTTLED_ATTEMPTS: u32 = 10;
/// First pause; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(2_000);

/// Runs attempts until one succeeds, fails for good, or the deadline comes.
pub async fn attempts<T, F: Future<Output = Result<T>>>(
    effort: Effort<'_>,
    attempt_timeout: Duration,
    counters: &Counters,
    attempt_text: impl Fn() -> String,
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let mut last: Option<Error> = None;
    for number in 1.. {
        let turn = match effort.pace {
            None => None,
            Some(pace) => match before(effort.deadline, pace.turn()).await {
                Some(turn) => Some(turn),
                None => break,
            },
        };
        let now = Instant::now();
        if now >= effort.deadline {
            break;
        }
        Counters::add(&counters.requests);
        let left = effort.deadline - now;
        let outcome = tokio::time::timeout(left.min(attempt_timeout), attempt()).await;
        let error = match outcome {
            Ok(Ok(value)) => {
                if let Some(pace) = effort.pace {
                    pace.acknowledged();
                }
                return Ok(value);
            }
            Ok(Err(error)) => error,
            // Cut short by the deadline, this attempt says less than the one before.
            Err(_) if left < attempt_timeout && last.is_some() => break,
            Err(_) => Error::new(
                Code::Timeout,
                format!(
                    "no answer within {} ms: check the endpoint and the network, or raise the timeouts",
                    left.min(attempt_timeout).as_millis()
                ),
            ),
        };
        let throttled = error.code == Code::Throttled;
        if throttled {
            Counters::add(&counters.throttles);
            if let Some(pace) = effort.pace {
                pace.throttled();
            }
        }
        let most = match (effort.pace, throttled) {
            (Some(pace), _) if pace.outage() => ATTEMPTS,
            (Some(_), _) => u32::MAX,
            (None, true) => THROTTLED_ATTEMPTS,
            (None, false) => ATTEMPTS,
        };
        if !error.code.retriable() || number >= most {
            return Err(failed(counters, error.during(attempt_text())));
        }
        last = Some(error);
        // A pause never eats the time that is left: what can still be tried before the deadline is.
        let left = effort.deadline.saturating_duration_since(Instant::now());
        if left < FIRST_PAUSE {
            break;
        }
        tokio::time::sleep(pause(number).min(left / 2)).await;
        // Only now: what pauses still counts as in flight, or it would come back over and above the window.
        drop(turn);
        Counters::add(&counters.retries);
    }
    let error = match last {
        // The last answer says more than that time ran out.
        Some(error) => {
            Error { message: format!("{} (tried again until the deadline left no time)", error.message), ..error }
        }
        None => Error::new(
            Code::Timeout,
            "the deadline passed before the request could be sent: raise the timeout, or call less at once",
        ),
    };
    Err(failed(counters, error.during(attempt_text())))
}

/// What a future gives, if it does so before the deadline.
async fn before<T>(deadline: Instant, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout_at(deadline.into(), future).await.ok()
}

fn failed(counters: &Counters, error: Error) -> Error {
    Counters::add(&counters.errors);
    error
}

/// Full jitter: anything up to the doubled pause, so that many clients do not come back together.
fn pause(attempt: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << attempt.min(10)).min(LONGEST_PAUSE);
    longest.mul_f64(fastrand::f64())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::Ordering;

    use super::super::pace::Pace;
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    fn soon(milliseconds: u64) -> Instant {
        Instant::now() + Duration::from_millis(milliseconds)
    }

    async fn failing(code: Code, effort: Effort<'_>, counters: &Counters) -> (u32, Error) {
        let tries = Cell::new(0);
        let attempt = || {
            tries.set(tries.get() + 1);
            std::future::ready(Err::<(), _>(Error::new(code, "no")))
        };
        let outcome = attempts(effort, Duration::from_secs(1), counters, || "GetItem".into(), attempt).await;
        (tries.get(), outcome.expect_err("every attempt fails"))
    }

    #[test]
    fn what_cannot_get_better_is_tried_once() {
        let counters = Counters::default();
        let (tries, error) = run(async { failing(Code::AccessDenied, Effort::until(soon(60_000)), &counters).await });
        assert_eq!((tries, error.message.as_str()), (1, "GetItem: no"));
        assert_eq!(counters.errors.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_can_is_tried_again() {
        let counters = Counters::default();
        assert_eq!(run(async { failing(Code::Service, Effort::until(soon(60_000)), &counters).await }).0, ATTEMPTS);
        assert_eq!(counters.retries.load(Ordering::Relaxed), u64::from(ATTEMPTS - 1));
    }

    #[test]
    fn no_pause_gives_up_time_in_which_another_attempt_could_succeed() {
        let (counters, pace) = (Counters::default(), Pace::new(4));
        let (deadline, last) = (soon(1_000), Cell::new(Instant::now()));
        let effort = Effort { deadline, pace: Some(&pace) };
        let attempt = || {
            last.set(Instant::now());
            std::future::ready(Err::<(), _>(Error::new(Code::Throttled, "no")))
        };
        let outcome = run(attempts(effort, Duration::from_secs(1), &counters, || "PutItem".into(), attempt));
        assert!(outcome.is_err());
        assert!(deadline - last.get() < Duration::from_millis(200), "the last attempt was long before the deadline");
    }

    #[test]
    #[cfg_attr(miri, ignore = "time for one attempt only")]
    fn paced_writes_are_tried_until_the_deadline_and_keep_the_cause() {
        let (counters, pace) = (Counters::default(), Pace::new(4));
        let effort = Effort { deadline: soon(250), pace: Some(&pace) };
        let (tries, error) = run(async { failing(Code::Throttled, effort, &counters).await });
        assert!(tries > 2, "{tries}");
        assert_eq!(error.code, Code::Throttled);
        assert!(error.message.contains("deadline"), "{error}");
        assert_eq!(counters.throttles.load(Ordering::Relaxed), u64::from(tries));
    }
}
