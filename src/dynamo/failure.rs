//! What can become of one request, other than its answer, and three questions about each failure: do we try again, may
//! the caller try again, may an older value stand in.
//!
//! The first is [`Failure::again`]. The other two follow from the [`Code`] that the caller gets.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::credentials::{LoadFailure, LoadFailureKind};
use super::http::{self, Failed, Kind, Unconnected};
use super::refusal::{Meaning, Refusal};
use super::{budget, trust};
use crate::model::{Code, Error};

/// Where requests go, for messages.
#[derive(Debug, Clone)]
pub struct Place {
    /// The table's name.
    pub table: String,
    /// The endpoint's URL, or the region in words.
    pub at: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table \"{}\" at {}", self.table, self.at)
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What the options leave open was not found, such as the region.
    Settings(Error),
    /// There is no identity to sign it with.
    Credentials(LoadFailure),
    /// It could not be made.
    Unsent(String),
    /// It could not be sent, or the connection ended before any of the answer came.
    Connection {
        /// What stood in the way.
        kind: Kind,
        /// What the system says; nothing where only time ran out.
        why: String,
        /// Whether the connection did not open in time.
        late: bool,
        /// Whether the next attempt takes a new connection, since the others like this one are suspect.
        anew: bool,
    },
    /// The connection broke in the middle of the answer.
    Cut,
    /// Nothing came for so long.
    TimedOut {
        /// How long.
        after: Duration,
        /// As above.
        anew: bool,
    },
    /// What came is not DynamoDB's, in words to follow "it answered with".
    Foreign(String),
    /// DynamoDB refused it.
    Refused(Box<Refusal>),
    /// It waited for its place among so many others until the deadline.
    Queued(u32),
    /// The deadline came before it could be sent.
    Late,
}

/// Whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would end in the same way.
    Never,
    /// At once: the next attempt differs.
    AtOnce,
    /// After a pause: it may pass.
    Later,
    /// After a pause, and for longer: the table is there, and says that it will do it.
    WhenThereIsRoom,
}

impl Failure {
    /// Whether we try again.
    pub fn again(&self) -> Again {
        match self {
            Failure::Settings(error) if error.code.retriable() => Again::Later,
            Failure::Credentials(failure) if failure.kind.passes() => Again::Later,
            Failure::Settings(_) | Failure::Credentials(_) | Failure::Unsent(_) => Again::Never,
            Failure::Connection { anew: true, .. } | Failure::TimedOut { anew: true, .. } => Again::AtOnce,
            Failure::Connection { .. } | Failure::TimedOut { .. } | Failure::Cut | Failure::Foreign(_) => Again::Later,
            Failure::Refused(refusal) if refusal.mended => Again::AtOnce,
            Failure::Refused(refusal) => match refusal.meaning {
                Meaning::Throttled => Again::WhenThereIsRoom,
                Meaning::Fault | Meaning::Foreign => Again::Later,
                _ => Again::Never,
            },
            Failure::Queued(_) | Failure::Late => Again::Never,
        }
    }

    /// What trying again costs.
    pub fn cost(&self) -> u32 {
        match self {
            // Nothing was lost but a connection that was dead before, and every one is replaced only once.
            Failure::Connection { anew: true, late: false, .. } => 0,
            Failure::Connection { late: true, .. } | Failure::TimedOut { .. } => budget::RETRY_AFTER_TIMEOUT,
            _ => budget::RETRY,
        }
    }

    /// What to tell of two failures, one after the other: the later, unless all that it says is that time ran out.
    pub fn or_earlier(self, earlier: Option<Failure>, cut_short: bool) -> Failure {
        match (&self, earlier) {
            (Failure::TimedOut { .. }, Some(earlier)) if cut_short || matches!(earlier, Failure::Refused(_)) => earlier,
            _ => self,
        }
    }

    /// Whether it asks to slow down.
    pub fn is_throttle(&self) -> bool {
        matches!(self, Failure::Refused(refusal) if refusal.meaning == Meaning::Throttled)
    }

    /// What the caller gets.
    pub fn code(&self) -> Code {
        match self {
            Failure::Settings(error) => error.code,
            Failure::Credentials(failure) => match failure.kind {
                LoadFailureKind::NotFound | LoadFailureKind::Misconfigured | LoadFailureKind::Refused => {
                    Code::NoCredentials
                }
                LoadFailureKind::TimedOut => Code::Timeout,
                LoadFailureKind::Unreachable => Code::Connection,
                LoadFailureKind::Failing => Code::Service,
            },
            Failure::Unsent(_) => Code::Rejected,
            Failure::Connection { late: true, .. } => Code::Timeout,
            Failure::Connection { late: false, .. } | Failure::Cut => Code::Connection,
            Failure::TimedOut { .. } | Failure::Queued(_) | Failure::Late => Code::Timeout,
            Failure::Foreign(_) => Code::UnexpectedResponse,
            Failure::Refused(refusal) => match refusal.meaning {
                Meaning::NoTable => Code::TableNotFound,
                Meaning::OtherKeys => Code::KeySchema,
                Meaning::AccessDenied => Code::AccessDenied,
                Meaning::Expired => Code::ExpiredCredentials,
                Meaning::Unknown | Meaning::Signature => Code::InvalidCredentials,
                Meaning::Time => Code::ClockSkew,
                Meaning::Throttled => Code::Throttled,
                Meaning::Fault => Code::Service,
                Meaning::Foreign => Code::UnexpectedResponse,
                Meaning::Condition | Meaning::Other => Code::Rejected,
            },
        }
    }

