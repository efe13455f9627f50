//! A directory of small files that processes share: private, each file replaced whole, the sum of them bounded together
//! with its neighbours, which are those of other tables and of identities that were.
//!
//! No descriptor is kept between two calls, so forks and hosts that close everything change nothing; nothing is mapped,
//! so nobody who truncates a file can kill a reader; no lock is held while anybody waits, so nobody who dies in the
//! middle holds the others up.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

/// Owner only.
const PRIVATE_DIRECTORY: u32 = 0o700;
const PRIVATE_FILE: u32 = 0o600;
/// Group and others may not write.
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// A link is not followed, and what is no file holds nobody up.
const NOT_ELSEWHERE: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
/// After so many bytes written by this process, an eighth of the bound at most, it looks at what all have written.
const LOOKS_PER_BOUND: u64 = 8;
/// What looking leaves, so that not every write finds the directory full.
const LEFT_AFTER_EVICTION: f64 = 0.75;
/// Files that a process which died was writing, and its claims, go when they are this old.
const ABANDONED: Duration = Duration::from_secs(60);
/// Extensions of files that are being written, and of claims.
const NEW_EXTENSION: &str = "new";
const CLAIM_EXTENSION: &str = "claim";
/// What a file takes on a disk is a multiple of this, on most.
const BLOCK: u64 = 4_096;

/// What went wrong with the cache's files: never more than a reason to do without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What could not be done, whatever the file.
    pub kind: &'static str,
    /// The whole sentence.
    pub message: String,
}

type Outcome<T> = Result<T, Trouble>;

/// The directory of one data set, beside others in one root.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    path: PathBuf,
    user: u32,
    /// Bound on the whole root.
    max_bytes: u64,
    /// How much was written, from somewhere at random: of many processes that write little each, some look nevertheless.
    written: AtomicU64,
}

/// A file as eviction sees it; in the order in which they go.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Old {
    written: SystemTime,
    path: PathBuf,
    bytes: u64,
}

/// How many files are below a root, and their bytes; `None` where it is not there yet. Makes nothing.
pub fn look(root: &Path, user: u32) -> Outcome<Option<(usize, u64)>> {
    match fs::symlink_metadata(root) {
        Err(error) if error.kind() == ErrorKind::NotFound && root.parent().is_some_and(Path::is_dir) => {
            return Ok(None);
        }
        _ => check(root, user)?,
    }
    let (mut files, mut bytes) = (0, 0);
    let listed = |error: std::io::Error| trouble("listed", root, &error);
    for entry in fs::read_dir(root).map_err(listed)?.filter_map(Result::ok) {
        // One directory for each data set; the files of others are none of ours.
        let Ok(entries) = fs::read_dir(entry.path()) else { continue };
        for metadata in entries.filter_map(|entry| entry.ok()?.metadata().ok()).filter(fs::Metadata::is_file) {
            files += 1;
            bytes += metadata.len();
        }
    }
    Ok(Some((files, bytes)))
}

impl Directory {
    /// The directory `name` in `root`; both are made if they are missing, and refused if others could have a hand in them.
    pub fn open(root: &Path, name: &str, max_bytes: u64, user: u32) -> Outcome<Directory> {
        let written = AtomicU64::new(fastrand::u64(..share(max_bytes)));
        let directory = Directory { root: root.into(), path: root.join(name), user, max_bytes, written };
        if directory.prepare()? {
            // Those of identities that were go where there is a new one.
            directory.evict()?;
        }
        Ok(directory)
    }

    /// Makes what is missing. Returns whether the directory itself was.
    fn prepare(&self) -> Outcome<bool> {
        let mut made = false;
        for directory in [&self.root, &self.path] {
            made = make(directory)?;
            check(directory, self.user)?;
        }
        Ok(made)
    }

