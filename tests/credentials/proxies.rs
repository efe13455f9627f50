//! Proxies, as companies have them: one that wants a password stands between the host and everything that is not on its machine.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use flagstore::model::Code;
use serde_json::json;

use super::aws;
use super::host::Host;
use super::stub::{Response, Stub};
use super::tls::Authority;

/// The names of AWS's services that the tests need.
const NAMES: [&str; 4] = [
    "dynamodb.eu-west-1.amazonaws.com",
    "sts.eu-west-1.amazonaws.com",
    "portal.sso.eu-central-1.amazonaws.com",
    "oidc.eu-central-1.amazonaws.com",
];
/// "user:PLANTED pass" in base64.
const ALLOWED: &str = "Basic dXNlcjpQTEFOVEVEIHBhc3M=";

/// A proxy that passes everything on to one server, whoever is asked for, if the password is right.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (asked, ends) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let (memory, end) = (Arc::clone(&asked), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let memory = Arc::clone(&memory);
                // Not joined: it ends with its connections.
                std::thread::spawn(move || stream.ok().and_then(|stream| pass_on(stream, server, &memory)));
            }
        });
        Proxy { address, asked, ends, thread: Some(thread) }
    }

    /// Its URL, with this user and password.
    fn url(&self, user: &str) -> String {
        format!("http://{user}@{}", self.address)
    }

    /// Whom it was asked for.
    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pass_on(stream: TcpStream, server: SocketAddr, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let (mut allowed, mut stream) = (false, stream);
    loop {
        match line()? {
            header if header.is_empty() => break,
            header => {
                allowed |= header
                    .split_once(": ")
                    .is_some_and(|(name, value)| name == "Proxy-Authorization" && value == ALLOWED)
            }
        }
    }
    let to = first.strip_prefix("CONNECT ")?.strip_suffix(" HTTP/1.1")?.to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(to.clone());
    if !allowed {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(answer.as_bytes()).ok();
    }
    if to.starts_with("refused.test") {
        return stream.write_all(b"HTTP/1.1 403 PLANTED\r\n\r\n").ok();
    }
    let mut server = TcpStream::connect(server).ok()?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n").ok()?;
    let (mut from, mut back) = (server.try_clone().ok()?, stream.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut back);
        let _ = back.shutdown(std::net::Shutdown::Both);
    });
    // What was read too far ahead is none of the head.
    let ahead = reader.buffer().to_vec();
    server.write_all(&ahead).ok()?;
    let _ = std::io::copy(&mut stream, &mut server);
    server.shutdown(std::net::Shutdown::Both).ok()
}

/// AWS, by its own names, behind a proxy.
fn aws_behind_a_proxy() -> (Authority, Stub, Proxy) {
    let authority = Authority::new();
    let stub = Stub::start_tls(authority.server_of(&NAMES), aws::answer);
    let proxy = Proxy::before(stub.address);
    (authority, stub, proxy)
}

fn host(authority: &Authority) -> Host {
    let host = Host::new().env("AWS_REGION", "eu-west-1");
    let bundle = host.file("ca.pem", authority.pem());
    host.env("AWS_CA_BUNDLE", bundle)
}

fn with_keys(host: Host) -> Host {
    host.env("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT").env("AWS_SECRET_ACCESS_KEY", "PLANTED")
}

