//! What happened, for the host's log: kept until it is taken, or handed to the host's logger.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, TryLockError};

use crate::model::line::one_line;
use crate::model::options::LogLevel;
use crate::runtime::lock;

/// How many events are kept for a host that takes none.
const KEPT: usize = 256;

/// A host's logger.
pub type Logger = dyn Fn(LogLevel, &str) + Send + Sync;

/// Something worth a line in a log. Never holds a credential or a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// How severe.
    pub level: LogLevel,
    /// A sentence, on one line.
    pub message: String,
}

/// The events of one store.
pub struct Events {
    least: LogLevel,
    sink: Mutex<Sink>,
    dropped: AtomicU64,
}

#[derive(Default)]
struct Sink {
    kept: VecDeque<Event>,
    logger: Option<Box<Logger>>,
}

impl Events {
    /// Keeps events of a level or more severe.
    pub fn new(least: LogLevel) -> Self {
        Events { least, sink: Mutex::default(), dropped: AtomicU64::new(0) }
    }

    /// Something happened.
    pub fn emit(&self, level: LogLevel, message: impl FnOnce() -> String) {
        if level > self.least {
            return;
        }
        // Whatever it quotes: a row's key must not forge a line of the host's log.
        let message = one_line(message());
        let mut sink = lock(&self.sink);
        if let Some(logger) = &sink.logger {
            // Called under the lock: after set_logger returns, the previous logger is not running any more.
            logger(level, &message);
            return;
        }
        if sink.kept.len() == KEPT {
            sink.kept.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        sink.kept.push_back(Event { level, message });
    }

    /// The oldest event that was not taken yet.
    pub fn next(&self) -> Option<Event> {
        lock(&self.sink).kept.pop_front()
    }

    /// Hands events to a logger from now on, those that were kept first; `None` keeps them again.
    pub fn set_logger(&self, logger: Option<Box<Logger>>) {
        let mut sink = lock(&self.sink);
        if let Some(logger) = &logger {
            for event in sink.kept.drain(..) {
                logger(event.level, &event.message);
            }
        }
        sink.logger = logger;
    }

    /// How many events made room for newer ones.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Takes the logger along into a forked child. The lock may be held by a thread that does not exist here; then
    /// the child keeps its events instead.
    pub fn inherit(&self, parent: &Events) {
        let logger = match parent.sink.try_lock() {
            Ok(mut sink) => sink.logger.take(),
            Err(TryLockError::Poisoned(sink)) => sink.into_inner().logger.take(),
            Err(TryLockError::WouldBlock) => None,
        };
        lock(&self.sink).logger = logger;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn events_are_taken_in_order_and_the_oldest_make_room() {
        let events = Events::new(LogLevel::Info);
        events.emit(LogLevel::Debug, || "not wanted".into());
        for number in 0..=KEPT {
            events.emit(LogLevel::Warn, || number.to_string());
        }
        assert_eq!(events.next(), Some(Event { level: LogLevel::Warn, message: "1".into() }));
        assert_eq!((0..KEPT).filter(|_| events.next().is_some()).count(), KEPT - 1);
        assert_eq!(events.dropped(), 1);
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes_kept_or_handed_over() {
        let events = Events::new(LogLevel::Info);
        let quoting = || "the row \"a\nERROR forged\u{1b}[2J\" was left out".to_owned();
        let line = "the row \"a\\nERROR forged\\u{1b}[2J\" was left out";
        events.emit(LogLevel::Error, quoting);
        assert_eq!(events.next().map(|event| event.message).as_deref(), Some(line));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        events.set_logger(Some(Box::new(move |_, message| lock(&ears).push(message.to_owned()))));
        events.emit(LogLevel::Error, quoting);
        assert_eq!(*lock(&heard), [line]);
    }

    #[test]
    fn a_logger_gets_what_was_kept_and_then_everything() {
        let events = Events::new(LogLevel::Info);
        events.emit(LogLevel::Info, || "before".into());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        events.set_logger(Some(Box::new(move |_, message| lock(&ears).push(message.to_owned()))));
        events.emit(LogLevel::Error, || "after".into());
        assert_eq!(*lock(&heard), ["before", "after"]);
        assert_eq!(events.next(), None);
    }
}
