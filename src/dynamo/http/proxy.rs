//! Which requests go through a proxy: by the option "proxy", else by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, each also in small
//! letters, as AWS's other SDKs and most programs read them.
//!
//! What the machine itself answers never does: loopback, and the metadata services, which are asked by clients without proxies.

use std::fmt;
use std::net::IpAddr;

use aws_smithy_types::base64;
use http::{HeaderValue, Uri};

use super::connect::{Kind, Unconnected};
use crate::model::environment::Environment;
use crate::model::options::{Options, Proxy as Given};
use crate::model::{Code, Error, Result};

/// The proxies of one store.
#[derive(Debug, Default)]
pub struct Proxies {
    tls: Option<Proxy>,
    plain: Option<Proxy>,
    /// What is connected to without one.
    except: Vec<Exception>,
}

/// A proxy that is spoken to without TLS. It is written without its user and password.
#[derive(Clone)]
pub struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// The header with its user and password.
    pub(super) authorization: Option<HeaderValue>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A part of NO_PROXY.
#[derive(Debug, PartialEq, Eq)]
enum Exception {
    Everything,
    /// A name and those below it, perhaps at one port only.
    Name(String, Option<u16>),
    /// Addresses that begin with so many bits of this one.
    Network(IpAddr, u8),
}

impl Proxies {
    /// Nothing goes through a proxy.
    pub fn none() -> Self {
        Proxies::default()
    }

    /// As the options say, else the environment.
    pub fn of(options: &Options) -> Result<Self> {
        let environment = &options.environment;
        match &options.proxy {
            Some(Given::None) => Ok(Proxies::none()),
            Some(Given::Url(url)) => {
                let proxy = || Proxy::parsed(url, "the option \"proxy\"").map(Some);
                Ok(Proxies { tls: proxy()?, plain: proxy()?, except: Vec::new() })
            }
            None => Proxies::of_environment(environment),
        }
    }

    fn of_environment(environment: &Environment) -> Result<Self> {
        let either = |small: &'static str, large: &'static str| {
            [small, large].into_iter().find_map(|name| environment.get(name).map(|value| (name, value)))
        };
        // A web server that runs programs for its visitors puts their header "Proxy" into HTTP_PROXY.
        let plain = if environment.get("REQUEST_METHOD").is_some() {
            environment.get("http_proxy").map(|value| ("http_proxy", value))
        } else {
            either("http_proxy", "HTTP_PROXY")
        };
        let proxy = |found: Option<(&str, &str)>| found.map(|(name, url)| Proxy::parsed(url, name)).transpose();
        let except = either("no_proxy", "NO_PROXY").map(|(_, list)| exceptions(list)).unwrap_or_default();
        Ok(Proxies { tls: proxy(either("https_proxy", "HTTPS_PROXY"))?, plain: proxy(plain)?, except })
    }

    /// The proxy through which a host is connected to.
    pub(super) fn between(&self, tls: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if tls { self.tls.as_ref() } else { self.plain.as_ref() }?;
        let direct = is_loopback(host) || self.except.iter().any(|exception| exception.holds(host, port));
        (!direct).then_some(proxy)
    }
}

/// Whether it is this machine by any name.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    let of_names = host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost");
    of_names || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Proxy {
    /// That it lets nobody through with the user and password that it has here.
    pub(super) fn says_no(&self) -> Unconnected {
        let why = match self.authorization {
            None => "wants a user and a password: write them into its URL, http://USER:PASSWORD@HOST:PORT",
            Some(_) => "does not take the user and password of its URL",
        };
        Unconnected { kind: Kind::Proxy, why: format!("the proxy {self} {why}"), late: false }
    }

    /// `named` says where the URL comes from; it may hold a password and is never quoted.
    fn parsed(url: &str, named: &str) -> Result<Self> {
        let refuse =
            |why: &str| Error::new(Code::OptionValue, format!("{named} {why}: give a URL such as http://proxy:3128"));
        let url = url.trim();
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(refuse("names a proxy that is spoken to with TLS or SOCKS, which flagstore does not"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may have an @ that nobody encoded.
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(user, place)| (Some(user), place));
        let place: Uri = place.parse().map_err(|_| refuse("is no URL of a proxy"))?;
        let host = place.host().filter(|host| !host.is_empty()).ok_or_else(|| refuse("is no URL of a proxy"))?;
        let authorization = user.map(|user| {
            let (user, password) = user.split_once(':').unwrap_or((user, ""));
            let pair = [&decoded(user)[..], b":", &decoded(password)[..]].concat();
            let mut value = HeaderValue::from_str(&format!("Basic {}", base64::encode(pair)))
                .map_err(|_| refuse("has a user or password that cannot be sent"))?;
            value.set_sensitive(true);
            Ok(value)
        });
        Ok(Proxy {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: place.port_u16().unwrap_or(80),
            authorization: authorization.transpose()?,
        })
    }
}

/// A part of a URL without its percent signs. What is no such code stays as it is.
fn decoded(text: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let code = (*first == b'%')
            .then(|| after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    bytes
}

fn exceptions(list: &str) -> Vec<Exception> {
    list.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty()).map(Exception::parsed).collect()
}

impl Exception {
    fn parsed(part: &str) -> Self {
        if part == "*" {
            return Exception::Everything;
        }
        if let Some((address, bits)) = part.split_once('/')
            && let (Ok(address), Ok(bits)) = (address.parse::<IpAddr>(), bits.parse())
        {
            return Exception::Network(address, bits);
        }
        if let Ok(address) = part.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            return Exception::Network(address, if address.is_ipv4() { 32 } else { 128 });
        }
        let (name, port) = match part.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
            Some((name, Ok(port))) => (name, Some(port)),
            _ => (part, None),
        };
        let name = name.strip_prefix('*').unwrap_or(name);
        Exception::Name(name.trim_start_matches('.').to_ascii_lowercase(), port)
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        match self {
            Exception::Everything => true,
            Exception::Network(network, bits) => {
                host.parse().is_ok_and(|address| begins_alike(*network, address, *bits))
            }
            Exception::Name(name, at) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let below = host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                below && at.is_none_or(|at| at == port)
            }
        }
    }
}

