//! What happens around a fork, and in which order.
//!
//! Whoever holds a lock of the whole process, or threads, offers three things: `freeze` takes the locks before the fork
//! and waits for what must not be cut in half; `thaw` goes on in the parent; `renew` makes the child forget what belongs
//! to its parent's threads. Nothing that may take long is waited for: no request, no look-up of a name, no function of
//! the host.
//!
//! The order is that in which a call takes the same locks: handles, then queues, then the runtime with what is polled on it, then
//! what a poll may lock.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::dynamo::resolver;
use crate::ffi::{completions, handles};
use crate::runtime;

/// What the forking thread holds from just before the fork until just after.
struct Frozen {
    names: resolver::Frozen,
    runtime: runtime::Frozen,
    _completions: completions::Frozen,
    handles: handles::Frozen,
}

thread_local! {
    static FROZEN: RefCell<Option<Frozen>> = const { RefCell::new(None) };
}

/// Registers the handlers. They stay registered: the library is never unloaded.
///
/// Nobody goes on before they are there, and the child of a fork that came in between registers them itself. So two
/// threads, or a parent and its child, may both do it, and the handlers then run twice for one fork.
pub fn prepare() {
    static PREPARED: AtomicBool = AtomicBool::new(false);
    if PREPARED.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: the handlers are functions of this library, which is linked nodelete, and they take no arguments.
    // A failure (out of memory) leaves forks as unprotected as without handlers, which is all that can be done.
    unsafe {
        libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child));
    }
    PREPARED.store(true, Ordering::Release);
}

extern "C" fn before() {
    // A thread that is being torn down has no place to keep the locks, and then forks without them.
    let _ = FROZEN.try_with(|frozen| {
        frozen.borrow_mut().get_or_insert_with(|| {
            let handles = handles::freeze();
            let completions = completions::freeze();
            let runtime = runtime::freeze();
            Frozen { names: resolver::freeze(), runtime, _completions: completions, handles }
        });
    });
}

extern "C" fn after_in_parent() {
    if let Some(frozen) = taken() {
        frozen.names.thaw();
        frozen.runtime.thaw();
        frozen.handles.thaw();
    }
}

extern "C" fn after_in_child() {
    match taken() {
        Some(frozen) => {
            frozen.names.renew();
            frozen.runtime.renew();
            frozen.handles.renew();
        }
        None => runtime::forget(),
    }
}

/// `None` where handlers that were registered twice have been here already, or the thread is being torn down.
fn taken() -> Option<Frozen> {
    FROZEN.try_with(RefCell::take).ok().flatten()
}
