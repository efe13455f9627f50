//! Loads one thing in the background and hands it out: what [`super::state`] decides is done here.
//!
//! A load runs on a thread of its own: a file system, a program or a server that hangs holds up nobody else, no fork and no
//! cached read. A load that never ends keeps that one thread, and no second is begun.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Notify;

use super::THREAD;
use super::state::{Decision, Life, Now, State};
use super::{LoadFailure, LoadFailureKind};
use crate::runtime::{aside, lock};

/// So long a caller waits for a pause to end before it is told of the last failure instead: a value in the cache may
/// stand in for it.
const SOFT_WAIT: Duration = Duration::from_millis(250);

/// Loads one thing, and knows when it ends. May block, and may hang.
type Load<T, E> = dyn Fn(&Errand) -> Result<(T, Life), E> + Send + Sync;

/// What a load is told.
pub struct Errand {
    /// How long what is held is valid yet, if it ends.
    pub left: Option<Duration>,
    whose: Weak<()>,
}

impl Errand {
    /// Whether anybody is there yet to whom it matters. A load that may take long looks at this.
    pub fn is_wanted(&self) -> bool {
        self.whose.strong_count() > 0
    }
}

/// What is loaded once and shared by all who need it, until it is loaded anew.
pub struct Loader<T, E> {
    shared: Arc<Shared<T, E>>,
    /// How long a caller that needs it waits.
    patience: Duration,
    /// Whose the loads are: they outlive the loader, and are not wanted then.
    _whose: Arc<()>,
}

struct Shared<T, E> {
    state: Mutex<State<T, Unavailable<E>>>,
    changed: Notify,
    load: Box<Load<T, E>>,
    whose: Weak<()>,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable<E> {
    /// The last load failed.
    Failed(E),
    /// The load did not end in time, and goes on.
    Late(Duration),
    /// The system refuses a thread to load it on.
    NoThread(String),
    /// A bug ended the load.
    Broken,
}

impl From<Unavailable<LoadFailure>> for LoadFailure {
    fn from(why: Unavailable<LoadFailure>) -> Self {
        match why {
            Unavailable::Failed(failure) => failure,
            other => other.in_words(),
        }
    }
}

impl<E> Unavailable<E> {
    /// What did not come of the load itself.
    pub fn in_words(&self) -> LoadFailure {
        let (kind, why) = match self {
            Unavailable::Late(patience) => {
                (LoadFailureKind::TimedOut, format!("no answer within {} ms", patience.as_millis()))
            }
            Unavailable::NoThread(why) => (LoadFailureKind::Failing, format!("the system refuses a thread: {why}")),
            Unavailable::Broken | Unavailable::Failed(_) => {
                (LoadFailureKind::Failing, "a bug in flagstore ended it".to_owned())
            }
        };
        LoadFailure::new(kind, why)
    }
}

/// How a load can end.
type Ended<T, E> = Result<(T, Life), Unavailable<E>>;

impl<T, E> Loader<T, E>
where
    T: Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Loads nothing yet.
    pub fn new(patience: Duration, load: impl Fn(&Errand) -> Result<(T, Life), E> + Send + Sync + 'static) -> Self {
        let owner = Arc::new(());
        let whose = Arc::downgrade(&owner);
        let shared = Shared { state: Mutex::new(State::new()), changed: Notify::new(), load: Box::new(load), whose };
        Loader { shared: Arc::new(shared), patience, _whose: owner }
    }

    /// What to use now. Waits only when nothing valid is held.
    pub async fn current(&self, wall: SystemTime) -> Result<Arc<T>, Unavailable<E>> {
        let now = Now { wall, steady: Instant::now() };
        if let Some(held) = self.shared.at_once(now) {
            return Ok(held);
        }
        // Apart, since every request would carry the room that this needs once in a while.
        Box::pin(self.wait(now)).await
    }

    /// The service did not take it: the next is loaded anew.
    pub fn refused(&self, used: &Arc<T>) {
        lock(&self.shared.state).refused(used);
    }

