//! `doctor`: looks at everything between this process and its flags, and says what is wrong and what to do.
//!
//! Here things are looked at; `findings` is the rule that makes sentences of what was seen. Nothing is ever written: the
//! two requests that would need the right to write have a condition that no row can meet, and the one that would do
//! less harm goes first.

mod findings;
mod observations;
mod survey;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

pub use findings::{CHECKS, Finding, Level, Report};
pub use survey::{Sighting, State};

use super::Store;
use super::attempt::Attempt;
use super::host_cache;
use crate::dynamo::seen::addresses;
use crate::dynamo::{Counters, DynamoTable, Effort, Notices, When, Written};
use crate::model::large::Form;
use crate::model::namespace::{FEATURES, SEGMENTS, check_key};
use crate::model::options::Options;
use crate::model::row::{Attribute, NewRow, RawRow};
use crate::model::{Code, Result};
use crate::runtime::{self, lock};
use observations::{CacheDirectory, Observations, Tried};
use survey::Tally;

/// The key of the row that is never written. An IAM policy may name the namespaces that a process may use, and so the
/// row would be in one of them.
const KEY: &str = "flagstore-doctor";
/// More digits than any version has.
const NO_VERSION: &str = "99999999999999999999999999999999999999";

/// Looks at everything. Blocks, at most for four `timeout`s and two `all_timeout`s. An error means that nothing could be
/// looked at; whatever else is wrong stands in the report.
pub fn examine(options: &Options, abi: u32) -> Result<Report> {
    let cache_directory = options.cache.dir.as_deref().map(directory);
    let options = without_traces(options).in_this_process();
    let deadline = Instant::now() + options.timeout * 4 + options.all_timeout * 2;
    let work = async move { Ok(findings::report(&observe(options, abi, cache_directory).await)) };
    runtime::block_on(deadline, None, Attempt::Examine, work)
}

/// The rows of a kind, as they stand in the table: what cannot be read, too. Blocks, at most `all_timeout`.
pub fn rows(options: &Options, kind: &str) -> Result<Vec<Sighting>> {
    let options = without_traces(options).in_this_process();
    let (deadline, owned) = (Instant::now() + options.all_timeout, kind.to_owned());
    let store = Store::open(options);
    let work = async move {
        let namespace = store.namespaces.of(&owned)?;
        let mut seen = Vec::new();
        store.each_page(&owned, true, Effort::until(deadline), |raw| seen.push(Sighting::of(&namespace, &raw))).await?;
        Ok(seen)
    };
    runtime::block_on(deadline, None, Attempt::All { kind }, work)
}

/// One row of a kind, as it stands in the table. Blocks, at most `timeout`.
pub fn row(options: &Options, kind: &str, key: &str) -> Result<Option<Sighting>> {
    let options = without_traces(options).in_this_process();
    let deadline = Instant::now() + options.timeout;
    check_key(kind, key)?;
    let (store, owned) = (Store::open(options), (kind.to_owned(), key.to_owned()));
    let work = async move {
        let namespace = store.namespaces.of(&owned.0)?;
        let raw = store.table.get(&namespace, &owned.1, true, Effort::until(deadline)).await?;
        Ok(raw.map(|raw| Sighting::of(&namespace, &raw)))
    };
    runtime::block_on(deadline, None, Attempt::Get { kind, key }, work)
}

/// The same store without whatever would be kept, on disk or in memory.
fn without_traces(options: &Options) -> Options {
    let mut options = Options { keep_told: false, shared: false, ..options.clone() };
    options.cache.ttl = Some(Duration::ZERO);
    options.cache.dir = None;
    options
}