    /// The code and a sentence that says what happened where, and names the remedy.
    pub fn error(&self, place: &Place) -> Error {
        let Place { at, .. } = place;
        let sentence = match self {
            Failure::Settings(error) => return error.clone(),
            Failure::Credentials(failure) => credentials(failure, at),
            Failure::Unsent(why) => {
                format!("the request to {place} could not be made ({why}): check region, endpoint and credentials")
            }
            Failure::Connection { kind, why, late: true, .. } => {
                let (why, remedy) = match (why.as_str(), kind) {
                    ("", _) => (String::new(), "check the endpoint, the network and the security groups"),
                    (why, kind) => (format!(" ({why})"), remedy_of_connection(*kind, why)),
                };
                format!("no connection to {at} in time{why}: {remedy}")
            }
            Failure::Connection { kind, why, .. } => {
                format!("the connection to {at} failed ({why}): {}", remedy_of_connection(*kind, why))
            }
            Failure::Cut => {
                format!("the connection to {at} broke in the middle of the answer: check the endpoint and the network")
            }
            Failure::TimedOut { after, .. } => format!(
                "no answer within {} ms: check the endpoint and the network, or raise the timeouts",
                after.as_micros().div_ceil(1000)
            ),
            Failure::Foreign(what) => format!("{place} answered with {what}: check that the endpoint is DynamoDB"),
            Failure::Refused(refusal) => refused(refusal, place),
            Failure::Queued(others) => format!(
                "the deadline passed in the queue: {others} requests were in flight, no more are allowed at once: raise \"max_connections\" or the timeout, or call less at once"
            ),
            Failure::Late => {
                "the deadline passed before the request could be sent: raise the timeout, or call less at once".into()
            }
        };
        Error::new(self.code(), sentence)
    }
}

/// No answer, because of the connection.
pub fn of_connection(failed: Failed, anew: bool) -> Failure {
    match failed {
        Failed::Unconnected(Unconnected { kind, why, late }) => Failure::Connection { kind, why, late, anew },
        Failed::Lost(why) => Failure::Connection { kind: Kind::Network, why, late: false, anew },
        Failed::Cut => Failure::Cut,
        Failed::TooLong => {
            Failure::Foreign(format!("more than {} MiB, which DynamoDB never does", http::LONGEST_BODY >> 20))
        }
    }
}

fn remedy_of_connection(kind: Kind, why: &str) -> &'static str {
    match kind {
        Kind::Tls if why.ends_with(trust::NOBODY) => {
            "install the package ca-certificates, or name a file with the authorities to trust by the option \"ca_bundle\""
        }
        Kind::Tls if why.contains("certificate") => {
            "name the authorities to trust with the option \"ca_bundle\", or to trust besides with \"extra_ca_bundle\", or check the endpoint's certificate"
        }
        Kind::Proxy => "check the option \"proxy\", HTTPS_PROXY, HTTP_PROXY and NO_PROXY",
        Kind::Name => "check the endpoint, the region and the machine's name servers",
        Kind::Network if why.contains("Too many open files") => {
            "raise the limit of open files, or lower \"max_connections\""
        }
        Kind::Tls | Kind::Network => "check the endpoint and the network",
    }
}

