//! What an init did, in the words in which it was decided.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::model::plan::Why;
use crate::runtime::lock;

/// How many keys are named for each reason. Who wants all of them compares the data set with the table.
const NAMED: usize = 10;

/// What an init did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows written.
    pub written: usize,
    /// Rows that were there already.
    pub unchanged: usize,
    /// Leftovers deleted.
    pub deleted: usize,
    /// Of the rows written, those that are stored deflated, so that other SDKs read an older form or none.
    pub deflated: Named,
    /// Items that are over DynamoDB's size.
    pub too_large: Vec<TooLarge>,
    /// Of the rows written, those that replaced what a version alone would not have: why, how many, which.
    pub replaced: BTreeMap<Replaced, Named>,
    /// Rows of the table that stayed although the data set says otherwise.
    pub kept: BTreeMap<Kept, Named>,
    /// Given items that were not taken.
    pub left_out: BTreeMap<LeftOut, Named>,
}

/// What an init has done by now, also where nobody lets it finish.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Mutex<Report>>);

impl Progress {
    /// What was done when the init ended, however it did.
    pub fn report(&self) -> Report {
        lock(&self.0).clone()
    }

    /// Takes the place of what was there.
    pub fn is(&self, report: Report) {
        *lock(&self.0) = report;
    }
}

/// Why a row was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Replaced {
    /// It could not be read.
    Unreadable,
    /// The store was not initialised, so that it was a leftover.
    NotInitialised,
    /// It was another environment's.
    OtherEnvironment,
    /// The flag was deleted and made anew since.
    MadeAnew,
    /// It was newer, and the option `init_overwrites_newer` says so.
    Newer,
}

/// Why a row stayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// It is newer than the data set.
    Newer,
    /// It is not in the data set, which is older than the table.
    OlderDataSet,
    /// It was to be deleted, and somebody changed it meanwhile.
    Changed,
    /// It was deleted, and put back because a row that came meanwhile needs it.
    NeededAfterAll,
    /// It is a tombstone, which stops late updates.
    Tombstone,
}

/// Why an item was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeftOut {
    /// Its key is empty.
    EmptyKey,
}

/// How many rows, and the first of them by kind and key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// How many.
    pub count: usize,
    /// The first.
    pub first: Vec<(String, String)>,
}

/// An item that was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its size by DynamoDB's count.
    pub bytes: usize,
}

impl Replaced {
    /// The reason as the report counts it; `None` for a write that is nothing special.
    pub fn by(why: Why) -> Option<Replaced> {
        match why {
            Why::Missing | Why::Newer | Why::SaysMore | Why::Contradicts => None,
            Why::Unreadable => Some(Replaced::Unreadable),
            Why::NotInitialised => Some(Replaced::NotInitialised),
            Why::OtherEnvironment => Some(Replaced::OtherEnvironment),
            Why::MadeAnew => Some(Replaced::MadeAnew),
            Why::OverwritesNewer => Some(Replaced::Newer),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Replaced::Unreadable => "unreadable",
            Replaced::NotInitialised => "not_initialised",
            Replaced::OtherEnvironment => "other_environment",
            Replaced::MadeAnew => "made_anew",
            Replaced::Newer => "newer",
        }
    }
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Newer => "newer",
            Kept::OlderDataSet => "older_data_set",
            Kept::Changed => "changed",
            Kept::NeededAfterAll => "needed_after_all",
            Kept::Tombstone => "tombstone",
        }
    }
}

impl LeftOut {
    fn name(self) -> &'static str {
        match self {
            LeftOut::EmptyKey => "empty_key",
        }
    }
}

impl Named {
    /// One more.
    pub fn add(&mut self, kind: &str, key: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push((kind.to_owned(), key.to_owned()));
        }
    }

    fn to_json(&self) -> Value {
        let keys: Vec<_> = self.first.iter().map(|(kind, key)| json!({"kind": kind, "key": key})).collect();
        json!({"count": self.count, "keys": keys})
    }
}

impl Report {
    /// Rows that stayed because they are newer than the data set.
    pub fn kept_newer(&self) -> usize {
        self.kept.get(&Kept::Newer).map_or(0, |named| named.count)
    }

    /// One more item that was not written.
    pub fn add_too_large(&mut self, kind: &str, key: &str, bytes: usize) {
        self.too_large.push(TooLarge { kind: kind.to_owned(), key: key.to_owned(), bytes });
    }

    /// The report as it crosses the C ABI. Reasons that did not occur are left out.
    pub fn to_json(&self) -> String {
        let too_large: Vec<_> = self
            .too_large
            .iter()
            .map(|item| json!({"kind": item.kind, "key": item.key, "bytes": item.bytes}))
            .collect();
        json!({
            "written": self.written,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "kept_newer": self.kept_newer(),
            "too_large": too_large,
            "deflated": self.deflated.to_json(),
            "replaced": reasons(&self.replaced, |reason| reason.name()),
            "kept": reasons(&self.kept, |reason| reason.name()),
            "left_out": reasons(&self.left_out, |reason| reason.name()),
        })
        .to_string()
    }

    /// The report in a line, for the log.
    pub fn summary(&self) -> String {
        let mut parts = vec![
            format!("{} rows written", self.written),
            format!("{} unchanged", self.unchanged),
            format!("{} deleted", self.deleted),
        ];
        let mut add = |what: &str, why: &str, count: usize| parts.push(format!("{count} {what} ({why})"));
        self.replaced.iter().for_each(|(reason, named)| add("replaced", reason.name(), named.count));
        self.kept.iter().for_each(|(reason, named)| add("kept", reason.name(), named.count));
        self.left_out.iter().for_each(|(reason, named)| add("left out", reason.name(), named.count));
        if self.deflated.count > 0 {
            add("written", "deflated", self.deflated.count);
        }
        if !self.too_large.is_empty() {
            add("left out", "too_large", self.too_large.len());
        }
        parts.join(", ")
    }
}

fn reasons<R: Copy>(reasons: &BTreeMap<R, Named>, name: impl Fn(R) -> &'static str) -> Value {
    reasons.iter().map(|(reason, named)| (name(*reason).to_owned(), named.to_json())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_number_and_the_first_keys() {
        let mut report = Report { written: 2, ..Report::default() };
        report.replaced.entry(Replaced::MadeAnew).or_default().add("features", "a");
        for number in 0..25 {
            report.kept.entry(Kept::Newer).or_default().add("segments", &number.to_string());
        }
        report.left_out.entry(LeftOut::EmptyKey).or_default().add("features", "");
        let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
        assert_eq!(json["replaced"], json!({"made_anew": {"count": 1, "keys": [{"kind": "features", "key": "a"}]}}));
        assert_eq!(json["kept"]["newer"]["count"], 25);
        assert_eq!(json["kept"]["newer"]["keys"].as_array().map(Vec::len), Some(NAMED));
        assert_eq!(json["left_out"]["empty_key"]["count"], 1);
        assert_eq!((&json["written"], &json["too_large"]), (&json!(2), &json!([])));
        assert_eq!(
            report.summary(),
            "2 rows written, 0 unchanged, 0 deleted, 1 replaced (made_anew), 25 kept (newer), 1 left out (empty_key)"
        );
    }
}