#[test]
fn dynamodb_sts_and_single_sign_on_are_reached_through_a_proxy_that_wants_a_password() {
    let user = "user:PLANTED%20pass";
    let web = |host: Host| {
        let token = host.file("token", "PLANTED.jwt");
        host.env("AWS_WEB_IDENTITY_TOKEN_FILE", token).env("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/flags")
    };
    let sso = |host: Host| {
        host.file(
            ".aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json",
            json!({
                "accessToken": "PLANTED-sso", "expiresAt": "2020-01-01T00:00:00Z", "refreshToken": "PLANTED-refresh",
                "clientId": "client", "clientSecret": "PLANTED-client", "registrationExpiresAt": aws::LATER,
            })
            .to_string(),
        );
        host.config(
            "[default]\nsso_session = dev\nsso_account_id = 123456789012\nsso_role_name = flags\n\
             account_id_endpoint_mode = disabled\n\
             [sso-session dev]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n",
        )
    };
    type Preparing<'a> = &'a dyn Fn(Host) -> Host;
    let cases: [(&str, Preparing<'_>, &[&str]); 3] = [
        ("keys", &with_keys, &["dynamodb.eu-west-1.amazonaws.com:443"]),
        (
            "web identity",
            &|host| web(host.env("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")),
            &["sts.eu-west-1.amazonaws.com:443", "dynamodb.eu-west-1.amazonaws.com:443"],
        ),
        (
            "single sign-on",
            &sso,
            &[
                "oidc.eu-central-1.amazonaws.com:443",
                "portal.sso.eu-central-1.amazonaws.com:443",
                "dynamodb.eu-west-1.amazonaws.com:443",
            ],
        ),
    ];
    for (name, prepare, expected) in cases {
        for by in ["HTTPS_PROXY", "https_proxy", "option"] {
            eprintln!("{name} by {by}");
            let (authority, stub, proxy) = aws_behind_a_proxy();
            let host = prepare(host(&authority));
            let host =
                if by == "option" { host.option("proxy", proxy.url(user)) } else { host.env(by, proxy.url(user)) };
            host.calls(&["get", "get"]).run().expect_success();
            let mut asked = proxy.asked();
            asked.dedup();
            assert_eq!(asked, expected);
            assert_eq!(aws::of_dynamo(&stub).len(), 2);
        }
    }
}

#[test]
fn a_proxy_that_says_no_is_named_without_its_password() {
    let (authority, stub, proxy) = aws_behind_a_proxy();
    let shown = format!("the proxy http://{}", proxy.address);
    for (user, endpoint, words) in [
        ("user:PLANTED", "https://db.test", "does not take the user and password"),
        ("user:PLANTED%20pass", "https://refused.test:8443", "refused to connect to refused.test:8443 (status 403)"),
    ] {
        let host = with_keys(host(&authority)).env("HTTPS_PROXY", proxy.url(user)).option("endpoint", endpoint);
        host.run().expect_failure(Code::Connection, &[&shown, words, "NO_PROXY"]);
    }
    let host = with_keys(host(&authority)).env("HTTPS_PROXY", format!("http://{}", proxy.address));
    host.run().expect_failure(Code::Connection, &[&shown, "wants a user and a password"]);
    assert_eq!(stub.requests().len(), 0);
    let gone = with_keys(super::proxies::host(&authority)).env("HTTPS_PROXY", "http://user:PLANTED@127.0.0.1:1");
    gone.run().expect_failure(Code::Connection, &["through the proxy http://127.0.0.1:1", "Connection refused"]);
    for wrong in ["https://user:PLANTED@proxy:3128", "socks5://user:PLANTED@proxy", "http://user:PLANTED@"] {
        let host = with_keys(super::proxies::host(&authority)).env("HTTPS_PROXY", wrong);
        host.run().expect_failure(Code::OptionValue, &["HTTPS_PROXY", "http://proxy:3128"]);
        let host = with_keys(super::proxies::host(&authority)).option("proxy", wrong);
        host.run().expect_failure(Code::OptionValue, &["the option \"proxy\"", "http://proxy:3128"]);
    }
}

#[test]
fn without_tls_a_proxy_is_told_the_whole_url_and_loopback_is_never_behind_one() {
    let proxy = Stub::start(|request| match request.header("proxy-authorization") {
        Some(ALLOWED) => aws::dynamo(200, &json!({})),
        _ => Response::new(407, "text/plain", ""),
    });
    let url = format!("http://user:PLANTED pass@{}", proxy.address);
    let host = || with_keys(Host::new().env("AWS_REGION", "eu-west-1")).env("HTTP_PROXY", url.as_str());
    host().option("endpoint", "http://db.test:8000/x").run().expect_success();
    assert_eq!(proxy.requests()[0].target, "http://db.test:8000/x/");
    for (user, words) in [("", "wants a user and a password"), ("user:PLANTED@", "does not take the user and password")]
    {
        let wrong = with_keys(Host::new().env("AWS_REGION", "eu-west-1")).option("endpoint", "http://db.test:8000");
        let wrong = wrong.env("HTTP_PROXY", format!("http://{user}{}", proxy.address));
        wrong.run().expect_failure(Code::Connection, &[&format!("the proxy http://{}", proxy.address), words]);
    }
    let asked = proxy.requests().len();
    let near = aws::start();
    let not_asked = [
        host().option("endpoint", near.url()),
        host().option("endpoint", near.url()).option("proxy", url.as_str()),
        host().option("endpoint", near.url()).option("proxy", "none"),
        host().env("NO_PROXY", "127.0.0.0/8").option("endpoint", near.url()),
    ];
    for host in not_asked {
        host.run().expect_success();
    }
    assert_eq!((proxy.requests().len(), near.requests().len()), (asked, 4));
}
