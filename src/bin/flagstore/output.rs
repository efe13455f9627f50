//! What is printed. Keys and reasons come from a table that anybody may have written to, and so nothing that a terminal
//! would obey is printed as it is, but for a payload that was asked for.

use std::io::{self, StdoutLock, Write};

use flagstore::model::line::one_line;
use flagstore::store::doctor::{Report, Sighting, State};
use serde_json::{Value, json};

use crate::difference::Difference;

/// Standard output.
pub struct Output(StdoutLock<'static>);

impl Output {
    /// For as long as the program runs.
    pub fn new() -> Output {
        Output(io::stdout().lock())
    }

    /// As it is.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        self.0.write_all(text.as_bytes())
    }

    /// As it is, on a line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.0, "{text}")
    }

    /// The doctor's findings, each with what to do on a line of its own.
    pub fn report(&mut self, report: &Report) -> io::Result<()> {
        let widest = report.findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
        for finding in &report.findings {
            let (level, check) = (finding.level.name(), finding.check);
            writeln!(self.0, "{level:7}  {check:widest$}  {}", one_line(finding.found.clone()))?;
            if let Some(remedy) = finding.remedy {
                writeln!(self.0, "{:7}  {:widest$}  -> {remedy}", "", "")?;
            }
        }
        Ok(())
    }

    /// A row of a list.
    pub fn row(&mut self, kind: &str, row: &Sighting, json: bool) -> io::Result<()> {
        if json {
            return writeln!(self.0, "{}", as_json(kind, row));
        }
        let version = row.version.map_or("-".to_owned(), |version| version.to_string());
        let Sighting { key, bytes, .. } = row;
        let others = row.others_read.map_or(String::new(), |others| format!(", deflated; other SDKs read {others}"));
        let why = if let State::Unreadable(why) = row.state { format!(": {why}") } else { String::new() };
        writeln!(
            self.0,
            "{kind:10} {version:>8} {bytes:>7}  {}  {}{others}{why}",
            one_line(key.clone()),
            state(&row.state)
        )
    }

    /// A row with its payload.
    pub fn row_with_item(&mut self, kind: &str, row: &Sighting) -> io::Result<()> {
        let mut value = as_json(kind, row);
        if let State::Live(item) = &row.state {
            value["item"] = (&**item).into();
        }
        writeln!(self.0, "{value}")
    }

    /// A row that differs.
    pub fn difference(&mut self, kind: &str, key: &str, difference: &Difference, json: bool) -> io::Result<()> {
        if json {
            return writeln!(self.0, "{}", json!({"kind": kind, "key": key, "difference": difference.to_string()}));
        }
        writeln!(self.0, "{kind}/{}: {difference}", one_line(key.to_owned()))
    }
}

fn state(state: &State) -> &'static str {
    match state {
        State::Live(_) => "live",
        State::Tombstone => "deleted",
        State::Unreadable(_) => "unreadable",
    }
}

fn as_json(kind: &str, row: &Sighting) -> Value {
    let Sighting { key, version, bytes, others_read, .. } = row;
    let why = if let State::Unreadable(why) = row.state { Some(why) } else { None };
    json!({
        "kind": kind, "key": key, "version": version, "bytes": bytes, "state": state(&row.state), "why": why,
        "others_read": others_read,
    })
}
