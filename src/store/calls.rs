//! The store's calls: each described once (its deadline, what its errors begin with, its work), and two ways to run it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::big_segments::Membership;
use super::report::{Progress, Report};
use super::{Found, FoundAll, Store, Upserted};
use crate::model::data_set::Collection;
use crate::model::row::Item;
use crate::model::{Code, Error, Result};
use crate::runtime::panics::caught;
use crate::runtime::{self, Softly};

/// A call that is described and not begun. Its work ends itself at the deadline, and is given up by being dropped.
#[must_use = "a call does nothing until it is run"]
pub enum Call<'a, T, W> {
    /// The answer is there without asking.
    Answered(T),
    /// DynamoDB has to be asked.
    Ask {
        /// When the work ends, whatever happened by then.
        deadline: Instant,
        /// Until when it is waited for at first, and whether that is all that it is worth waiting.
        softly: Option<Softly<'a>>,
        /// What errors begin with.
        attempt: Attempt<'a>,
        /// What brings the answer.
        work: W,
    },
}

impl<T: Send + 'static, W: Future<Output = Result<T>> + Send + 'static> Call<'_, T, W> {
    /// Runs it, and waits for its answer.
    pub fn wait(self) -> Result<T> {
        match self {
            Call::Answered(answer) => Ok(answer),
            Call::Ask { deadline, softly, attempt, work } => runtime::block_on(deadline, softly, attempt, work),
        }
    }

    /// Runs it; `done` gets its answer, on one of the library's threads. An error here means that it never will.
    pub fn then(self, done: impl FnOnce(Result<T>) + Send + 'static) -> Result<()> {
        self.begin(drop, done)
    }

    /// The same; `begun` gets the number to cancel it by before it begins.
    pub fn begin(self, begun: impl FnOnce(u64), done: impl FnOnce(Result<T>) + Send + 'static) -> Result<()> {
        match self {
            Call::Answered(answer) => runtime::spawn_then(async { Ok(answer) }, begun, done),
            Call::Ask { work, attempt, .. } => {
                // Who cancels a call does not know what it was, and its work is gone by then.
                let cancelled = format!("{attempt}: {}", attempt.when_cancelled());
                let named = move |error: Error| match error.code {
                    Code::Cancelled => Error::new(Code::Cancelled, cancelled),
                    _ => error,
                };
                runtime::spawn_then(work, begun, move |outcome| done(outcome.map_err(named)))
            }
        }
    }
}

impl<'a, T, W: Future<Output = Result<T>> + Send> Call<'a, T, W> {
    /// The same call, whose answer is shown to `note` as well.
    pub fn noting<N: FnOnce(&T) + Send>(
        self,
        note: N,
    ) -> Call<'a, T, impl Future<Output = Result<T>> + Send + use<T, W, N>> {
        match self {
            Call::Answered(answer) => {
                note(&answer);
                Call::Answered(answer)
            }
            Call::Ask { deadline, softly, attempt, work } => {
                Call::Ask { deadline, softly, attempt, work: async move { work.await.inspect(note) } }
            }
        }
    }
}

impl<'a, T, W> Call<'a, T, W> {
    /// The same call, waited for only softly.
    fn waiting(mut self, wait: Option<Softly<'a>>) -> Self {
        if let Call::Ask { softly, .. } = &mut self {
            *softly = wait;
        }
        self
    }
}

/// Every call of a store, by its name.
#[derive(Clone, Copy)]
pub struct Calls<'s>(&'s Arc<Store>);

