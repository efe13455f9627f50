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

/// Everything that a finding may be about.
pub const CHECKS: [&str; 30] = [
    "library",
    "cache directory",
    "region",
    "settings",
    "profile",
    "credentials",
    "clock",
    "name",
    "proxy",
    "certificate",
    "connection",
    "endpoint",
    "table",
    "schema",
    "capacity",
    "service",
    "request",
    "get",
    "query",
    "put",
    "delete",
    "conditions",
    "initialised",
    "prefix",
    "features",
    "segments",
    "unreadable rows",
    "large rows",
    "big segments",
    "rest",
];

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
        report.ok("region", region(seen));
    }
    for notice in &seen.notices {
        report.say("profile", Level::Note, notice.clone(), None);
    }
    if blamed != Some("credentials") {
        credentials(&mut report, seen);
    }
    if seen.initialised.is_ok() || (seen.way.clock_off != 0 && blamed != Some("clock")) {
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

/// Where requests go. An endpoint's URL tells no region.
fn region(seen: &Observations) -> String {
    let at = &seen.way.at;
    if at.contains("://") {
        format!("requests go to {at}; the region comes from {}", seen.region_from)
    } else {
        format!("{at}, by {}", seen.region_from)
    }
}

/// What went wrong, without what was asked: that is the doctor's own question, which the check names.
fn cause(error: &Error, seen: &Observations) -> String {
    let asked = format!(" of table \"{}\": ", seen.options.table);
    error.message.split_once(&asked).map_or(&*error.message, |(_, cause)| cause).to_owned()
}

/// What stands in the way of the first request.
fn blame(error: &Error, seen: &Observations) -> Finding {
    let found = cause(error, seen);
    let problem = |check, remedy: &'static str| Finding { check, level: Level::Problem, found, remedy: Some(remedy) };
    match (error.code, &seen.name) {
        (Code::NoRegion, _) => problem("region", "set the option \"region\" or AWS_REGION"),
        (Code::OptionValue, _) => {
            problem("settings", "correct what is named; it came from the options, the environment or the profile")
        }
        (Code::NoCredentials, _) if error.message.contains("is not in the AWS configuration files") => problem(
            "credentials",
            "name a profile that is there (option \"profile\", AWS_PROFILE), or say where the files are (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, HOME)",
        ),
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
        (Code::Connection | Code::Timeout, _) if is_of_proxy(error) => problem(
            "proxy",
            "correct the proxy's URL, its user and its password (option \"proxy\", HTTPS_PROXY), or name the endpoint's host in NO_PROXY",
        ),
        _ if is_of_credentials(error) => {
            problem("credentials", "see that what hands them out runs, is reached, and answers this process")
        }
        (Code::Connection | Code::Timeout, Some(Err(why))) => Finding {
            found: why.clone(),
            ..problem(
                "name",
                "check the spelling of region and endpoint, and the name servers of this machine or its VPC",
            )
        },
        (Code::Connection, _) if error.message.contains("certificate") => problem(
            "certificate",
            "name the authorities to trust with \"ca_bundle\" or AWS_CA_BUNDLE, or a proxy's with \"extra_ca_bundle\", or install the system's (ca-certificates)",
        ),
        (Code::Connection, _) if error.message.contains("InvalidContentType") => problem(
            "endpoint",
            "what answers there does not speak TLS: write http:// before the endpoint, or name the port that does",
        ),
        (Code::Connection | Code::Timeout, _) => problem(
            "connection",
            "check the endpoint's port and scheme (https:// where TLS is spoken), security groups, proxy and VPC endpoint: another program on this machine should reach it",
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
        (Code::Service, _) => problem(
            "service",
            "try again later; look at AWS's page of its health, or, with an endpoint of your own, whether DynamoDB answers there",
        ),
        (Code::UnexpectedResponse, _) => {
            problem("endpoint", "check that the endpoint is DynamoDB, and what stands before it")
        }
        (Code::Rejected, _) => problem(
            "request",
            "correct what the service names, such as the table's name or its region; if there is nothing to correct, report this line",
        ),
        _ => problem("request", "try again later; if it stays so, report it with this line"),
    }
}

/// Whether the endpoint was not even tried, or was not to be reached by its name: a look-up of that would say nothing.
pub fn is_of_another(error: &Error) -> bool {
    is_of_proxy(error) || is_of_credentials(error)
}

fn is_of_proxy(error: &Error) -> bool {
    error.message.contains("the proxy http")
}

fn is_of_credentials(error: &Error) -> bool {
    let passes = matches!(error.code, Code::Connection | Code::Timeout | Code::Service);
    passes && error.message.contains("the credentials for")
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
    let _ = write!(who, ", from {}", identity.source);
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
        return report.ok("clock", "the service accepts this machine's time".into());
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
                cause(error, seen),
                "allow dynamodb:Query on the table in the IAM policy",
            );
        }
        Some(error) if error.code == Code::Throttled => {
            report.say(
                "capacity",
                Level::Problem,
                cause(error, seen),
                "raise the table's read capacity, or switch it to on-demand",
            );
        }
        Some(error) => {
            report.say("query", Level::Problem, cause(error, seen), "try again later, or raise \"all_timeout_ms\"")
        }
    }
    right(
        report,
        "put",
        "rows may be written (PutItem)",
        asked(&seen.put, seen),
        "allow dynamodb:PutItem where this process is to write; readers do without",
    );
    right(
        report,
        "delete",
        "rows may be deleted (DeleteItem)",
        asked(&seen.delete, seen),
        "allow dynamodb:DeleteItem where this process is to init; readers do without",
    );
}

