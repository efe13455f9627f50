//! The AWS client of one store: made from the options at the first request, kept for the store's life.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use aws_config::Region;
use aws_sdk_dynamodb::config::endpoint::DefaultResolver;

use super::counters::Counters;
use super::credentials::{
    self, Files, Instance, Life, LoadFailure, LoadFailureKind, Loader, Nothing, Sources, Unavailable,
};
use super::exchange::Connection;
use super::failure::Place;
use super::http::{self, Connector, Proxies, Sends};
use super::identity::{Destination, Identities};
use super::notices::Notices;
use super::pool::Pool;
use super::resolver::Resolver;
use super::retry::Shared;
use super::shown::shown;
use super::trust::Trust;
use crate::model::options::Options;
use crate::model::{Code, Error, Result};
use crate::runtime::{self, Runtimes};

/// The region that signs requests to an endpoint given by URL when no region is known. Such endpoints ignore it.
const SIGNING_REGION: &str = "us-east-1";
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
    pub fn new(options: Options, counters: Arc<Counters>, notices: Notices) -> Self {
        // What looks for variables is made here, since only the thread that opens a store may.
        runtime::prepare();
        if !options.is_complete() {
            let _ = DefaultResolver::new();
        }
        let (shared, generation) = (Shared::new(&options), runtime::generation());
        let runtimes = Arc::new(if options.is_complete() { Runtimes::none() } else { Runtimes::new() });
        let (given, most, used) = (options.clone(), shared.in_flight.most(), Arc::clone(&runtimes));
        let connecting =
            Loader::new(patience(&options), move |_| Ok((connect(&given, most, &used, &notices)?, Life::Endless)));
        DynamoTable { options, counters, shared, generation, connection: OnceLock::new(), connecting, runtimes }
    }

    /// A table whose requests something else sends. The options give everything.
    #[cfg(any(test, fuzzing))]
    pub fn through(options: Options, client: Arc<dyn Sends>) -> Result<Self> {
        let pool = Pool::new(Box::new(move || Arc::clone(&client)));
        let connection = Target::given(&options)?.connection(&options, &Arc::new(Runtimes::none()), pool)?;
        let table = DynamoTable::new(options, Arc::default(), Notices::default());
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
            Arc::new(connect(&self.options, self.shared.in_flight.most(), &self.runtimes, &Notices::default())?)
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
fn connect(options: &Options, most: u32, runtimes: &Arc<Runtimes>, notices: &Notices) -> Result<Connection> {
    let (target, bundle) = if options.is_complete() {
        (Target::given(options)?, None)
    } else {
        let files = Files::read(&options.environment, options.profile.as_deref());
        // Also where nothing comes of it: what is misspelt may be why.
        files.notices().into_iter().for_each(|notice| notices.say(notice));
        (Target::found(options, &files, runtimes)?, files.ca_bundle().map(ToOwned::to_owned))
    };
    let pool = pool(options, target.endpoint.as_deref(), bundle.as_deref(), most)?;
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
    fn found(options: &Options, files: &Files, runtimes: &Runtimes) -> Result<Target> {
        let variable = |name| options.environment.get(name);
        let known =
            options.region.as_deref().or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION"));
        let region = match known.or_else(|| files.region()) {
            Some(known) => valid_region(Region::new(known.to_owned()))?,
            None => match (of_instance(options, files, runtimes)?, &options.endpoint) {
                (Ok(region), _) => valid_region(Region::new(region))?,
                (Err(_), Some(_)) => Region::new(SIGNING_REGION),
                (Err(hint), None) => return Err(no_region(options, files, hint)),
            },
        };
        let flag = |given: bool, variable, member| if given { Some(true) } else { files.flag(variable, Some(member)) };
        Target {
            region,
            endpoint: endpoint(options, files)?,
            fips: flag(options.use_fips, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint"),
            dual_stack: flag(options.use_dual_stack, "AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint"),
            account_id_mode: files
                .setting("AWS_ACCOUNT_ID_ENDPOINT_MODE", "account_id_endpoint_mode")
                .unwrap_or_default(),
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
            None => Identities::loaded(destination, patience(options), move |errand| sources.load(errand)),
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

/// The region of the instance, or a hint why there is none.
fn of_instance(
    options: &Options,
    files: &Files,
    runtimes: &Runtimes,
) -> Result<std::result::Result<String, Option<&'static str>>> {
    let Ok(Some(instance)) = Instance::of(files) else { return Ok(Err(None)) };
    let client = credentials::near(options);
    let ends = Instant::now() + credentials::LONGEST_ANSWER;
    let asked = credentials::finished(runtimes, credentials::LONGEST_ANSWER, async {
        Ok(instance.region(&client, ends).await)
    });
    Ok(asked.map_err(|failure| unsettled(options, &failure))?.map_err(|why| match why {
        Nothing::Absent { late: true } => Some(credentials::LATE),
        _ => None,
    }))
}

fn no_region(options: &Options, files: &Files, hint: Option<&str>) -> Error {
    let table = &options.table;
    let why = match credentials::profiles(files, options.profile.as_deref()) {
        Err(failure) => Some(failure.why),
        Ok(profiles) => files.unreadable().map(ToOwned::to_owned).or_else(|| credentials::missing_profile(profiles)),
    };
    let why = why.or_else(|| hint.map(ToOwned::to_owned));
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
fn endpoint(options: &Options, files: &Files) -> Result<Option<String>> {
    if options.endpoint.is_some() {
        return Ok(options.endpoint.clone());
    }
    let Some(url) = files.endpoint("DynamoDB") else { return Ok(None) };
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
fn pool(options: &Options, endpoint: Option<&str>, bundle: Option<&str>, most: u32) -> Result<Pool> {
    let trust = if is_plain(endpoint) { None } else { Some(Trust::of(options, bundle)?) };
    let resolver = Resolver::new(options.connect_timeout);
    let connector = Connector::new(resolver, Proxies::of(options)?, trust, options.connect_timeout);
    // Certificates are read once; connecting anew reads no file.
    let connector = Arc::new(connector);
    let connect = move || Arc::new(http::Client::new(Arc::clone(&connector), most as usize)) as Arc<dyn Sends>;
    Ok(Pool::new(Box::new(connect)))
}
