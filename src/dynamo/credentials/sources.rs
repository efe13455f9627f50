//! The sources, in order: keys in the environment, the profile, a web identity, the container, the instance. A profile named
//! in the options goes before the environment.
//!
//! Everything here runs on a loader's thread and may block, and nothing of it looks at the environment of the process: that
//! was read when the store was opened. What blocks happens between the polls, which a fork waits for.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_config::Region;
use aws_credential_types::Credentials;

use super::ask::Service;
use super::instance::{Instance, LATE, Nothing};
use super::login::Session;
use super::profile::{Chain, Role, Source, half_set, keys_in};
use super::sso::SignIn;
use super::{
    Errand, Files, Life, LoadFailure, LoadFailureKind, Origin, container, files, login, missing_profile, profiles,
    program, sso, sts, unsendable,
};
use crate::dynamo::http::{Client, Connector, Proxies, Response};
use crate::dynamo::identity::service_url;
use crate::dynamo::resolver::Resolver;
use crate::dynamo::trust::Trust;
use crate::model::options::Options;
use crate::runtime::{Runtimes, whole_across_forks};

/// The longest that the services may take for one load. The calls that wait for it have their own, shorter deadline.
pub const LONGEST_ANSWER: Duration = Duration::from_secs(15);
/// The longest that a program may take, which may ask its user.
const LONGEST_RUN: Duration = Duration::from_secs(60);
/// What both may take where what is held ends sooner: a load that hangs from before the end must not be what everybody
/// waits for after it.
const AT_LEAST: Duration = Duration::from_secs(3);

/// Credentials, and how long they may be used.
pub type Loaded = (Credentials, Life);

/// Credentials, and where they come from.
type Found = (Credentials, Origin);

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
}

/// One load of a store's credentials.
struct Load<'a> {
    sources: &'a Sources,
    files: &'a Files,
    errand: &'a Errand,
}

impl Sources {
    /// Asks them, one after the other.
    pub fn load(&self, errand: &Errand) -> Result<Loaded, LoadFailure> {
        let (given, environment) = (self.options.profile.as_deref(), &self.options.environment);
        let keys = if given.is_none() { keys_in(environment) } else { None };
        let (mut credentials, from) = match keys {
            Some(keys) => (keys, Origin::Environment),
            None => self.of_files(errand)?,
        };
        if let Some(what) = unsendable(&credentials) {
            return Err(LoadFailure::new(LoadFailureKind::Misconfigured, what));
        }
        let life = life_of(&credentials, from);
        credentials.set_property(from);
        Ok((credentials, life))
    }

    fn of_files(&self, errand: &Errand) -> Result<Found, LoadFailure> {
        let (given, environment) = (self.options.profile.as_deref(), &self.options.environment);
        let files = Files::read(environment, given);
        let profiles = profiles(&files, given)?;
        let chain = Chain::of(profiles)?;
        let load = Load { sources: self, files: &files, errand };
        match chain {
            Some(chain) => load.along(chain),
            None => load.elsewhere()?.ok_or_else(|| self.overlooked(&files)),
        }
    }

    /// That there are none, and what AWS's SDKs pass over in silence and may be why.
    fn overlooked(&self, files: &Files) -> LoadFailure {
        let mistake = half_set(&self.options.environment)
            .or_else(|| files.unreadable().map(ToOwned::to_owned))
            .or_else(|| files.profiles().ok().and_then(missing_profile));
        match mistake {
            Some(what) => LoadFailure::new(LoadFailureKind::Misconfigured, what),
            None => nothing(""),
        }
    }

    /// What asks a service at this URL, which may read certificates. No client outlives its load.
    fn client(&self, url: &str, proxies: Proxies, files: &Files) -> Result<Client, LoadFailure> {
        let unusable = |error: crate::model::Error| LoadFailure::new(LoadFailureKind::Misconfigured, error.message);
        let tls = url.starts_with("https:");
        let trust = if tls { Some(Trust::of(&self.options, files.ca_bundle()).map_err(unusable)?) } else { None };
        let timeout = self.options.connect_timeout;
        Ok(Client::new(Arc::new(Connector::new(Resolver::new(timeout), proxies, trust, timeout)), 1))
    }