/// What became of a write, with the cause of a failure and the code that says what kind it is.
type Outcome = Option<Result<Tried, (Code, String)>>;

fn asked(tried: &Option<Result<Tried, Error>>, seen: &Observations) -> Outcome {
    tried.as_ref().map(|tried| tried.as_ref().map_err(|error| (error.code, cause(error, seen))).copied())
}

/// What a write that cannot succeed showed.
fn right(report: &mut Report, check: &'static str, allowed: &str, tried: Outcome, remedy: &'static str) {
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
        Some(Err((Code::AccessDenied, why))) => report.say(check, Level::Warning, why, remedy),
        Some(Err((Code::Throttled, why))) => {
            report.say("capacity", Level::Warning, why, "raise the table's write capacity, or switch it to on-demand")
        }
        Some(Err((_, why))) => report.say(check, Level::Warning, why, "try again later"),
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
    let mut text = format!("{rows} {}, {tombstones} of them deleted", if *rows == 1 { "row" } else { "rows" });
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
            report.say(CHECK, Level::Warning, cause(error, seen), "let the Relay Proxy write them anew")
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

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::dynamo::seen::{Shown, Way};
    use crate::model::options::Options;

    const NOW: Duration = Duration::from_secs(2_000_000_000);

    /// Everything is well.
    fn well() -> Observations {
        let identity = Shown { key_end: "MPLE".into(), source: "the environment", ..Shown::default() };
        Observations {
            abi: 7,
            options: Options { prefix: "p".into(), ..Options::for_table("flags") },
            region_from: "AWS_REGION",
            way: Way { at: "DynamoDB in eu-west-1".into(), host: None, identity: Some(identity), clock_off: 0 },
            name: None,
            notices: Vec::new(),
            answered: Duration::from_millis(5),
            initialised: Ok(true),
            kinds: vec![("features", Ok(Tally { rows: 3, ..Tally::default() }))],
            delete: Some(Ok(Tried::Refused)),
            put: Some(Ok(Tried::Refused)),
            elsewhere: Vec::new(),
            big_segments: Some(Ok(None)),
            cache_directory: None,
            now: SystemTime::UNIX_EPOCH + NOW,
        }
    }

    fn failed<T>(code: Code) -> Result<T, Error> {
        Err(Error::new(code, "as it was said"))
    }

    fn ends(seen: &mut Observations, at: Duration) {
        if let Some(identity) = &mut seen.way.identity {
            identity.ends = Some(SystemTime::UNIX_EPOCH + at);
        }
    }

    #[test]
    fn what_is_well_is_said_and_nothing_else() {
        let report = report(&well());
        assert!(
            report.findings.iter().all(|finding| finding.level == Level::Ok && finding.remedy.is_none()),
            "{report:?}"
        );
        assert_eq!(report.findings[0].found, format!("flagstore {}, ABI 7", env!("CARGO_PKG_VERSION")));
        let json: Value = serde_json::from_str(&report.to_json()).expect("JSON");
        assert_eq!((&json["problems"], &json["warnings"]), (&json!(0), &json!(0)));
        assert_eq!(json["findings"][0]["check"], "library");
        assert_eq!(json["findings"].as_array().map(Vec::len), Some(report.findings.len()));
    }

    #[test]
    fn each_thing_that_is_wrong_is_one_finding_with_a_remedy() {
        use Level::{Problem, Warning};
        type Change = Box<dyn Fn(&mut Observations)>;
        let first = |code| -> Change { Box::new(move |seen| seen.initialised = failed(code)) };
        let cases: Vec<(Change, &str, Level, &str)> = vec![
            (first(Code::NoRegion), "region", Problem, "AWS_REGION"),
            (first(Code::OptionValue), "settings", Problem, "correct"),
            (first(Code::NoCredentials), "credentials", Problem, "role"),
            (first(Code::ExpiredCredentials), "credentials", Problem, "renew"),
            (first(Code::InvalidCredentials), "credentials", Problem, "session token"),
            (first(Code::ClockSkew), "clock", Problem, "NTP"),
            (first(Code::Connection), "connection", Problem, "security groups"),
            (first(Code::Timeout), "connection", Problem, "proxy"),
            (first(Code::TableNotFound), "table", Problem, "create it"),
            (first(Code::KeySchema), "schema", Problem, "partition key"),
            (first(Code::AccessDenied), "get", Problem, "dynamodb:GetItem"),
            (first(Code::Throttled), "capacity", Problem, "on-demand"),
            (first(Code::Service), "service", Problem, "later"),
            (first(Code::UnexpectedResponse), "endpoint", Problem, "DynamoDB"),
            (first(Code::Rejected), "request", Problem, "report"),
            (
                Box::new(|seen| {
                    let said = "the profile \"staging\" is not in the AWS configuration files";
                    seen.initialised = Err(Error::new(Code::NoCredentials, said));
                }),
                "credentials",
                Problem,
                "AWS_CONFIG_FILE",
            ),
            (
                Box::new(|seen| {
                    let said = "received corrupt message of type InvalidContentType";
                    seen.initialised = Err(Error::new(Code::Connection, said));
                }),
                "endpoint",
                Problem,
                "http://",
            ),
            (
                Box::new(|seen| {
                    seen.initialised = failed(Code::Timeout);
                    seen.name = Some(Err("no such name".into()));
                }),
                "name",
                Problem,
                "name servers",
            ),
            (
                Box::new(|seen| {
                    seen.initialised = Err(Error::new(Code::Timeout, "through the proxy http://proxy:3128: "));
                    seen.name = Some(Err("no such name".into()));
                }),
                "proxy",
                Problem,
                "NO_PROXY",
            ),
            (
                Box::new(|seen| {
                    seen.initialised = Err(Error::new(Code::Service, "loading the credentials for DynamoDB failed"));
                }),
                "credentials",
                Problem,
                "hands them out",
            ),
            (
                Box::new(|seen| {
                    seen.initialised = Err(Error::new(Code::Connection, "invalid peer certificate: UnknownIssuer"));
                }),
                "certificate",
                Problem,
                "ca_bundle",
            ),
            (Box::new(|seen| seen.way.clock_off = 90_000), "clock", Warning, "NTP"),
            (Box::new(|seen| seen.way.clock_off = -90_000), "clock", Warning, "NTP"),
            (Box::new(|seen| ends(seen, NOW + SOON / 2)), "credentials", Warning, "renews"),
            (Box::new(|seen| ends(seen, NOW - SOON)), "credentials", Warning, "sign in"),
            (Box::new(|seen| seen.answered = SLOW * 2), "connection", Warning, "region nearby"),
            (Box::new(|seen| seen.kinds[0].1 = failed(Code::AccessDenied)), "query", Problem, "dynamodb:Query"),
            (Box::new(|seen| seen.kinds[0].1 = failed(Code::Timeout)), "query", Problem, "all_timeout_ms"),
            (Box::new(|seen| seen.kinds[0].1 = failed(Code::Throttled)), "capacity", Problem, "on-demand"),
            (Box::new(|seen| seen.put = Some(failed(Code::AccessDenied))), "put", Warning, "dynamodb:PutItem"),
            (Box::new(|seen| seen.delete = Some(failed(Code::AccessDenied))), "delete", Warning, "dynamodb:DeleteItem"),
            (Box::new(|seen| seen.put = Some(failed(Code::Throttled))), "capacity", Warning, "write capacity"),
            (
                Box::new(|seen| {
                    seen.delete = Some(Ok(Tried::CarriedOut));
                    seen.put = None;
                }),
                "conditions",
                Problem,
                "ConditionExpression",
            ),
            (Box::new(|seen| seen.initialised = Ok(false)), "initialised", Problem, "start a writer"),
            (Box::new(|seen| seen.elsewhere = vec!["without a prefix"]), "prefix", Warning, "same prefix"),
            (
                Box::new(|seen| {
                    let unreadable = (9, vec![("k".to_owned(), "why")]);
                    seen.kinds[0].1 = Ok(Tally { unreadable, ..Tally::default() });
                }),
                "unreadable rows",
                Warning,
                "writer",
            ),
            (
                Box::new(|seen| {
                    let near = (1, vec![("k".to_owned(), NEAR)]);
                    seen.kinds[0].1 = Ok(Tally { near, ..Tally::default() });
                }),
                "large rows",
                Warning,
                "compress_large",
            ),
            (Box::new(|seen| seen.big_segments = Some(Ok(Some(STALE)))), "big segments", Warning, "Relay"),
            (
                Box::new(|seen| seen.big_segments = Some(failed(Code::UnexpectedResponse))),
                "big segments",
                Warning,
                "Relay",
            ),
            (
                Box::new(|seen| seen.cache_directory = Some(CacheDirectory::Trouble("no".into()))),
                "cache directory",
                Problem,
                "chmod 700",
            ),
        ];
        for (change, check, level, remedy) in cases {
            let mut seen = well();
            change(&mut seen);
            let report = report(&seen);
            let wrong: Vec<&Finding> = report.findings.iter().filter(|finding| finding.level >= Warning).collect();
            assert_eq!(wrong.len(), 1, "{check}: {report:?}");
            assert_eq!((wrong[0].check, wrong[0].level), (check, level), "{report:?}");
            assert!(wrong[0].remedy.is_some_and(|text| text.contains(remedy)), "{check}: {:?}", wrong[0]);
            assert!(CHECKS.contains(&check));
            let checks = report.findings.iter().filter(|finding| finding.check == check).count();
            assert_eq!(checks, 1, "{check} is not said to be well and wrong at once: {report:?}");
        }
    }

    #[test]
    fn a_finding_begins_with_what_went_wrong() {
        let mut seen = well();
        let said = "GetItem of \"$inited\" in namespace \"$inited\" of table \"flags\": there is no table \"flags\"";
        seen.initialised = Err(Error::new(Code::TableNotFound, said));
        seen.way.at = "http://127.0.0.1:8000".into();
        let report = report(&seen);
        let found =
            |check| report.findings.iter().find(|finding| finding.check == check).map(|finding| &*finding.found);
        assert_eq!(found("table"), Some("there is no table \"flags\""));
        assert_eq!(found("region"), Some("requests go to http://127.0.0.1:8000; the region comes from AWS_REGION"));
    }

    #[test]
    fn who_asks_and_until_when() {
        let mut seen = well();
        ends(&mut seen, NOW + Duration::from_secs(54 * 60));
        if let Some(identity) = &mut seen.way.identity {
            identity.account = Some("123456789012".into());
            identity.source = "an assumed role";
        }
        let report = report(&seen);
        let credentials = report.findings.iter().find(|finding| finding.check == "credentials").expect("credentials");
        let words = "the key that ends in MPLE of account 123456789012, from an assumed role, for another 54 min";
        assert_eq!((&*credentials.found, credentials.level), (words, Level::Ok));
    }

    #[test]
    fn times_are_said_in_a_unit_that_fits() {
        for (seconds, words) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }
}
