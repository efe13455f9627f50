//! Open stores by handle, across forks.
//!
//! A handle is a number with a generation inside (ffi-support's), so one that is zero, closed or invented is
//! recognised. The registry is what is true; every stripe of threads has a list of its own of the open stores, so that
//! calls on different threads do not wait for each other, nor for the processors' caches. No lock is held across I/O.
//!
//! A fork takes all these locks first and releases them on both sides, so a child never finds the registry
//! half-changed. In the child every store is made anew from its options at the first use of any handle; what the
//! parent built, with its connections and locks, is leaked where it lies.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard, Weak};

use ffi_support::{Handle, HandleMap};
use foldhash::fast::FixedState;

use crate::model::options::Options;
use crate::model::{Code, Error, Result};
use crate::runtime::{self, ForkGuard};
use crate::store::Store;
use crate::stripes::{Apart, STRIPES, Striped};

/// ffi-support's map panics at about 32,700 entries and is unusable from then on; this stays clear of it.
const MAX_HANDLES: usize = 32_000;

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

/// What the registry holds, for each stripe of threads.
static OPEN: Striped<RwLock<Open>> = Striped::new([const { Apart(RwLock::new(Open::NOTHING)) }; STRIPES]);

/// The open stores as a stripe's threads find them.
struct Open {
    /// The process these stores were made in, see [`runtime::forks`]; `None` before the first store.
    forks: Option<u64>,
    stores: HashMap<u64, Arc<Store>, FixedState>,
}

impl Open {
    const NOTHING: Open = Open { forks: None, stores: HashMap::with_hasher(FixedState::with_seed(0)) };
}

struct Registry {
    /// The process these stores were made in, see [`runtime::forks`].
    forks: u64,
    handles: HandleMap<Arc<Store>>,
    /// Every live handle, since the map cannot list them.
    live: HashSet<u64>,
    /// Live stores that equal options share.
    shared: HashMap<Options, Weak<Store>>,
    /// Stores that outlive their handles.
    persistent: HashMap<Options, Arc<Store>>,
}

impl Registry {
    fn new() -> Self {
        Registry {
            forks: runtime::forks(),
            handles: HandleMap::new_with_capacity(16),
            live: HashSet::new(),
            shared: HashMap::new(),
            persistent: HashMap::new(),
        }
    }

    /// Makes every store anew if the process was forked since, and leaks the inherited ones: dropping one would close
    /// the parent's connections and wait for locks whose holders do not exist here.
    fn renew_after_fork(&mut self) {
        if self.forks == runtime::forks() {
            return;
        }
        let mut renewed: HashMap<*const Store, Arc<Store>> = HashMap::new();
        let mut renew =
            |old: &Arc<Store>| Arc::clone(renewed.entry(Arc::as_ptr(old)).or_insert_with(|| old.renewed_after_fork()));
        for handle in &self.live {
            if let Ok(slot) = Handle::from_u64(*handle).and_then(|handle| self.handles.get_mut(handle)) {
                let new = renew(slot);
                std::mem::forget(std::mem::replace(slot, new));
            }
        }
        for slot in self.persistent.values_mut() {
            let new = renew(slot);
            std::mem::forget(std::mem::replace(slot, new));
        }
        std::mem::forget(std::mem::take(&mut self.shared));
        for store in renewed.into_values().filter(|store| store.options().shared) {
            self.shared.insert(store.options().clone(), Arc::downgrade(&store));
        }
        self.forks = runtime::forks();
        for open in OPEN.iter() {
            let stores = self.live.iter().filter_map(|handle| {
                let store = self.handles.get(Handle::from_u64(*handle).ok()?).ok()?;
                Some((*handle, Arc::clone(store)))
            });
            let renewed = Open { forks: Some(self.forks), stores: stores.collect() };
            std::mem::forget(std::mem::replace(&mut *write(open), renewed));
        }
    }