    async fn wait(&self, begun: Now) -> Result<Arc<T>, Unavailable<E>> {
        let give_up = begun.steady + self.patience;
        let late = || Unavailable::Late(self.patience);
        let mut waited_for_a_load = false;
        loop {
            let steady = Instant::now();
            let now = Now { wall: begun.wall + steady.duration_since(begun.steady), steady };
            // Before the look, so that no change between the look and the wait is missed.
            let mut changed = std::pin::pin!(self.shared.changed.notified());
            changed.as_mut().enable();
            if let Some(held) = self.shared.at_once(now) {
                return Ok(held);
            }
            let (decision, failure) = {
                let state = lock(&self.shared.state);
                (state.decide(now), state.failure().cloned())
            };
            match (decision, failure) {
                (Decision::Use | Decision::UseAndLoad, _) => {}
                (Decision::Pause(until), Some(failure))
                    if waited_for_a_load || until > give_up.min(steady + SOFT_WAIT) =>
                {
                    return Err(failure);
                }
                (Decision::Pause(until), _) => tokio::time::sleep_until(until.into()).await,
                (Decision::Wait, _) => {
                    self.shared.begin(now);
                    waited_for_a_load = true;
                    tokio::time::timeout_at(give_up.into(), changed).await.map_err(|_| late())?;
                }
            }
            if Instant::now() >= give_up {
                return Err(late());
            }
        }
    }
}

