//! A cache that all processes of a host share, in files: what one of them read, wrote or was told is fresh for the
//! others too, survives restarts, and stands in when DynamoDB is away.
//!
//! What a file says is judged by its age alone, which [`age`] bounds by both clocks; what can go wrong with the files is
//! an event, never a failed call and never a wrong value. Files are small and read in one go, on the thread that asks.

mod age;
#[cfg(unix)]
mod directory;
#[cfg(not(unix))]
#[path = "no_directory.rs"]
mod directory;
mod record;

pub use directory::look;

use std::path::Path;
use std::time::Duration;

use sha2::{Digest, Sha256};

pub use age::Stamp;
use directory::Directory;
pub use directory::Trouble;
use record::{Place, Record};

use crate::model::row::Row;

/// Of a time to live, so much is everybody's; in the rest one process asks DynamoDB, and the others go on with what
/// there is.
const BEFORE_ASKING: f64 = 0.8;
/// Of how many characters names of directories and files are.
const NAME_LENGTH: usize = 32;
/// How long whoever claimed to ask may take, before another one does.
pub const CLAIM: Duration = Duration::from_secs(2);

/// What a value is good for at its age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// To be served.
    Fresh,
    /// To be served, and to be read again by the one process that claims it.
    Ageing,
    /// To stand in where DynamoDB cannot be asked.
    StandIn,
    /// Nothing.
    Gone,
}

/// Judges an age; `ttl` is `None` for values that stay fresh for ever.
pub fn standing(age: Option<Duration>, ttl: Option<Duration>, stale: Duration) -> Standing {
    let (Some(age), Some(ttl)) = (age, ttl) else {
        return if age.is_some() { Standing::Fresh } else { Standing::Gone };
    };
    if age < ttl.mul_f64(BEFORE_ASKING) {
        Standing::Fresh
    } else if age < ttl {
        Standing::Ageing
    } else if age < ttl.saturating_add(stale) {
        Standing::StandIn
    } else {
        Standing::Gone
    }
}

/// A value out of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    /// The value.
    pub value: T,
    /// How old it is at the most.
    pub age: Duration,
    /// What it is good for.
    pub standing: Standing,
}

impl<T> Kept<T> {
    /// The same with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Kept<U> {
        Kept { value: change(self.value), age: self.age, standing: self.standing }
    }
}

/// The rows of one table and prefix, as one identity may read them.
#[derive(Debug)]
pub struct HostCache {
    directory: Directory,
    ttl: Option<Duration>,
    stale: Duration,
}

type Outcome<T> = Result<T, Trouble>;

impl HostCache {
    /// A cache below `root`, in a directory of its own for everything in `identity`: where the rows come from, and who
    /// is allowed to read them. `max_bytes` bounds all of them together. `user` is the process's effective user.
    pub fn open(
        root: &Path,
        identity: &[&str],
        max_bytes: u64,
        ttl: Option<Duration>,
        stale: Duration,
        user: u32,
    ) -> Outcome<HostCache> {
        let directory = Directory::open(root, &name(identity), max_bytes, user)?;
        Ok(HostCache { directory, ttl, stale })
    }

    /// A row, or that there was none.
    pub fn row(&self, kind: &str, key: &str, now: &Stamp) -> Outcome<Option<Kept<Option<Row>>>> {
        let found = self.find(&Place { kind, key: Some(key) }, now)?;
        Ok(found.map(|kept| Kept { value: kept.value.into_iter().next(), age: kept.age, standing: kept.standing }))
    }

    /// All rows of a kind.
    pub fn list(&self, kind: &str, now: &Stamp) -> Outcome<Option<Kept<Vec<Row>>>> {
        self.find(&Place { kind, key: None }, now)
    }

    /// Keeps a row that was read, or that was written: `as_of` is when the reading began, or when the writing had ended.
    pub fn keep_row(&self, kind: &str, key: &str, row: Option<&Row>, as_of: Stamp) -> Outcome<()> {
        self.keep(&Place { kind, key: Some(key) }, Record::as_of(as_of, row.into_iter().cloned().collect()))
    }

