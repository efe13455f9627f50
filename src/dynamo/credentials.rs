//! Where credentials come from: what the options say, or the SDK's default chain, with `credential_process` added.
//!
//! aws-config runs `credential_process` through `tokio::process`, whose signal handling does not survive a fork and
//! must not be in somebody else's process. Here the program is started by the standard library on a blocking thread.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::{Profile, ProfileFileCredentialsProvider, ProfileSet};
use aws_config::provider_config::ProviderConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::os_shim_internal::{Env, Fs};
use aws_types::region::Region;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::model::options::{self, Options};
use crate::runtime::lock;

type Outcome = Result<Credentials, CredentialsError>;

/// The longest that a source may take. The call that waits for it has its own, shorter deadline.
const LONGEST_LOADING: Duration = Duration::from_secs(60);
/// The most that a `credential_process` may print.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;

/// Credentials given in the options.
pub fn fixed(given: &options::Credentials) -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new(
        given.access_key_id.clone(),
        given.secret_access_key.clone(),
        given.session_token.clone(),
        None,
        "options",
    ))
}

/// The default chain: environment, profile (with `credential_process`), web identity, container, instance. A profile
/// named in the options goes before the environment.
pub fn chain(options: &Options, http: SharedHttpClient, region: Region) -> SharedCredentialsProvider {
    let sources = Sources { options: options.clone(), http, region, kept: Mutex::new(None) };
    // Four attempts fit into the call with time to spare, so that the last can still say what was waited for.
    let patience = options.attempt_timeout.mul_f64(0.9).min(options.timeout / 5);
    SharedCredentialsProvider::new(Loading { sources: Arc::new(sources), patience, current: tokio::sync::Mutex::default() })
}

/// The settings of the SDK's own clients, those of STS and IAM Identity Center among them.
pub fn provider_config(options: &Options, http: &SharedHttpClient) -> ProviderConfig {
    ProviderConfig::without_region()
        .with_http_client(http.clone())
        .with_sleep_impl(TokioSleep::new())
        .with_use_fips(options.use_fips.then_some(true))
        .with_use_dual_stack(options.use_dual_stack.then_some(true))
        .with_timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(options.connect_timeout)
                .operation_attempt_timeout(options.timeout)
                .build(),
        )
}

/// One loading at a time, which goes on when the attempt that waits for it is given up: what takes longer than one
/// attempt is there for the next.
#[derive(Debug)]
struct Loading {
    sources: Arc<Sources>,
    /// How long one attempt waits.
    patience: Duration,
    current: tokio::sync::Mutex<Option<JoinHandle<Outcome>>>,
}

impl Loading {
    async fn outcome(&self) -> Outcome {
        let mut current = self.current.lock().await;
        loop {
            let loading = current.get_or_insert_with(|| {
                let sources = Arc::clone(&self.sources);
                tokio::spawn(async move {
                    let late = |_| CredentialsError::provider_timed_out(LONGEST_LOADING);
                    tokio::time::timeout(LONGEST_LOADING, sources.load()).await.map_err(late)?
                })
            });
            let found = loading.is_finished();
            let outcome = loading.await;
            *current = None;
            let outcome = outcome.map_err(|_| CredentialsError::unhandled("it ended unexpectedly"))?;
            // What came when nobody waited may be long past.
            let usable = |credentials: &Credentials| credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now());
            if !found || outcome.as_ref().is_ok_and(usable) {
                return outcome;
            }
        }
    }
}

impl ProvideCredentials for Loading {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let late = |_| CredentialsError::provider_timed_out(self.patience);
            tokio::time::timeout(self.patience, self.outcome()).await.map_err(late)?
        })
    }
}

/// Every source, in order.
#[derive(Debug)]
struct Sources {
    options: Options,
    http: SharedHttpClient,
    region: Region,
    /// What gave credentials that end, and so knows how to renew them.
    kept: Mutex<Option<SharedCredentialsProvider>>,
}