async fn observe(options: Options, abi: u32, cache_directory: Option<CacheDirectory>) -> Observations {
    let counters = Arc::<Counters>::default();
    let notices = Arc::<Mutex<Vec<String>>>::default();
    let told = Arc::clone(&notices);
    let notices_to = Notices::to(move |_, text| lock(&told).push(text));
    let table = Arc::new(DynamoTable::new(options.clone(), Arc::clone(&counters), notices_to));
    let store = Store::on(options.clone(), Arc::clone(&table) as _, counters);
    let soon = || Instant::now() + options.timeout;

    let started = Instant::now();
    let initialised = store.is_initialized(soon()).await;
    let answered = started.elapsed();
    let way = table.way(soon()).await;
    let unreached = matches!(&initialised, Err(error)
        if matches!(error.code, Code::Connection | Code::Timeout) && !findings::is_of_another(error));
    let name = match &way.host {
        Some(host) if unreached => Some(addresses(host, options.timeout).await),
        _ => None,
    };
    // A right that is missing says nothing of the other ones; whatever else is wrong would be wrong again.
    let goes_on = !matches!(&initialised, Err(error) if error.code != Code::AccessDenied);
    let mut seen = Observations {
        abi,
        region_from: region_from(&options),
        way,
        name,
        answered,
        initialised,
        cache_directory,
        kinds: Vec::new(),
        delete: None,
        put: None,
        notices: lock(&notices).clone(),
        elsewhere: Vec::new(),
        big_segments: None,
        now: SystemTime::now(),
        options,
    };
    if goes_on {
        look_further(&store, &mut seen).await;
    }
    seen
}

/// What is to be seen of the cache directory.
fn directory(dir: &str) -> CacheDirectory {
    let found = host_cache::look(Path::new(dir), runtime::effective_user());
    found.map_or_else(|trouble| CacheDirectory::Trouble(trouble.message), CacheDirectory::of)
}

/// What is to be seen with an answer.
async fn look_further(store: &Arc<Store>, seen: &mut Observations) {
    let soon = || Instant::now() + store.options.timeout;
    for kind in [FEATURES, SEGMENTS] {
        let mut tally = Tally::default();
        let effort = Effort::until(Instant::now() + store.options.all_timeout);
        let namespace = store.namespaces.of(kind).unwrap_or_default();
        let read = store.each_page(kind, true, effort, |raw| tally.add(&Sighting::of(&namespace, &raw))).await;
        seen.kinds.push((kind, read.map(|()| tally)));
    }
    let nothing = seen.kinds.iter().all(|(_, tally)| tally.as_ref().is_ok_and(|tally| tally.rows == 0));
    if nothing && matches!(seen.initialised, Ok(false)) {
        // Where nothing is, a prefix may have been forgotten, or Ruby's SDK was given an empty one.
        for (name, what) in [("$inited", "without a prefix"), (":$inited", "under the empty prefix of a Ruby SDK")] {
            let own = store.namespaces.inited() == name;
            if !own && matches!(store.table.get(name, name, true, Effort::until(soon())).await, Ok(Some(_))) {
                seen.elsewhere.push(what);
            }
        }
    }
    let never = RawRow {
        key: Some(KEY.into()),
        version: Some(Attribute::Number(NO_VERSION.into())),
        item: Some(Attribute::Text(KEY.into())),
        ..RawRow::default()
    };
    let row = NewRow { key: KEY.into(), version: 0, item: KEY.into(), deleted: false, deflated: None };
    let namespace = store.namespaces.of(FEATURES).unwrap_or_default();
    let deleted = store.table.delete(&namespace, KEY, &never, Effort::until(soon())).await.map(Tried::of);
    // An endpoint that ignores conditions would write what is put.
    if !matches!(deleted, Ok(Tried::CarriedOut)) {
        let put = store.table.put(&namespace, Form::Plain(&row), When::AsRead(&never), Effort::until(soon())).await;
        seen.put = Some(put.map(Tried::of));
    }
    seen.delete = Some(deleted);
    let synchronized = store.read_metadata(soon()).await;
    seen.big_segments = Some(synchronized.map(|at| at.map(|at| age(seen.now, at))));
}

impl Tried {
    fn of(written: Written) -> Tried {
        match written {
            Written::Conflict(_) => Tried::Refused,
            Written::Done => Tried::CarriedOut,
        }
    }
}

/// How long ago a moment in milliseconds of Unix time was.
fn age(now: SystemTime, at: i64) -> Duration {
    let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or(0));
    now.duration_since(at).unwrap_or_default()
}

/// What says the region, as far as no file has to be read for it.
fn region_from(options: &Options) -> &'static str {
    let set = |name| options.environment.get(name).is_some_and(|value| !value.is_empty());
    match options {
        Options { region: Some(_), .. } => "the option \"region\"",
        _ if set("AWS_REGION") => "AWS_REGION",
        _ if set("AWS_DEFAULT_REGION") => "AWS_DEFAULT_REGION",
        Options { endpoint: Some(_), .. } => "the endpoint",
        _ => "a profile or the instance",
    }
}
