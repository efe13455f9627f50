//! Open stores by handle, across forks.
//!
//! A handle is never given out twice: one that is zero, closed or invented is recognised, however many were opened since.
//! The registry is what is true; every stripe of threads has a list of its own of the open stores, so that calls on
//! different threads do not wait for each other, nor for the processors' caches. No lock is held across I/O.
//!
//! A fork takes all these locks first and releases them on both sides, so a child never finds the registry
//! half-changed. In the child, and where the runtime was replaced, every store is made anew from its options at the first
//! use of any handle; what was there before, with its connections and locks, is leaked where it lies.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, Weak};

use foldhash::fast::FixedState;

use crate::model::data_set::Collection;
use crate::model::options::Options;
use crate::model::{Code, Error, Result};
use crate::numbers::{self, Kind};
use crate::runtime;
use crate::store::Store;
use crate::store::calls::Call;
use crate::store::init::{Progress, Report};
use crate::stripes::{Apart, STRIPES, Striped};

/// Far more than any program uses, so that one that forgets to close its stores hears of it while it has memory: a handle
/// costs about half a kilobyte.
const MOST_HANDLES: usize = 65_536;

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// What the registry holds, for each stripe of threads.
static OPEN: Striped<RwLock<Open>> = Striped::new([const { Apart(RwLock::new(Open::NOTHING)) }; STRIPES]);

/// What a handle stands for.
#[derive(Clone)]
pub struct Opened {
    store: Arc<Store>,
    /// Whether a data set is known to be stored, by an answer that this handle had.
    initialized: Arc<AtomicBool>,
    /// The number of the queue that takes this handle's finished calls, or zero.
    completes_to: Arc<AtomicU64>,
}

impl Opened {
    fn new(store: Arc<Store>) -> Self {
        Opened { store, initialized: Arc::default(), completes_to: Arc::default() }
    }

    /// The number of the queue that takes this handle's finished calls, or zero.
    pub fn completes_to(&self) -> &AtomicU64 {
        &self.completes_to
    }

    /// [`Calls::initialized`]. Once this handle has heard that a data set is stored it stays so, whatever becomes of the
    /// table; another handle asks for itself, also where it shares the store.
    ///
    /// [`Calls::initialized`]: crate::store::calls::Calls::initialized
    pub fn initialized(&self) -> Call<'static, bool, impl Future<Output = Result<bool>> + Send + use<>> {
        let known = Arc::clone(&self.initialized);
        if known.load(Ordering::Relaxed) {
            return Call::Answered(true);
        }
        self.store.calls().initialized().noting(move |answer| {
            known.fetch_or(*answer, Ordering::Relaxed);
        })
    }

    /// [`Calls::init`], which is such an answer.
    ///
    /// [`Calls::init`]: crate::store::calls::Calls::init
    pub fn init(
        &self,
        data: Vec<Collection>,
        progress: &Progress,
    ) -> Call<'static, Report, impl Future<Output = Result<Report>> + Send + use<>> {
        let known = Arc::clone(&self.initialized);
        self.store.calls().init(data, progress).noting(move |_| known.store(true, Ordering::Relaxed))
    }
}

impl Deref for Opened {
    type Target = Arc<Store>;

    fn deref(&self) -> &Arc<Store> {
        &self.store
    }
}

/// The open stores by handle.
type Handles = HashMap<u64, Opened, FixedState>;

/// The open stores as a stripe's threads find them.
struct Open {
    /// The generation these stores were made in, see [`runtime::generation`]; `None` before the first store.
    generation: Option<u64>,
    handles: Handles,
}

impl Open {
    const NOTHING: Open = Open { generation: None, handles: HashMap::with_hasher(FixedState::with_seed(0)) };
}

struct Registry {
    /// The generation these stores were made in, see [`runtime::generation`].
    generation: u64,
    handles: Handles,
    /// Live stores that equal options share.
    shared: HashMap<Options, Weak<Store>>,
    /// Stores that outlive their handles.
    persistent: HashMap<Options, Arc<Store>>,
}

impl Registry {
    fn new() -> Self {
        Registry {
            generation: runtime::generation(),
            handles: Open::NOTHING.handles,
            shared: HashMap::new(),
            persistent: HashMap::new(),
        }
    }

    /// Makes every store anew if the process was forked since, or its runtime replaced, and leaks those that were there:
    /// dropping one would close connections that are the parent's, or numbers that are the host's by now, and wait for
    /// locks whose holders do not exist here.
    fn renew(&mut self) {
        let generation = runtime::generation();
        if self.generation == generation {
            return;
        }
        let mut renewed: HashMap<*const Store, Arc<Store>> = HashMap::new();
        let mut renew = |slot: &mut Arc<Store>| {
            let new = renewed.entry(Arc::as_ptr(slot)).or_insert_with(|| slot.renewed_after_fork());
            std::mem::forget(std::mem::replace(slot, Arc::clone(new)));
        };
        self.handles.values_mut().for_each(|opened| renew(&mut opened.store));
        self.persistent.values_mut().for_each(renew);
        std::mem::forget(std::mem::take(&mut self.shared));
        for store in renewed.into_values().filter(|store| store.options().shared) {
            self.shared.insert(store.options().clone(), Arc::downgrade(&store));
        }
        self.generation = generation;
        for open in OPEN.iter() {
            let renewed = Open { generation: Some(generation), handles: self.handles.clone() };
            std::mem::forget(std::mem::replace(&mut *write(open), renewed));
        }
    }

    fn insert(&mut self, store: Arc<Store>) -> u64 {
        let handle = numbers::next(Kind::Store);
        let opened = Opened::new(store);
        for open in OPEN.iter() {
            let mut open = write(open);
            open.generation = Some(self.generation);
            open.handles.insert(handle, opened.clone());
        }
        self.handles.insert(handle, opened);
        handle
    }

