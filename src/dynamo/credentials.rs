//! Where credentials come from: what the options say, or the SDK's default chain, with `credential_process` added.
//!
//! [`super::identity`] asks when there are none yet, or when they are about to end.

mod failure;
mod profile;
mod program;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::rt::sleep::TokioSleep;
use tokio::task::JoinHandle;

use crate::model::options::{self, Options};
use crate::model::{Code, Error, Result};
use crate::runtime::{lock, whole_across_forks};

pub use failure::{LoadFailure, LoadFailureKind};
use profile::Base;
pub use profile::{amiss, profiles};

type Outcome = std::result::Result<Credentials, CredentialsError>;

/// The longest that a source may take. The call that waits for it has its own, shorter deadline.
const LONGEST_LOADING: Duration = Duration::from_secs(60);
/// The first pause before STS or IAM Identity Center is asked again; with the SDK's of a second, a call could end before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Credentials given in the options.
pub fn fixed(given: &options::Credentials) -> Result<SharedCredentialsProvider> {
    let options::Credentials { access_key_id, secret_access_key, session_token } = given.clone();
    let credentials = Credentials::new(access_key_id, secret_access_key, session_token, None, "options");
    match unsendable(&credentials) {
        None => Ok(SharedCredentialsProvider::new(credentials)),
        Some(what) => Err(Error::new(Code::OptionValue, format!("in the options, {what}"))),
    }
}

/// The default chain: environment, profile (with `credential_process`), web identity, container, instance. A profile
/// named in the options goes before the environment.
pub fn chain(options: &Options, shared: &SdkConfig) -> SharedCredentialsProvider {
    let timeouts = TimeoutConfig::builder().connect_timeout(options.connect_timeout);
    let sources = Sources {
        profile: options.profile.clone(),
        // Unlike DynamoDB's, these clients have no other deadline, and their failures no other second attempt.
        shared: shared
            .to_builder()
            .timeout_config(timeouts.operation_attempt_timeout(options.timeout).build())
            .retry_config(RetryConfig::standard().with_initial_backoff(FIRST_PAUSE))
            .build(),
        kept: Mutex::default(),
    };
    // Four attempts fit into the call with time to spare, so that the last can still say what was waited for.
    let patience = options.attempt_timeout.mul_f64(0.9).min(options.timeout / 5);
    let current = tokio::sync::Mutex::default();
    SharedCredentialsProvider::new(Loading { sources: Arc::new(sources), patience, current })
}

/// One loading at a time, which goes on when the attempt that waits for it is given up: what takes longer than one
/// attempt is there for the next.
#[derive(Debug)]
struct Loading {
    sources: Arc<Sources>,
    /// How long one attempt waits.
    patience: Duration,
    current: tokio::sync::Mutex<Option<JoinHandle<(Outcome, Instant)>>>,
}

impl Loading {
    async fn outcome(&self) -> Outcome {
        let mut current = self.current.lock().await;
        loop {
            let loading = current.get_or_insert_with(|| {
                let sources = Arc::clone(&self.sources);
                tokio::spawn(whole_across_forks(async move {
                    let outcome = tokio::time::timeout(LONGEST_LOADING, sources.load()).await;
                    let late = |_| Err(CredentialsError::provider_timed_out(LONGEST_LOADING));
                    (outcome.unwrap_or_else(late), Instant::now())
                }))
            });
            let ended = loading.await;
            *current = None;
            let (outcome, at) = ended.map_err(|_| CredentialsError::unhandled("it ended unexpectedly"))?;
            // What came when nobody waited may be long past.
            let usable = match &outcome {
                Ok(credentials) => credentials.expiry().is_none_or(|expiry| expiry > SystemTime::now()),
                Err(_) => false,
            };
            if usable || at.elapsed() < self.patience {
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
    /// The profile that the options name.
    profile: Option<String>,
    /// The settings of the clients that fetch credentials.
    shared: SdkConfig,
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
        let amiss = match &outcome {
            Ok(credentials) => unsendable(credentials).map(Into::into),
            Err(CredentialsError::CredentialsNotLoaded(_)) => half_set().or(amiss().await),
            Err(_) => None,
        };
        amiss.map_or(outcome, |what| Err(CredentialsError::invalid_configuration(what)))
    }

    async fn source(&self) -> std::result::Result<SharedCredentialsProvider, CredentialsError> {
        let given = self.profile.as_deref();
        if given.is_none()
            && let Ok(credentials) = EnvironmentVariableCredentialsProvider::new().provide_credentials().await
        {
            return Ok(SharedCredentialsProvider::new(credentials));
        }
        if let Some(base) = Base::of(&profiles(given).await?)? {
            return Ok(self.assumed(base).await);
        }
        let config = self.provider_config();
        let mut default = DefaultCredentialsChain::builder().configure(config.clone());
        default.set_region(self.shared.region().cloned());
        let Some(given) = given else { return Ok(SharedCredentialsProvider::new(default.build().await)) };
        let profile = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(given).build();
        let default = default.profile_name(given).build().await;
        Ok(SharedCredentialsProvider::new(
            CredentialsProviderChain::first_try("Profile", profile).or_else("Default", default),
        ))
    }

    /// The settings of the SDK's own sources.
    fn provider_config(&self) -> ProviderConfig {
        let mut config = ProviderConfig::without_region()
            .with_region(self.shared.region().cloned())
            .with_use_fips(self.shared.use_fips())
            .with_use_dual_stack(self.shared.use_dual_stack())
            .with_sleep_impl(TokioSleep::new());
        if let Some(http) = self.shared.http_client() {
            config = config.with_http_client(http);
        }
        if let Some(timeouts) = self.shared.timeout_config() {
            config = config.with_timeout_config(timeouts.clone());
        }
        if let Some(retries) = self.shared.retry_config() {
            config = config.with_retry_config(retries.clone());
        }
        config
    }

    /// What the last of the roles gives that are assumed one with the other, the first with the base.
    async fn assumed(&self, base: Base) -> SharedCredentialsProvider {
        let mut source = base.source;
        for role in base.roles {
            let mut assumed = AssumeRoleProvider::builder(role.arn).configure(&self.shared);
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
}

/// What no HTTP header can hold, such as the line break at the end of a file. The SDK would panic.
fn unsendable(credentials: &Credentials) -> Option<&'static str> {
    let unusual = |text: &str| text.bytes().any(|byte| !byte.is_ascii_graphic());
    if unusual(credentials.access_key_id()) {
        return Some("the access key id has a line break, a space or another character that no key id has");
    }
    credentials
        .session_token()
        .is_some_and(unusual)
        .then_some("the session token has a line break, a space or another character that no token has")
}

/// A variable without the one that belongs to it, which the SDK passes over in silence.
fn half_set() -> Option<String> {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
    ];
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (given, missing) = pairs.into_iter().find(|(given, other)| set(given) && !set(other))?;
    Some(format!("{given} is set without {missing}"))
}
