//! From a host's name to its addresses, on threads of our own.
//!
//! The system's look-up blocks, for as long as its name servers take. So each runs on a thread that it has for itself and
//! that ends with it: one that hangs holds up nobody who asks for another name, no fork and no shutdown. There is one
//! look-up per name at a time, which whoever asks meanwhile joins. It goes on when they give up, so that what took longer
//! than one attempt is there for the next: a first name server that is dead (five seconds, by the C library's habit) costs
//! the calls of the first look-up and none after. An answer is kept for a while, and beyond that while no newer one comes.
//!
//! That the system refuses a thread is an answer as well, and one that may be another in a moment.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::runtime::{self, lock, threads};

/// How long an answer is as good as a new one. DynamoDB's own names are to be asked for again after 5 s, and keep
/// their addresses for minutes; connections live longer than either.
const FRESH: Duration = Duration::from_secs(30);
/// How long an answer may stand in for a look-up that fails or hangs: also for a process that connects once in hours. Who
/// answers at an address that is of somebody else by then has no certificate for the name.
const USABLE: Duration = Duration::from_secs(24 * 3600);
/// How long a look-up is waited for by who has an older answer.
const PATIENCE_WITH_AN_ANSWER: Duration = Duration::from_millis(250);
/// After this a look-up counts as lost, and another is started beside it.
const LOST: Duration = Duration::from_secs(30);
/// Most look-ups at a time, lost ones included: each is a thread.
const MOST_LOOKUPS: usize = 32;
/// Most names that are remembered. A process talks to a handful.
const MOST_NAMES: usize = 256;
/// Stack of a look-up: the C library's modules for names use some tens of kilobytes, others' may use more.
const STACK_BYTES: usize = 256 * 1024;

/// What is known of the names that this process asked for.
static NAMES: Mutex<Option<Names>> = Mutex::new(None);

/// Looks names up for one store's connections.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// How long one connection waits for its name.
    patience: Duration,
    system: System,
}

/// Asks the system. Blocks.
type System = fn(&str) -> io::Result<Vec<IpAddr>>;

fn system(name: &str) -> io::Result<Vec<IpAddr>> {
    Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

impl Resolver {
    /// For connections that may take this long to be made.
    pub fn new(connect_timeout: Duration) -> Self {
        Resolver::asking(connect_timeout, system)
    }

    /// The same, with something else to ask.
    pub(super) fn asking(connect_timeout: Duration, system: System) -> Self {
        // A little less, so that it is said what was waited for.
        Resolver { patience: connect_timeout.mul_f64(0.9), system }
    }

    /// The addresses of a name, or of what is an address already.
    pub async fn resolve(&self, name: &str) -> Outcome {
        if let Ok(literal) = name.parse() {
            return Ok(vec![literal]);
        }
        let (waiting, older, refused) = {
            let mut names = lock(&NAMES);
            let names = names.get_or_insert_with(Names::default);
            let now = Instant::now();
            let (older, start) = match names.ask(name, now) {
                Asked::Known(addresses) => return Ok(addresses),
                Asked::Wait { older, start } => (older, start),
            };
            let waiting = names.join(name);
            let refused = start.and_then(|number| names.start(name, number, now, self.system));
            (waiting, older, refused)
        };
        if let Some((waiters, failure)) = refused {
            tell(waiters, &Err(failure));
        }
        let patience = if older.is_some() { self.patience.min(PATIENCE_WITH_AN_ANSWER) } else { self.patience };
        match (tokio::time::timeout(patience, waiting).await, older) {
            (Ok(Ok(Ok(addresses))), _) | (_, Some(addresses)) => Ok(addresses),
            (Ok(Ok(Err(failure))), None) => Err(failure),
            (Ok(Err(_)) | Err(_), None) => Err(Failure { name: name.into(), why: Why::NoAnswerYet }),
        }
    }
}

/// What a look-up brings.
pub type Outcome = Result<Vec<IpAddr>, Failure>;

/// A name without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    name: String,
    why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    /// The name servers do not know it.
    NotFound,
    /// The name servers do not answer, says the system.
    NoAnswer,
    /// The system has not said anything yet.
    NoAnswerYet,
    /// No thread to ask the system on.
    NoThread(String),
    /// What else the system says.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = shown(&self.name);
        match &self.why {
            Why::NotFound => write!(f, "DNS: {name} was not found"),
            Why::NoAnswer => write!(f, "DNS: no answer from the name servers for {name}"),
            Why::NoAnswerYet => write!(f, "DNS: no answer from the name servers for {name} in time"),
            Why::NoThread(why) => write!(f, "DNS: no thread to look up {name} on, {why}"),
            Why::Other(why) => write!(f, "DNS: looking up {name} failed, {why}"),
        }
    }
}