    fn insert(&mut self, store: Arc<Store>) -> u64 {
        let handle = self.handles.insert(Arc::clone(&store)).into_u64();
        self.live.insert(handle);
        for open in OPEN.iter() {
            let mut open = write(open);
            open.forks = Some(self.forks);
            open.stores.insert(handle, Arc::clone(&store));
        }
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
    hold_across_forks();
    let mut registry = registry();
    let registry = registry.get_or_insert_with(Registry::new);
    registry.renew_after_fork();
    if registry.handles.len() >= MAX_HANDLES {
        return Err(Error::new(
            Code::TooManyStores,
            format!("{MAX_HANDLES} handles are open: close stores that are no longer used"),
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
pub fn with<T>(handle: u64, quick: impl FnOnce(&Arc<Store>) -> T) -> Result<T> {
    {
        let open = OPEN.mine().read().unwrap_or_else(PoisonError::into_inner);
        if open.forks == Some(runtime::forks()) {
            return open.stores.get(&handle).map(quick).ok_or_else(|| invalid(handle));
        }
    }
    let mut registry = registry();
    let registry = registry.as_mut().ok_or_else(|| invalid(handle))?;
    registry.renew_after_fork();
    registry.handles.get(parse(handle)?).map(quick).map_err(|_| invalid(handle))
}

/// The store behind a handle.
pub fn get(handle: u64) -> Result<Arc<Store>> {
    with(handle, Arc::clone)
}

/// Closes a handle. Calls in flight finish on their own reference; the last reference closes the connections.
pub fn close(handle: u64) -> Result<()> {
    let parsed = parse(handle)?;
    let mut removed = Vec::new();
    {
        let mut registry = registry();
        let registry = registry.as_mut().ok_or_else(|| invalid(handle))?;
        registry.renew_after_fork();
        removed.push(registry.handles.remove(parsed).map_err(|_| invalid(handle))?);
        registry.live.remove(&handle);
        removed.extend(OPEN.iter().filter_map(|open| write(open).stores.remove(&handle)));
    }
    // Dropped after the locks are released: closing connections is not the other stores' business.
    drop(removed);
    Ok(())
}

fn parse(handle: u64) -> Result<Handle> {
    Handle::from_u64(handle).map_err(|_| invalid(handle))
}

fn invalid(handle: u64) -> Error {
    let what = if handle == 0 { "zero" } else { "not an open store" };
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

/// What the forking thread holds from just before the fork until just after, in the order in which it is taken.
struct HeldAcrossFork {
    _registry: MutexGuard<'static, Option<Registry>>,
    _open: Vec<RwLockWriteGuard<'static, Open>>,
    _runtime: ForkGuard,
}

thread_local! {
    static ACROSS_FORK: RefCell<Option<HeldAcrossFork>> = const { RefCell::new(None) };
}

/// Registers the fork handlers. They stay registered: the library is never unloaded.
///
/// Nobody goes on before they are there, and the child of a fork that came in between registers them itself. So two
/// threads, or a parent and its child, may both do it, and the handlers then run twice for one fork.
fn hold_across_forks() {
    static HELD: AtomicBool = AtomicBool::new(false);
    if cfg!(miri) || HELD.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the handlers are functions of this library, which is linked nodelete, and they take no arguments.
    // A failure (out of memory) leaves forks as unprotected as without handlers, which is all that can be done.
    #[cfg(not(miri))]
    unsafe {
        libc::pthread_atfork(Some(before_fork), Some(after_fork_in_parent), Some(after_fork_in_child));
    }
    HELD.store(true, Ordering::Release);
}

#[cfg(not(miri))]
extern "C" fn before_fork() {
    // A thread that is being torn down has no place to keep the locks, and then forks without them.
    let _ = ACROSS_FORK.try_with(|held| {
        held.borrow_mut().get_or_insert_with(|| HeldAcrossFork {
            _registry: registry(),
            _open: OPEN.iter().map(write).collect(),
            _runtime: runtime::before_fork(),
        });
    });
}

#[cfg(not(miri))]
extern "C" fn after_fork_in_parent() {
    let _ = ACROSS_FORK.try_with(|held| held.borrow_mut().take());
}

#[cfg(not(miri))]
extern "C" fn after_fork_in_child() {
    let held = ACROSS_FORK.try_with(|held| held.borrow_mut().take()).ok().flatten();
    runtime::after_fork_in_child();
    drop(held);
}