impl Calls<'_> {
    /// One row, a tombstone too. `None` if there is none, or none that can be read.
    pub fn get<'a>(
        self,
        kind: &'a str,
        key: &'a str,
    ) -> Call<'a, Option<Found>, impl Future<Output = Result<Option<Found>>> + Send + use<>>
    where
        Self: 'a,
    {
        if let Some(found) = self.0.cached(kind, key) {
            return Call::Answered(found);
        }
        let (owned_kind, owned_key) = (kind.to_owned(), key.to_owned());
        let softly =
            self.softly(self.0.stands_in_for_row(kind, key, true), move || self.0.stands_in_for_row(kind, key, false));
        let call = self.ask(self.0.options.timeout, Attempt::Get { kind, key }, |store, deadline| async move {
            store.read(&owned_kind, &owned_key, deadline).await
        });
        call.waiting(softly)
    }

    /// All rows of a kind, tombstones too.
    pub fn all<'a>(self, kind: &'a str) -> Call<'a, FoundAll, impl Future<Output = Result<FoundAll>> + Send + use<>>
    where
        Self: 'a,
    {
        if let Some(found) = self.0.cached_list(kind) {
            return Call::Answered(found);
        }
        let owned = kind.to_owned();
        let softly = self.softly(self.0.stands_in_for_list(kind, true), move || self.0.stands_in_for_list(kind, false));
        let call = self.ask(self.0.options.all_timeout, Attempt::All { kind }, |store, deadline| async move {
            store.read_all(&owned, deadline).await
        });
        call.waiting(softly)
    }

    /// Writes an item if the stored one is older or missing.
    pub fn upsert<'a>(
        self,
        kind: &'a str,
        item: &'a Item,
    ) -> Call<'a, Upserted, impl Future<Output = Result<Upserted>> + Send + use<>> {
        let (owned_kind, owned_item) = (kind.to_owned(), item.clone());
        self.ask(self.0.options.timeout, Attempt::Upsert { kind, key: &item.key }, |store, deadline| async move {
            store.write(&owned_kind, &owned_item, deadline).await
        })
    }

    /// Replaces the data set of the given kinds, then marks the store as initialised. What it has done by now stands in
    /// `progress`, for whoever ends it early.
    pub fn init(
        self,
        data: Vec<Collection>,
        progress: &Progress,
    ) -> Call<'static, Report, impl Future<Output = Result<Report>> + Send + use<>> {
        let progress = progress.clone();
        self.ask(self.0.options.init_timeout, Attempt::Init, |store, deadline| async move {
            store.replace(data, deadline, &progress).await
        })
    }

    /// Whether a data set was ever stored.
    pub fn initialized(self) -> Call<'static, bool, impl Future<Output = Result<bool>> + Send + use<>> {
        self.ask(self.0.options.timeout, Attempt::Initialized, |store, deadline| async move {
            store.is_initialized(deadline).await
        })
    }

    /// Whether the table answers; the error says why not.
    pub fn available(self) -> Call<'static, (), impl Future<Output = Result<()>> + Send + use<>> {
        self.ask(self.0.options.timeout, Attempt::Initialized, |store, deadline| async move {
            store.answers(deadline).await
        })
    }

    /// When the big segments were last brought up to date, in milliseconds of Unix time.
    pub fn big_segments_metadata(
        self,
    ) -> Call<'static, Option<i64>, impl Future<Output = Result<Option<i64>>> + Send + use<>> {
        self.ask(self.0.options.timeout, Attempt::BigSegmentsMetadata, |store, deadline| async move {
            store.read_metadata(deadline).await
        })
    }

    /// The big segments that name a context, by the hash of its key.
    pub fn big_segments_membership(
        self,
        hash: &str,
    ) -> Call<'static, Option<Membership>, impl Future<Output = Result<Option<Membership>>> + Send + use<>> {
        let hash = hash.to_owned();
        self.ask(self.0.options.timeout, Attempt::BigSegmentsMembership, |store, deadline| async move {
            store.read_membership(&hash, deadline).await
        })
    }

    /// The soft wait of a read for which something may stand in, as long as that is so.
    fn softly<'a>(self, stands_in: bool, still: impl Fn() -> bool + 'a) -> Option<Softly<'a>> {
        let until = Instant::now() + self.0.soft_wait();
        stands_in.then(|| Softly { until, worth: Box::new(still) })
    }

    /// Work that holds the store for as long as it takes, at most `patience` from now.
    fn ask<'a, T, W>(
        self,
        patience: Duration,
        attempt: Attempt<'a>,
        work: impl FnOnce(Arc<Store>, Instant) -> W,
    ) -> Call<'a, T, W> {
        let deadline = Instant::now() + patience;
        Call::Ask { deadline, softly: None, attempt, work: work(Arc::clone(self.0), deadline) }
    }
}