impl Sources {
    async fn load(&self) -> Outcome {
        let kept = lock(&self.kept).take();
        let source = match kept {
            Some(source) => source,
            None => self.source().await?,
        };
        let outcome = source.provide_credentials().await;
        // The SDK's chain never reads a file again, nor forgets a failure: it is made anew, so that keys written to
        // the files later, or instead of others, are found.
        if outcome.as_ref().is_ok_and(|credentials| credentials.expiry().is_some()) {
            *lock(&self.kept) = Some(source);
        }
        match outcome {
            Err(CredentialsError::CredentialsNotLoaded(_)) => Err(match self.amiss().await {
                Some(what) => CredentialsError::provider_error(what),
                None => CredentialsError::not_loaded_no_source(),
            }),
            outcome => outcome,
        }
    }

    async fn source(&self) -> Result<SharedCredentialsProvider, CredentialsError> {
        let profile = self.options.profile.as_deref();
        if profile.is_none()
            && let Ok(credentials) = EnvironmentVariableCredentialsProvider::new().provide_credentials().await
        {
            return Ok(SharedCredentialsProvider::new(credentials));
        }
        let profiles = profiles(profile).await?;
        if let Some(base) = Base::of(&profiles)? {
            return Ok(self.assumed(base).await);
        }
        let config = provider_config(&self.options, &self.http).with_region(Some(self.region.clone()));
        let mut default = DefaultCredentialsChain::builder().configure(config.clone());
        default.set_region(Some(self.region.clone()));
        let Some(profile) = profile else { return Ok(SharedCredentialsProvider::new(default.build().await)) };
        let first = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile).build();
        let default = default.profile_name(profile).build().await;
        Ok(SharedCredentialsProvider::new(
            CredentialsProviderChain::first_try("Profile", first).or_else("Default", default),
        ))
    }

    /// The credentials of the last of the roles that are assumed one with the other, starting with the base.
    async fn assumed(&self, base: Base) -> SharedCredentialsProvider {
        let mut source = base.source;
        if base.roles.is_empty() {
            return source;
        }
        let mut shared = ConfigLoader::default()
            .behavior_version(BehaviorVersion::latest())
            .http_client(self.http.clone())
            .region(self.region.clone())
            .sleep_impl(TokioSleep::new())
            .no_credentials()
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(self.options.connect_timeout)
                    .operation_attempt_timeout(self.options.timeout)
                    .build(),
            );
        if let Some(profile) = &self.options.profile {
            shared = shared.profile_name(profile);
        }
        if self.options.use_fips {
            shared = shared.use_fips(true);
        }
        if self.options.use_dual_stack {
            shared = shared.use_dual_stack(true);
        }
        let shared = shared.load().await;
        for role in base.roles {
            let mut assumed = AssumeRoleProvider::builder(role.arn).configure(&shared);
            if let Some(name) = role.session_name {
                assumed = assumed.session_name(name);
            }
            if let Some(id) = role.external_id {
                assumed = assumed.external_id(id);
            }
            source = SharedCredentialsProvider::new(assumed.build_from_provider(source).await);
        }
        source
    }

    /// What the SDK passes over in silence, and may be why there are no credentials.
    async fn amiss(&self) -> Option<String> {
        if let Some(what) = unreadable_file() {
            return Some(what);
        }
        let profiles = profiles(None).await.ok()?;
        let selected = profiles.selected_profile();
        (selected != "default" && profiles.get_profile(selected).is_none())
            .then(|| format!("the profile \"{selected}\" of AWS_PROFILE is not in the AWS configuration files"))
    }
}

/// The AWS configuration files. A profile given by its name must be there.
pub async fn profiles(given: Option<&str>) -> Result<ProfileSet, CredentialsError> {
    let files = EnvConfigFiles::default();
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &files, given.map(|name| name.to_owned().into()))
        .await
        .map_err(CredentialsError::invalid_configuration)?;
    match given {
        Some(name) if profiles.get_profile(name).is_none() => Err(CredentialsError::invalid_configuration(
            unreadable_file()
                .unwrap_or_else(|| format!("the profile \"{name}\" is not in the AWS configuration files")),
        )),
        _ => Ok(profiles),
    }
}

