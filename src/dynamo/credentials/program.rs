//! `credential_process`: a program of the user's that prints credentials.
//!
//! aws-config runs it through `tokio::process`, whose signal handling does not survive a fork and must not be in
//! somebody else's process. Here the program is started by the standard library on a blocking thread.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use serde_json::Value;

use super::LONGEST_LOADING;

/// The most that it may print.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;

/// The program that a profile names.
#[derive(Debug)]
pub struct Program {
    /// A shell command.
    pub command: String,
}

impl ProvideCredentials for Program {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let command = self.command.clone();
            let output = tokio::task::spawn_blocking(move || run(&command, LONGEST_LOADING))
                .await
                .map_err(|_| failed("ended unexpectedly"))?;
            parse(&output.map_err(failed)?).map_err(failed)
        })
    }
}

/// The message never holds what the program printed.
fn failed(what: &'static str) -> CredentialsError {
    CredentialsError::provider_error(format!("the credential_process of the profile {what}"))
}

/// Runs a shell command and returns what it printed. Its end is seen by its output closing, not by its status: a
/// host that ignores or collects SIGCHLD takes the status away.
fn run(command: &str, timeout: Duration) -> Result<Vec<u8>, &'static str> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|_| "could not be started")?;
    let Some(stdout) = child.stdout.take() else { return Err("has no output") };
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let reader = std::thread::Builder::new().name("flagstore-creds".into()).spawn(move || {
        let mut output = Vec::new();
        let read = stdout.take(MAX_OUTPUT_BYTES).read_to_end(&mut output).map(|_| output);
        // The receiver is gone only after the timeout.
        let _ = sender.send(read);
    });
    if reader.is_err() {
        let _ = child.kill();
        return Err("could not be read");
    }
    let started = Instant::now();
    let output = receiver.recv_timeout(timeout.saturating_sub(started.elapsed()));
    if output.is_err() {
        let _ = child.kill();
    }
    let status = child.wait();
    match output {
        Err(_) => Err("did not end in time"),
        Ok(Err(_)) => Err("could not be read"),
        Ok(Ok(_)) if status.is_ok_and(|status| !status.success()) => Err("failed"),
        Ok(Ok(output)) => Ok(output),
    }
}

/// Reads the JSON that the program prints, version 1 of AWS's format.
fn parse(output: &[u8]) -> Result<Credentials, &'static str> {
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
    Ok(Credentials::new(id, secret, text("SessionToken"), expires, "credential_process"))
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
        let credentials = parse(&output).expect("it is valid");
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("token")));
        assert_eq!(credentials.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "it starts processes")]
    fn what_goes_wrong_is_said_without_the_output() {
        assert_eq!(run("echo secret; exit 3", Duration::from_secs(10)), Err("failed"));
        assert_eq!(run("sleep 60", Duration::from_millis(50)), Err("did not end in time"));
        assert_eq!(parse(b"secret"), Err("printed something that is not JSON"));
        assert_eq!(parse(br#"{"Version":2}"#), Err("printed a format other than version 1"));
        assert_eq!(parse(br#"{"Version":1,"AccessKeyId":"a"}"#), Err("printed no AccessKeyId or SecretAccessKey"));
    }
}