impl StdError for Failure {}

/// A name as people write them. With other letters a part of it, the region, may be something secret that came to the wrong
/// place.
fn shown(name: &str) -> String {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if name.bytes().all(usual) { format!("the name \"{name}\"") } else { "the endpoint's name".to_owned() }
}

impl Failure {
    /// What the system says comes without its number, but in few words.
    fn of_system(name: &str, error: &io::Error) -> Self {
        let text = error.to_string();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        // Of glibc, musl and macOS.
        let why = if says(&["not known", "does not resolve", "No address associated", "has no usable address"]) {
            Why::NotFound
        } else if says(&["Temporary failure", "Try again"]) {
            Why::NoAnswer
        } else {
            Why::Other(text)
        };
        Failure { name: name.into(), why }
    }
}

/// What to do for who asks for a name.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// These are its addresses.
    Known(Vec<IpAddr>),
    /// Wait for the look-up under way, which is yet to be started if it has a number here; `older` may stand in.
    Wait { older: Option<Vec<IpAddr>>, start: Option<u64> },
}

#[derive(Default)]
struct Names {
    known: HashMap<String, Name>,
    /// How many look-ups run, lost ones included.
    running: usize,
    /// How many look-ups there ever were.
    count: u64,
}

#[derive(Default)]
struct Name {
    answer: Option<(Vec<IpAddr>, Instant)>,
    /// The look-up that is waited for, and when it began.
    lookup: Option<(u64, Instant)>,
    waiting: Vec<Waiter>,
}

/// Who waits for a look-up.
struct Waiter {
    sender: oneshot::Sender<Outcome>,
    /// The runtime that it waits on, see [`runtime::generation`].
    generation: u64,
}

impl Names {
    /// What to do for who asks. A look-up with a number counts as begun.
    fn ask(&mut self, name: &str, now: Instant) -> Asked {
        if self.known.len() >= MOST_NAMES && !self.known.contains_key(name) {
            self.known.retain(|_, name| name.lookup.is_some());
        }
        let known = self.known.entry(name.to_owned()).or_default();
        let younger_than = |age| {
            let answer = known.answer.as_ref().filter(|(_, at)| now.saturating_duration_since(*at) < age);
            answer.map(|(addresses, _)| addresses.clone())
        };
        if let Some(addresses) = younger_than(FRESH) {
            return Asked::Known(addresses);
        }
        let older = younger_than(USABLE);
        if known.lookup.is_some_and(|(_, since)| now.saturating_duration_since(since) < LOST) {
            return Asked::Wait { older, start: None };
        }
        self.count += 1;
        self.running += 1;
        known.lookup = Some((self.count, now));
        Asked::Wait { older, start: Some(self.count) }
    }

    fn join(&mut self, name: &str) -> oneshot::Receiver<Outcome> {
        let (sender, waiting) = oneshot::channel();
        let known = self.known.entry(name.to_owned()).or_default();
        known.waiting.retain(|waiter| !waiter.sender.is_closed());
        known.waiting.push(Waiter { sender, generation: runtime::generation() });
        waiting
    }

    /// Starts a look-up, or says who is to be told that it cannot be.
    fn start(&mut self, name: &str, number: u64, now: Instant, system: System) -> Option<(Vec<Waiter>, Failure)> {
        let owned = name.to_owned();
        let started = if self.running <= MOST_LOOKUPS {
            threads::start("flagstore-dns", STACK_BYTES, move || look_up(&owned, number, system))
        } else {
            Err(io::Error::other("since too many look-ups hang"))
        };
        let failure = Failure { name: name.into(), why: Why::NoThread(started.err()?.to_string()) };
        Some((self.ended(name, number, &Err(failure.clone()), now), failure))
    }

