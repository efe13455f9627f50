//! What a read does: fresh, refreshed in the background, stale now, or waited for. This is the one place that knows.
//!
//! A value comes from the cache while it is fresh, else from the host's files while it is fresh there, else from DynamoDB.
//! Where DynamoDB cannot be asked, the newest of what the cache, the host's files and what was told have stands in, and is
//! marked as stale. `verdict` is the rule; `cache` keeps values and their times; `host` has what other processes
//! read; `breaker` knows whether DynamoDB is worth waiting for; `flights` makes one request of many that ask the same;
//! `floors` knows what this store wrote, so that no replica takes it back; `writes` is what writes leave for reads.
//!
//! Without a cache each read asks for itself, and sees what was written before it began; with nothing that could stand in,
//! it waits for its answer.

pub mod breaker;
pub mod cache;
mod flights;
mod floors;
mod host;
pub mod moment;
mod question;
#[cfg(test)]
mod survival;
#[cfg(test)]
mod tests;
mod verdict;
mod writes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::model::options::{LogLevel, Options};
use crate::model::row::Row;
use crate::model::{Code, Error, Result};
use crate::runtime;

use super::events::Events;
use super::host_cache::{Stamp, Standing};
use super::statistics::count;
use super::told::Told;
use super::{Found, FoundAll, Rows, Store};
use breaker::{Breaker, Circuit};
use cache::{Cache, Look, Mark, StandIn};
use flights::{Flight, Flights, GRACE};
use floors::Floors;
use host::{Host, Turn};
use moment::Moment;
use question::{OneRow, Question, Sources, WholeKind};
use verdict::{Verdict, expired};

/// A flight that fails with less than this left of its time has failed by its deadline: too little for another attempt.
const TOO_LITTLE: Duration = Duration::from_millis(50);

/// What one store knows for its reads.
pub struct ReadThrough {
    cache: Option<Cache>,
    breaker: Arc<Breaker>,
    /// Only where reads may be answered by a replica.
    floors: Option<Floors>,
    rows: Flights<(OneRow, Mark), Option<Arc<Row>>>,
    lists: Flights<(WholeKind, Mark), Rows>,
    soft_wait: Duration,
    /// What init and upsert were given, if that is kept.
    told: Option<Told>,
    /// The host's files, if there are any.
    host: Option<Host>,
    /// Reads that were begun without a cache.
    uncached_reads: AtomicU64,
}

/// An answer, and whether it stands in for one.
struct Served<T> {
    value: T,
    stale: bool,
}

impl From<Served<Option<Arc<Row>>>> for Option<Found> {
    fn from(served: Served<Option<Arc<Row>>>) -> Self {
        served.value.map(|row| Found { row, stale: served.stale })
    }
}

impl From<Served<Rows>> for FoundAll {
    fn from(served: Served<Rows>) -> Self {
        FoundAll { rows: served.value, stale: served.stale }
    }
}

impl ReadThrough {
    /// Nothing is known yet.
    pub fn new(options: &Options, events: &Arc<Events>) -> ReadThrough {
        ReadThrough {
            cache: Cache::new(&options.cache),
            breaker: Breaker::new(),
            floors: (!options.consistent_reads).then(Floors::default),
            rows: Flights::new(),
            lists: Flights::new(),
            soft_wait: options.cache.soft_wait,
            told: options.keep_told.then(Told::default),
            host: Host::new(options, events),
            uncached_reads: AtomicU64::new(0),
        }
    }

    /// The cache, if there is one.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// What the store was told, if that is kept.
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// The host's files, if there are any.
    pub fn host(&self) -> Option<&Host> {
        self.host.as_ref()
    }

    /// What the host's files have to stand in.
    fn on_host<Q: Question>(&self, question: &Q) -> Option<StandIn<Q::Value>> {
        let kept = self.host.as_ref()?.look(question)?;
        Some(StandIn { value: kept.value, age: kept.age })
    }

    /// Whether there can be anything to serve but answers.
    fn keeps_values(&self) -> bool {
        self.cache.is_some() || self.told.is_some() || self.host.is_some()
    }

    /// Whether DynamoDB is not worth waiting for.
    pub fn away(&self) -> bool {
        self.breaker.circuit(Moment::now()) != Circuit::Closed
    }

    /// Forgets what may be served without asking. What was written stays known.
    pub fn clear(&self) {
        if let Some(cache) = &self.cache {
            cache.clear();
        }
        if let Some(host) = &self.host {
            host.with(|host| host.clear());
        }
    }
}

