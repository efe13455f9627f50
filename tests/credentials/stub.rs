//! An HTTP server on loopback that answers as it is told and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The longest that a connection may keep its thread.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What the stub answers.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// A server's side of TLS, with this certificate.
pub fn tls(certificate: &rcgen::Certificate, key: &rcgen::KeyPair) -> Arc<rustls::ServerConfig> {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a key that fits");
    Arc::new(config)
}

type Answer = dyn Fn(&Request) -> Response + Send + Sync;

/// A running server. It ends when it is dropped.
pub struct Stub {
    pub address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Serves plain HTTP on a port of its own.
    pub fn start(answer: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Stub {
        Stub::serve(None, answer)
    }

    /// Serves HTTPS.
    pub fn start_tls(
        tls: Arc<rustls::ServerConfig>,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Stub {
        Stub::serve(Some(tls), answer)
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Everything it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.asked).clone()
    }

    fn serve(
        tls: Option<Arc<rustls::ServerConfig>>,
        answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
    ) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let (asked, ends) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicBool::new(false)));
        let answer: Arc<Answer> = Arc::new(answer);
        let (memory, end) = (Arc::clone(&asked), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (tls, answer, memory) = (tls.clone(), Arc::clone(&answer), Arc::clone(&memory));
                // Not joined: it ends with its connection, at the latest after its patience.
                std::thread::spawn(move || connection(stream, tls, &*answer, &memory));
            }
        });
        Stub { address, scheme, asked, ends, thread: Some(thread) }
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The access key id that signed the request.
    pub fn key_id(&self) -> Option<&str> {
        self.scope()?.first().copied()
    }

    /// The region that the request was signed for.
    pub fn region(&self) -> Option<&str> {
        self.scope()?.get(2).copied()
    }

    /// The session token that came along.
    pub fn session_token(&self) -> Option<&str> {
        self.header("x-amz-security-token")
    }

    /// The signature's scope: key id, date, region, service, `aws4_request`.
    fn scope(&self) -> Option<Vec<&str>> {
        let (_, scope) = self.header("authorization")?.split_once("Credential=")?;
        Some(scope.split(',').next()?.split('/').collect())
    }
}

impl Response {
    /// An answer of a content type.
    pub fn new(status: u16, content_type: &str, body: impl Into<String>) -> Response {
        Response { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
    }
}

/// One request and its answer: the client opens a connection for the next.
fn connection(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    answer: &Answer,
    asked: &Mutex<Vec<Request>>,
) -> Option<()> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    match tls {
        None => exchange(stream, answer, asked),
        Some(tls) => {
            let mut session = rustls::StreamOwned::new(rustls::ServerConnection::new(tls).ok()?, stream);
            exchange(&mut session, answer, asked)?;
            session.conn.send_close_notify();
            session.flush().ok()
        }
    }
}

fn exchange(stream: impl Read + Write, answer: &Answer, asked: &Mutex<Vec<Request>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let request = read(&mut reader)?;
    // Remembered before it is answered: whoever saw the answer finds the request.
    lock(asked).push(request.clone());
    let response = answer(&request);
    let mut head = format!("HTTP/1.1 {} Stub\r\nconnection: close\r\n", response.status);
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n{}", response.body.len(), response.body);
    let stream = reader.get_mut();
    stream.write_all(head.as_bytes()).ok()?;
    stream.flush().ok()
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut request = Request { method, target, headers: Vec::new(), body: String::new() };
    loop {
        let header = line(reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':')?;
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = request.header("content-length").map_or(Some(0), |length| length.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line).ok()?;
    (read > 0).then(|| line.trim_end().to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