    /// Keeps all rows of a kind that were read.
    pub fn keep_list(&self, kind: &str, rows: Vec<Row>, as_of: Stamp) -> Outcome<()> {
        self.keep(&Place { kind, key: None }, Record::as_of(as_of, rows))
    }

    /// A row may have been written: what is kept of it, and of the list that it is in, only stands in from now on.
    pub fn doubt_row(&self, kind: &str, key: &str, now: Stamp) -> Outcome<()> {
        self.doubt(&Place { kind, key: Some(key) }, now)?;
        self.doubt_list(kind, now)
    }

    /// A kind may have been written to.
    pub fn doubt_list(&self, kind: &str, now: Stamp) -> Outcome<()> {
        self.doubt(&Place { kind, key: None }, now)
    }

    /// A row was told, and nobody knows whether it is in the table: it stands in, unless what is there is newer. So it
    /// does in the list.
    pub fn told_row(&self, kind: &str, row: &Row, now: Stamp) -> Outcome<()> {
        let place = Place { kind, key: Some(&row.key) };
        let there = self.read(&place)?.and_then(|there| there.rows.into_iter().next());
        if there.is_none_or(|there| there.version < row.version) {
            self.replace(&place, &doubted(now, now, vec![row.clone()]))?;
        } else {
            self.doubt(&place, now)?;
        }
        self.patch_list(kind, row, now)
    }

    /// A row was written: it is fresh for everybody, and stands in as part of its list.
    pub fn wrote_row(&self, kind: &str, row: &Row, now: Stamp) -> Outcome<()> {
        self.keep_row(kind, &row.key, Some(row), now)?;
        self.patch_list(kind, row, now)
    }

    /// A whole kind was told, and is not in the table as far as is known.
    pub fn told_list(&self, kind: &str, rows: Vec<Row>, now: Stamp) -> Outcome<()> {
        self.replace(&Place { kind, key: None }, &doubted(now, now, rows))
    }

    /// Forgets everything, for every process of the host.
    pub fn clear(&self) -> Outcome<()> {
        self.directory.clear()
    }

    /// Whether the caller is the one to ask DynamoDB for a row, or for a list without a key.
    pub fn claim(&self, kind: &str, key: Option<&str>) -> Outcome<bool> {
        self.directory.claim(&file(&Place { kind, key }), CLAIM)
    }

    /// The asking is over.
    pub fn give_back(&self, kind: &str, key: Option<&str>) {
        self.directory.give_back(&file(&Place { kind, key }));
    }

    fn find(&self, place: &Place<'_>, now: &Stamp) -> Outcome<Option<Kept<Vec<Row>>>> {
        let Some(record) = self.read(place)? else { return Ok(None) };
        let Some(age) = now.since(&record.as_of) else { return Ok(None) };
        let standing = match standing(Some(age), self.ttl, self.stale) {
            Standing::Fresh | Standing::Ageing if record.is_doubted() => Standing::StandIn,
            standing => standing,
        };
        Ok((standing != Standing::Gone).then_some(Kept { value: record.rows, age, standing }))
    }

    fn read(&self, place: &Place<'_>) -> Outcome<Option<Record>> {
        let bytes = self.directory.read(&file(place))?;
        Ok(bytes.and_then(|bytes| Record::from_bytes(&bytes, place)))
    }

    /// What is there stays if it has seen later writes: a reading that began before a write does not hide it. Between the
    /// look and the replacement another process can come in; what then stands there is no older than its time to live.
    fn keep(&self, place: &Place<'_>, record: Record) -> Outcome<()> {
        if self.read(place)?.is_some_and(|there| there.seen_writes.is_after(&record.as_of)) {
            return Ok(());
        }
        self.replace(place, &record)
    }