impl<T, E> Shared<T, E>
where
    T: Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// What is held, if that is to be used. The next may begin to be loaded.
    fn at_once(self: &Arc<Self>, now: Now) -> Option<Arc<T>> {
        let state = lock(&self.state);
        let decision = state.decide(now);
        let held = state.held().cloned();
        drop(state);
        match decision {
            Decision::Use => held,
            Decision::UseAndLoad => {
                self.begin(now);
                held
            }
            Decision::Wait | Decision::Pause(_) => None,
        }
    }

    /// Begins a load, unless one is under way.
    fn begin(self: &Arc<Self>, now: Now) {
        let left = {
            let mut state = lock(&self.state);
            if state.loading() {
                return;
            }
            state.begins(now);
            state.left(now)
        };
        let (shared, errand) = (Arc::clone(self), Errand { left, whose: self.whose.clone() });
        let begun = aside(THREAD, move || {
            let ended = catch_unwind(AssertUnwindSafe(|| (shared.load)(&errand)));
            shared.end(now, ended.map_or(Err(Unavailable::Broken), |ended| ended.map_err(Unavailable::Failed)));
        });
        if let Err(error) = begun {
            self.end(now, Err(Unavailable::NoThread(error.to_string())));
        }
    }

    fn end(&self, begun: Now, ended: Ended<T, E>) {
        let steady = Instant::now();
        let now = Now { wall: begun.wall + steady.duration_since(begun.steady), steady };
        let mut state = lock(&self.state);
        match ended {
            Ok((value, life)) => state.loaded(value, life, now, fastrand::f64()),
            Err(failure) => state.failed(failure, now, fastrand::f64()),
        }
        drop(state);
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    type Answer = Result<(&'static str, Life), &'static str>;

    fn run<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
    }

    /// A loader whose loads wait to be told what they give, and how many there were.
    fn told(patience: Duration) -> (Loader<&'static str, &'static str>, Sender<Answer>, Arc<AtomicU32>) {
        let (tell, answers): (_, Receiver<Answer>) = channel();
        let (answers, loads) = (Mutex::new(answers), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&loads);
        let loader = Loader::new(patience, move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            lock(&answers).recv().unwrap_or(Err("nobody tells"))
        });
        (loader, tell, loads)
    }

    const LONG: Duration = Duration::from_secs(20);
    const SHORT: Duration = Duration::from_millis(30);

    #[test]
    fn a_load_that_hangs_is_waited_for_in_vain_and_not_begun_twice() {
        let (loader, tell, loads) = told(SHORT);
        let now = SystemTime::UNIX_EPOCH;
        for _ in 0..3 {
            assert_eq!(run(loader.current(now)), Err(Unavailable::Late(SHORT)));
        }
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        tell.send(Ok(("found", Life::Endless))).expect("it waits");
        let begun = Instant::now();
        while run(loader.current(now)).is_err() {
            assert!(begun.elapsed() < LONG, "it came and was not seen");
        }
        assert_eq!(loads.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn all_who_wait_get_what_comes_of_one_load() {
        let (loader, tell, loads) = told(LONG);
        let now = SystemTime::UNIX_EPOCH;
        run(async {
            let (first, second) = (loader.current(now), loader.current(now));
            let tells = async { tell.send(Ok(("found", Life::Endless))).expect("it waits") };
            let (first, second, ()) = futures_util::future::join3(first, second, tells).await;
            assert!(Arc::ptr_eq(&first.expect("found"), &second.expect("found")));
        });
        assert_eq!(loads.load(Ordering::Relaxed), 1);
        assert_eq!(run(loader.current(now)).map(|found| *found), Ok("found"));
    }

    #[test]
    fn who_waited_for_a_load_is_told_how_it_failed_and_the_next_asks_again() {
        let (loader, tell, _) = told(LONG);
        let now = SystemTime::UNIX_EPOCH;
        tell.send(Err("away")).expect("it will wait");
        assert_eq!(run(loader.current(now)), Err(Unavailable::Failed("away")));
        tell.send(Ok(("found", Life::Endless))).expect("it will wait");
        assert_eq!(
            run(loader.current(now)).map(|found| *found),
            Ok("found"),
            "the first pause is short enough to wait"
        );
    }

    #[test]
    fn what_the_service_does_not_take_is_loaded_anew() {
        let (loader, tell, loads) = told(LONG);
        let now = SystemTime::UNIX_EPOCH;
        tell.send(Ok(("old", Life::Endless))).expect("it will wait");
        let old = run(loader.current(now)).expect("found");
        loader.refused(&old);
        // Twice, as by two requests that were answered at the same time.
        loader.refused(&old);
        tell.send(Ok(("new", Life::Endless))).expect("it will wait");
        let new = run(loader.current(now)).expect("found");
        assert_eq!(*new, "new");
        loader.refused(&old);
        assert!(Arc::ptr_eq(&new, &run(loader.current(now)).expect("found")), "what was refused was the old one");
        loader.refused(&new);
        assert!(Arc::ptr_eq(&new, &run(loader.current(now)).expect("found")), "it was loaded a moment ago");
        assert_eq!(loads.load(Ordering::Relaxed), 2);
        tell.send(Ok(("newer", Life::Endless))).expect("it will wait");
        let begun = Instant::now();
        while *run(loader.current(now)).expect("found") != "newer" {
            assert!(begun.elapsed() < LONG, "it is not loaded again");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_bug_in_a_load_is_a_failure_and_not_the_last_load() {
        let loads = AtomicU32::new(0);
        let loader = Loader::<&str, &str>::new(LONG, move |_| {
            assert!(loads.fetch_add(1, Ordering::Relaxed) > 0, "a bug");
            Ok(("found", Life::Endless))
        });
        let now = SystemTime::UNIX_EPOCH;
        assert_eq!(run(loader.current(now)), Err(Unavailable::Broken));
        assert_eq!(run(loader.current(now)).map(|found| *found), Ok("found"));
    }
    #[test]
    fn a_load_is_not_wanted_once_the_loader_is_gone() {
        let (tell, seen) = channel();
        let loader = Loader::<&str, &str>::new(SHORT, move |errand| {
            tell.send(errand.is_wanted()).expect("it is looked at");
            let begun = Instant::now();
            while errand.is_wanted() && begun.elapsed() < LONG {
                std::thread::sleep(Duration::from_millis(1));
            }
            tell.send(errand.is_wanted()).expect("it is looked at");
            Err("nobody wants it")
        });
        assert_eq!(run(loader.current(SystemTime::UNIX_EPOCH)), Err(Unavailable::Late(SHORT)));
        assert_eq!(seen.recv(), Ok(true));
        drop(loader);
        assert_eq!(seen.recv(), Ok(false));
    }
}
