//! The AWS client of one store: made from the options at the first request, kept for the store's life.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::endpoint::DefaultResolver;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext};
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpClient, SharedHttpConnector};
use aws_types::service_config::ServiceConfigKey;

use super::counters::Counters;
use super::credentials::{self, Files, Life, LoadFailure, LoadFailureKind, Loader, Sources, Unavailable};
use super::exchange::Connection;
use super::failure::Place;
use super::identity::{Destination, Identities};
use super::pool::Pool;
use super::resolver::Resolver;
use super::retry::Shared;
use super::shown::shown;
use super::trust;
use crate::model::options::Options;
use crate::model::{Code, Error, Result};
use crate::runtime::{self, Runtimes};

/// The region that signs requests to an endpoint given by URL when no region is known. Such endpoints ignore it.
const SIGNING_REGION: &str = "us-east-1";
/// Idle connections are closed before load balancers and NAT gateways forget them.
const IDLE_CONNECTION: Duration = Duration::from_secs(60);
/// The smaller of the SDK's TLS implementations.
const TLS: Provider = Provider::Rustls(CryptoMode::Ring);
/// The longest region that a message shows.
const LONGEST_SHOWN_REGION: usize = 24;

/// A table in DynamoDB, or in something that speaks its protocol.
pub struct DynamoTable {
    options: Options,
    pub(super) counters: Arc<Counters>,
    pub(super) shared: Shared,
    /// The runtime that its connections are of, see [`runtime::generation`].
    generation: u64,
    connection: OnceLock<Arc<Connection>>,
    /// Makes the connection where that may block: files are read, or the metadata service is asked.
    connecting: Loader<Connection, Error>,
    /// What that waits with.
    runtimes: Arc<Runtimes>,
}

impl DynamoTable {
    /// Remembers the options; nothing is resolved or connected before the first request.
    pub fn new(options: Options, counters: Arc<Counters>) -> Self {
        if options.endpoint.is_none() {
            // The first of its kind looks for a variable, which only the thread that opens a store may.
            let _ = DefaultResolver::new();
        }
        let (shared, generation) = (Shared::new(&options), runtime::generation());
        let runtimes = Arc::new(if options.is_complete() { Runtimes::none() } else { Runtimes::new() });
        let (given, most, used) = (options.clone(), shared.in_flight.most(), Arc::clone(&runtimes));
        let connecting = Loader::new(patience(&options), move |_| Ok((connect(&given, most, &used)?, Life::Endless)));
        DynamoTable { options, counters, shared, generation, connection: OnceLock::new(), connecting, runtimes }
    }

    /// A table whose requests go through another connector. The options give everything.
    #[cfg(any(test, fuzzing))]
    pub fn through(options: Options, connector: SharedHttpConnector) -> Result<Self> {
        let pool = Pool::new(Box::new(move || connector.clone()));
        let connection = Target::given(&options)?.connection(&options, &Arc::new(Runtimes::none()), pool)?;
        let table = DynamoTable::new(options, Arc::default());
        Ok(DynamoTable { connection: OnceLock::from(Arc::new(connection)), ..table })
    }

    /// The table's name.
    pub(super) fn name(&self) -> &str {
        &self.options.table
    }

    /// Where requests go, for messages; the region may not be known yet.
    pub(super) fn place(&self) -> Place {
        let elsewhere = || self.options.endpoint.as_deref().map_or_else(|| "DynamoDB".into(), shown);
        let made = self.made().map(|connection| connection.place.clone());
        made.unwrap_or_else(|| Place { table: self.options.table.clone(), at: elsewhere() })
    }

    /// The client, if it was made.
    pub(super) fn made(&self) -> Option<&Connection> {
        self.connection.get().map(|connection| &**connection)
    }

    /// The client, made at the first use. A failure (no region yet, say) is not kept.
    pub(super) async fn connection(&self) -> Result<&Connection> {
        runtime::check(self.generation)?;
        match self.made() {
            Some(connection) => Ok(connection),
            // Apart, since every request would carry the room that this needs once.
            None => Box::pin(self.connect()).await,
        }
    }

    async fn connect(&self) -> Result<&Connection> {
        let connection = if blocks(&self.options) {
            self.connecting.current(SystemTime::now()).await.map_err(|why| self.unconnected(why))?
        } else {
            Arc::new(connect(&self.options, self.shared.in_flight.most(), &self.runtimes)?)
        };
        Ok(self.connection.get_or_init(|| connection))
    }

    fn unconnected(&self, why: Unavailable<Error>) -> Error {
        match why {
            Unavailable::Failed(error) => error,
            other => unsettled(&self.options, &other.in_words()),
        }
    }
}

