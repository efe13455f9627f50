//! What a read does with the value that the cache has: the rule, and nothing else.

use super::breaker::Circuit;
use super::moment::Moment;

/// The times of a value. `None` stands for never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// When it was read.
    pub read: Moment,
    /// When it is read again if it is hot.
    pub refresh: Option<Moment>,
    /// When it is too old to be served without asking.
    pub expires: Option<Moment>,
    /// Until when it may stand in where DynamoDB cannot be asked.
    pub stands_in_until: Option<Moment>,
}

impl Times {
    /// Whether the value may stand in for an answer.
    pub fn may_stand_in(&self, now: Moment) -> bool {
        self.stands_in_until.is_none_or(|until| !until.has_come(now))
    }

    /// Whether the value is read again if it is hot.
    pub fn refresh_due(&self, now: Moment) -> bool {
        self.refresh.is_some_and(|refresh| refresh.has_come(now))
    }
}

/// What else is known of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Whether it was asked for often enough to be read again before it expires.
    pub hot: bool,
    /// Whether a write may have left another value, so that this one is as good as expired.
    pub doubted: bool,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Fresh,
    /// Serve it, and ask again in the background.
    Refresh,
    /// Serve it as stale, and leave DynamoDB alone.
    Stale,
    /// Serve it as stale, and ask in the background.
    StaleAndAsk,
    /// Ask; if that fails or takes longer than the soft wait, serve it as stale.
    WaitSoftly,
    /// Ask, as if there were none.
    Wait,
}

/// The rule. The circuit is looked at only where it matters, which for most reads it does not.
pub fn verdict(
    times: &Times,
    standing: Standing,
    now: Moment,
    never_waits: bool,
    circuit: impl FnOnce() -> Circuit,
) -> Verdict {
    let fresh = !standing.doubted && times.expires.is_none_or(|expires| !expires.has_come(now));
    if fresh {
        let due = standing.hot && times.refresh_due(now);
        // While DynamoDB is away, one question at a time is enough, and who is fresh can wait.
        return if due && circuit() == Circuit::Closed { Verdict::Refresh } else { Verdict::Fresh };
    }
    if times.may_stand_in(now) { expired(circuit(), never_waits) } else { Verdict::Wait }
}

/// The rule for a value that is not fresh and may stand in, wherever it is from.
pub fn expired(circuit: Circuit, never_waits: bool) -> Verdict {
    match circuit {
        Circuit::Closed if never_waits => Verdict::StaleAndAsk,
        Circuit::Closed => Verdict::WaitSoftly,
        Circuit::ProbeDue => Verdict::StaleAndAsk,
        Circuit::Open => Verdict::Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read at 10 s; refreshed from 18 s; fresh until 20 s; stands in until 50 s.
    const TIMES: [u64; 4] = [10_000, 18_000, 20_000, 50_000];

    fn at(time: u64) -> Moment {
        Moment::at(time, time)
    }

    fn times() -> Times {
        let [read, refresh, expires, until] = TIMES.map(at);
        Times { read, refresh: Some(refresh), expires: Some(expires), stands_in_until: Some(until) }
    }

    fn all(times: Times, standing: Standing, now: u64, never_waits: bool) -> [Verdict; 3] {
        [Circuit::Closed, Circuit::Open, Circuit::ProbeDue]
            .map(|circuit| verdict(&times, standing, at(now), never_waits, || circuit))
    }

    #[test]
    fn a_read_is_decided_by_the_times_of_the_value_and_by_whether_dynamodb_answers() {
        use Verdict::{Fresh, Refresh, Stale, StaleAndAsk, Wait, WaitSoftly};
        let cold = Standing { hot: false, doubted: false };
        let hot = Standing { hot: true, doubted: false };
        let doubted = Standing { hot: true, doubted: true };
        //  now, what else,     closed, open, probe due
        for (now, standing, expected) in [
            (10_000, cold, [Fresh, Fresh, Fresh]),
            (17_999, hot, [Fresh, Fresh, Fresh]),
            (18_000, cold, [Fresh, Fresh, Fresh]),
            (18_000, hot, [Refresh, Fresh, Fresh]),
            (19_999, hot, [Refresh, Fresh, Fresh]),
            (20_000, cold, [WaitSoftly, Stale, StaleAndAsk]),
            (20_000, hot, [WaitSoftly, Stale, StaleAndAsk]),
            (49_999, hot, [WaitSoftly, Stale, StaleAndAsk]),
            (50_000, hot, [Wait, Wait, Wait]),
            (10_000, doubted, [WaitSoftly, Stale, StaleAndAsk]),
            (50_000, doubted, [Wait, Wait, Wait]),
        ] {
            assert_eq!(all(times(), standing, now, false), expected, "{standing:?} at {now}");
        }
    }

    #[test]
    fn who_never_waits_gets_what_stands_in_and_asks_in_the_background() {
        use Verdict::{Fresh, Stale, StaleAndAsk, Wait};
        let cold = Standing { hot: false, doubted: false };
        for (now, expected) in
            [(19_999, [Fresh, Fresh, Fresh]), (20_000, [StaleAndAsk, Stale, StaleAndAsk]), (50_000, [Wait, Wait, Wait])]
        {
            assert_eq!(all(times(), cold, now, true), expected, "at {now}");
        }
    }

    #[test]
    fn what_never_expires_is_fresh_until_a_write_leaves_it_in_doubt() {
        let times = Times { read: at(0), refresh: None, expires: None, stands_in_until: None };
        let long = 1_000_000_000;
        let hot = Standing { hot: true, doubted: false };
        assert_eq!(all(times, hot, long, false), [Verdict::Fresh; 3]);
        let doubted = Standing { hot: true, doubted: true };
        assert_eq!(all(times, doubted, long, false), [Verdict::WaitSoftly, Verdict::Stale, Verdict::StaleAndAsk]);
    }
}
