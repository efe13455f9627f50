//! What a user may want to know of the settings although nothing fails, each thing said once.

use std::collections::HashSet;
use std::fmt;
use std::sync::Mutex;

use crate::model::options::LogLevel;
use crate::runtime::lock;

/// Who is told.
type Listener = dyn Fn(LogLevel, String) + Send + Sync;

/// A thing to say, in a sentence without a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// How severe it is.
    pub level: LogLevel,
    /// The sentence.
    pub text: String,
}

/// Says each thing once.
#[derive(Default)]
pub struct Notices {
    listener: Option<Box<Listener>>,
    said: Mutex<HashSet<String>>,
}

impl Notices {
    /// Tells this listener, on whichever thread it is that noticed.
    pub fn to(listener: impl Fn(LogLevel, String) + Send + Sync + 'static) -> Self {
        Notices { listener: Some(Box::new(listener)), ..Notices::default() }
    }

    /// Says it, unless that was done before.
    pub fn say(&self, notice: Notice) {
        let Some(listener) = &self.listener else { return };
        if lock(&self.said).insert(notice.text.clone()) {
            listener(notice.level, notice.text);
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn each_thing_is_said_once() {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let notices = Notices::to(move |_, text| lock(&ears).push(text));
        for text in ["one", "two", "one", "two"] {
            notices.say(Notice { level: LogLevel::Warn, text: text.into() });
        }
        assert_eq!(*lock(&heard), ["one", "two"]);
        Notices::default().say(Notice { level: LogLevel::Warn, text: "nobody listens".into() });
    }
}