    /// The whole file, if there is one.
    pub fn read(&self, name: &str) -> Outcome<Option<Vec<u8>>> {
        let path = self.path.join(name);
        let file = match OpenOptions::new().read(true).custom_flags(NOT_ELSEWHERE).open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| trouble("read", &path, &error))?,
        };
        let size = file.metadata().map_err(|error| trouble("read", &path, &error))?.len();
        // Longer than all files together may be: not ours. What it grows by meanwhile is not ours either.
        if size > self.max_bytes {
            return Ok(None);
        }
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        file.take(size).read_to_end(&mut bytes).map_err(|error| trouble("read", &path, &error))?;
        Ok(Some(bytes))
    }

    /// Puts a file in the place of the one that is there, whole or not at all. What is too large for the bound is not kept.
    pub fn replace(&self, name: &str, bytes: &[u8]) -> Outcome<()> {
        let size = bytes.len() as u64;
        if size > self.max_bytes / LOOKS_PER_BOUND {
            return self.remove(name);
        }
        let written = match self.put(name, bytes) {
            // Somebody took it for one that nobody uses, or cleans up here by age.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.prepare()?;
                self.put(name, bytes)
            }
            written => written,
        };
        if let Err(error) = written {
            // What is there is older than what could not be written.
            let _ = self.remove(name);
            return Err(trouble("written", &self.path, &error));
        }
        let size = on_disk(size);
        let before = self.written.fetch_add(size, Ordering::Relaxed);
        let share = share(self.max_bytes);
        if before / share != before.wrapping_add(size) / share {
            self.evict()?;
        }
        Ok(())
    }

    fn put(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let new = self.path.join(new_name());
        let written = write_private(&new, bytes).and_then(|()| fs::rename(&new, self.path.join(name)));
        written.inspect_err(|_| {
            let _ = fs::remove_file(&new);
        })
    }

    /// Removes a file, if there is one.
    pub fn remove(&self, name: &str) -> Outcome<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(trouble("removed", &path, &error)),
            _ => Ok(()),
        }
    }

    /// Removes every file but those that somebody is writing.
    pub fn clear(&self) -> Outcome<()> {
        let files = files(&self.path).map_err(|error| trouble("listed", &self.path, &error))?;
        for file in files.into_iter().filter(|file| !is_new(&file.path)) {
            let _ = fs::remove_file(file.path);
        }
        Ok(())
    }

    /// Whether the caller is the one to do something that one process is enough for. The claim ends by itself, so
    /// whoever dies holds nobody up for longer; two may have it where they take over an ended one at once.
    pub fn claim(&self, name: &str, life: Duration) -> Outcome<bool> {
        let path = self.path.join(format!("{name}.{CLAIM_EXTENSION}"));
        for _ in 0..2 {
            let made = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(&path);
            match made {
                Ok(_) => return Ok(true),
                Err(error) => match error.kind() {
                    ErrorKind::AlreadyExists => {}
                    ErrorKind::NotFound => {
                        self.prepare()?;
                        continue;
                    }
                    _ => return Err(trouble("claimed", &path, &error)),
                },
            }
            let age = fs::symlink_metadata(&path).and_then(|claim| claim.modified()).map(|made| made.elapsed());
            // A claim from the future is one from before the clock was set back.
            if !matches!(age, Ok(Err(_))) && matches!(age, Ok(Ok(age)) if age <= life) {
                return Ok(false);
            }
            let _ = fs::remove_file(&path);
        }
        Ok(false)
    }

    /// Gives a claim back.
    pub fn give_back(&self, name: &str) {
        let _ = fs::remove_file(self.path.join(format!("{name}.{CLAIM_EXTENSION}")));
    }

    /// Removes what was written longest ago in the whole root, until what is left fits; and directories that are empty then.
    fn evict(&self) -> Outcome<()> {
        let neighbours = neighbours(&self.root).map_err(|error| trouble("listed", &self.root, &error))?;
        let (abandoned, mut files): (Vec<Old>, Vec<Old>) =
            neighbours.iter().filter_map(|path| files(path).ok()).flatten().partition(Old::is_abandoned);
        for file in abandoned {
            let _ = fs::remove_file(file.path);
        }
        let mut sum: u64 = files.iter().map(|file| file.bytes).sum();
        if sum > self.max_bytes {
            #[allow(
                clippy::cast_precision_loss,
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a share"
            )]
            let wanted = (self.max_bytes as f64 * LEFT_AFTER_EVICTION) as u64;
            files.sort();
            for file in files {
                if sum <= wanted {
                    break;
                }
                if fs::remove_file(file.path).is_ok() {
                    sum -= file.bytes;
                }
            }
        }
        for path in neighbours.iter().filter(|path| **path != self.path) {
            // Refused by the system where it is not empty. Whoever still uses it makes it again.
            let _ = fs::remove_dir(path);
        }
        Ok(())
    }
}

impl Old {
    fn is_abandoned(&self) -> bool {
        let for_a_moment = is_new(&self.path) || has_extension(&self.path, CLAIM_EXTENSION);
        for_a_moment && self.written.elapsed().is_ok_and(|age| age > ABANDONED)
    }
}

/// The directories in a root that are such as these: nothing else there is touched.
fn neighbours(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_ours = |name: &str| name.len() == super::NAME_LENGTH && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let entries = fs::read_dir(root)?.flatten();
    let ours = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_ours));
    Ok(ours.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect())
}