/// So long an attempt waits for what is loaded: it still ends in time to say what it waited for.
fn patience(options: &Options) -> Duration {
    options.attempt_timeout.mul_f64(0.9).min(options.timeout / 3)
}

/// Whether connecting reads files or asks anyone.
fn blocks(options: &Options) -> bool {
    !options.is_complete() || !is_plain(options.endpoint.as_deref())
}

/// Whether an endpoint is spoken to without TLS.
fn is_plain(endpoint: Option<&str>) -> bool {
    endpoint.is_some_and(|endpoint| endpoint.starts_with("http:"))
}

/// Finds out where requests go and who asks. Connects nothing yet, but may block.
fn connect(options: &Options, most: u32, runtimes: &Arc<Runtimes>) -> Result<Connection> {
    let target = if options.is_complete() { Target::given(options)? } else { Target::found(options, runtimes)? };
    let pool = pool(options, target.endpoint.as_deref(), most)?;
    target.connection(options, runtimes, pool)
}

/// Where requests go.
struct Target {
    region: Region,
    endpoint: Option<String>,
    fips: Option<bool>,
    dual_stack: Option<bool>,
    account_id_mode: String,
}

impl Target {
    /// With the endpoint and the keys in the options there is nothing to look up, and looking would ask the metadata
    /// service.
    fn given(options: &Options) -> Result<Target> {
        let region = options.region.clone().unwrap_or_else(|| SIGNING_REGION.to_owned());
        Target {
            region: valid_region(Region::new(region))?,
            endpoint: options.endpoint.clone(),
            fips: options.use_fips.then_some(true),
            dual_stack: options.use_dual_stack.then_some(true),
            account_id_mode: String::new(),
        }
        .checked()
    }

    /// As AWS's other clients find it: options, variables, profile, instance.
    fn found(options: &Options, runtimes: &Runtimes) -> Result<Target> {
        let files = Files::read(&options.environment);
        // The metadata service, which may know the region, speaks no TLS.
        let mut loader = credentials::settings(options, &files, &[])
            .http_client(http_client(options, trust::nobody()?))
            .no_credentials();
        let variable = |name| options.environment.get(name);
        let known = options.region.as_deref().or_else(|| variable("AWS_REGION"));
        if let Some(known) = known.or_else(|| variable("AWS_DEFAULT_REGION")) {
            loader = loader.region(valid_region(Region::new(known.to_owned()))?);
        }
        let shared = credentials::finished(runtimes, credentials::LONGEST_ANSWER, loader.load())
            .map_err(|failure| unsettled(options, &failure))?;
        let region = match (shared.region().cloned(), &options.endpoint) {
            (Some(region), _) => valid_region(region)?,
            (None, Some(_)) => Region::new(SIGNING_REGION),
            (None, None) => return Err(no_region(options, &files)),
        };
        Target {
            region,
            endpoint: endpoint(options, &shared)?,
            fips: shared.use_fips(),
            dual_stack: shared.use_dual_stack(),
            account_id_mode: shared.account_id_endpoint_mode().cloned().unwrap_or_default().to_string(),
        }
        .checked()
    }

    fn checked(self) -> Result<Target> {
        if self.endpoint.is_some() && (self.fips == Some(true) || self.dual_stack == Some(true)) {
            return Err(Error::new(
                Code::OptionValue,
                "an endpoint given by its URL is neither FIPS nor dual-stack: leave out the URL, or \"use_fips\" and \"use_dual_stack\"",
            ));
        }
        Ok(self)
    }

    fn connection(self, options: &Options, runtimes: &Arc<Runtimes>, pool: Pool) -> Result<Connection> {
        let at = match (self.endpoint.as_deref(), self.region.as_ref()) {
            (Some(endpoint), _) => shown(endpoint),
            (None, region) if may_be_shown(region) => format!("DynamoDB in {region}"),
            (None, _) => "DynamoDB".to_owned(),
        };
        let place = Place { table: options.table.clone(), at };
        let sources = Sources {
            options: options.clone(),
            region: self.region.clone(),
            use_fips: self.fips == Some(true),
            use_dual_stack: self.dual_stack == Some(true),
            runtimes: Arc::clone(runtimes),
            http: Box::new({
                let options = options.clone();
                move || Ok(http_client(&options, trust::trusted(&options)?))
            }),
        };
        let destination = Destination {
            region: self.region.to_string(),
            endpoint: self.endpoint,
            fips: self.fips,
            dual_stack: self.dual_stack,
            account_id_mode: self.account_id_mode,
            table: options.table.clone(),
        };
        let identities = match &options.credentials {
            Some(given) => Identities::fixed(&destination, credentials::fixed(given)?).map_err(|failure| {
                Error::new(Code::OptionValue, format!("no request to {place} can be made: {failure}"))
            })?,
            None => Identities::loaded(destination, patience(options), move |left| sources.load(left)),
        };
        Ok(Connection::new(place, pool, identities))
    }
}

