//! `credential_process`: a program of the user's that prints credentials.
//!
//! aws-config runs it through `tokio::process`, whose signal handling does not survive a fork and must not be in
//! somebody else's process. Here the standard library starts it, on a loader's thread, together with all that it starts: a
//! shell does not take that along. It ends with its deadline, with the store that wanted it, and with the process. It finds
//! the host's environment as that is then, which the kernel copies.

use std::io::Read;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use serde_json::Value;

use super::THREAD;
use super::{LoadFailure, LoadFailureKind};
use crate::runtime::aside;
use crate::runtime::programs::{Group, NOT_RUN, shell};

/// The most that it may print.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;
/// Between two looks at a program that has closed its output and goes on.
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);
/// Between two looks at whether its output is still wanted.
const BETWEEN_DOUBTS: Duration = Duration::from_millis(100);

/// Runs the shell command that a profile names, for so long at most, and as long as that is wanted. What it prints is of
/// this account, unless it says otherwise.
pub fn credentials(
    command: &str,
    account: Option<&str>,
    timeout: Duration,
    wanted: &dyn Fn() -> bool,
) -> Result<Credentials, LoadFailure> {
    let output = run(command, timeout, wanted).map_err(|(kind, what)| failed(kind, what))?;
    parse(&output, account).map_err(|what| failed(LoadFailureKind::Misconfigured, what))
}

/// The message never holds what the program printed.
fn failed(kind: LoadFailureKind, what: &str) -> LoadFailure {
    LoadFailure::new(kind, format!("the credential_process of the profile {what}"))
}

/// Runs a shell command and returns what it printed. Its end is seen by its output closing, not by its status: a
/// host that ignores or collects SIGCHLD takes the status away.
fn run(
    command: &str,
    timeout: Duration,
    wanted: &dyn Fn() -> bool,
) -> Result<Vec<u8>, (LoadFailureKind, &'static str)> {
    use LoadFailureKind::{Failing, TimedOut};
    let deadline = Instant::now() + timeout;
    let mut program = shell(command);
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::start(&mut program).map_err(|_| (Failing, "could not be started"))?;
    let (sender, receiver) = sync_channel(1);
    let stdout = group.program().stdout.take();
    let reader = aside(THREAD, move || {
        let mut output = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut output));
        // The receiver is gone only where nobody waits any more.
        let _ = sender.send(matches!(read, Some(Ok(_))).then_some(output));
    });
    if reader.is_err() {
        return Err((Failing, "could not be read"));
    }
    let output = printed(&receiver, deadline, wanted);
    let status = output.is_some().then(|| ended(group.program(), deadline)).flatten();
    if status.is_some() {
        group.leave();
    }
    match (output, status) {
        (None, _) | (_, None) => Err((TimedOut, "did not end in time")),
        (Some(None), _) => Err((Failing, "could not be read")),
        (_, Some(Some(status))) if status.code().is_some_and(|code| NOT_RUN.contains(&code)) => {
            Err((LoadFailureKind::Misconfigured, "is not there, or may not be run"))
        }
        (_, Some(Some(status))) if !status.success() => Err((Failing, "failed")),
        (Some(Some(output)), _) => Ok(output),
    }
}

/// What came of the output, by the deadline, if it was wanted for so long.
fn printed<T>(output: &Receiver<T>, deadline: Instant, wanted: &dyn Fn() -> bool) -> Option<T> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match output.recv_timeout(left.min(BETWEEN_DOUBTS)) {
            Ok(printed) => return Some(printed),
            Err(RecvTimeoutError::Timeout) if left > BETWEEN_DOUBTS && wanted() => {}
            Err(_) => return None,
        }
    }
}

/// How it ended, by the deadline; without its status where the host took that away.
fn ended(child: &mut Child, deadline: Instant) -> Option<Option<ExitStatus>> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(Some(status)),
            Err(_) => return Some(None),
            Ok(None) if Instant::now() >= deadline => return None,
            Ok(None) => std::thread::sleep(BETWEEN_LOOKS),
        }
    }
}

/// Reads the JSON that the program prints, version 1 of AWS's format.
fn parse(output: &[u8], account: Option<&str>) -> Result<Credentials, &'static str> {
    let value: Value = serde_json::from_slice(output).map_err(|_| "printed something that is not JSON")?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    if value.get("Version").and_then(Value::as_i64) != Some(1) {
        return Err("printed a format other than version 1");
    }
    let expires = match text("Expiration") {
        None => None,
        Some(time) => Some(expiration(&time).ok_or("printed an expiration that is no time")?),
    };
    let (Some(id), Some(secret)) = (text("AccessKeyId"), text("SecretAccessKey")) else {
        return Err("printed no AccessKeyId or SecretAccessKey");
    };
    let mut credentials =
        Credentials::builder().access_key_id(id).secret_access_key(secret).provider_name("credential_process");
    credentials.set_session_token(text("SessionToken"));
    credentials.set_expiry(expires);
    credentials.set_account_id(text("AccountId").or_else(|| account.map(ToOwned::to_owned)).map(Into::into));
    Ok(credentials.build())
}

