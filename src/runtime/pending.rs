//! Calls that wait for their outcome: each gets exactly one, whatever becomes of the threads that work on it.
//!
//! The outcome comes from the call's future; or, should somebody cancel the call, from giving that future up; or, should the
//! runtime die under it, from whoever finds the runtime dead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::stream::AbortHandle;

use super::lock;
use crate::model::{Error, Result};
use crate::numbers::{self, Kind};

/// Where the outcome goes.
type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// A call, and who waits for its outcome until that is there.
pub struct Call<T>(Mutex<Option<Done<T>>>);

impl<T> Call<T> {
    /// A call whose outcome goes to `done`.
    pub fn new(done: impl FnOnce(Result<T>) + Send + 'static) -> Arc<Self> {
        Arc::new(Call(Mutex::new(Some(Box::new(done)))))
    }

    /// Gives the outcome, unless there was one.
    pub fn end(&self, outcome: Result<T>) {
        // Not under the lock: it may run a function of the host.
        let done = lock(&self.0).take();
        if let Some(done) = done {
            done(outcome);
        }
    }

    /// Takes the call back. `false` if it has had its outcome.
    pub fn recall(&self) -> bool {
        lock(&self.0).take().is_some()
    }
}

/// A call of any kind.
pub trait Ends: Send + Sync {
    /// Gives an error for an outcome, unless there was one.
    fn fail(&self, error: Error);
}

impl<T> Ends for Call<T> {
    fn fail(&self, error: Error) {
        self.end(Err(error));
    }
}

/// Room that is kept for calls, however few there are.
const ROOM: usize = 128;

/// The calls that one runtime works on. What a rush took of memory goes with it.
#[derive(Default)]
pub struct Pending(Mutex<HashMap<u64, Underway>>);

struct Underway {
    call: Arc<dyn Ends>,
    cancel: AbortHandle,
}

impl Pending {
    /// Remembers a call, whose future is given up by `cancel`. Its number never comes back.
    pub fn add(&self, call: Arc<dyn Ends>, cancel: AbortHandle) -> u64 {
        let number = numbers::next(Kind::Call);
        lock(&self.0).insert(number, Underway { call, cancel });
        number
    }

    /// What gives up the future of a call; `None` if the call is over.
    pub fn cancel_of(&self, number: u64) -> Option<AbortHandle> {
        lock(&self.0).get(&number).map(|underway| underway.cancel.clone())
    }

    /// Forgets a call, which has had its outcome.
    pub fn remove(&self, number: u64) {
        let mut calls = lock(&self.0);
        let underway = calls.remove(&number);
        if calls.capacity() > 2 * ROOM && calls.len() < calls.capacity() / 8 {
            let room = ROOM.max(2 * calls.len());
            calls.shrink_to(room);
        }
        drop(calls);
        drop(underway);
    }

    /// All that have not ended.
    pub fn take(&self) -> Vec<Arc<dyn Ends>> {
        lock(&self.0).drain().map(|(_, underway)| underway.call).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::model::Code;

    #[test]
    fn what_a_rush_took_goes_with_it() {
        let pending = Pending::default();
        let add = |_| pending.add(Call::new(|_: Result<()>| {}), AbortHandle::new_pair().0);
        let numbers: Vec<_> = (0..10 * ROOM).map(add).collect();
        assert!(lock(&pending.0).capacity() >= 10 * ROOM);
        numbers.into_iter().for_each(|number| pending.remove(number));
        assert!(lock(&pending.0).capacity() <= 2 * ROOM);
    }

    #[test]
    fn a_call_has_one_outcome_wherever_it_comes_from() {
        let error = || Error::new(Code::Runtime, "gone");
        for (first, expected) in [("end", Ok(7)), ("fail", Err(Code::Runtime)), ("recall", Err(Code::Panic))] {
            let (sender, receiver) = channel();
            let pending = Pending::default();
            let call = Call::new(move |outcome: Result<u8>| sender.send(outcome).expect("the test waits"));
            let number = pending.add(Arc::<Call<u8>>::clone(&call), AbortHandle::new_pair().0);
            assert!(pending.cancel_of(number).is_some());
            match first {
                "end" => call.end(Ok(7)),
                "fail" => pending.take().iter().for_each(|call| call.fail(error())),
                _ => assert!(call.recall()),
            }
            call.end(Ok(8));
            call.fail(error());
            assert!(!call.recall());
            pending.remove(number);
            assert!(pending.cancel_of(number).is_none() && pending.take().is_empty());
            let outcomes: Vec<_> = receiver.try_iter().map(|outcome| outcome.map_err(|error| error.code)).collect();
            let expected = if first == "recall" { vec![] } else { vec![expected] };
            assert_eq!(outcomes, expected, "{first}");
        }
    }
}