    fn store_for(&mut self, options: Options) -> Arc<Store> {
        if !options.shared {
            return Store::open(options);
        }
        if let Some(store) = self.shared.get(&options).and_then(Weak::upgrade) {
            return store;
        }
        self.shared.retain(|_, store| store.strong_count() > 0);
        let store = Store::open(options.clone());
        if options.persistent {
            self.persistent.insert(options.clone(), Arc::clone(&store));
        }
        self.shared.insert(options, Arc::downgrade(&store));
        store
    }
}

/// Opens a store and returns its handle. Costs no I/O.
pub fn open(options: Options) -> Result<u64> {
    crate::fork::prepare();
    runtime::loaded::stay();
    let mut registry = registry();
    let registry = registry.get_or_insert_with(Registry::new);
    registry.renew();
    if registry.handles.len() >= MOST_HANDLES {
        return Err(Error::new(
            Code::TooManyStores,
            format!("{MOST_HANDLES} handles are open: close stores that are no longer used"),
        ));
    }
    let store = registry.store_for(options);
    Ok(registry.insert(store))
}

/// Gives a handle to a store that a test made.
#[cfg(any(test, fuzzing))]
pub fn insert(store: Arc<Store>) -> u64 {
    registry().get_or_insert_with(Registry::new).insert(store)
}

/// Does something that takes no time with the store behind a handle: closing any store waits for it.
pub fn with<T>(handle: u64, quick: impl FnOnce(&Opened) -> T) -> Result<T> {
    {
        let open = OPEN.mine().read().unwrap_or_else(PoisonError::into_inner);
        if open.generation == Some(runtime::generation()) {
            return open.handles.get(&handle).map(quick).ok_or_else(|| invalid(handle));
        }
    }
    let mut registry = registry();
    let registry = registry.as_mut().ok_or_else(|| invalid(handle))?;
    registry.renew();
    registry.handles.get(&handle).map(quick).ok_or_else(|| invalid(handle))
}

/// The store behind a handle, on a runtime that works.
pub fn get(handle: u64) -> Result<Opened> {
    runtime::heal();
    with(handle, Opened::clone)
}

/// Closes a handle. Calls in flight finish on their own reference; the last reference closes the connections.
pub fn close(handle: u64) -> Result<()> {
    // Connections of a dead runtime are numbers that may be the host's.
    runtime::heal();
    let mut removed = Vec::new();
    {
        let mut registry = registry();
        let registry = registry.as_mut().ok_or_else(|| invalid(handle))?;
        registry.renew();
        removed.push(without(&mut registry.handles, handle).ok_or_else(|| invalid(handle))?);
        removed.extend(OPEN.iter().filter_map(|open| without(&mut write(open).handles, handle)));
    }
    // Dropped after the locks are released: closing connections is not the other stores' business.
    drop(removed);
    Ok(())
}

/// Takes a handle out. What many handles took of memory, once for each stripe, goes with them.
fn without(handles: &mut Handles, handle: u64) -> Option<Opened> {
    let removed = handles.remove(&handle);
    if handles.len() < handles.capacity() / 4 {
        let room = 2 * handles.len();
        handles.shrink_to(room);
    }
    removed
}

fn invalid(handle: u64) -> Error {
    let what = match numbers::kind_of(handle) {
        _ if handle == 0 => "zero",
        Some(Kind::Queue) => "a completion queue's, not a store's",
        Some(Kind::Call) => "a call's, not a store's",
        Some(Kind::Store) | None => "not an open store",
    };
    Error::new(
        Code::InvalidHandle,
        format!("the handle {handle} is {what}: use the one that store_open gave, until store_close"),
    )
}

fn registry() -> MutexGuard<'static, Option<Registry>> {
    runtime::lock(&REGISTRY)
}

fn write(open: &RwLock<Open>) -> RwLockWriteGuard<'_, Open> {
    open.write().unwrap_or_else(PoisonError::into_inner)
}

/// The locks of this module, held across a fork.
pub struct Frozen {
    _registry: MutexGuard<'static, Option<Registry>>,
    _open: Vec<RwLockWriteGuard<'static, Open>>,
}

/// Before a fork, in the order in which calls take the locks.
pub fn freeze() -> Frozen {
    Frozen { _registry: registry(), _open: OPEN.iter().map(write).collect() }
}

impl Frozen {
    /// After the fork, in the parent.
    pub fn thaw(self) {}

    /// After the fork, in the child. Stores are made anew at their first use, since a child that only starts a program uses
    /// none.
    pub fn renew(self) {}
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_handle_never_comes_back_and_is_positive_in_every_language() {
        let store = Store::open(Options::for_table("flags"));
        let first = insert(Arc::clone(&store));
        assert_eq!(close(first), Ok(()));
        // More than a generation of 15 or 16 bits could number; fewer where each costs a thousandfold.
        let rounds = if cfg!(miri) { 100 } else { 70_000 };
        let mut seen = HashSet::from([first]);
        for _ in 0..rounds {
            let handle = insert(Arc::clone(&store));
            assert!(seen.insert(handle) && i64::try_from(handle).is_ok_and(|handle| handle > 0));
            assert_eq!(close(handle), Ok(()));
        }
        assert_eq!(get(first).map(drop).map_err(|error| error.code), Err(Code::InvalidHandle));
        assert_eq!(close(first).map_err(|error| error.code), Err(Code::InvalidHandle));
        assert_eq!(close(0).map_err(|error| error.code), Err(Code::InvalidHandle));
    }
}