    /// A look-up has ended: keeps what it brought, and says who waits for it.
    fn ended(&mut self, name: &str, number: u64, outcome: &Outcome, now: Instant) -> Vec<Waiter> {
        self.running = self.running.saturating_sub(1);
        let Some(known) = self.known.get_mut(name) else { return Vec::new() };
        let current = known.lookup.is_none_or(|(current, _)| current == number);
        match outcome {
            Ok(addresses) => known.answer = Some((addresses.clone(), now)),
            // It counted as lost, and another is waited for.
            Err(_) if !current => return Vec::new(),
            Err(_) => {}
        }
        known.lookup = known.lookup.filter(|_| !current);
        std::mem::take(&mut known.waiting)
    }
}

/// What the thread of a look-up does.
fn look_up(name: &str, number: u64, system: System) {
    let outcome = system(name).map_err(|error| Failure::of_system(name, &error));
    let waiters = lock(&NAMES).as_mut().map(|names| names.ended(name, number, &outcome, Instant::now()));
    tell(waiters.unwrap_or_default(), &outcome);
}

/// Not under the lock, since it wakes others.
fn tell(waiters: Vec<Waiter>, outcome: &Outcome) {
    for waiter in waiters {
        if runtime::is_alive(waiter.generation) {
            // Who gave up has no use for it.
            let _ = waiter.sender.send(outcome.clone());
        } else {
            // To wake a dead runtime is to write to a descriptor that may be the host's.
            std::mem::forget(waiter.sender);
        }
    }
}

