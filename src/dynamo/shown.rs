//! What of an endpoint's URL may be shown.

/// A URL without user, password, query and fragment, any of which may hold a secret, on one line.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    // A password with a slash ends the authority for us, and not for who wrote it: then neither is shown.
    let (host, path) = if path.contains('@') { ("…", "") } else { (host, path) };
    let line: String = format!("{host}{path}").chars().filter(|letter| !letter.is_control()).collect();
    if scheme.is_empty() { line } else { format!("{scheme}://{line}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_shown_without_what_may_be_secret() {
        for (url, text) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("https://dynamodb.eu-west-1.amazonaws.com/", "https://dynamodb.eu-west-1.amazonaws.com/"),
            ("http://user:PLANTED@host:8000/path", "http://host:8000/path"),
            ("http://user:PLAN@TED@host", "http://host"),
            ("http://PLANTED@host", "http://host"),
            ("http://user:PLAN/TED@host:1", "http://…"),
            ("http://host/path?token=PLANTED", "http://host/path"),
            ("http://host?token=PLANTED#x", "http://host"),
            ("http://host#PLANTED", "http://host"),
            ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ] {
            assert_eq!(shown(url), text, "{url}");
        }
    }
}