    /// As DynamoDB is asked: through a proxy, where there is one.
    fn far(&self, url: &str, files: &Files) -> Result<Client, LoadFailure> {
        let proxies = Proxies::of(&self.options);
        let proxies = proxies.map_err(|error| LoadFailure::new(LoadFailureKind::Misconfigured, error.message))?;
        self.client(url, proxies, files)
    }
}

/// What asks an instance's metadata service.
pub fn near(options: &Options) -> Client {
    let timeout = options.connect_timeout;
    Client::new(Arc::new(Connector::new(Resolver::new(timeout), Proxies::none(), None, timeout)), 1)
}

impl Load<'_> {
    fn options(&self) -> &Options {
        &self.sources.options
    }

    /// The credentials of a profile.
    fn along(&self, chain: Chain) -> Result<Found, LoadFailure> {
        let environment = &self.options().environment;
        let missing = |what: &str| {
            LoadFailure::new(LoadFailureKind::Misconfigured, format!("credential_source of the profile: {what}"))
        };
        let (base, from) = match chain.source {
            Source::Keys(keys) => (keys, Origin::Profile),
            Source::Program(command, account) => (self.of_program(&command, account.as_deref())?, Origin::Program),
            Source::Token(file, role) => (self.of_token(&files::token(&file)?, &role)?, Origin::WebIdentity),
            Source::SignIn(sign_in) => (self.of_sign_in(&sign_in)?, Origin::SignIn),
            Source::Login(session) => (self.of_login(&session)?, Origin::Login),
            Source::Environment => {
                (keys_in(environment).ok_or_else(|| missing("no keys are in the environment"))?, Origin::Environment)
            }
            Source::Container => (
                self.of_container()?.ok_or_else(|| missing("the environment names no container's endpoint"))?,
                Origin::Container,
            ),
            Source::Instance => {
                (self.of_instance()?.ok_or_else(|| missing("no metadata service is to be asked"))?, Origin::Instance)
            }
        };
        let from = if chain.roles.is_empty() { from } else { Origin::Role };
        Ok((chain.roles.iter().try_fold(base, |base, role| self.assumed(base, role))?, from))
    }

    /// What goes after the profile.
    fn elsewhere(&self) -> Result<Option<Found>, LoadFailure> {
        let environment = &self.options().environment;
        if let Some(keys) = keys_in(environment) {
            return Ok(Some((keys, Origin::Environment)));
        }
        if let (Some(file), Some(arn)) =
            (environment.get("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN"))
        {
            let session_name = environment.get("AWS_ROLE_SESSION_NAME").map(ToOwned::to_owned);
            let role =
                Role { arn: arn.to_owned(), session_name, external_id: None, duration_seconds: None, mfa_serial: None };
            return Ok(Some((self.of_token(&files::token(file)?, &role)?, Origin::WebIdentity)));
        }
        if let Some(given) = self.of_container()? {
            return Ok(Some((given, Origin::Container)));
        }
        // Before the metadata service is asked, which most machines do not have.
        if half_set(environment).is_some() {
            return Ok(None);
        }
        Ok(self.of_instance()?.map(|given| (given, Origin::Instance)))
    }

    fn of_token(&self, token: &str, role: &Role) -> Result<Credentials, LoadFailure> {
        let (at, client, token) = self.sts()?.with(token.trim_end());
        let secrets = [token.to_owned()];
        self.finished(async {
            sts::assume_for_token(&self.service("STS", &client, &secrets, sts::said), &at, token, role).await
        })
    }

    fn assumed(&self, base: Credentials, role: &Role) -> Result<Credentials, LoadFailure> {
        let (at, client, base) = self.sts()?.with(base);
        let secrets = [Some(base.secret_access_key()), base.session_token()];
        let secrets: Vec<String> = secrets.into_iter().flatten().map(ToOwned::to_owned).collect();
        let service = self.service("STS", &client, &secrets, sts::said);
        let assumed = self.finished(async { sts::assume(&service, &at, base, role, SystemTime::now).await });
        assumed.map_err(|failure| match &role.mfa_serial {
            Some(_) => LoadFailure::new(
                failure.kind,
                format!("{failure}; the profile's mfa_serial is not used, since nobody can be asked for a code"),
            ),
            None => failure,
        })
    }

    fn sts(&self) -> Result<Sts, LoadFailure> {
        let region = self.sources.region.to_string();
        let url = self.url("STS", "sts", &region)?;
        let client = self.sources.far(&url, self.files)?;
        Ok(Sts { at: sts::Place { url, region }, client })
    }

    fn of_sign_in(&self, sign_in: &SignIn) -> Result<Credentials, LoadFailure> {
        let mut token = sign_in.token(files::home(&self.options().environment))?;
        let (oidc, portal) =
            (self.url("SSO OIDC", "oidc", &sign_in.region)?, self.url("SSO", "portal.sso", &sign_in.region)?);
        let (renews, gives) = (self.sources.far(&oidc, self.files)?, self.sources.far(&portal, self.files)?);
        let secrets = token.secrets();
        let service = self.service("IAM Identity Center", &renews, &secrets, sso::said);
        let now = SystemTime::now();
        if let Some(renewal) = token.renewal(sign_in, now) {
            let asked = self.finished(async { sso::renewed(&service, &oidc, &renewal).await });
            token.renew(asked, now)?;
        }
        token.check(sign_in, now)?;
        let secrets = token.secrets();
        let service = self.service("IAM Identity Center", &gives, &secrets, sso::said);
        self.finished(async { sso::credentials(&service, &portal, sign_in, &token).await })
    }

    fn of_program(&self, command: &str, account: Option<&str>) -> Result<Credentials, LoadFailure> {
        let timeout = within(LONGEST_RUN, self.errand.left);
        program::credentials(command, account, timeout, &|| self.errand.is_wanted())
    }

    fn of_login(&self, name: &str) -> Result<Credentials, LoadFailure> {
        let mut session = Session::of(name, &self.options().environment)?;
        let now = SystemTime::now();
        if let Some(renewal) = session.renewal(now)? {
            let region = session.region().map_or_else(|| self.sources.region.to_string(), ToOwned::to_owned);
            let url = match self.files.endpoint("Signin") {
                Some(_) => self.url("Signin", "signin", &region)?,
                None => login::url(&region),
            };
            let (client, secrets) = (self.sources.far(&url, self.files)?, session.secrets());
            let service = self.service("AWS Sign-In", &client, &secrets, login::said);
            let asked = self.finished(async { login::renewed(&service, &url, &renewal).await });
            session.renew(asked, now)?;
        }
        session.credentials()
    }

    fn of_container(&self) -> Result<Option<Credentials>, LoadFailure> {
        let environment = &self.options().environment;
        let Some(url) = container::url(environment)? else { return Ok(None) };
        let allowed = container::authorization(environment)?;
        let client = self.sources.client(&url, Proxies::none(), self.files)?;
        let secrets: Vec<String> = allowed.iter().cloned().collect();
        let service = self.service("the container's endpoint", &client, &secrets, container::said);
        self.finished(async { container::credentials(&service, &url, allowed.as_deref()).await }).map(Some)
    }

    fn of_instance(&self) -> Result<Option<Credentials>, LoadFailure> {
        let Some(instance) = Instance::of(self.files)? else { return Ok(None) };
        let client = near(self.options());
        let asked = finished(&self.sources.runtimes, self.time(), async {
            Ok(instance.credentials(&client, self.ends()).await)
        })?;
        asked.map(Some).or_else(|why| match why {
            Nothing::Absent { late: true } => Err(nothing(LATE)),
            Nothing::Absent { late: false } | Nothing::Missing => Ok(None),
            Nothing::Failed(failure) => Err(failure),
        })
    }

    /// Where a service is: at a URL that was configured, else AWS's own.
    fn url(&self, service: &str, host: &str, region: &str) -> Result<String, LoadFailure> {
        let Sources { use_fips, use_dual_stack, .. } = *self.sources;
        let misconfigured = |why: String| LoadFailure::new(LoadFailureKind::Misconfigured, why);
        match self.files.endpoint(service) {
            None => {
                service_url(host, region, use_fips, use_dual_stack).map_err(|error| misconfigured(error.to_string()))
            }
            Some(_) if use_fips || use_dual_stack => Err(misconfigured(format!(
                "an endpoint of {service} given by its URL is neither FIPS nor dual-stack: leave out the URL, or both"
            ))),
            Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(url),
            Some(_) => {
                Err(misconfigured(format!("the endpoint of {service} is not a URL such as https://sts.example.com")))
            }
        }
    }

    fn service<'b>(
        &self,
        name: &'static str,
        client: &'b Client,
        secrets: &'b [String],
        said: fn(&Response) -> super::ask::Said,
    ) -> Service<'b> {
        Service { name, client, attempt: self.options().timeout, ends: self.ends(), secrets, said }
    }

    /// How long one service may take.
    fn time(&self) -> Duration {
        within(LONGEST_ANSWER, self.errand.left)
    }

    fn ends(&self) -> Instant {
        Instant::now() + self.time()
    }

    fn finished<T>(&self, future: impl Future<Output = Result<T, LoadFailure>>) -> Result<T, LoadFailure> {
        finished(&self.sources.runtimes, self.time(), future)
    }
}

