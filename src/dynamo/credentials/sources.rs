//! The sources, in order: keys in the environment, the profile (with `credential_process`), web identity, container,
//! instance. A profile named in the options goes before the environment.
//!
//! Everything here runs on a loader's thread and may block. The SDK is handed the variables and the files, so that it
//! reads neither, and nothing that blocks happens while a fork waits. What it reads all the same, where STS, IAM Identity
//! Center, the container's or the instance's endpoint is asked, is AWS_EXECUTION_ENV, for the header that names it, and
//! LOG_SENSITIVE_BODIES: keys in the environment or a profile, and a `credential_process`, are found without it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileSet;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::files::Snapshot;
use super::profile::{Base, Role, half_set, has_credentials, keys_in};
use super::{Files, Life, LoadFailure, LoadFailureKind, missing_profile, outcome, profiles, unsendable};
use crate::model::Result as Outcome;
use crate::model::environment::Environment;
use crate::model::options::Options;
use crate::runtime::{Runtimes, whole_across_forks};

/// The longest that the services may take for one load. The calls that wait for it have their own, shorter deadline.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(15);
/// The longest that a program may take, which may ask its user.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// What both may take where what is held ends sooner: a load that hangs from before the end must not be what everybody
/// waits for after it.
const AT_LEAST: Duration = Duration::from_secs(3);
/// The first pause before STS or IAM Identity Center is asked again; with the SDK's of a second, a call could end before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The variables that are left out where a profile goes before them.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

/// Credentials, and how long they may be used.
pub type Loaded = (Credentials, Life);

/// Every source of one store.
pub struct Sources {
    /// The store's options.
    pub options: Options,
    /// The region whose services are asked.
    pub region: Region,
    /// Only endpoints with FIPS 140.
    pub use_fips: bool,
    /// Endpoints with IPv6.
    pub use_dual_stack: bool,
    /// What a load waits with.
    pub runtimes: Arc<Runtimes>,
    /// Makes the client that asks them, which lives as long as one load.
    pub http: Box<dyn Fn() -> Outcome<SharedHttpClient> + Send + Sync>,
}

impl Sources {
    /// Asks them, one after the other. What is held is valid for so long yet, if it ends.
    pub fn load(&self, left: Option<Duration>) -> Result<Loaded, LoadFailure> {
        let (given, environment) = (self.options.profile.as_deref(), &self.options.environment);
        let keys = if given.is_none() { keys_in(environment) } else { None };
        let credentials = match keys {
            Some(keys) => keys,
            None => self.of_files(left)?,
        };
        if let Some(what) = unsendable(&credentials) {
            return Err(LoadFailure::new(LoadFailureKind::Misconfigured, what));
        }
        let life = life_of(&credentials);
        Ok((credentials, life))
    }

    fn of_files(&self, left: Option<Duration>) -> Result<Credentials, LoadFailure> {
        let (given, environment) = (self.options.profile.as_deref(), &self.options.environment);
        let files = Files::read(environment);
        let profiles = profiles(&files, given)?;
        if let Some(base) = Base::of(&profiles, environment)? {
            let credentials = base.source.credentials(within(LONGEST_RUN, left))?;
            return self.assumed(&files, credentials, base.roles, left);
        }
        let snapshot = files.snapshot(&profiles);
        // What goes before the environment must not find it.
        let hidden: &[&str] = if given.is_some() && has_credentials(&profiles) { &KEYS } else { &[] };
        let loader = self.loader(&files, hidden)?.fs(snapshot.fs.clone());
        let asked = finished(&self.runtimes, within(LONGEST_ANSWER, left), async {
            let config = loader.load().await;
            let source = config.credentials_provider().ok_or_else(|| CredentialsError::not_loaded("no source"))?;
            source.provide_credentials().await
        })?;
        snapshot.write_back();
        asked.map_err(|error| match self.overlooked(&error, &files, &profiles, &snapshot) {
            Some(what) => LoadFailure::new(LoadFailureKind::Misconfigured, what),
            None => outcome::of_sdk(&error, &secrets(environment, &snapshot)),
        })
    }

    /// What the SDK passes over in silence, and may be why nothing was found.
    fn overlooked(
        &self,
        error: &CredentialsError,
        files: &Files,
        profiles: &ProfileSet,
        snapshot: &Snapshot,
    ) -> Option<String> {
        if !matches!(error, CredentialsError::CredentialsNotLoaded(_)) {
            return snapshot.unreadable.clone();
        }
        half_set(&self.options.environment)
            .or_else(|| files.unreadable().map(ToOwned::to_owned))
            .or_else(|| missing_profile(profiles))
    }