/// The lock of this module, held across a fork. No look-up is waited for: in the child there is none.
pub struct Frozen(MutexGuard<'static, Option<Names>>);

/// Before a fork.
pub fn freeze() -> Frozen {
    Frozen(lock(&NAMES))
}

impl Frozen {
    /// After the fork, in the parent.
    pub fn thaw(self) {}

    /// After the fork, in the child: who waits, waits in the parent.
    pub fn renew(mut self) {
        std::mem::forget(self.0.take());
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::sync::Condvar;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn address(last: u8) -> Vec<IpAddr> {
        vec![Ipv4Addr::new(10, 0, 0, last).into()]
    }

    fn failure() -> Failure {
        Failure { name: "db".into(), why: Why::NoAnswer }
    }

    /// What happens to one name, and what who asks then is told.
    enum Step {
        Ask(Asked),
        Ends(u64, Outcome),
    }

    #[test]
    fn one_lookup_at_a_time_whose_answer_is_kept_and_stands_in() {
        use Step::{Ask, Ends};
        let wait = |older: Option<u8>, start| Ask(Asked::Wait { older: older.map(address), start });
        let known = |last| Ask(Asked::Known(address(last)));
        let begun = Instant::now();
        let mut names = Names::default();
        for (second, step) in [
            (0, wait(None, Some(1))),
            (1, wait(None, None)),
            (2, Ends(1, Err(failure()))),
            // A failure is not kept.
            (2, wait(None, Some(2))),
            (20, Ends(2, Ok(address(1)))),
            (20, known(1)),
            (49, known(1)),
            (50, wait(Some(1), Some(3))),
            (51, wait(Some(1), None)),
            // A failure leaves what was known.
            (52, Ends(3, Err(failure()))),
            (52, wait(Some(1), Some(4))),
            (81, wait(Some(1), None)),
            // The fourth is lost, another is asked for, and the lost one says nothing of it,
            (82, wait(Some(1), Some(5))),
            (83, Ends(4, Err(failure()))),
            (83, wait(Some(1), None)),
            (84, Ends(5, Ok(address(2)))),
            (85, known(2)),
            // nor for ever.
            (86_400, wait(Some(2), Some(6))),
            (86_401, Ends(6, Err(failure()))),
            (86_484, wait(None, Some(7))),
        ] {
            let now = begun + Duration::from_secs(second);
            match step {
                Ask(expected) => assert_eq!(names.ask("db", now), expected, "after {second} s"),
                Ends(number, outcome) => assert!(names.ended("db", number, &outcome, now).is_empty()),
            }
        }
        assert_eq!(names.running, 1);
    }

    #[test]
    fn who_joins_gets_the_answer_and_another_name_waits_for_nobody() {
        let mut names = Names::default();
        let now = Instant::now();
        assert_eq!(names.ask("db", now), Asked::Wait { older: None, start: Some(1) });
        let mut waiting = [names.join("db"), names.join("db")];
        drop(names.join("db"));
        assert_eq!(names.ask("other", now), Asked::Wait { older: None, start: Some(2) });
        let waiters = names.ended("db", 1, &Ok(address(1)), now);
        tell(waiters, &Ok(address(1)));
        for waiting in &mut waiting {
            assert_eq!(waiting.try_recv(), Ok(Ok(address(1))));
        }
    }

    #[test]
    fn names_that_nobody_waits_for_make_room() {
        let mut names = Names::default();
        let now = Instant::now();
        for number in 0..=MOST_NAMES {
            names.ask(&number.to_string(), now);
            if number > 0 {
                names.ended(&number.to_string(), number as u64 + 1, &Err(failure()), now);
            }
        }
        assert!(names.known.contains_key("0"), "it is waited for");
        assert!(names.known.len() <= 2);
    }

    #[test]
    fn what_the_system_says_becomes_words() {
        for (said, words) in [
            ("failed to lookup address information: Name or service not known", "\"db\" was not found"),
            ("failed to lookup address information: Name does not resolve", "was not found"),
            (
                "failed to lookup address information: Temporary failure in name resolution",
                "no answer from the name servers",
            ),
            ("failed to lookup address information: Try again", "no answer from the name servers"),
            ("failed to lookup address information: System error", "System error"),
        ] {
            let failure = Failure::of_system("db", &io::Error::other(said));
            let text = failure.to_string();
            assert!(text.starts_with("DNS: ") && text.contains(words), "{text}");
        }
        let failure = Failure { name: "a\nb".into(), why: Why::NotFound };
        assert!(!failure.to_string().contains('\n'));
    }

    /// What the name server that is asked first does, in the test below.
    static DEAD: Mutex<bool> = Mutex::new(true);
    static ALIVE: Condvar = Condvar::new();
    static ASKED: AtomicU32 = AtomicU32::new(0);

    fn slow(_: &str) -> io::Result<Vec<IpAddr>> {
        ASKED.fetch_add(1, Ordering::Relaxed);
        drop(ALIVE.wait_while(lock(&DEAD), |dead| *dead));
        Ok(address(7))
    }

    #[test]
    #[cfg_attr(miri, ignore = "another thread than the runtime's")]
    fn a_look_up_slower_than_a_connection_is_there_for_the_next_and_is_not_begun_twice() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let resolver = Resolver::asking(Duration::from_millis(20), slow);
        let resolve = || runtime.block_on(resolver.resolve("behind-a-dead-name-server.test"));
        for _ in 0..3 {
            let failure = resolve().expect_err("nobody answers yet").to_string();
            assert!(failure.starts_with("DNS: no answer from the name servers for"), "{failure}");
        }
        *lock(&DEAD) = false;
        ALIVE.notify_all();
        let begun = Instant::now();
        while resolve() != Ok(address(7)) {
            assert!(begun.elapsed() < Duration::from_secs(20), "the answer came and was thrown away");
        }
        assert_eq!(resolve(), Ok(address(7)));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn addresses_and_the_loopback_name_are_resolved() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let resolver = Resolver::new(Duration::from_secs(30));
        let resolve = |name| runtime.block_on(resolver.resolve(name));
        assert_eq!(resolve("10.0.0.1"), Ok(address(1)));
        assert_eq!(resolve("::1").map(|found| found.len()), Ok(1));
        assert!(resolve("localhost").expect("known to every system").iter().all(IpAddr::is_loopback));
        assert!(resolve("with\0nul").is_err());
    }
}
