//! The host's files as a read sees them: opened at first use, and never a reason to fail.
//!
//! Files are read and written on whichever thread gets there: the caller's for blocking calls, else one of the runtime's.
//! They are small, regular, local files, mostly in the page cache: a hand-over to another thread costs more than the
//! work. Where a file system hangs, so do the calls that need it; the directory must not be on the network.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::model::options::{CacheOptions, LogLevel, Options};
use crate::runtime::{effective_user, lock};
use crate::store::events::Events;
use crate::store::host_cache::{CLAIM, HostCache, Kept, Stamp, Standing, Trouble};
use crate::store::read_through::question::Question;
use crate::store::statistics::count;

/// A trouble of one kind is told once in so long, and a directory that could not be opened is left alone as long.
const QUIET: Duration = Duration::from_secs(60);
/// How often those look who wait for the one who asks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(4);

/// The cache of the host, for one store.
pub struct Host {
    options: CacheOptions,
    identity: Vec<String>,
    opened: Mutex<Opened>,
    events: Arc<Events>,
    told: Mutex<Vec<(&'static str, Instant)>>,
    /// Values that came from it.
    pub hits: AtomicU64,
    /// How often something went wrong with it.
    pub trouble: AtomicU64,
}

enum Opened {
    No { again: Option<Instant> },
    Yes(Arc<HostCache>),
}

/// Who asks DynamoDB.
pub enum Turn<T> {
    /// Nobody: it is there, and so old.
    Found(T, Duration),
    /// The caller, for all.
    Mine(Claim),
    /// The caller, for itself.
    Alone,
}

/// The right to ask for all, given back when dropped.
pub struct Claim {
    cache: Arc<HostCache>,
    kind: Box<str>,
    key: Option<Box<str>>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.cache.give_back(&self.kind, self.key.as_deref());
    }
}

impl Host {
    /// The one that the options name.
    pub fn new(options: &Options, events: &Arc<Events>) -> Option<Host> {
        options.cache.dir.as_ref()?;
        Some(Host {
            identity: identity(options),
            options: options.cache.clone(),
            opened: Mutex::new(Opened::No { again: None }),
            events: Arc::clone(events),
            told: Mutex::default(),
            hits: AtomicU64::new(0),
            trouble: AtomicU64::new(0),
        })
    }

    /// Whether values are ever fresh; else they only stand in.
    pub fn shares(&self) -> bool {
        self.options.enabled()
    }

    /// Does something with the files. `None` if they are in trouble, which is told.
    pub fn with<T>(&self, act: impl FnOnce(&HostCache) -> Result<T, Trouble>) -> Option<T> {
        let cache = self.cache()?;
        act(&cache).map_err(|trouble| self.report(trouble)).ok()
    }

    /// What the files have.
    pub fn look<Q: Question>(&self, question: &Q) -> Option<Kept<Q::Value>> {
        self.with(|cache| question.on_host(cache, &Stamp::now()))?
    }

    /// Keeps an answer that was asked for at a moment.
    pub fn keep<Q: Question>(&self, question: &Q, value: &Q::Value, as_of: Stamp) {
        self.with(|cache| question.keep_on_host(cache, value, as_of));
    }

