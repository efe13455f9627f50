//! What follows from what was seen: a finding for each thing that was looked at, with what to do where something is
//! wrong. No I/O.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::observations::{CacheDirectory, Observations, Tried};
use super::survey::{NEAR, Tally};
use crate::model::{Code, Error, size};

/// Credentials that end sooner than this are worth a word: nobody may be there to renew them.
const SOON: Duration = Duration::from_secs(5 * 60);
/// SDKs call big segments stale from this age on, unless they are told otherwise.
const STALE: Duration = Duration::from_secs(2 * 60);
/// A clock is off by more than an answer is under way.
const CLOCK_TOLERANCE_MS: u64 = 1_000;
/// What is slower is worth a word: the default time for a whole call is five seconds.
const SLOW: Duration = Duration::from_millis(500);

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is as it should be.
    Ok,
    /// It is not wrong, and good to know.
    Note,
    /// It works, and may not for long or for everybody.
    Warning,
    /// It does not work.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do, where something is to be done.
    pub remedy: Option<&'static str>,
}

/// Everything that was found, in the order in which it depends on each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Level {
    /// Its name in the report.
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

impl Report {
    /// How many findings are of a level.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }

    /// The report as it crosses the C ABI.
    pub fn to_json(&self) -> String {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let Finding { check, level, found, remedy } = finding;
                json!({"check": check, "level": level.name(), "found": found, "remedy": remedy})
            })
            .collect();
        let (problems, warnings) = (self.count(Level::Problem), self.count(Level::Warning));
        json!({"problems": problems, "warnings": warnings, "findings": findings}).to_string()
    }

    fn say(&mut self, check: &'static str, level: Level, found: String, remedy: impl Into<Option<&'static str>>) {
        self.findings.push(Finding { check, level, found, remedy: remedy.into() });
    }

    fn ok(&mut self, check: &'static str, found: String) {
        self.say(check, Level::Ok, found, None);
    }
}

/// The rule.
pub fn report(seen: &Observations) -> Report {
    let mut report = Report::default();
    report.ok("library", format!("flagstore {}, ABI {}", env!("CARGO_PKG_VERSION"), seen.abi));
    cache_directory(&mut report, seen);
    let failed = seen.initialised.as_ref().err().map(|error| blame(error, seen));
    let blamed = failed.as_ref().map(|finding| finding.check);
    if blamed != Some("region") && blamed != Some("settings") {
        report.ok("region", format!("{}, by {}", seen.way.at, seen.region_from));
    }
    if blamed != Some("credentials") {
        credentials(&mut report, seen);
    }
    if blamed != Some("clock") && seen.way.identity.is_some() {
        clock(&mut report, seen.way.clock_off);
    }
    match failed {
        Some(failed) => {
            let is_reached = failed.check == "get";
            report.findings.push(failed);
            if !is_reached {
                report.say("rest", Level::Note, "nothing else could be looked at".into(), None);
                return report;
            }
        }
        None => reached(&mut report, seen),
    }
    rights(&mut report, seen);
    data(&mut report, seen);
    big_segments(&mut report, seen);
    report
}

/// What stands in the way of the first request.
fn blame(error: &Error, seen: &Observations) -> Finding {
    let found = error.message.clone();
    let problem = |check, remedy: &'static str| Finding { check, level: Level::Problem, found, remedy: Some(remedy) };
    match (error.code, &seen.name) {
        (Code::NoRegion, _) => problem("region", "set the option \"region\" or AWS_REGION"),
        (Code::OptionValue, _) => {
            problem("settings", "correct what is named; it came from the options, the environment or the profile")
        }
        (Code::NoCredentials, _) => problem(
            "credentials",
            "give the process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or correct the profile",
        ),
        (Code::ExpiredCredentials, _) => {
            problem("credentials", "renew them: sign in again, or let a role renew them by itself")
        }
        (Code::InvalidCredentials, _) => problem(
            "credentials",
            "check for a wrong or deleted key, a missing session token, and another account's or partition's region",
        ),
        (Code::ClockSkew, _) => problem("clock", "set the machine's clock, and keep it set (NTP)"),
        (Code::Connection | Code::Timeout, Some(Err(why))) => Finding {
            found: why.clone(),
            ..problem(
                "name",
                "check the spelling of region and endpoint, and the name servers of this machine or its VPC",
            )
        },
        (Code::Connection, _) if error.message.contains("certificate") => problem(
            "certificate",
            "give the certificate authorities to trust with \"ca_bundle\" or AWS_CA_BUNDLE, or install the system's (ca-certificates)",
        ),
        (Code::Connection | Code::Timeout, _) => problem(
            "connection",
            "check the endpoint's port, security groups, proxy and VPC endpoint: another program on this machine should reach it",
        ),
        (Code::TableNotFound, _) => problem(
            "table",
            "check the table's name, region and account, or create it: partition key \"namespace\", sort key \"key\", both strings",
        ),
        (Code::KeySchema, _) => problem(
            "schema",
            "use a table with the partition key \"namespace\" and the sort key \"key\", both strings: keys cannot be changed afterwards",
        ),
        (Code::AccessDenied, _) => problem("get", "allow dynamodb:GetItem on the table in the IAM policy"),
        (Code::Throttled, _) => problem("capacity", "raise the table's read capacity, or switch it to on-demand"),
        (Code::UnexpectedResponse, _) => {
            problem("endpoint", "check that the endpoint is DynamoDB, and what stands before it")
        }
        _ => problem("request", "try again later; if it stays so, report it with this line"),
    }
}