/// Whether a region's name looks like one. What is longer, or has other letters, may be something secret that came to the
/// wrong place.
fn may_be_shown(region: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_. /".contains(&byte);
    region.len() <= LONGEST_SHOWN_REGION && region.bytes().all(usual)
}

/// A region becomes a part of a host's name.
fn valid_region(region: Region) -> Result<Region> {
    let name = region.as_ref();
    let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !name.is_empty() && name.bytes().all(of_a_host) && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(region);
    }
    let what = if may_be_shown(name) { format!("{name:?}") } else { "what is given as the region".to_owned() };
    Err(Error::new(
        Code::OptionValue,
        format!(
            "{what} is not an AWS region such as eu-west-1: correct the option \"region\", AWS_REGION or the profile"
        ),
    ))
}

fn no_region(options: &Options, files: &Files) -> Error {
    let table = &options.table;
    let why = match credentials::profiles(files, options.profile.as_deref()) {
        Err(failure) => Some(failure.why),
        Ok(profiles) => files.unreadable().map(ToOwned::to_owned).or_else(|| credentials::missing_profile(&profiles)),
    };
    let what = match why.as_deref().map(credentials::on_one_line) {
        Some(why) => format!("no AWS region for table \"{table}\" was found, and {why}: correct that, or"),
        None => {
            format!("no AWS region for table \"{table}\" in the options, the environment, the profile or the instance:")
        }
    };
    Error::new(Code::NoRegion, format!("{what} set the option \"region\" or AWS_REGION"))
}

/// The settings could not be found out.
fn unsettled(options: &Options, failure: &LoadFailure) -> Error {
    let table = &options.table;
    match failure.kind {
        LoadFailureKind::TimedOut => Error::new(
            Code::Timeout,
            format!(
                "the AWS settings for table \"{table}\" could not be read in time ({failure}): check the file system of the AWS configuration files, and the metadata service"
            ),
        ),
        _ => Error::new(
            Code::Runtime,
            format!(
                "the AWS settings for table \"{table}\" could not be read ({failure}): raise the limits on processes and open files"
            ),
        ),
    }
}

/// The endpoint's URL, unless it is AWS's own: from the options, else as for AWS's other clients.
fn endpoint(options: &Options, shared: &SdkConfig) -> Result<Option<String>> {
    if options.endpoint.is_some() {
        return Ok(options.endpoint.clone());
    }
    let key =
        ServiceConfigKey::builder().service_id("DynamoDB").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
    let of_dynamo = key.ok().and_then(|key| shared.service_config()?.load_config(key));
    let Some(url) = of_dynamo.or_else(|| shared.endpoint_url().map(ToOwned::to_owned)) else { return Ok(None) };
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && !url.contains(char::is_whitespace) {
        return Ok(Some(url));
    }
    Err(Error::new(
        Code::OptionValue,
        "the endpoint in AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL or the profile is not a URL such as http://127.0.0.1:8000",
    ))
}

/// The connections to DynamoDB: no more are kept for later than requests may be in flight.
fn pool(options: &Options, endpoint: Option<&str>, most: u32) -> Result<Pool> {
    let settings = HttpConnectorSettings::builder().connect_timeout(options.connect_timeout).build();
    let builder = Connector::builder()
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .pool_idle_timeout(IDLE_CONNECTION)
        .pool_max_idle_per_host(most as usize);
    // Certificates are read once; connecting anew reads no file.
    let tls = if is_plain(endpoint) { trust::nobody() } else { trust::trusted(options) }?;
    let (builder, resolver) = (builder.tls_provider(TLS).tls_context(tls), resolver(options));
    Ok(Pool::new(Box::new(move || SharedHttpConnector::new(builder.clone().build_with_resolver(resolver.clone())))))
}

/// What asks for credentials and regions, with time limits that each of its clients sets.
///
/// Whether with TLS or without, all connections are made by one type, which is a tenth of a megabyte less than two.
fn http_client(options: &Options, trusted: TlsContext) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    builder.tls_provider(TLS).tls_context(trusted).build_with_resolver(resolver(options))
}

fn resolver(options: &Options) -> Resolver {
    Resolver::new(options.connect_timeout)
}