fn begins_alike(one: IpAddr, other: IpAddr, bits: u8) -> bool {
    let (one, other, all) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (u128::from(one.to_bits()), u128::from(other.to_bits()), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let ignored = 128_u32.min(u32::from(all - bits.min(all)));
    one.checked_shr(ignored) == other.checked_shr(ignored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Result<Proxies> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Proxies::of_environment(&variables)
    }

    #[test]
    fn the_variables_say_what_goes_through_which_proxy() {
        let usual =
            [("HTTPS_PROXY", "http://secure:3128"), ("HTTP_PROXY", "plain:8080"), ("NO_PROXY", ".corp,10.0.0.0/8")];
        let small = [("https_proxy", "http://small"), ("HTTPS_PROXY", "http://large")];
        let in_cgi = [("HTTP_PROXY", "http://visitor"), ("REQUEST_METHOD", "GET")];
        let never = [("HTTPS_PROXY", "http://secure"), ("no_proxy", "*")];
        for (variables, tls, host, through) in [
            (&usual[..], true, "dynamodb.eu-west-1.amazonaws.com", Some("http://secure:3128")),
            (&usual, false, "db.test", Some("http://plain:8080")),
            (&usual, true, "db.corp", None),
            (&usual, true, "corp", None),
            (&usual, true, "notcorp", Some("http://secure:3128")),
            (&usual, true, "10.1.2.3", None),
            (&usual, true, "11.1.2.3", Some("http://secure:3128")),
            (&usual, false, "127.0.0.1", None),
            (&usual, false, "::1", None),
            (&usual, true, "LOCALHOST", None),
            (&usual, true, "a.localhost.", None),
            (&small, true, "db.test", Some("http://small:80")),
            (&small, false, "db.test", None),
            (&in_cgi, false, "db.test", None),
            (&never, true, "db.test", None),
        ] {
            let proxies = proxies(variables).expect("proxies");
            let found = proxies.between(tls, host, 443).map(ToString::to_string);
            assert_eq!(found.as_deref(), through, "{host} by {variables:?}");
        }
    }

    #[test]
    fn no_proxy_names_hosts_networks_and_ports() {
        for (list, host, port, holds) in [
            ("example.com", "example.com", 443, true),
            ("example.com", "a.EXAMPLE.com", 443, true),
            ("example.com", "anexample.com", 443, false),
            ("*.example.com", "a.example.com", 443, true),
            ("example.com:8000", "example.com", 8000, true),
            ("example.com:8000", "example.com", 443, false),
            ("a b,example.com", "example.com", 1, true),
            ("192.0.2.7", "192.0.2.7", 1, true),
            ("192.0.2.7", "192.0.2.8", 1, false),
            ("192.0.2.0/24", "192.0.2.255", 1, true),
            ("0.0.0.0/0", "192.0.2.255", 1, true),
            ("2001:db8::/32", "2001:db8:1::1", 1, true),
            ("[2001:db8::1]", "2001:db8::1", 1, true),
            ("::/0", "192.0.2.255", 1, false),
            ("", "example.com", 1, false),
        ] {
            assert_eq!(
                exceptions(list).iter().any(|rule| rule.holds(host, port)),
                holds,
                "{host}:{port} in \"{list}\""
            );
        }
    }

    #[test]
    fn a_proxy_s_user_and_password_are_sent_and_never_shown() {
        for (url, pair) in [
            ("http://user:PLANTED@proxy:3128", "user:PLANTED"),
            ("http://us%40er:PLAN%20TED@proxy:3128/", "us@er:PLAN TED"),
            ("user:PLANTED@1@proxy:3128", "user:PLANTED@1"),
            ("http://user@proxy:3128", "user:"),
            ("http://100%:PLANTED%zz@proxy:3128", "100%:PLANTED%zz"),
        ] {
            let proxy = Proxy::parsed(url, "HTTPS_PROXY").expect("a proxy");
            let sent = proxy.authorization.as_ref().expect("a header").to_str().expect("text");
            assert_eq!(sent, format!("Basic {}", base64::encode(pair)));
            assert_eq!(format!("{proxy} {proxy:?}"), "http://proxy:3128 http://proxy:3128");
        }
        for url in
            ["https://u:PLANTED@proxy", "socks5://u:PLANTED@proxy", "http://u:PLANTED@", "http://u:PLANTED@a b", ""]
        {
            let error = Proxy::parsed(url, "HTTPS_PROXY").expect_err("no proxy");
            assert!(error.message.starts_with("HTTPS_PROXY ") && !error.message.contains("PLANTED"), "{error}");
        }
    }
}
