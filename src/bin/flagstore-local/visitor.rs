//! Who is answered: programs on this machine, and no web page.
//!
//! The endpoint checks no signature, so that whoever reaches it may read and write all of it. Listening on loopback
//! keeps other machines out, but not what a browser on this one is made to send: a page whose name was made to resolve
//! to 127.0.0.1 still says its own name as `Host`, and a page from elsewhere says where it is from as `Origin`.

use std::net::{IpAddr, Ipv6Addr};

/// Why a request is refused, if it is: by the values of its `Host` and `Origin` headers.
///
/// Which port the name comes with does not matter: no page can choose it, and a relay in front (a tunnel, a container's
/// published port) has one of its own.
pub fn refusal(host: Option<&str>, origin: Option<&str>) -> Option<String> {
    let Some(host) = host else {
        return Some("this endpoint answers to a loopback name, and the request has no Host header".to_owned());
    };
    if !is_loopback(host) {
        return Some(format!(
            "this endpoint answers to loopback names only, not to {host:?}: use 127.0.0.1 or localhost"
        ));
    }
    match origin {
        Some(origin) if origin.strip_prefix("http://") != Some(host) => {
            Some(format!("this endpoint answers no web page, and the request comes from one of {origin:?}"))
        }
        _ => None,
    }
}

/// Whether a `Host` is `localhost`, one of 127.0.0.0/8 or `[::1]`, with a port or without.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        // The last colon of an address in brackets is its own.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err() || port.starts_with('+')) {
        return false;
    }
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse() == Ok(Ipv6Addr::LOCALHOST),
        None => {
            name.eq_ignore_ascii_case("localhost")
                || matches!(name.parse(), Ok(IpAddr::V4(address)) if address.is_loopback())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_answered() {
        for host in
            ["127.0.0.1:8000", "127.0.0.1", "127.8.9.10:1", "localhost:8000", "LocalHost", "[::1]:8000", "[::1]"]
        {
            assert_eq!(refusal(Some(host), None), None, "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for host in [
            "",
            ":8000",
            "evil.example:8000",
            "127.0.0.1.evil.example",
            "evil.example:127.0.0.1",
            "localhost.evil.example:8000",
            "localhost.",
            "localhost@evil.example",
            "128.0.0.1:8000",
            "10.0.0.1",
            "0.0.0.0:8000",
            "127.1:8000",
            "2130706433",
            "::1",
            "[::1",
            "[::]:8000",
            "[::ffff:127.0.0.1]:8000",
            "127.0.0.1:http",
            "127.0.0.1:",
            "127.0.0.1:+1",
        ] {
            let message = refusal(Some(host), None).unwrap_or_else(|| panic!("{host:?} is answered"));
            assert!(message.contains(&format!("{host:?}")) && message.contains("use 127.0.0.1"), "{message}");
        }
        assert!(refusal(None, None).unwrap().contains("no Host header"));
    }

    #[test]
    fn web_pages_are_not_answered() {
        for origin in [
            "http://evil.example",
            "https://127.0.0.1:8000",
            "http://127.0.0.1:3000",
            "http://localhost:8000",
            "http://127.0.0.1:8000.evil.example",
            "null",
            "",
        ] {
            let message =
                refusal(Some("127.0.0.1:8000"), Some(origin)).unwrap_or_else(|| panic!("{origin:?} is answered"));
            assert!(message.contains(&format!("{origin:?}")), "{message}");
        }
        assert_eq!(refusal(Some("127.0.0.1:8000"), Some("http://127.0.0.1:8000")), None);
    }
}
