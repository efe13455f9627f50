//! The files that credentials come from, read before the SDK is asked: it would read them in the middle of a poll, which a
//! fork waits for, and a file system that hangs would hold up the host.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aws_config::profile::ProfileSet;
use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_types::os_shim_internal::{Env, Fs};
use futures_util::FutureExt;

use crate::model::environment::Environment;

/// The variables that name a file with a token.
const TOKENS: [&str; 2] = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// The AWS configuration files, as they were read, and the variables that go with them.
#[derive(Debug)]
pub struct Files {
    environment: Environment,
    config: Read,
    credentials: Read,
}

/// One file, as it was read.
#[derive(Debug)]
struct Read {
    kind: EnvConfigFileKind,
    path: Option<PathBuf>,
    /// Empty where it is missing or no text.
    text: Text,
    /// Why it cannot be used, unless it is one that may be missing.
    unreadable: Option<String>,
}

/// What is never shown.
#[derive(Default)]
struct Text(String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(not shown)")
    }
}

/// What the SDK's sources read and write instead of the file system: what was read before.
pub struct Snapshot {
    /// For the SDK.
    pub fs: Fs,
    /// What the sources may present.
    tokens: Vec<Text>,
    /// The sign-ins that the SDK may renew, as they were.
    sign_ins: BTreeMap<PathBuf, Vec<u8>>,
    /// The first file with a token that cannot be read.
    pub unreadable: Option<String>,
}

impl Files {
    /// Reads both. May hang where their file system does.
    pub fn read(environment: &Environment) -> Files {
        use EnvConfigFileKind::{Config, Credentials};
        Files {
            config: Read::new(environment, Config, "AWS_CONFIG_FILE", ".aws/config"),
            credentials: Read::new(environment, Credentials, "AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
            environment: environment.clone(),
        }
    }

    /// The variables, for the SDK, without those that are hidden. One that is set to nothing is not set.
    pub fn env(&self, hidden: &[&str]) -> Env {
        env(&self.environment, hidden)
    }

    /// Both files, for the SDK.
    pub fn contents(&self) -> EnvConfigFiles {
        let builder = EnvConfigFiles::builder().with_contents(self.config.kind, &self.config.text.0);
        builder.with_contents(self.credentials.kind, &self.credentials.text.0).build()
    }

    /// What they say, with this profile selected, else the one of AWS_PROFILE. The failure never quotes a line of them.
    pub fn profiles(&self, selected: Option<&str>) -> Result<ProfileSet, String> {
        self.parsed(&self.contents(), selected).ok_or_else(|| self.damage())
    }

    /// The first file that is there, or should be, and cannot be read.
    pub fn unreadable(&self) -> Option<&str> {
        [&self.config, &self.credentials].into_iter().find_map(|file| file.unreadable.as_deref())
    }

    fn parsed(&self, files: &EnvConfigFiles, selected: Option<&str>) -> Option<ProfileSet> {
        let selected = selected.map(|name| name.to_owned().into());
        let (fs, env) = (no_files(), self.env(&[]));
        // It has nothing to wait for.
        aws_config::profile::load(&fs, &env, files, selected).now_or_never()?.ok()
    }

    /// Which file the SDK's parser stopped in, and where. Its own message goes on with what it found there.
    fn damage(&self) -> String {
        let damaged = [&self.config, &self.credentials].into_iter().find_map(|file| {
            let lines: Vec<&str> = file.text.0.lines().collect();
            let parses = |lines: &[&str]| {
                let alone = EnvConfigFiles::builder().with_contents(file.kind, lines.join("\n")).build();
                self.parsed(&alone, None).is_some()
            };
            // The shortest beginning that does not parse ends with the line that is damaged.
            let line = (1..=lines.len()).collect::<Vec<_>>().partition_point(|count| parses(&lines[..*count])) + 1;
            let path = file.path.as_deref().unwrap_or(Path::new("?"));
            (line <= lines.len()).then(|| format!("line {line} of the file {} is damaged", path.display()))
        });
        damaged.unwrap_or_else(|| "the AWS configuration files are damaged".to_owned())
    }

    /// Reads what the SDK's sources may want besides. May hang where a file system does.
    pub fn snapshot(&self, profiles: &ProfileSet) -> Snapshot {
        let of_profiles =
            profiles.profiles().filter_map(|name| profiles.get_profile(name)?.get("web_identity_token_file"));
        let of_variables = TOKENS.into_iter().filter_map(|name| self.environment.get(name));
        let (mut files, mut unreadable) = (HashMap::<OsString, Vec<u8>>::new(), None);
        let mut tokens = Vec::new();
        for path in of_variables.chain(of_profiles) {
            match std::fs::read(path) {
                Ok(bytes) => {
                    tokens.push(Text(String::from_utf8_lossy(&bytes).into_owned()));
                    files.insert(path.into(), bytes);
                }
                Err(error) => unreadable = unreadable.or(Some(cannot_be_read(Path::new(path), &error))),
            }
        }
        let signs_in = |profile: &str| {
            let profile = profiles.get_profile(profile);
            profile
                .is_some_and(|profile| ["sso_session", "sso_start_url"].iter().any(|name| profile.get(name).is_some()))
        };
        let mut sign_ins = BTreeMap::new();
        if profiles.profiles().any(signs_in)
            && let Some(cached) = home(&self.environment).map(|home| home.join(".aws/sso/cache"))
            && let Ok(entries) = std::fs::read_dir(&cached)
        {
            let paths = entries.flatten().map(|entry| cached.join(entry.file_name()));
            sign_ins = paths.filter_map(|path| Some((path.clone(), std::fs::read(&path).ok()?))).collect();
            files.extend(sign_ins.iter().map(|(path, bytes)| (path.clone().into_os_string(), bytes.clone())));
        }
        Snapshot { fs: Fs::from_raw_map(files), tokens, sign_ins, unreadable }
    }
}

impl Snapshot {
    /// What the sources may present, and messages must not hold.
    pub fn tokens(&self) -> impl Iterator<Item = String> {
        self.tokens.iter().map(|token| token.0.clone())
    }