    /// Finds out who asks: whoever claims it, and the others look again until that one must have ended. `usable` says
    /// whether a value is one for this store.
    pub async fn turn<Q: Question>(
        &self,
        question: &Q,
        ends: Instant,
        usable: impl Fn(&Q::Value) -> bool,
    ) -> Turn<Q::Value> {
        let until = ends.min(Instant::now() + CLAIM);
        let look = || self.look(question).filter(|kept| kept.standing != Standing::StandIn && usable(&kept.value));
        loop {
            let mut found = look();
            if found.as_ref().is_none_or(|kept| kept.standing == Standing::Ageing) {
                match self.claim(question) {
                    None => return Turn::Alone,
                    Some(None) => {}
                    Some(Some(claim)) => match look() {
                        // Whoever had the claim before has brought it meanwhile.
                        Some(kept) if kept.standing == Standing::Fresh => found = Some(kept),
                        _ => return Turn::Mine(claim),
                    },
                }
            }
            if let Some(kept) = found {
                count(&self.hits);
                return Turn::Found(kept.value, kept.age);
            }
            if Instant::now() >= until {
                return Turn::Alone;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }

    fn claim<Q: Question>(&self, question: &Q) -> Option<Option<Claim>> {
        let (kind, key) = question.place();
        let cache = self.cache()?;
        let mine = self.with(|cache| cache.claim(kind, key))?;
        Some(mine.then(|| Claim { cache, kind: kind.into(), key: key.map(Into::into) }))
    }

    fn cache(&self) -> Option<Arc<HostCache>> {
        let mut opened = lock(&self.opened);
        match &*opened {
            Opened::Yes(cache) => return Some(Arc::clone(cache)),
            Opened::No { again: Some(again) } if Instant::now() < *again => return None,
            Opened::No { .. } => {}
        }
        let CacheOptions { dir, dir_max_bytes, ttl, stale, .. } = &self.options;
        let identity: Vec<&str> = self.identity.iter().map(String::as_str).collect();
        let root = Path::new(dir.as_ref()?);
        match HostCache::open(root, &identity, *dir_max_bytes, *ttl, *stale, effective_user()) {
            Ok(cache) => {
                let cache = Arc::new(cache);
                *opened = Opened::Yes(Arc::clone(&cache));
                Some(cache)
            }
            Err(trouble) => {
                *opened = Opened::No { again: Some(Instant::now() + QUIET) };
                drop(opened);
                self.report(trouble);
                None
            }
        }
    }

    fn report(&self, trouble: Trouble) {
        self.trouble.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut told = lock(&self.told);
        told.retain(|(_, at)| now.duration_since(*at) < QUIET);
        if told.iter().all(|(kind, _)| *kind != trouble.kind) {
            told.push((trouble.kind, now));
            drop(told);
            self.events.emit(LogLevel::Warn, || trouble.message);
        }
    }
}

/// Where the rows come from and who reads them. Secrets, and what changes with each hour or start, are no part of it.
fn identity(options: &Options) -> Vec<String> {
    let text = |option: &Option<String>| option.clone().unwrap_or_default();
    let key = options.credentials.as_ref().map(|credentials| credentials.access_key_id.clone());
    let mut identity = vec![
        text(&options.endpoint),
        text(&options.region),
        options.table.clone(),
        options.prefix.clone(),
        key.unwrap_or_default(),
        text(&options.profile),
        format!("{} {}", options.use_fips, options.use_dual_stack),
    ];
    let passing = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    let of_a_start = ["AWS_LAMBDA_", "AWS_EXECUTION_", "AWS_XRAY_"];
    let variables = options
        .environment
        .iter()
        .filter(|(name, _)| !passing.contains(name) && !of_a_start.iter().any(|start| name.starts_with(start)));
    identity.extend(variables.map(|(name, value)| format!("{name}={value}")));
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::options::Credentials;

    #[test]
    fn a_directory_is_of_a_place_and_an_identity_and_of_no_secret() {
        let of = |change: &dyn Fn(&mut Options)| {
            let mut options = Options::for_table("flags");
            options.environment = [("AWS_SESSION_TOKEN".to_owned(), "s3cr3t".to_owned())].into_iter().collect();
            change(&mut options);
            identity(&options)
        };
        let credentials = |id: &str, secret: &str| {
            let (access_key_id, secret_access_key) = (id.to_owned(), secret.to_owned());
            Some(Credentials { access_key_id, secret_access_key, session_token: Some("s3cr3t".into()) })
        };
        let a = of(&|options| options.credentials = credentials("A", "s3cr3t"));
        assert_eq!(a, of(&|options| options.credentials = credentials("A", "another")));
        let changes: [&dyn Fn(&mut Options); 6] = [
            &|options| options.credentials = credentials("B", "s3cr3t"),
            &|options| options.table = "other".into(),
            &|options| options.prefix = "p".into(),
            &|options| options.region = Some("eu-west-1".into()),
            &|options| options.endpoint = Some("http://localhost".into()),
            &|options| options.profile = Some("staging".into()),
        ];
        assert!(changes.iter().all(|change| of(*change) != a));
        assert!(!format!("{a:?}").contains("s3cr3t"));
    }
}