impl Store {
    /// What the cache has of a row, if that is to be served. Never blocks.
    #[inline]
    pub fn cached(self: &Arc<Self>, kind: &str, key: &str) -> Option<Option<Found>> {
        let look = self.reading.cache.as_ref()?.row(kind, key, &self.reading.breaker)?;
        if look.verdict == Verdict::Fresh {
            return Some(look.value.map(|row| Found { row, stale: false }));
        }
        self.act(look, || OneRow::new(kind, key)).map(Into::into)
    }

    /// What the cache has of a kind, if that is to be served. Never blocks.
    pub fn cached_list(self: &Arc<Self>, kind: &str) -> Option<FoundAll> {
        let look = self.reading.cache.as_ref()?.list(kind, &self.reading.breaker)?;
        self.act(look, || WholeKind::new(kind)).map(Into::into)
    }

    /// A row from DynamoDB, or what stands in for it.
    pub async fn read(self: &Arc<Self>, kind: &str, key: &str, deadline: Instant) -> Result<Option<Found>> {
        self.answer(OneRow::new(kind, key), deadline).await.map(Into::into)
    }

    /// A whole kind from DynamoDB, or what stands in for it.
    pub async fn read_all(self: &Arc<Self>, kind: &str, deadline: Instant) -> Result<FoundAll> {
        self.answer(WholeKind::new(kind), deadline).await.map(Into::into)
    }

    /// What stands in for a read of a row that could not even be begun, or never came back.
    pub fn instead_of_row(&self, kind: &str, key: &str, error: Error) -> Result<Option<Found>> {
        self.stand_in(&OneRow::new(kind, key), error).map(Into::into)
    }

    /// What stands in for a read of a kind that could not even be begun, or never came back.
    pub fn instead_of_list(&self, kind: &str, error: Error) -> Result<FoundAll> {
        self.stand_in(&WholeKind::new(kind), error).map(Into::into)
    }

    /// Whether something in memory may stand in for a read of a row: now, or also when a soft wait from now is over.
    pub fn stands_in_for_row(&self, kind: &str, key: &str, later: bool) -> bool {
        self.stands_in(&OneRow::new(kind, key), later)
    }

    /// The same for a read of a kind.
    pub fn stands_in_for_list(&self, kind: &str, later: bool) -> bool {
        self.stands_in(&WholeKind::new(kind), later)
    }

    /// How long a read for which something may stand in is worth waiting for.
    pub fn soft_wait(&self) -> Duration {
        self.reading.soft_wait
    }

    /// Asked on the thread of the caller, which may be an event loop's: no file is read for it.
    fn stands_in(&self, question: &impl Question, later: bool) -> bool {
        // What stands in has to do so when the wait is over, and until that is noticed.
        let over = if later { 2 * self.reading.soft_wait } else { Duration::ZERO };
        question.to_stand_in(&self.reading, Moment::now().after(over), Sources::Memory).is_some()
    }

    fn has_stand_in(&self, question: &impl Question, at: Moment) -> bool {
        question.to_stand_in(&self.reading, at, Sources::All).is_some()
    }

    /// What the host's files have of a row, if that is fresh. Reads a file.
    pub fn on_host(self: &Arc<Self>, kind: &str, key: &str) -> Option<Option<Found>> {
        self.fresh_on_host(&OneRow::new(kind, key)).map(Into::into)
    }

    /// What the host's files have of a kind, if that is fresh. Reads a file.
    pub fn list_on_host(self: &Arc<Self>, kind: &str) -> Option<FoundAll> {
        self.fresh_on_host(&WholeKind::new(kind)).map(Into::into)
    }

    fn fresh_on_host<Q: Question>(self: &Arc<Self>, question: &Q) -> Option<Served<Q::Value>> {
        let host = self.reading.host.as_ref().filter(|host| host.shares())?;
        let mark = self.mark(question);
        let kept = host.look(question)?;
        if kept.standing == Standing::StandIn || !self.believes(question, &kept.value) {
            return None;
        }
        count(&host.hits);
        if kept.standing == Standing::Ageing && self.reading.breaker.circuit(Moment::now()) == Circuit::Closed {
            let flight = self.join(question);
            if !flight.joined {
                self.go_on(flight);
            }
        }
        Some(Served { value: self.kept(question, mark, kept.value, kept.age), stale: false })
    }

    /// Whether a value that another process read is none that this store's own writes contradict.
    fn believes<Q: Question>(&self, question: &Q, value: &Q::Value) -> bool {
        let Some(floors) = &self.reading.floors else { return true };
        !question.consistently(floors, Moment::now()) && !question.is_below(floors, value)
    }