    fn doubt(&self, place: &Place<'_>, now: Stamp) -> Outcome<()> {
        match self.read(place)? {
            Some(there) => self.replace(place, &doubted(there.as_of, now, there.rows)),
            None => Ok(()),
        }
    }

    /// The list that is kept has the row from now on, and only stands in.
    fn patch_list(&self, kind: &str, row: &Row, now: Stamp) -> Outcome<()> {
        let place = Place { kind, key: None };
        let Some(mut there) = self.read(&place)? else { return Ok(()) };
        match there.rows.binary_search_by(|other| other.key.cmp(&row.key)) {
            Ok(at) if there.rows[at].version > row.version => {}
            Ok(at) => there.rows[at] = row.clone(),
            Err(at) => there.rows.insert(at, row.clone()),
        }
        self.replace(&place, &doubted(there.as_of, now, there.rows))
    }

    fn replace(&self, place: &Place<'_>, record: &Record) -> Outcome<()> {
        self.directory.replace(&file(place), &record.to_bytes(place))
    }
}

/// A record that only stands in, since writes may have left something else. Always marked, also where both moments are one.
fn doubted(as_of: Stamp, now: Stamp, rows: Vec<Row>) -> Record {
    let later = if now == as_of { Stamp { boot: now.boot + 1, wall: now.wall + 1, ..now } } else { now };
    Record { as_of, seen_writes: later, rows }
}

/// A directory's name says nothing of what is in it.
fn name(identity: &[&str]) -> String {
    hashed(identity.iter().copied())
}

fn file(place: &Place<'_>) -> String {
    match place.key {
        Some(key) => hashed(["row", place.kind, key].into_iter()),
        None => hashed(["list", place.kind].into_iter()),
    }
}

