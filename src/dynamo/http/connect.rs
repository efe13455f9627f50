//! A connection: the addresses of a name, the first of them that answers, perhaps a proxy that passes it on, perhaps TLS.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Uri;
use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Route;
use super::proxy::{Proxies, Proxy};
use crate::dynamo::resolver::Resolver;
use crate::dynamo::trust::Trust;

/// So long one address is waited for before the next is tried beside it, as "Happy Eyeballs" (RFC 8305) has it.
const BETWEEN_ADDRESSES: Duration = Duration::from_millis(250);
/// Longest answer of a proxy to CONNECT, in bytes.
const LONGEST_HEAD: usize = 16 << 10;

/// Makes connections for one store.
pub struct Connector {
    resolver: Resolver,
    proxies: Proxies,
    /// `None` where nothing is spoken to with TLS.
    trust: Option<Trust>,
    /// How long one connection may take to be made.
    timeout: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unconnected {
    /// What stood in the way.
    pub kind: Kind,
    /// What happened, in words that hold no secret.
    pub why: String,
    /// Whether it was time that ran out.
    pub late: bool,
}

/// What can stand in the way of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The name has no addresses.
    Name,
    /// The network, or whoever listens there.
    Network,
    /// The proxy.
    Proxy,
    /// The certificate, or else the TLS of the other side.
    Tls,
}

impl Unconnected {
    fn new(kind: Kind, why: impl Into<String>) -> Self {
        Unconnected { kind, why: why.into(), late: false }
    }

    fn late(kind: Kind, why: impl Into<String>) -> Self {
        Unconnected { late: true, ..Unconnected::new(kind, why) }
    }
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Unconnected {}

impl Connector {
    /// Connects nothing yet.
    pub fn new(resolver: Resolver, proxies: Proxies, trust: Option<Trust>, timeout: Duration) -> Self {
        Connector { resolver, proxies, trust, timeout }
    }

    /// A connection to the host of a URL, and how requests are written on it.
    pub(super) async fn connect(&self, to: &Uri) -> Result<(Stream, Route), Unconnected> {
        let ends = Instant::now() + self.timeout;
        let tls = to.scheme() == Some(&Scheme::HTTPS);
        let host = to.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = to.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let (stream, route) = match self.proxies.between(tls, host, port) {
            None => (self.tcp(host, port, ends).await?, Route::Direct),
            Some(proxy) => {
                let through = |failure: Unconnected| Unconnected {
                    why: format!("through the proxy {proxy}: {}", failure.why),
                    ..failure
                };
                let stream = self.tcp(&proxy.host, proxy.port, ends).await.map_err(through)?;
                if tls {
                    let late = |_| Unconnected::late(Kind::Proxy, format!("the proxy {proxy} did not answer"));
                    timeout_at(ends, tunnel(&stream, proxy, host, port)).await.map_err(late)??;
                    (stream, Route::Direct)
                } else {
                    (stream, Route::Forwarded(Box::new(proxy.clone())))
                }
            }
        };
        match &self.trust {
            Some(trust) if tls => {
                let secured = timeout_at(ends, secure(trust, host, stream)).await;
                secured
                    .map_err(|_| Unconnected::late(Kind::Tls, "TLS was not agreed upon"))?
                    .map(|stream| (stream, route))
            }
            None if tls => Err(Unconnected::new(Kind::Tls, "TLS was not to be needed")),
            _ => Ok((Stream::Plain(stream), route)),
        }
    }

    async fn tcp(&self, host: &str, port: u16, ends: Instant) -> Result<TcpStream, Unconnected> {
        let resolved = self.resolver.resolve(host).await;
        let addresses = resolved.map_err(|failure| Unconnected::new(Kind::Name, failure.to_string()))?;
        let addresses: Vec<_> = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        let opened = timeout_at(ends, first_to_answer(&addresses)).await;
        let opened = opened.map_err(|_| Unconnected::late(Kind::Network, ""))?;
        let stream = opened.map_err(|error| Unconnected::new(Kind::Network, error.to_string()))?;
        // A request is written at once, and waits for nothing.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}

/// Tries one address after the other, and the next beside one that is slow.
async fn first_to_answer(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut rest = addresses.iter();
    let mut trying = FuturesUnordered::new();
    let mut failure = io::Error::other("the name has no address");
    loop {
        match rest.next() {
            Some(address) => trying.push(TcpStream::connect(*address)),
            None if trying.is_empty() => return Err(failure),
            None => {}
        }
        let next = if rest.len() == 0 { Duration::MAX } else { BETWEEN_ADDRESSES };
        match timeout(next, trying.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) | Err(_) => {}
        }
    }
}

async fn secure(trust: &Trust, host: &str, stream: TcpStream) -> Result<Stream, Unconnected> {
    let name = ServerName::try_from(host.to_owned());
    let name =
        name.map_err(|_| Unconnected::new(Kind::Tls, "the endpoint's host is no name that a certificate has"))?;
    match TlsConnector::from(trust.config()).connect(name, stream).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
        Err(error) => Err(Unconnected::new(Kind::Tls, trust.in_words(&error))),
    }
}

/// Asks a proxy to pass everything on, as RFC 9110 section 9.3.6 has it.
async fn tunnel(stream: &TcpStream, proxy: &Proxy, host: &str, port: u16) -> Result<(), Unconnected> {
    let lost =
        |error: io::Error| Unconnected::new(Kind::Proxy, format!("the proxy {proxy} broke the connection: {error}"));
    let refused = |why: &str| Unconnected::new(Kind::Proxy, format!("the proxy {proxy} {why}"));
    let to = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let mut asked = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        asked.extend_from_slice(b"Proxy-Authorization: ");
        asked.extend_from_slice(authorization.as_bytes());
        asked.extend_from_slice(b"\r\n");
    }
    asked.extend_from_slice(b"\r\n");
    let mut left = &asked[..];
    while !left.is_empty() {
        stream.writable().await.map_err(lost)?;
        match stream.try_write(left) {
            Ok(written) => left = &left[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(lost(error)),
        }
    }
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await.map_err(lost)?;
        match stream.try_read_buf(&mut head) {
            Ok(0) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) if head.len() > LONGEST_HEAD => return Err(refused("answered with something else than HTTP")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(lost(error)),
        }
    }
    match status(&head) {
        // Nobody speaks before the client's greeting, so what follows the head would be the proxy's.
        Some(200..=299) if head.ends_with(b"\r\n\r\n") => Ok(()),
        Some(407) => Err(proxy.says_no()),
        Some(status) => Err(refused(&format!("refused to connect to {to} (status {status})"))),
        None => Err(refused("answered with something else than HTTP")),
    }
}

fn status(head: &[u8]) -> Option<u16> {
    let line = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

/// What a connection runs over.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

macro_rules! either {
    ($stream:expr, $inner:ident => $action:expr) => {
        match $stream.get_mut() {
            Stream::Plain($inner) => {
                let $inner = Pin::new($inner);
                $action
            }
            Stream::Tls($inner) => {
                let $inner = Pin::new($inner.as_mut());
                $action
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, inner => inner.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, inner => inner.poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(inner) => inner.is_write_vectored(),
            Stream::Tls(inner) => inner.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, inner => inner.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_s_answer_has_its_status_in_the_first_line() {
        for (head, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", Some(407)),
            ("HTTP/1.1 200\r\n\r\n", Some(200)),
            ("HTTP/2 200\r\n\r\n", None),
            ("SSH-2.0-x\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head}");
        }
    }
}