fn files(directory: &Path) -> std::io::Result<Vec<Old>> {
    let files = fs::read_dir(directory)?.flatten().filter_map(|entry| {
        let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Old { written, path: entry.path(), bytes: on_disk(metadata.len()) })
    });
    Ok(files.collect())
}

/// What a file takes, its name aside.
fn on_disk(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK) * BLOCK
}

/// So much is written between two looks.
fn share(max_bytes: u64) -> u64 {
    (max_bytes / LOOKS_PER_BOUND).max(1)
}

/// A name that no other store of this process has, nor a process of another container that has the same number.
fn new_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}-{:08x}.{NEW_EXTENSION}", std::process::id(), fastrand::u32(..))
}

fn is_new(path: &Path) -> bool {
    has_extension(path, NEW_EXTENSION)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

/// Whether it was not there before.
fn make(path: &Path) -> Outcome<bool> {
    match DirBuilder::new().mode(PRIVATE_DIRECTORY).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(trouble("made", path, &error)),
    }
}

/// A directory in which somebody else could put or change files is none for flags.
fn check(path: &Path, user: u32) -> Outcome<()> {
    let found = fs::symlink_metadata(path).map_err(|error| trouble("used", path, &error))?;
    let why = if !found.is_dir() {
        "it is no directory"
    } else if found.uid() != user {
        "it belongs to another user"
    } else if found.mode() & WRITABLE_BY_OTHERS != 0 {
        "others may write to it: take that right away (chmod 700)"
    } else {
        return Ok(());
    };
    Err(Trouble { kind: "used", message: format!("the cache directory {} is not used: {why}", path.display()) })
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(PRIVATE_FILE).open(path)?;
    file.write_all(bytes)
}