    fn mark<Q: Question>(&self, question: &Q) -> Mark {
        match &self.reading.cache {
            Some(cache) => question.mark(cache),
            None => Mark::of_one_read(self.reading.uncached_reads.fetch_add(1, Ordering::Relaxed)),
        }
    }

    fn kept<Q: Question>(&self, question: &Q, seen: Mark, value: Q::Value, age: Duration) -> Q::Value {
        match &self.reading.cache {
            Some(cache) => question.keep(cache, seen, value, age),
            None => value,
        }
    }

    /// Does what the verdict says; `None` if that is to ask and wait.
    fn act<Q: Question>(
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
            Verdict::Stale | Verdict::StaleAndAsk => self.serve_while_away(verdict, &question()),
            Verdict::WaitSoftly | Verdict::Wait => None,
        }
    }

    /// What stands in at once, if something does and it is not worth waiting.
    fn serve_while_away<Q: Question>(self: &Arc<Self>, verdict: Verdict, question: &Q) -> Option<Served<Q::Value>> {
        if !matches!(verdict, Verdict::Stale | Verdict::StaleAndAsk) {
            return None;
        }
        let StandIn { value, age } = question.to_stand_in(&self.reading, Moment::now(), Sources::All)?;
        count(&self.statistics.served_while_away);
        self.count_stale(age);
        if verdict == Verdict::StaleAndAsk {
            self.ask_in_background(question);
        }
        Some(Served { value, stale: true })
    }

    fn count_stale(&self, age: Duration) {
        count(&self.statistics.stale);
        let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.statistics.oldest_stale.fetch_max(age, Ordering::Relaxed);
    }

    /// Asks DynamoDB, and waits as long as that is worth it.
    async fn answer<Q: Question>(self: &Arc<Self>, question: Q, deadline: Instant) -> Result<Served<Q::Value>> {
        let fresh = |value| Served { value, stale: false };
        if !self.reading.keeps_values() {
            return self.ask(&question, deadline).await.map(fresh);
        }
        count(&self.statistics.misses);
        if let Some(served) = self.fresh_on_host(&question) {
            return Ok(served);
        }
        let verdict = expired(self.reading.breaker.circuit(Moment::now()), self.reading.soft_wait.is_zero());
        if let Some(served) = self.serve_while_away(verdict, &question) {
            return Ok(served);
        }
        let (end, over) = (deadline + 2 * GRACE, Moment::now().after(self.reading.soft_wait));
        let softly = Instant::now() + self.reading.soft_wait;
        let patience = if softly < deadline && self.has_stand_in(&question, over) { softly } else { end };
        loop {
            let flight = self.join(&question);
            if flight.joined {
                count(&self.statistics.coalesced);
            }
            let mut outcome = tokio::time::timeout_at(patience.into(), flight.outcome.clone()).await;
            if outcome.is_err() && patience < end && !self.has_stand_in(&question, Moment::now()) {
                // What was to stand in made room, or was forgotten, while DynamoDB was waited for.
                outcome = tokio::time::timeout_at(end.into(), flight.outcome.clone()).await;
            }
            let Ok(outcome) = outcome else { return self.waited_in_vain(&question, flight) };
            match outcome {
                Ok(value) => return Ok(fresh(value)),
                // Whoever had begun it had less time than is left here.
                Err(_) if flight.joined && ended_by_its_deadline(flight.ends, deadline) => {}
                Err(error) => return self.stand_in(&question, error),
            }
        }
    }

    /// Nothing came while it was worth waiting. If something stands in, the request goes on, and its answer is kept.
    fn waited_in_vain<Q: Question>(
        self: &Arc<Self>,
        question: &Q,
        flight: Flight<Q::Value>,
    ) -> Result<Served<Q::Value>> {
        let error = if self.has_stand_in(question, Moment::now()) {
            let waited = self.reading.soft_wait.as_millis();
            Error::new(Code::Timeout, format!("no answer within the soft wait of {waited} ms, which goes on"))
        } else {
            flights::too_late()
        };
        let error = error.during(question.attempt());
        self.report_failure(&error);
        let served = self.stand_in(question, error);
        if served.is_ok() {
            self.go_on(flight);
        }
        served
    }

    /// The value that may stand in, or the failure that it would stand in for.
    fn stand_in<Q: Question>(&self, question: &Q, error: Error) -> Result<Served<Q::Value>> {
        let may = error.code.older_may_stand_in();
        let stand_in = may.then(|| question.to_stand_in(&self.reading, Moment::now(), Sources::All)).flatten();
        let Some(StandIn { value, age }) = stand_in else { return Err(error) };
        self.count_stale(age);
        self.events
            .emit(LogLevel::Warn, || format!("serving a stale value, known for {} ms: {error}", age.as_millis()));
        Ok(Served { value, stale: true })
    }

    /// Asks so that the answer is kept, unless DynamoDB is away and somebody else finds out whether it is back. No thread
    /// to do it on is no reason to fail a call that has its value.
    fn ask_in_background<Q: Question>(self: &Arc<Self>, question: &Q) {
        let now = Moment::now();
        if self.reading.breaker.circuit(now) == Circuit::Closed {
            let flight = self.join(question);
            if !flight.joined {
                self.go_on(flight);
            }
            return;
        }
        let probe = self.reading.breaker.probe(now, question.time(&self.options) + 2 * GRACE);
        if let Some(probe) = probe {
            let flight = self.join(question);
            let _ = runtime::spawn(async move {
                let _ = flight.outcome.await;
                drop(probe);
            });
        }
    }

    /// Lets a flight go on for which nobody waits.
    fn go_on<T: Clone + Send + Sync + 'static>(&self, flight: Flight<T>) {
        let _ = runtime::spawn(async move {
            let _ = flight.outcome.await;
        });
    }

    /// Joins the flight that asks this, or starts it. Without a cache nobody joins: each read sees what was written before.
    fn join<Q: Question>(self: &Arc<Self>, question: &Q) -> Flight<Q::Value> {
        let mark = self.mark(question);
        let flights = Q::flights(&self.reading);
        flights.join(&(question.clone(), mark), question.time(&self.options), |ends| {
            let (store, question) = (Arc::clone(self), question.clone());
            async move { store.fly(&question, mark, ends).await }
        })
    }

    /// Brings a value: from the host's files if another process asks for it, else from DynamoDB.
    async fn fly<Q: Question>(&self, question: &Q, mark: Mark, ends: Instant) -> Result<Q::Value> {
        let host = self.reading.host.as_ref();
        // While DynamoDB is away, whoever asks is finding out whether it is back, which no file says.
        let shares = |host: &&Host| host.shares() && self.reading.breaker.circuit(Moment::now()) == Circuit::Closed;
        let claim = match host.filter(shares) {
            None => None,
            Some(host) => match host.turn(question, ends, |value| self.believes(question, value)).await {
                Turn::Found(value, age) => return Ok(self.kept(question, mark, value, age)),
                Turn::Mine(claim) => Some(claim),
                Turn::Alone => None,
            },
        };
        let as_of = host.map(|_| Stamp::now());
        let value = self.ask(question, ends).await.inspect_err(|error| self.report_failure(error))?;
        self.report_answer();
        if let (Some(host), Some(as_of)) = (host, as_of) {
            host.keep(question, &value, as_of);
        }
        // Only now, so that whoever looks next finds what was brought.
        drop(claim);
        Ok(self.kept(question, mark, value, Duration::ZERO))
    }

    /// Asks DynamoDB; a replica that has not seen what this store wrote is not believed.
    async fn ask<Q: Question>(&self, question: &Q, deadline: Instant) -> Result<Q::Value> {
        let Some(floors) = &self.reading.floors else { return question.ask(self, true, deadline).await };
        if !question.consistently(floors, Moment::now()) {
            let value = question.ask(self, false, deadline).await?;
            if !question.is_below(floors, &value) {
                return Ok(value);
            }
        }
        let writes = floors.writes();
        let value = question.ask(self, true, deadline).await?;
        question.settle(floors, &value, writes);
        Ok(value)
    }

    pub(in crate::store) fn report_answer(&self) {
        if self.reading.breaker.answered() {
            self.events.emit(LogLevel::Info, || format!("DynamoDB answers again for table \"{}\"", self.options.table));
            self.again.at_once();
        }
    }

    /// A question that was wrong says nothing about DynamoDB.
    fn report_failure(&self, error: &Error) {
        if error.code.older_may_stand_in() && self.reading.breaker.failed(Moment::now()) {
            self.events.emit(LogLevel::Warn, || {
                format!(
                    "DynamoDB does not answer for table \"{}\"; what was read before stands in where it may: {error}",
                    self.options.table
                )
            });
        }
    }
}

/// Whether a flight failed because its time was over, with more time left for whoever joined it.
fn ended_by_its_deadline(ends: Instant, deadline: Instant) -> bool {
    let now = Instant::now();
    ends < now + TOO_LITTLE && now + TOO_LITTLE < deadline
}
