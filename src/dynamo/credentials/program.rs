//! `credential_process`: a program of the user's that prints credentials.
//!
//! aws-config runs it through `tokio::process`, whose signal handling does not survive a fork and must not be in
//! somebody else's process. Here the standard library starts it, on a loader's thread, in a process group of its own that
//! ends with its deadline: a shell does not take what it started along. It finds the host's environment as that is then,
//! which the kernel copies.

use std::io::Read;
use std::process::{Child, ExitStatus, Stdio};
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

/// Runs the shell command that a profile names, for so long at most. What it prints is of this account, unless it says
/// otherwise.
pub fn credentials(command: &str, account: Option<&str>, timeout: Duration) -> Result<Credentials, LoadFailure> {
    let output = run(command, timeout).map_err(|(kind, what)| failed(kind, what))?;
    parse(&output, account).map_err(|what| failed(LoadFailureKind::Misconfigured, what))
}

/// The message never holds what the program printed.
fn failed(kind: LoadFailureKind, what: &str) -> LoadFailure {
    LoadFailure::new(kind, format!("the credential_process of the profile {what}"))
}

/// Runs a shell command and returns what it printed. Its end is seen by its output closing, not by its status: a
/// host that ignores or collects SIGCHLD takes the status away.
fn run(command: &str, timeout: Duration) -> Result<Vec<u8>, (LoadFailureKind, &'static str)> {
    use LoadFailureKind::{Failing, TimedOut};
    let deadline = Instant::now() + timeout;
    let mut program = shell(command);
    program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut group = Group::start(&mut program).map_err(|_| (Failing, "could not be started"))?;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let stdout = group.program().stdout.take();
    let reader = aside(THREAD, move || {
        let mut output = Vec::new();
        let read = stdout.map(|stdout| stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut output));
        // The receiver is gone only after the timeout.
        let _ = sender.send(matches!(read, Some(Ok(_))).then_some(output));
    });
    if reader.is_err() {
        group.end();
        return Err((Failing, "could not be read"));
    }
    let output = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    let status = output.is_ok().then(|| ended(group.program(), deadline)).flatten();
    if status.is_none() {
        group.end();
    }
    match (output, status) {
        (Err(_), _) | (_, None) => Err((TimedOut, "did not end in time")),
        (Ok(None), _) => Err((Failing, "could not be read")),
        (_, Some(Some(status))) if status.code().is_some_and(|code| NOT_RUN.contains(&code)) => {
            Err((LoadFailureKind::Misconfigured, "is not there, or may not be run"))
        }
        (_, Some(Some(status))) if !status.success() => Err((Failing, "failed")),
        (Ok(Some(output)), _) => Ok(output),
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
        let output = run(&format!("printf '%s' '{printed}'"), Duration::from_secs(10)).expect("it runs");
        let credentials = parse(&output, None).expect("it is valid");
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("token")));
        assert_eq!(credentials.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn what_goes_wrong_is_said_without_the_output() {
        use LoadFailureKind::{Failing, TimedOut};
        assert_eq!(run("echo secret; exit 3", Duration::from_secs(10)), Err((Failing, "failed")));
        assert_eq!(run("sleep 60", Duration::from_millis(50)), Err((TimedOut, "did not end in time")));
        let closed = "exec >&-; exec sleep 60";
        assert_eq!(run(closed, Duration::from_millis(50)), Err((TimedOut, "did not end in time")));
        assert_eq!(parse(b"secret", None), Err("printed something that is not JSON"));
        assert_eq!(parse(br#"{"Version":2}"#, None), Err("printed a format other than version 1"));
        assert_eq!(
            parse(br#"{"Version":1,"AccessKeyId":"a"}"#, None),
            Err("printed no AccessKeyId or SecretAccessKey")
        );
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn one_that_hangs_ends_with_all_that_it_started() {
        let list = std::env::temp_dir().join(format!("flagstore-program-{}", std::process::id()));
        // The shell, a pipeline of its own, and something in the background.
        let command = format!(
            "echo $$ > {0}; sh -c 'echo $$ >> {0}; sleep 600 | cat'; sleep 600 & echo $! >> {0}; wait",
            list.display()
        )
        .replacen("'; sleep 600 &", "' & sleep 600 &", 1);
        let ended = run(&command, Duration::from_millis(500));
        assert_eq!(ended, Err((LoadFailureKind::TimedOut, "did not end in time")));
        let started = std::fs::read_to_string(&list).expect("it ran");
        std::fs::remove_file(list).expect("the file goes");
        assert_eq!(started.lines().count(), 3, "{started}");
        let alive = |number: &str| {
            let found = std::process::Command::new("kill").args(["-0", number]).stderr(Stdio::null()).status();
            // Whoever collects orphans may take a moment for those that are not ours.
            let state = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
            found.is_ok_and(|found| found.success()) && !state.contains(") Z ")
        };
        let begun = Instant::now();
        while started.lines().any(alive) {
            assert!(begun.elapsed() < Duration::from_secs(10), "still there: {started}");
            std::thread::sleep(BETWEEN_LOOKS);
        }
    }
}