    /// Writes the sign-ins that the SDK renewed to where they came from, as it would have: else the AWS CLI, which finds
    /// them used up, asks the user to sign in again.
    pub fn write_back(&self) {
        for (path, before) in &self.sign_ins {
            let Some(Ok(after)) = self.fs.read_to_end(path).now_or_never() else { continue };
            if after != *before {
                // The credentials that came of it are there all the same. Whoever may read the file stays as it is.
                let _ = std::fs::write(path, after);
            }
        }
    }
}

impl Read {
    fn new(environment: &Environment, kind: EnvConfigFileKind, variable: &str, usual: &str) -> Read {
        let named = environment.get(variable);
        let home = home(environment);
        let path = match (named, &home) {
            (Some(named), Some(home)) if named.starts_with("~/") => Some(home.join(&named[2..])),
            (Some(named), _) => Some(PathBuf::from(named)),
            (None, home) => home.as_ref().map(|home| home.join(usual)),
        };
        let read = path.as_deref().map(std::fs::read_to_string);
        let unreadable = match (&read, &path) {
            (Some(Err(error)), Some(path)) if named.is_some() || error.kind() != ErrorKind::NotFound => {
                Some(cannot_be_read(path, error))
            }
            _ => None,
        };
        Read { kind, path, text: Text(read.and_then(Result::ok).unwrap_or_default()), unreadable }
    }
}

fn env(environment: &Environment, hidden: &[&str]) -> Env {
    let set = environment.iter().filter(|(name, value)| !value.is_empty() && !hidden.contains(name));
    Env::from(set.map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<HashMap<_, _>>())
}

/// A file system without files.
pub fn no_files() -> Fs {
    Fs::from_raw_map(HashMap::new())
}

/// The user's home folder, by the SDK's rule.
fn home(environment: &Environment) -> Option<PathBuf> {
    aws_runtime::fs_util::home_dir(&env(environment, &[]), aws_runtime::fs_util::Os::real()).map(PathBuf::from)
}

fn cannot_be_read(path: &Path, error: &std::io::Error) -> String {
    format!("the file {} cannot be read: {error}", path.display())
}