fn expiration(text: &str) -> Option<SystemTime> {
    let time =
        aws_smithy_types::DateTime::from_str(text, aws_smithy_types::date_time::Format::DateTimeWithOffset).ok()?;
    SystemTime::try_from(time).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn a_program_prints_credentials_that_expire() {
        let printed = r#"{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"secret","SessionToken":"token","Expiration":"2030-01-02T03:04:05Z"}"#;
        let output = run(&format!("printf '%s' '{printed}'"), Duration::from_secs(10), &|| true).expect("it runs");
        let credentials = parse(&output, None).expect("it is valid");
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("token")));
        assert_eq!(credentials.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn what_goes_wrong_is_said_without_the_output() {
        use LoadFailureKind::{Failing, TimedOut};
        assert_eq!(run("echo secret; exit 3", Duration::from_secs(10), &|| true), Err((Failing, "failed")));
        assert_eq!(run("sleep 60", Duration::from_millis(50), &|| true), Err((TimedOut, "did not end in time")));
        let closed = "exec >&-; exec sleep 60";
        assert_eq!(run(closed, Duration::from_millis(50), &|| true), Err((TimedOut, "did not end in time")));
        assert_eq!(parse(b"secret", None), Err("printed something that is not JSON"));
        assert_eq!(parse(br#"{"Version":2}"#, None), Err("printed a format other than version 1"));
        assert_eq!(
            parse(br#"{"Version":1,"AccessKeyId":"a"}"#, None),
            Err("printed no AccessKeyId or SecretAccessKey")
        );
    }

    /// A shell, a pipeline of its own, and something in the background, each with its number in the file.
    #[cfg(unix)]
    struct Started(std::path::PathBuf);

    #[cfg(unix)]
    impl Started {
        fn new(name: &str) -> Started {
            let list = std::env::temp_dir().join(format!("flagstore-program-{name}-{}", std::process::id()));
            let _ = std::fs::remove_file(&list);
            Started(list)
        }

        fn command(&self) -> String {
            format!(
                "echo $$ > {0}; sh -c 'echo $$ >> {0}; sleep 600 | cat' & sleep 600 & echo $! >> {0}; wait",
                self.0.display()
            )
        }

        fn numbers(&self) -> Vec<String> {
            let list = std::fs::read_to_string(&self.0).unwrap_or_default();
            list.lines().map(ToOwned::to_owned).collect()
        }

        fn have_all_started(&self) -> bool {
            self.numbers().len() == 3
        }

        /// Whoever collects orphans may take a moment for those that are not ours.
        fn all_end(&self) {
            let alive = |number: &String| {
                let found = std::process::Command::new("kill").args(["-0", number]).stderr(Stdio::null()).status();
                let state = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
                found.is_ok_and(|found| found.success()) && !state.contains(") Z ")
            };
            let numbers = self.numbers();
            assert_eq!(numbers.len(), 3, "{numbers:?}");
            until("still there", || !numbers.iter().any(alive));
        }
    }

    #[cfg(unix)]
    impl Drop for Started {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[cfg(unix)]
    fn until(what: &str, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn one_that_hangs_ends_with_all_that_it_started() {
        let started = Started::new("hangs");
        let ended = run(&started.command(), Duration::from_millis(500), &|| true);
        assert_eq!(ended, Err((LoadFailureKind::TimedOut, "did not end in time")));
        started.all_end();
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn one_that_nobody_wants_any_more_ends_before_its_time() {
        let started = Started::new("unwanted");
        let ended = run(&started.command(), Duration::from_secs(3600), &|| !started.have_all_started());
        assert_eq!(ended, Err((LoadFailureKind::TimedOut, "did not end in time")));
        started.all_end();
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn what_a_program_leaves_behind_when_it_ends_stays() {
        let started = Started::new("leaves");
        let quietly = started.command().replacen("; wait", "", 1).replace("sleep 600", "sleep 600 > /dev/null");
        let output = run(&format!("{{ {quietly}; }} > /dev/null; echo done"), Duration::from_secs(10), &|| true);
        assert_eq!(output, Ok(b"done\n".to_vec()));
        until("it has not begun", || started.have_all_started());
        let left = &started.numbers()[2];
        let found = std::process::Command::new("kill").arg(left).status().expect("kill is there");
        assert!(found.success(), "it is gone");
    }
}