fn credentials(report: &mut Report, seen: &Observations) {
    let Some(identity) = &seen.way.identity else { return };
    let mut who = if identity.key_end.is_empty() {
        "a key that is too short to show its end".to_owned()
    } else {
        format!("the key that ends in {}", identity.key_end)
    };
    if let Some(account) = &identity.account {
        let _ = write!(who, " of account {account}");
    }
    let _ = write!(who, ", from {}", identity.source.unwrap_or(seen.credentials_from));
    match identity.ends.map(|ends| ends.duration_since(seen.now).unwrap_or_default()) {
        None => report.ok("credentials", who),
        Some(Duration::ZERO) => {
            report.say("credentials", Level::Warning, who + ", which have ended", "renew them: sign in again");
        }
        Some(left) if left < SOON => report.say(
            "credentials",
            Level::Warning,
            format!("{who}, for another {}", in_words(left)),
            "see that something renews them",
        ),
        Some(left) => report.ok("credentials", format!("{who}, for another {}", in_words(left))),
    }
}

fn clock(report: &mut Report, off: i64) {
    if off.unsigned_abs() < CLOCK_TOLERANCE_MS {
        return report.ok("clock", "taken as it is by the service".into());
    }
    let way = if off > 0 { "behind" } else { "ahead of" };
    let by = in_words(Duration::from_millis(off.unsigned_abs()));
    report.say(
        "clock",
        Level::Warning,
        format!("this machine's clock is {by} {way} the service's; requests are signed with the service's time"),
        "set the machine's clock, and keep it set (NTP)",
    );
}

fn reached(report: &mut Report, seen: &Observations) {
    let took = format!("the first answer took {} ms", seen.answered.as_millis());
    if seen.answered > SLOW {
        report.say(
            "connection",
            Level::Warning,
            took,
            "use a region nearby, or a VPC endpoint; short-lived processes profit from \"cache_dir\"",
        );
    } else {
        report.ok("connection", took);
    }
    let table = &seen.options.table;
    report.ok(
        "table",
        format!("\"{table}\" has the keys that it should have; GetItem and Query do not tell its billing mode"),
    );
    report.ok("get", "rows may be read (GetItem)".into());
}

fn rights(report: &mut Report, seen: &Observations) {
    let queried = seen.kinds.iter().find_map(|(_, tally)| tally.as_ref().err());
    match queried {
        None if seen.kinds.is_empty() => {}
        None => report.ok("query", "all rows of a kind may be read (Query)".into()),
        Some(error) if error.code == Code::AccessDenied => {
            report.say(
                "query",
                Level::Problem,
                error.message.clone(),
                "allow dynamodb:Query on the table in the IAM policy",
            );
        }
        Some(error) if error.code == Code::Throttled => {
            report.say(
                "capacity",
                Level::Problem,
                error.message.clone(),
                "raise the table's read capacity, or switch it to on-demand",
            );
        }
        Some(error) => {
            report.say("query", Level::Problem, error.message.clone(), "try again later, or raise \"all_timeout_ms\"")
        }
    }
    right(
        report,
        "put",
        "rows may be written (PutItem)",
        seen.put.as_ref(),
        "allow dynamodb:PutItem where this process is to write; readers do without",
    );
    right(
        report,
        "delete",
        "rows may be deleted (DeleteItem)",
        seen.delete.as_ref(),
        "allow dynamodb:DeleteItem where this process is to init; readers do without",
    );
}