/// The parts with their lengths, so that no two lists of parts are one text.
fn hashed<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().take(NAME_LENGTH / 2).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::model::row::Payload;

    const TTL: Duration = Duration::from_secs(10);
    const STALE: Duration = Duration::from_secs(60);

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let name = format!("flagstore-host-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).expect("a folder");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("private");
            Folder(path)
        }

        fn cache(&self, identity: &[&str]) -> HostCache {
            let user = fs::metadata(&self.0).expect("a folder").uid();
            HostCache::open(&self.0, identity, 1 << 20, Some(TTL), STALE, user).expect("a cache")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn at(seconds: u64) -> Stamp {
        let boot = seconds * 1_000_000_000;
        Stamp { wall: 1_000_000_000_000 + boot, boot, boot_id: [1; 16] }
    }

    fn row(version: i64) -> Row {
        Row { key: "k".into(), version, payload: Payload::Live("{}".into()) }
    }

    #[test]
    fn an_age_decides_what_a_value_is_good_for() {
        let seconds = Duration::from_secs;
        for (age, ttl, wanted) in [
            (Some(0), Some(10), Standing::Fresh),
            (Some(7), Some(10), Standing::Fresh),
            (Some(8), Some(10), Standing::Ageing),
            (Some(9), Some(10), Standing::Ageing),
            (Some(10), Some(10), Standing::StandIn),
            (Some(69), Some(10), Standing::StandIn),
            (Some(70), Some(10), Standing::Gone),
            (Some(0), Some(0), Standing::StandIn),
            (Some(1_000_000), None, Standing::Fresh),
            (None, Some(10), Standing::Gone),
            (None, None, Standing::Gone),
        ] {
            assert_eq!(standing(age.map(seconds), ttl.map(seconds), STALE), wanted, "{age:?} of {ttl:?}");
        }
    }

    #[test]
    fn what_one_process_kept_another_finds_until_its_time_is_over() {
        let folder = Folder::new();
        let (one, other) = (folder.cache(&["a", "b"]), folder.cache(&["a", "b"]));
        one.keep_row("features", "k", Some(&row(3)), at(0)).expect("kept");
        one.keep_row("features", "missing", None, at(0)).expect("kept");
        one.keep_list("features", vec![row(3)], at(0)).expect("kept");
        let found = other.row("features", "k", &at(5)).expect("readable").expect("kept");
        assert_eq!((found.value, found.age, found.standing), (Some(row(3)), Duration::from_secs(5), Standing::Fresh));
        assert_eq!(other.row("features", "missing", &at(5)).expect("readable").expect("kept").value, None);
        assert_eq!(other.list("features", &at(30)).expect("readable").expect("kept").standing, Standing::StandIn);
        assert_eq!(other.row("features", "k", &at(70)), Ok(None));
        assert_eq!(other.row("segments", "k", &at(5)), Ok(None));
        assert_eq!(folder.cache(&["ab", ""]).row("features", "k", &at(5)), Ok(None), "another identity");
    }

    #[test]
    fn a_reading_that_began_before_a_write_does_not_hide_it() {
        let folder = Folder::new();
        let cache = folder.cache(&[]);
        cache.keep_row("features", "k", Some(&row(4)), at(2)).expect("written");
        cache.keep_row("features", "k", Some(&row(3)), at(1)).expect("left out");
        assert_eq!(cache.row("features", "k", &at(3)).expect("readable").expect("kept").value, Some(row(4)));
        // Made anew with a smaller version, and read after that.
        cache.keep_row("features", "k", Some(&row(1)), at(3)).expect("kept");
        assert_eq!(cache.row("features", "k", &at(3)).expect("readable").expect("kept").value, Some(row(1)));
    }

    #[test]
    fn what_is_forgotten_is_forgotten_for_all() {
        let folder = Folder::new();
        let (one, other) = (folder.cache(&[]), folder.cache(&[]));
        one.keep_row("features", "k", Some(&row(3)), at(0)).expect("kept");
        one.keep_list("features", vec![row(3)], at(0)).expect("kept");
        one.keep_row("features", "k", Some(&row(3)), at(0)).expect("kept");
        other.clear().expect("cleared");
        assert_eq!(one.row("features", "k", &at(1)), Ok(None));
    }

    #[test]
    fn what_a_write_left_in_doubt_stands_in_and_no_reading_from_before_makes_it_fresh() {
        let folder = Folder::new();
        let (one, other) = (folder.cache(&[]), folder.cache(&[]));
        let found = |now| {
            let row = other.row("features", "k", &at(now)).expect("readable").expect("kept");
            let list = other.list("features", &at(now)).expect("readable").expect("kept");
            ((row.value.map(|row| row.version), row.standing), (list.value[0].version, list.standing))
        };
        one.keep_row("features", "k", Some(&row(3)), at(0)).expect("kept");
        one.keep_list("features", vec![row(3)], at(0)).expect("kept");
        one.doubt_row("features", "k", at(2)).expect("doubted");
        other.keep_row("features", "k", Some(&row(2)), at(1)).expect("left out");
        assert_eq!(found(3), ((Some(3), Standing::StandIn), (3, Standing::StandIn)));
        one.told_row("features", &row(5), at(3)).expect("told");
        one.told_row("features", &row(4), at(3)).expect("told");
        assert_eq!(found(4), ((Some(5), Standing::StandIn), (5, Standing::StandIn)));
        one.wrote_row("features", &row(6), at(5)).expect("written");
        assert_eq!(found(6), ((Some(6), Standing::Fresh), (6, Standing::StandIn)));
    }

    #[test]
    fn one_process_asks() {
        let folder = Folder::new();
        let (one, other) = (folder.cache(&[]), folder.cache(&[]));
        assert_eq!(one.claim("features", Some("k")), Ok(true));
        assert_eq!(other.claim("features", Some("k")), Ok(false));
        assert_eq!(other.claim("features", None), Ok(true), "the list is another matter");
        one.give_back("features", Some("k"));
        assert_eq!(other.claim("features", Some("k")), Ok(true));
    }
}