fn refused(refusal: &Refusal, place: &Place) -> String {
    let status = refusal.status;
    let words = refusal.words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default();
    let id = refusal.request_id.as_ref().map(|id| format!(" (AWS request id {id})")).unwrap_or_default();
    let sentence = match refusal.meaning {
        Meaning::NoTable => format!(
            "there is no {place}: create it with the partition key \"namespace\" (string) and the sort key \"key\" (string), or check table name, region and account"
        ),
        Meaning::AccessDenied => {
            format!("the credentials may not do this on {place}: allow it in the IAM policy{words}")
        }
        Meaning::Expired => format!("the credentials for {place} have expired: renew them"),
        // AWS's words on a wrong signature quote the signed request, so they are left out here.
        Meaning::Time => {
            format!("the request to {place} was refused, because this machine's clock is off: set the clock")
        }
        Meaning::Signature => format!("the signature for {place} is wrong: check the secret access key"),
        Meaning::Unknown => {
            format!("the credentials for {place} are not known to AWS: check the access key id and the session token")
        }
        Meaning::Throttled => format!("{place} is throttled: raise its capacity, or switch it to on-demand"),
        Meaning::OtherKeys => format!(
            "{place} has other keys: it needs the partition key \"namespace\" (string) and the sort key \"key\" (string)"
        ),
        Meaning::Fault => format!("{place} reported a fault of its own (status {status}): try again later"),
        Meaning::Foreign => {
            format!("{place} answered with status {status} and no DynamoDB error: check that the endpoint is DynamoDB")
        }
        Meaning::Condition | Meaning::Other => {
            let name = refusal.name.as_deref().unwrap_or("an error of its own");
            format!(
                "{place} refused the request with {name}{words}: check the table's settings, and that the endpoint is DynamoDB"
            )
        }
    };
    sentence + &id
}

