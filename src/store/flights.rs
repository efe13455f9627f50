//! Reads on their way: whoever misses the same thing meanwhile waits for the same answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::model::Result;
use crate::runtime::lock;

/// A read that several wait for.
pub type Flight<T> = Shared<BoxFuture<'static, Result<T>>>;

/// The reads of one kind that are on their way.
pub struct Flights<K, T: Clone>(Mutex<HashMap<K, Flight<T>>>);

impl<K: Hash + Eq + Clone, T: Clone> Flights<K, T> {
    /// None yet.
    pub fn new() -> Self {
        Flights(Mutex::default())
    }

    /// Joins the read of this key, or starts it. The second value says whether it was joined. Who starts a read
    /// calls [`Flights::landed`] when it is over.
    pub fn join(&self, key: &K, start: impl FnOnce() -> BoxFuture<'static, Result<T>>) -> (Flight<T>, bool) {
        let mut flights = lock(&self.0);
        if let Some(flight) = flights.get(key) {
            return (flight.clone(), true);
        }
        let flight = start().shared();
        flights.insert(key.clone(), flight.clone());
        (flight, false)
    }

    /// The read is over: the next one to miss starts anew.
    pub fn landed(&self, key: &K) {
        lock(&self.0).remove(key);
    }
}