/// What a write that cannot succeed showed.
fn right(
    report: &mut Report,
    check: &'static str,
    allowed: &str,
    tried: Option<&Result<Tried, Error>>,
    remedy: &'static str,
) {
    match tried {
        None => {}
        Some(Ok(Tried::Refused)) => report.ok(check, allowed.to_owned()),
        Some(Ok(Tried::CarriedOut)) => report.say(
            "conditions",
            Level::Problem,
            "the endpoint carries out a write whose condition does not hold: every writer would overwrite the others"
                .into(),
            "use an endpoint that honours ConditionExpression",
        ),
        Some(Err(error)) if error.code == Code::AccessDenied => {
            report.say(check, Level::Warning, error.message.clone(), remedy);
        }
        Some(Err(error)) if error.code == Code::Throttled => {
            report.say(
                "capacity",
                Level::Warning,
                error.message.clone(),
                "raise the table's write capacity, or switch it to on-demand",
            );
        }
        Some(Err(error)) => report.say(check, Level::Warning, error.message.clone(), "try again later"),
    }
}

fn data(report: &mut Report, seen: &Observations) {
    let prefix = &seen.options.prefix;
    let place = if prefix.is_empty() { "without a prefix".to_owned() } else { format!("under prefix \"{prefix}\"") };
    match seen.initialised {
        Ok(true) => report.ok("initialised", format!("a full data set was stored {place}")),
        Ok(false) => report.say(
            "initialised",
            Level::Problem,
            format!("no full data set was ever stored {place} ($inited is missing), so that SDKs wait for one"),
            "start a writer (an SDK that connects to LaunchDarkly, or the Relay Proxy), or correct table and prefix",
        ),
        Err(_) => {}
    }
    for elsewhere in &seen.elsewhere {
        report.say(
            "prefix",
            Level::Warning,
            format!("nothing is stored {place}, and there is a data set {elsewhere}"),
            "give readers and writers the same prefix",
        );
    }
    for (kind, tally) in &seen.kinds {
        if let Ok(tally) = tally {
            rows(report, kind, tally);
        }
    }
}

fn rows(report: &mut Report, kind: &'static str, tally: &Tally) {
    let Tally { rows, tombstones, deflated, .. } = tally;
    let mut text = format!("{rows} rows, {tombstones} of them deleted");
    if *deflated > 0 {
        let _ = write!(text, "; {deflated} are stored deflated, and other SDKs read an older form of them");
    }
    report.ok(kind, text);
    let (count, first) = &tally.unreadable;
    if *count > 0 {
        let named: Vec<String> = first.iter().map(|(key, why)| format!("{key:?} ({why})")).collect();
        report.say(
            "unreadable rows",
            Level::Warning,
            format!("{count} {kind} cannot be read and are left out: {}", named.join(", ")),
            "let a writer init or update them, or find out what else writes to this table",
        );
    }
    let (count, first) = &tally.near;
    if *count > 0 {
        let named: Vec<String> = first.iter().map(|(key, bytes)| format!("{key:?} has {bytes}")).collect();
        report.say(
            "large rows",
            Level::Warning,
            format!(
                "{count} {kind} have more than {NEAR} of the {} bytes that DynamoDB holds: {}",
                size::MAX_ROW_BYTES,
                named.join(", ")
            ),
            "move targets to a segment, or see the option \"compress_large\"",
        );
    }
}

fn big_segments(report: &mut Report, seen: &Observations) {
    const CHECK: &str = "big segments";
    match &seen.big_segments {
        None => {}
        Some(Ok(None)) => report.ok(CHECK, "there are none".into()),
        Some(Ok(Some(age))) if *age >= STALE => report.say(
            CHECK,
            Level::Warning,
            format!(
                "they were brought up to date {} ago, and SDKs call them stale after {}",
                in_words(*age),
                in_words(STALE)
            ),
            "see that the Relay Proxy runs and reaches LaunchDarkly and this table",
        ),
        Some(Ok(Some(age))) => report.ok(CHECK, format!("brought up to date {} ago", in_words(*age))),
        Some(Err(error)) => {
            report.say(CHECK, Level::Warning, error.message.clone(), "let the Relay Proxy write them anew")
        }
    }
}

fn cache_directory(report: &mut Report, seen: &Observations) {
    const CHECK: &str = "cache directory";
    match &seen.cache_directory {
        None => {}
        Some(CacheDirectory::Missing) => report.ok(CHECK, "not there yet; it will be made".into()),
        Some(CacheDirectory::Holds(files, bytes)) => report.ok(CHECK, format!("{files} files with {bytes} bytes")),
        Some(CacheDirectory::Trouble(why)) => report.say(
            CHECK,
            Level::Problem,
            why.clone(),
            "give a local directory that belongs to the process's user alone (chmod 700)",
        ),
    }
}

/// A time, in the largest unit of which there are two.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    for (unit, length) in [("days", 86_400), ("h", 3_600), ("min", 60)] {
        if seconds >= 2 * length {
            return format!("{} {unit}", seconds / length);
        }
    }
    format!("{seconds} s")
}