fn trouble(what: &'static str, path: &Path, error: &std::io::Error) -> Trouble {
    let message = format!("{} cannot be {what} ({error}): going on without the cache of the host", path.display());
    Trouble { kind: what, message }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const NAME: &str = "0123456789abcdef0123456789abcdef";
    /// The directory of an identity that was.
    const FORMER: &str = "fedcba9876543210fedcba9876543210";

    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Folder {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            let name = format!("flagstore-directory-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).expect("a folder");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).expect("private");
            Folder(path)
        }

        fn user(&self) -> u32 {
            fs::metadata(&self.0).expect("a folder").uid()
        }

        fn open(&self, max_bytes: u64) -> Outcome<Directory> {
            Directory::open(&self.0, NAME, max_bytes, self.user())
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.join(NAME)).expect("a folder");
            let mut names: Vec<String> =
                entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::set_permissions(self.0.join(NAME), fs::Permissions::from_mode(0o700));
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_private() {
        let folder = Folder::new();
        let directory = folder.open(1 << 20).expect("opened");
        assert_eq!(directory.read("a"), Ok(None));
        directory.replace("a", b"one").expect("written");
        directory.replace("a", b"two").expect("written");
        assert_eq!(directory.read("a"), Ok(Some(b"two".to_vec())));
        assert_eq!(folder.names(), ["a"], "nothing is left over");
        for (path, mode) in [(NAME.to_owned(), 0o700), (format!("{NAME}/a"), 0o600)] {
            assert_eq!(fs::metadata(folder.0.join(&path)).expect("there").mode() & 0o777, mode, "{path}");
        }
        directory.remove("a").and_then(|()| directory.remove("a")).expect("removed");
        assert_eq!(directory.read("a"), Ok(None));
    }

    #[test]
    fn a_directory_in_which_others_have_a_hand_is_refused() {
        let folder = Folder::new();
        let refused = |folder: &Folder, user, words: &str| {
            let trouble = Directory::open(&folder.0, NAME, 1, user).expect_err("refused");
            assert!(trouble.message.contains(words), "{trouble:?}");
        };
        refused(&folder, folder.user() + 1, "another user");
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o770)).expect("set");
        refused(&folder, folder.user(), "chmod 700");
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o700)).expect("set");
        symlink("/", folder.0.join(NAME)).expect("a link");
        refused(&folder, folder.user(), "no directory");
    }

    #[test]
    fn a_link_or_a_pipe_in_the_place_of_a_file_is_neither_followed_nor_waited_for() {
        let folder = Folder::new();
        let directory = folder.open(1 << 20).expect("opened");
        symlink("/etc/passwd", folder.0.join(NAME).join("a")).expect("a link");
        assert!(directory.read("a").is_err());
        directory.replace("a", b"mine").expect("replaced");
        assert_eq!(directory.read("a"), Ok(Some(b"mine".to_vec())));
    }

    #[test]
    fn the_oldest_files_make_room() {
        let folder = Folder::new();
        let directory = folder.open(16 * BLOCK).expect("opened");
        for number in 0..40 {
            directory.replace(&format!("{number:02}"), &[0; 500]).expect("written");
            // Files of one moment are evicted by their names.
        }
        let names = folder.names();
        assert!(names.len() <= 18 && names.contains(&"39".to_owned()), "{names:?}");
        directory.replace("large", &vec![0; 16 * BLOCK as usize / 8 + 1]).expect("left out");
        assert_eq!(directory.read("large"), Ok(None), "one file does not drive out all others");
        directory.clear().expect("cleared");
        assert!(folder.names().is_empty());
    }

    #[test]
    fn what_others_left_counts_and_goes_first_and_what_is_none_of_these_stays() {
        let folder = Folder::new();
        for (directory, file) in [(FORMER, "old"), (FORMER, "older.claim"), ("mine", "file")] {
            let path = folder.0.join(directory);
            let _ = fs::create_dir(&path);
            fs::write(path.join(file), [0; 500]).expect("written");
            let age = if file == "old" { ABANDONED / 2 } else { 2 * ABANDONED };
            let file = File::open(path.join(file)).expect("there");
            file.set_modified(SystemTime::now() - age).expect("set");
        }
        symlink(folder.0.join("mine"), folder.0.join("a".repeat(NAME.len()))).expect("a link");
        let directory = folder.open(8 * BLOCK).expect("opened");
        assert!(folder.0.join(FORMER).join("old").exists(), "there is room");
        assert!(!folder.0.join(FORMER).join("older.claim").exists(), "whoever claimed it is no more");
        for number in 0..8 {
            directory.replace(&number.to_string(), b"new").expect("written");
        }
        assert!(!folder.0.join(FORMER).exists(), "the oldest goes first, and what is empty then");
        assert!(folder.0.join("mine/file").exists(), "what has no such name is somebody else's");
        assert!(folder.names().contains(&"7".to_owned()));
    }

    #[test]
    fn many_that_write_little_each_keep_the_bound_too() {
        let folder = Folder::new();
        let bound = 64 * BLOCK;
        for number in 0..1_000 {
            let directory = folder.open(bound).expect("opened");
            directory.replace(&number.to_string(), b"once").expect("written");
        }
        // They look by chance, one in eight on average.
        let left = folder.names().len() as u64 * BLOCK;
        assert!(left <= 4 * bound, "{left} bytes are left");
    }

    #[test]
    fn a_directory_that_was_cleaned_away_is_made_again() {
        let folder = Folder::new();
        let directory = folder.open(1 << 20).expect("opened");
        let clean = || fs::remove_dir_all(folder.0.join(NAME)).expect("removed");
        clean();
        assert_eq!(directory.read("a"), Ok(None));
        directory.replace("a", b"new").expect("written");
        assert_eq!(directory.read("a"), Ok(Some(b"new".to_vec())));
        clean();
        assert_eq!(directory.claim("a", Duration::from_secs(60)), Ok(true));
        assert_eq!(directory.claim("a", Duration::from_secs(60)), Ok(false));
    }

    #[test]
    fn one_of_many_has_the_claim_until_it_ends() {
        let folder = Folder::new();
        let directory = folder.open(1 << 20).expect("opened");
        let won = std::thread::scope(|scope| {
            let claims: Vec<_> =
                (0..8).map(|_| scope.spawn(|| directory.claim("a", Duration::from_secs(60)))).collect();
            claims.into_iter().map(|claim| claim.join().expect("it ends")).filter(|won| *won == Ok(true)).count()
        });
        assert_eq!(won, 1);
        assert_eq!(directory.claim("a", Duration::ZERO), Ok(true), "an ended claim is taken over");
        directory.give_back("a");
        assert_eq!(directory.claim("a", Duration::from_secs(60)), Ok(true));
    }

    #[test]
    fn a_disk_that_takes_nothing_is_trouble_with_a_name_and_leaves_no_older_value() {
        let folder = Folder::new();
        let directory = folder.open(1 << 20).expect("opened");
        directory.replace("a", b"old").expect("written");
        fs::remove_dir_all(folder.0.join(NAME)).expect("removed");
        fs::write(folder.0.join(NAME), "no directory").expect("written");
        let trouble = directory.replace("a", b"new").expect_err("nothing can be written");
        assert!(trouble.message.contains(NAME) && trouble.message.contains("without"), "{trouble:?}");
        directory.read("a").expect_err("there is no older value either");
        fs::remove_file(folder.0.join(NAME)).expect("removed");
    }
}