    /// What the last of the roles gives that are assumed one with the other, the first with these credentials.
    fn assumed(
        &self,
        files: &Files,
        base: Credentials,
        roles: Vec<Role>,
        left: Option<Duration>,
    ) -> Result<Credentials, LoadFailure> {
        if roles.is_empty() {
            return Ok(base);
        }
        let secrets: Vec<String> = [Some(base.secret_access_key()), base.session_token()]
            .into_iter()
            .flatten()
            .map(ToOwned::to_owned)
            .collect();
        let loader = self.loader(files, &[])?.no_credentials();
        let asked = finished(&self.runtimes, within(LONGEST_ANSWER, left), async {
            let source = roles_on(&loader.load().await, SharedCredentialsProvider::new(base), roles).await;
            source.provide_credentials().await
        })?;
        asked.map_err(|error| outcome::of_sdk(&error, &secrets))
    }

    /// The settings of the clients that fetch credentials.
    fn loader(&self, files: &Files, hidden: &[&str]) -> Result<ConfigLoader, LoadFailure> {
        let http = (self.http)().map_err(|error| LoadFailure::new(LoadFailureKind::Misconfigured, error.message))?;
        // Unlike DynamoDB's, these clients have no other deadline, and their failures no other second attempt.
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(self.options.connect_timeout)
            .operation_attempt_timeout(self.options.timeout);
        let loader = settings(&self.options, files, hidden)
            .http_client(http)
            .region(self.region.clone())
            .use_fips(self.use_fips)
            .use_dual_stack(self.use_dual_stack)
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::standard().with_initial_backoff(FIRST_PAUSE));
        Ok(loader)
    }
}

/// The SDK's settings out of the variables and files, without the variables that are hidden.
pub fn settings(options: &Options, files: &Files, hidden: &[&str]) -> ConfigLoader {
    let mut loader = ConfigLoader::default()
        .behavior_version(BehaviorVersion::latest())
        .env(files.env(hidden))
        .fs(super::files::no_files())
        .profile_files(files.contents())
        .sleep_impl(TokioSleep::new());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if options.use_fips {
        loader = loader.use_fips(true);
    }
    if options.use_dual_stack {
        loader = loader.use_dual_stack(true);
    }
    loader
}

async fn roles_on(
    config: &SdkConfig,
    mut source: SharedCredentialsProvider,
    roles: Vec<Role>,
) -> SharedCredentialsProvider {
    for role in roles {
        let mut assumed = AssumeRoleProvider::builder(role.arn).configure(config);
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

/// How long a load may take that may take `longest`.
fn within(longest: Duration, left: Option<Duration>) -> Duration {
    left.map_or(longest, |left| left.clamp(AT_LEAST, longest))
}

/// Runs what the SDK does to its end, on this thread, for so long at most. A fork waits for its polls, none of which
/// blocks.
pub fn finished<T>(runtimes: &Runtimes, timeout: Duration, future: impl Future<Output = T>) -> Result<T, LoadFailure> {
    let not_started = |error: std::io::Error| {
        LoadFailure::new(LoadFailureKind::Failing, format!("the system refuses what it takes to ask ({error})"))
    };
    let runtime = runtimes.one().map_err(not_started)?;
    let bounded = async { tokio::time::timeout(timeout, future).await };
    let ended = runtime.block_on(whole_across_forks(bounded));
    // A name that is still being looked up must not be waited for.
    runtime.shutdown_background();
    let late = format!("no source answered within {} s", timeout.as_secs());
    ended.map_err(|_| LoadFailure::new(LoadFailureKind::TimedOut, late))
}

fn life_of(credentials: &Credentials) -> Life {
    let Some(end) = credentials.expiry() else { return Life::Endless };
    let features = credentials.get_property::<Vec<AwsCredentialFeature>>().map(Vec::as_slice).unwrap_or_default();
    if features.contains(&AwsCredentialFeature::CredentialsImds) { Life::Beyond(end) } else { Life::Until(end) }
}

/// What the sources were given to present.
fn secrets(environment: &Environment, snapshot: &Snapshot) -> Vec<String> {
    let of_variables = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    let of_variables = of_variables.into_iter().filter_map(|name| environment.get(name)).map(ToOwned::to_owned);
    of_variables.chain(snapshot.tokens()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_the_metadata_service_s_credentials_are_used_beyond_their_end() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        let credentials = |feature: Option<AwsCredentialFeature>, end| {
            let mut credentials = Credentials::new("AKIA", "secret", None, end, "test");
            credentials.get_property_mut_or_default::<Vec<AwsCredentialFeature>>().extend(feature);
            credentials
        };
        for (feature, end, life) in [
            (None, None, Life::Endless),
            (None, Some(end), Life::Until(end)),
            (Some(AwsCredentialFeature::CredentialsHttp), Some(end), Life::Until(end)),
            (Some(AwsCredentialFeature::CredentialsImds), Some(end), Life::Beyond(end)),
        ] {
            assert_eq!(life_of(&credentials(feature, end)), life);
        }
    }
}
