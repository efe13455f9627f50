//! What is served without DynamoDB's answer: what is fresh, and what stands in.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Served;
use super::breaker::Circuit;
use super::cache::{Cache, Look, StandIn};
use super::moment::Moment;
use super::question::{Question, Sources};
use super::verdict::{Verdict, expired};
use crate::model::options::LogLevel;
use crate::model::{Error, Result};
use crate::store::Store;
use crate::store::host_cache::Standing;
use crate::store::statistics::count;

impl Store {
    /// Does what the verdict says, on a thread that may be an event loop's; `None` if that is to ask and wait, or to look at
    /// the host's files.
    pub(super) fn act<Q: Question>(
        self: &Arc<Self>,
        look: Look<Q::Value>,
        question: impl FnOnce() -> Q,
    ) -> Option<Served<Q::Value>> {
        let Look { verdict, value } = look;
        match verdict {
            Verdict::Fresh => Some(Served { value, stale: false }),
            Verdict::Refresh => {
                count(&self.statistics.refreshes);
                self.ask_in_background(&question());
                Some(Served { value, stale: false })
            }
            // A file may have something newer.
            Verdict::Stale | Verdict::StaleAndAsk if self.reading.host.is_some() => None,
            Verdict::Stale | Verdict::StaleAndAsk => {
                let served = self.while_away(verdict, &question(), Sources::Memory)?;
                self.reading.cache.iter().for_each(Cache::count_hit);
                Some(served)
            }
            Verdict::WaitSoftly | Verdict::Wait => None,
        }
    }

    /// What is fresh in the host's files, or stands in since DynamoDB is away. May read a file.
    pub(super) fn without_asking<Q: Question>(self: &Arc<Self>, question: &Q) -> Option<Served<Q::Value>> {
        if !self.reading.keeps_values() {
            return None;
        }
        if let Some(served) = self.fresh_on_host(question) {
            return Some(served);
        }
        let verdict = expired(self.reading.circuit(question, Moment::now()), self.reading.soft_wait.is_zero());
        self.while_away(verdict, question, Sources::All)
    }

    fn fresh_on_host<Q: Question>(self: &Arc<Self>, question: &Q) -> Option<Served<Q::Value>> {
        let host = self.reading.host.as_ref().filter(|host| host.shares())?;
        let mark = self.mark(question);
        let kept = host.look(question)?;
        if kept.standing == Standing::StandIn || !self.believes(question, &kept.value) {
            return None;
        }
        count(&host.hits);
        if kept.standing == Standing::Ageing && self.reading.circuit(question, Moment::now()) == Circuit::Closed {
            let flight = self.join(question);
            if !flight.joined {
                self.go_on(flight);
            }
        }
        Some(Served { value: self.kept(question, mark, kept.value, kept.age), stale: false })
    }

    /// Whether a value that another process read is none that this store's own writes contradict.
    pub(super) fn believes<Q: Question>(&self, question: &Q, value: &Q::Value) -> bool {
        let Some(floors) = &self.reading.floors else { return true };
        !question.consistently(floors, Moment::now()) && !question.is_below(floors, value)
    }

    /// What stands in at once, if something does and it is not worth waiting.
    fn while_away<Q: Question>(
        self: &Arc<Self>,
        verdict: Verdict,
        question: &Q,
        sources: Sources,
    ) -> Option<Served<Q::Value>> {
        if !matches!(verdict, Verdict::Stale | Verdict::StaleAndAsk) {
            return None;
        }
        let StandIn { value, age } = question.to_stand_in(&self.reading, Moment::now(), sources)?;
        count(&self.statistics.served_while_away);
        self.count_stale(age);
        if verdict == Verdict::StaleAndAsk {
            self.ask_in_background(question);
        }
        Some(Served { value, stale: true })
    }

    /// The value that may stand in, or the failure that it would stand in for.
    pub(super) fn stand_in<Q: Question>(&self, question: &Q, error: Error) -> Result<Served<Q::Value>> {
        let may = error.code.older_may_stand_in();
        let stand_in = may.then(|| question.to_stand_in(&self.reading, Moment::now(), Sources::All)).flatten();
        let Some(StandIn { value, age }) = stand_in else { return Err(error) };
        self.count_stale(age);
        self.events
            .emit(LogLevel::Warn, || format!("serving a stale value, known for {} ms: {error}", age.as_millis()));
        Ok(Served { value, stale: true })
    }

    pub(super) fn has_stand_in(&self, question: &impl Question, at: Moment) -> bool {
        question.to_stand_in(&self.reading, at, Sources::All).is_some()
    }

    /// Asked on the thread of the caller, which may be an event loop's: no file is read for it.
    pub(super) fn stands_in(&self, question: &impl Question, later: bool) -> bool {
        // What stands in has to do so when the wait is over, and until that is noticed.
        let over = if later { 2 * self.reading.soft_wait } else { Duration::ZERO };
        question.to_stand_in(&self.reading, Moment::now().after(over), Sources::Memory).is_some()
    }

    fn count_stale(&self, age: Duration) {
        count(&self.statistics.stale);
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.statistics.oldest_stale.fetch_max(age, Ordering::Relaxed);
    }
}
