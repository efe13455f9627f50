//! The variables of the process's environment that decide how AWS is asked, as they were when a store was opened.
//!
//! They are taken once, on the thread that opens the store: a host that calls `setenv` while one of our threads is in
//! `getenv` would crash. What libc reads for itself, when it looks up a name, is its own business.

use std::collections::BTreeMap;
use std::fmt;

/// What else than `AWS_*` matters: where the home folder is, and [`NETWORK`].
const HOME: [&str; 4] = ["HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH"];
/// Which certificates are trusted, and through whom others are spoken to. REQUEST_METHOD tells that HTTP_PROXY may be a
/// header that somebody sent to a web server.
const NETWORK: [&str; 10] = [
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "NO_PROXY",
    "no_proxy",
    "REQUEST_METHOD",
];

/// Variables by their names. Empty where nothing of them is needed.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Everything that matters of the process's own. No other thread may change the environment meanwhile.
    pub fn of_this_process() -> Self {
        Environment::taken(|name| name.starts_with("AWS_") || HOME.contains(&name) || NETWORK.contains(&name))
    }

    /// Only which certificates are trusted, and which proxies are used.
    pub fn of_network_in_this_process() -> Self {
        Environment::taken(|name| NETWORK.contains(&name))
    }

    fn taken(wanted: impl Fn(&str) -> bool) -> Self {
        // What is no text names no file and no key that AWS's SDKs would take.
        let text = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        text.filter(|(name, _)| wanted(name))
            .filter_map(|(name, value)| Some((name, value.into_string().ok()?)))
            .collect()
    }

    /// A variable's value. One that is set to nothing is not set, as for most of AWS's SDKs.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Every variable.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Environment(variables.into_iter().collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(not shown)")
    }
}
