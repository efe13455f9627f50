//! Asking DynamoDB: one flight for all who ask the same meanwhile, and each waits for it as long as that is worth it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::breaker::{Circuit, Place};
use super::cache::Mark;
use super::flights::{self, Flight, GRACE};
use super::host::{Host, Turn};
use super::moment::Moment;
use super::question::Question;
use super::{Served, place};
use crate::model::options::LogLevel;
use crate::model::{Code, Error, Result};
use crate::runtime;
use crate::store::Store;
use crate::store::host_cache::Stamp;
use crate::store::statistics::count;

/// A flight that fails with less than this left of its time has failed by its deadline: too little for another attempt.
const TOO_LITTLE: Duration = Duration::from_millis(50);

impl Store {
    /// Asks DynamoDB, and waits as long as that is worth it.
    pub(super) async fn answer<Q: Question>(
        self: &Arc<Self>,
        question: Q,
        deadline: Instant,
    ) -> Result<Served<Q::Value>> {
        let fresh = |value| Served { value, stale: false };
        if !self.reading.keeps_values() {
            return self.ask(&question, deadline).await.map(fresh);
        }
        count(&self.statistics.misses);
        if let Some(served) = self.without_asking(&question) {
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
        self.report_failure(question, &error);
        let served = self.stand_in(question, error);
        if served.is_ok() {
            self.go_on(flight);
        }
        served
    }

    /// Asks so that the answer is kept, unless DynamoDB is away and somebody else finds out whether it is back. No thread
    /// to do it on is no reason to fail a call that has its value.
    pub(super) fn ask_in_background<Q: Question>(self: &Arc<Self>, question: &Q) {
        let now = Moment::now();
        if self.reading.circuit(question, now) == Circuit::Closed {
            let flight = self.join(question);
            if !flight.joined {
                self.go_on(flight);
            }
            return;
        }
        if let Some(probe) = self.reading.breaker.probe(place(question), now) {
            let flight = self.join(question);
            let _ = runtime::spawn(async move {
                let _ = flight.outcome.await;
                drop(probe);
            });
        }
    }

    /// Lets a flight go on for which nobody waits.
    pub(super) fn go_on<T: Clone + Send + Sync + 'static>(&self, flight: Flight<T>) {
        let _ = runtime::spawn(async move {
            let _ = flight.outcome.await;
        });
    }

    /// Joins the flight that asks this, or starts it. Without a cache nobody joins: each read sees what was written before.
    pub(super) fn join<Q: Question>(self: &Arc<Self>, question: &Q) -> Flight<Q::Value> {
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
        let shares = |host: &&Host| host.shares() && self.reading.circuit(question, Moment::now()) == Circuit::Closed;
        let claim = match host.filter(shares) {
            None => None,
            Some(host) => match host.turn(question, ends, |value| self.believes(question, value)).await {
                Turn::Found(value, age) => return Ok(self.kept(question, mark, value, age)),
                Turn::Mine(claim) => Some(claim),
                Turn::Alone => None,
            },
        };
        let as_of = host.map(|_| Stamp::now());
        let value = self.ask(question, ends).await.inspect_err(|error| self.report_failure(question, error))?;
        self.report_answer(Some(place(question)));
        let value = match &self.reading.told {
            Some(told) => question.met(told, value, Moment::now()),
            None => value,
        };
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

    pub(super) fn mark<Q: Question>(&self, question: &Q) -> Mark {
        match &self.reading.cache {
            Some(cache) => question.mark(cache),
            None => Mark::of_one_read(self.reading.uncached_reads.fetch_add(1, Ordering::Relaxed)),
        }
    }

    pub(super) fn kept<Q: Question>(&self, question: &Q, seen: Mark, value: Q::Value, age: Duration) -> Q::Value {
        match &self.reading.cache {
            Some(cache) => question.keep(cache, seen, value, age),
            None => value,
        }
    }

    /// DynamoDB answered this store for a place, or something else.
    pub(in crate::store) fn report_answer(&self, place: Option<Place>) {
        if self.reading.breaker.answered(place) {
            self.events.emit(LogLevel::Info, || format!("DynamoDB answers again for table \"{}\"", self.options.table));
            self.again.at_once();
        }
    }

    /// A question that was wrong says nothing about DynamoDB.
    fn report_failure<Q: Question>(&self, question: &Q, error: &Error) {
        if error.code.older_may_stand_in() && self.reading.breaker.failed(place(question), Moment::now()) {
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