/// The first of the AWS configuration files that is there, or should be, and cannot be read.
pub fn unreadable_file() -> Option<String> {
    let files = [("AWS_CONFIG_FILE", ".aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials")];
    files.into_iter().find_map(|(variable, usual)| {
        let named = std::env::var_os(variable).map(std::path::PathBuf::from);
        let missing_is_fine = named.is_none();
        let path = named.or_else(|| Some(std::path::Path::new(&std::env::var_os("HOME")?).join(usual)))?;
        match std::fs::read_to_string(&path) {
            Err(error) if !(missing_is_fine && error.kind() == std::io::ErrorKind::NotFound) => {
                Some(format!("the file {} cannot be read: {error}", path.display()))
            }
            _ => None,
        }
    })
}

/// Where a profile gets its credentials, if that is a way that the SDK is not left to go.
struct Base {
    source: SharedCredentialsProvider,
    /// In the order in which they are assumed.
    roles: Vec<Role>,
}

struct Role {
    arn: String,
    session_name: Option<String>,
    external_id: Option<String>,
}

impl Base {
    /// Follows the roles of the selected profile to a `credential_process`.
    fn of(profiles: &ProfileSet) -> Result<Option<Base>, CredentialsError> {
        let mut name = profiles.selected_profile();
        let (mut roles, mut seen) = (Vec::new(), Vec::new());
        loop {
            let Some(profile) = profiles.get_profile(name) else {
                return match seen.last() {
                    None => Ok(None),
                    Some(last) => Err(CredentialsError::invalid_configuration(format!(
                        "the profile \"{name}\", the source_profile of \"{last}\", is not in the AWS configuration files"
                    ))),
                };
            };
            let keys = keys_of(profile);
            if seen.contains(&name) || (!seen.is_empty() && keys.is_some()) {
                return Ok(None);
            }
            seen.push(name);
            let get = |name| profile.get(name).map(ToOwned::to_owned);
            if let (Some(arn), None) = (get("role_arn"), get("web_identity_token_file")) {
                roles.push(Role { arn, session_name: get("role_session_name"), external_id: get("external_id") });
                match profile.get("source_profile") {
                    Some(source) if source != name => {
                        name = source;
                        continue;
                    }
                    Some(_) => {}
                    None => return Ok(None),
                }
            }
            let goes_first = ["credential_source", "web_identity_token_file", "sso_session", "sso_start_url"];
            let Some(command) = get("credential_process") else { return Ok(None) };
            if goes_first.iter().any(|name| profile.get(name).is_some()) {
                return Ok(None);
            }
            roles.reverse();
            // The SDK for Rust would run the program; AWS's other SDKs and its CLI take the keys.
            let source = keys.map_or_else(|| SharedCredentialsProvider::new(Program { command }), SharedCredentialsProvider::new);
            return Ok(Some(Base { source, roles }));
        }
    }
}

/// The keys in a profile.
fn keys_of(profile: &Profile) -> Option<Credentials> {
    let (id, secret) = (profile.get("aws_access_key_id")?, profile.get("aws_secret_access_key")?);
    let token = profile.get("aws_session_token").map(ToOwned::to_owned);
    Some(Credentials::new(id, secret, token, None, "profile"))
}

/// The program that a profile names.
#[derive(Debug)]
struct Program {
    command: String,
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
    fn a_program_prints_credentials_that_expire() {
        let printed = r#"{"Version":1,"AccessKeyId":"AKIA","SecretAccessKey":"secret","SessionToken":"token","Expiration":"2030-01-02T03:04:05Z"}"#;
        let output = run(&format!("printf '%s' '{printed}'"), Duration::from_secs(10)).expect("it runs");
        let credentials = parse(&output).expect("it is valid");
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("token")));
        assert_eq!(credentials.expiry(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_893_553_445)));
    }

    #[test]
    fn what_goes_wrong_is_said_without_the_output() {
        assert_eq!(run("echo secret; exit 3", Duration::from_secs(10)), Err("failed"));
        assert_eq!(run("sleep 60", Duration::from_millis(50)), Err("did not end in time"));
        assert_eq!(parse(b"secret"), Err("printed something that is not JSON"));
        assert_eq!(parse(br#"{"Version":2}"#), Err("printed a format other than version 1"));
        assert_eq!(parse(br#"{"Version":1,"AccessKeyId":"a"}"#), Err("printed no AccessKeyId or SecretAccessKey"));
    }
}