/// STS, and what asks it.
struct Sts {
    at: sts::Place,
    client: Client,
}

impl Sts {
    fn with<T>(self, what: T) -> (sts::Place, Client, T) {
        (self.at, self.client, what)
    }
}

fn nothing(why: &str) -> LoadFailure {
    LoadFailure::new(LoadFailureKind::NotFound, why)
}

/// How long a load may take that may take `longest`.
fn within(longest: Duration, left: Option<Duration>) -> Duration {
    left.map_or(longest, |left| left.clamp(AT_LEAST, longest))
}

/// Asks a service to its end, on this thread, for so long at most. A fork waits for its polls, none of which blocks.
pub fn finished<T>(
    runtimes: &Runtimes,
    timeout: Duration,
    future: impl Future<Output = Result<T, LoadFailure>>,
) -> Result<T, LoadFailure> {
    let not_started = |error: std::io::Error| {
        LoadFailure::new(LoadFailureKind::Failing, format!("the system refuses what it takes to ask ({error})"))
    };
    let runtime = runtimes.one().map_err(not_started)?;
    let bounded = async { tokio::time::timeout(timeout, future).await };
    let ended = runtime.block_on(whole_across_forks(bounded));
    // A name that is still being looked up must not be waited for.
    runtime.shutdown_background();
    let late =
        || LoadFailure::new(LoadFailureKind::TimedOut, format!("no source answered within {} s", timeout.as_secs()));
    ended.unwrap_or_else(|_| Err(late()))
}

/// What the metadata service gives out is used beyond its end, by AWS's rule of static stability.
fn life_of(credentials: &Credentials, from: Origin) -> Life {
    match credentials.expiry() {
        None => Life::Endless,
        Some(end) if from == Origin::Instance => Life::Beyond(end),
        Some(end) => Life::Until(end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_metadata_service_s_credentials_are_used_beyond_their_end() {
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        for (from, end, life) in [
            (Origin::Container, None, Life::Endless),
            (Origin::Instance, None, Life::Endless),
            (Origin::Container, Some(end), Life::Until(end)),
            (Origin::Instance, Some(end), Life::Beyond(end)),
        ] {
            assert_eq!(life_of(&Credentials::new("AKIA", "secret", None, end, "test"), from), life);
        }
    }
}