fn credentials(failure: &LoadFailure, at: &str) -> String {
    let why = &failure.why;
    match failure.kind {
        LoadFailureKind::NotFound => {
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            format!(
                "no AWS credentials for {at} in the options, the environment, the profile, the container or the instance{why}: give the process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        }
        LoadFailureKind::TimedOut => format!(
            "the credentials for {at} did not come in time ({why}): check the metadata service, STS or SSO, or the credential_process"
        ),
        LoadFailureKind::Unreachable => format!(
            "loading the credentials for {at} failed ({why}): check the network to STS, SSO or the metadata service"
        ),
        LoadFailureKind::Failing => {
            format!("loading the credentials for {at} failed ({why}): check the credential_process, or try again later")
        }
        LoadFailureKind::Misconfigured | LoadFailureKind::Refused => {
            let remedy = if why.contains("SSO token") {
                "sign in with `aws sso login`"
            } else if why.contains("`aws login`") {
                "sign in with `aws login`"
            } else {
                "check the profile, role or credential_process"
            };
            format!("loading the credentials for {at} failed ({why}): {remedy}")
        }
    }
}

/// An error and what caused it, down to the bottom.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| StdError::source(*error))
}

/// The cause at the bottom says most and repeats nothing, such as "Connection refused (os error 111)".
pub fn innermost(error: &(dyn StdError + 'static)) -> String {
    shortened(&causes(error).last().unwrap_or(error).to_string())
}

/// At most 200 characters on one line.
fn shortened(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(200).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(meaning: Meaning) -> Failure {
        Failure::Refused(Box::new(Refusal { meaning, request_id: Some("REQ7".into()), ..Refusal::throttled() }))
    }

    fn mended(meaning: Meaning) -> Failure {
        Failure::Refused(Box::new(Refusal { meaning, mended: true, ..Refusal::throttled() }))
    }

    fn connection(late: bool, anew: bool) -> Failure {
        let why = if late { "" } else { "Connection refused (os error 111)" };
        Failure::Connection { kind: Kind::Network, why: why.into(), late, anew }
    }

    fn no_answer(anew: bool) -> Failure {
        Failure::TimedOut { after: Duration::from_secs(2), anew }
    }

    fn unloaded(kind: LoadFailureKind) -> Failure {
        Failure::Credentials(LoadFailure::new(kind, "it says no"))
    }

    #[test]
    fn every_failure_has_its_three_answers_and_names_place_and_remedy() {
        let settings = |code| Failure::Settings(Error::new(code, "no region in eu-west-1: set AWS_REGION"));
        let (again, never) = (true, false);
        // Do we try again, at what cost; may the caller; may an older value stand in; what the sentence says.
        for (failure, tried, cost, caller, older, words) in [
            (settings(Code::NoRegion), Again::Never, 5, never, true, "AWS_REGION"),
            (settings(Code::OptionValue), Again::Never, 5, never, false, "AWS_REGION"),
            (unloaded(LoadFailureKind::NotFound), Again::Never, 5, never, true, "AWS_ACCESS_KEY_ID"),
            (unloaded(LoadFailureKind::Misconfigured), Again::Never, 5, never, true, "it says no"),
            (unloaded(LoadFailureKind::Refused), Again::Never, 5, never, true, "role"),
            (unloaded(LoadFailureKind::TimedOut), Again::Later, 5, again, true, "metadata"),
            (unloaded(LoadFailureKind::Unreachable), Again::Later, 5, again, true, "network"),
            (unloaded(LoadFailureKind::Failing), Again::Later, 5, again, true, "credential_process"),
            (Failure::Unsent("no URL".into()), Again::Never, 5, never, true, "no URL"),
            (connection(false, false), Again::Later, 5, again, true, "refused"),
            (connection(false, true), Again::AtOnce, 0, again, true, "network"),
            (connection(true, false), Again::Later, 10, again, true, "security groups"),
            (Failure::Cut, Again::Later, 5, again, true, "network"),
            (no_answer(false), Again::Later, 10, again, true, "2000 ms"),
            (no_answer(true), Again::AtOnce, 10, again, true, "timeouts"),
            (Failure::Foreign("a page".into()), Again::Later, 5, again, true, "a page"),
            (refused(Meaning::NoTable), Again::Never, 5, never, true, "create it"),
            (refused(Meaning::OtherKeys), Again::Never, 5, never, true, "sort key"),
            (refused(Meaning::AccessDenied), Again::Never, 5, never, true, "IAM policy"),
            (refused(Meaning::Expired), Again::Never, 5, never, true, "renew"),
            (mended(Meaning::Expired), Again::AtOnce, 5, never, true, "renew"),
            (refused(Meaning::Unknown), Again::Never, 5, never, true, "access key id"),
            (refused(Meaning::Signature), Again::Never, 5, never, true, "secret access key"),
            (refused(Meaning::Time), Again::Never, 5, never, true, "set the clock"),
            (mended(Meaning::Time), Again::AtOnce, 5, never, true, "set the clock"),
            (refused(Meaning::Throttled), Again::WhenThereIsRoom, 5, again, true, "capacity"),
            (refused(Meaning::Fault), Again::Later, 5, again, true, "later"),
            (refused(Meaning::Foreign), Again::Later, 5, again, true, "no DynamoDB error"),
            (refused(Meaning::Other), Again::Never, 5, never, true, "an error of its own"),
            (Failure::Queued(128), Again::Never, 5, again, true, "128 requests were in flight"),
            (Failure::Late, Again::Never, 5, again, true, "raise the timeout"),
        ] {
            let error = failure.error(&Place { table: "flags".into(), at: "eu-west-1".into() });
            let answers = (failure.again(), failure.cost(), error.code.retriable(), error.code.older_may_stand_in());
            assert_eq!(answers, (tried, cost, caller, older), "{failure:?}");
            let names_place = matches!(failure, Failure::TimedOut { .. } | Failure::Queued(_) | Failure::Late)
                || error.message.contains("eu-west-1");
            assert!(error.message.contains(words) && names_place, "{failure:?}: {error}");
            let number = matches!(&failure, Failure::Refused(refusal) if refusal.request_id.is_some());
            assert_eq!(error.message.contains("REQ7"), number, "{error}");
        }
    }

    #[test]
    fn a_connection_that_failed_names_what_stood_in_its_way_and_the_remedy_for_that() {
        let nobody = format!("invalid peer certificate: UnknownIssuer{}", trust::NOBODY);
        for (kind, why, late, words) in [
            (Kind::Network, "", true, "in time: check the endpoint, the network and the security groups"),
            (
                Kind::Network,
                "Connection refused (os error 111)",
                false,
                "(Connection refused (os error 111)): check the endpoint",
            ),
            (Kind::Network, "Too many open files (os error 24)", false, "raise the limit of open files"),
            (
                Kind::Name,
                "DNS: no answer from the name servers for \"db\" in time",
                false,
                "check the endpoint, the region and the machine's name servers",
            ),
            (Kind::Proxy, "the proxy http://proxy:3128 wants a password", false, "HTTPS_PROXY"),
            (Kind::Proxy, "the proxy http://proxy:3128 did not answer", true, "NO_PROXY"),
            (Kind::Tls, "invalid peer certificate: UnknownIssuer", false, "\"extra_ca_bundle\", or check"),
            (Kind::Tls, nobody.as_str(), false, "install the package ca-certificates"),
            (Kind::Tls, "TLS was not agreed upon", true, "in time (TLS was not agreed upon): check the endpoint"),
        ] {
            let failure = Failure::Connection { kind, why: why.into(), late, anew: false };
            let error = failure.error(&Place { table: "flags".into(), at: "eu-west-1".into() });
            assert!(error.message.contains(words) && error.message.contains(why), "{error}");
        }
    }

    #[test]
    fn what_the_table_said_is_told_rather_than_that_time_ran_out() {
        let throttled = || refused(Meaning::Throttled);
        for (earlier, later, cut_short, told) in [
            (None, no_answer(false), true, no_answer(false)),
            (Some(throttled()), no_answer(false), true, throttled()),
            (Some(throttled()), no_answer(false), false, throttled()),
            (Some(connection(false, false)), no_answer(false), true, connection(false, false)),
            (Some(connection(false, false)), no_answer(false), false, no_answer(false)),
            (Some(throttled()), connection(false, false), false, connection(false, false)),
            (Some(no_answer(false)), throttled(), true, throttled()),
        ] {
            assert_eq!(later.clone().or_earlier(earlier.clone(), cut_short), told, "{earlier:?}, then {later:?}");
        }
    }
}