/// Every call, waited for.
impl Store {
    /// The calls, each to be run in either way.
    pub fn calls(self: &Arc<Self>) -> Calls<'_> {
        Calls(self)
    }

    /// [`Calls::get`].
    pub fn get(self: &Arc<Self>, kind: &str, key: &str) -> Result<Option<Found>> {
        // On this thread, which waits anyway; what is asynchronous looks on the library's.
        if let Some(found) = self.cached(kind, key).or_else(|| self.at_hand(kind, key)) {
            return Ok(found);
        }
        self.calls().get(kind, key).wait().or_else(|error| self.instead_of_row(kind, key, error))
    }

    /// [`Calls::all`].
    pub fn all(self: &Arc<Self>, kind: &str) -> Result<FoundAll> {
        if let Some(found) = self.cached_list(kind).or_else(|| self.list_at_hand(kind)) {
            return Ok(found);
        }
        self.calls().all(kind).wait().or_else(|error| self.instead_of_list(kind, error))
    }

    /// [`Calls::get`], without waiting. A read that never came back is one that something may stand in for.
    pub fn get_then(
        self: &Arc<Self>,
        kind: &str,
        key: &str,
        begun: impl FnOnce(u64),
        done: impl FnOnce(Result<Option<Found>>) + Send + 'static,
    ) -> Result<()> {
        let (store, question) = (Arc::clone(self), (kind.to_owned(), key.to_owned()));
        let done = move |outcome: Result<_>| {
            // There is one outcome, whatever happens here.
            done(caught(|| outcome.or_else(|error| store.instead_of_row(&question.0, &question.1, error))));
        };
        self.calls().get(kind, key).begin(begun, done)
    }

    /// [`Calls::all`], without waiting.
    pub fn all_then(
        self: &Arc<Self>,
        kind: &str,
        begun: impl FnOnce(u64),
        done: impl FnOnce(Result<FoundAll>) + Send + 'static,
    ) -> Result<()> {
        let (store, question) = (Arc::clone(self), kind.to_owned());
        let done = move |outcome: Result<_>| {
            done(caught(|| outcome.or_else(|error| store.instead_of_list(&question, error))));
        };
        self.calls().all(kind).begin(begun, done)
    }

    /// [`Calls::upsert`].
    pub fn upsert(self: &Arc<Self>, kind: &str, item: &Item) -> Result<Upserted> {
        self.calls().upsert(kind, item).wait()
    }

    /// [`Calls::init`].
    pub fn init(self: &Arc<Self>, data: Vec<Collection>) -> Result<Report> {
        self.calls().init(data, &Progress::default()).wait()
    }

    /// [`Calls::initialized`].
    pub fn initialized(self: &Arc<Self>) -> Result<bool> {
        self.calls().initialized().wait()
    }

    /// [`Calls::available`].
    pub fn available(self: &Arc<Self>) -> Result<()> {
        self.calls().available().wait()
    }

    /// [`Calls::big_segments_metadata`].
    pub fn big_segments_metadata(self: &Arc<Self>) -> Result<Option<i64>> {
        self.calls().big_segments_metadata().wait()
    }

    /// [`Calls::big_segments_membership`].
    pub fn big_segments_membership(self: &Arc<Self>, hash: &str) -> Result<Option<Membership>> {
        self.calls().big_segments_membership(hash).wait()
    }
}
