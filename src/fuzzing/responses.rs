//! What a server answers, through the whole client.
//!
//! `response` puts the connections aside and hands its answers to everything above it; `wire` answers on a
//! loopback socket, so that the HTTP client is part of it, at a twentieth of the speed.

use std::collections::VecDeque;
use std::future::ready;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue, StatusCode};

use super::boundary::checked;
use crate::abi::*;
use crate::dynamo::http::{Answer as Sent, Failed, Kind, Request, Response, Sends, Unconnected};
use crate::dynamo::{Counters, DynamoTable, Notices};
use crate::ffi::buffers::StoreItem;
use crate::ffi::{codes, handles};
use crate::model::options::{Credentials, Options};
use crate::runtime::lock;
use crate::store::Store;

/// Too short for a second attempt, whose pause would take most of a run.
const DEADLINE: Duration = Duration::from_millis(19);
/// How much later a call may end here: sanitizers and busy neighbours are no fault of the library.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer, as a part of the input.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// The status and the headers on a line each, an empty line, the body.
    fn read(text: &[u8]) -> Answer {
        let mut rest = text;
        let mut line = || {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = rest.get(end + 1..).unwrap_or_default();
            line
        };
        let status = line().trim().parse().unwrap_or(0);
        let headers = std::iter::from_fn(|| line().split_once(": ").map(|(name, value)| (name.into(), value.into())));
        let headers = headers.collect();
        Answer { status, headers, body: rest.to_vec() }
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Takes the answers one by one; after the last, nobody answers any more.
#[derive(Debug, Clone, Default)]
struct Answers(Arc<Mutex<VecDeque<Answer>>>);

impl Sends for Answers {
    fn send(&self, _: Request) -> Sent {
        let Some(answer) = lock(&self.0).pop_front() else {
            return Box::pin(ready(Err(Failed::Lost("no more answers".into()))));
        };
        Box::pin(ready(match StatusCode::try_from(answer.status) {
            Ok(status) => {
                let mut response = Response::new(answer.body.into());
                *response.status_mut() = status;
                for (name, value) in answer.headers {
                    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                        response.headers_mut().append(name, value);
                    }
                }
                Ok(response)
            }
            Err(_) if answer.status == 1 => {
                let late = Unconnected { kind: Kind::Network, why: String::new(), late: true };
                Err(Failed::Unconnected(late))
            }
            Err(_) => Err(Failed::Cut),
        }))
    }
}

/// A client that is made once, and what it is answered next. One run at a time.
struct Bench<A> {
    turn: Mutex<()>,
    answers: A,
    table: Arc<DynamoTable>,
}

fn options(endpoint: String) -> Options {
    Options {
        endpoint: Some(endpoint),
        credentials: Some(Credentials {
            access_key_id: "PLANTED-KEY-ID".into(),
            secret_access_key: "PLANTED-SECRET".into(),
            session_token: Some("PLANTED-TOKEN".into()),
        }),
        timeout: DEADLINE,
        all_timeout: DEADLINE,
        init_timeout: DEADLINE,
        ..Options::for_table("flags")
    }
}

/// A call by its letter, and answers to its requests, each after a line `---`: `g`, `200`, headers, an empty line, a body.
/// Every call ends in time with a code that is no bug, whatever is answered; no call succeeds where no answer was a
/// success; and no message holds a credential that the answers did not hold.
pub fn response(data: &[u8]) {
    static BENCH: OnceLock<Bench<Answers>> = OnceLock::new();
    let Bench { turn, answers, table } = BENCH.get_or_init(|| {
        let answers = Answers::default();
        let options = options("http://127.0.0.1:1".into());
        let table = DynamoTable::through(options, Arc::new(answers.clone()));
        Bench { turn: Mutex::default(), answers, table: Arc::new(table.expect("a client costs no network")) }
    });
    let _turn = lock(turn);
    let (call, script) = data.split_first().unwrap_or((&b'g', &[]));
    let script: VecDeque<Answer> = parts(script).into_iter().map(Answer::read).collect();
    let success = script.iter().any(Answer::is_success);
    *lock(&answers.0) = script;
    let code = call_once(*call, Arc::clone(table), data);
    assert!(success || code < 0 || code == codes::STORE_NEWER_EXISTS, "success without any: {code}");
}

fn parts(script: &[u8]) -> Vec<&[u8]> {
    const BETWEEN: &[u8] = b"\n---\n";
    let mut parts = Vec::new();
    let mut rest = script;
    while let Some(end) = rest.windows(BETWEEN.len()).position(|window| window == BETWEEN) {
        parts.push(&rest[..end]);
        rest = &rest[end + BETWEEN.len()..];
    }
    parts.push(rest);
    parts.into_iter().map(|part| part.strip_prefix(b"\n").unwrap_or(part)).collect()
}

/// Makes the call on a store of its own, which has seen nothing yet.
fn call_once(call: u8, table: Arc<DynamoTable>, data: &[u8]) -> i32 {
    let store = handles::insert(Store::on(options(String::new()), table, Arc::<Counters>::default()));
    let started = Instant::now();
    let (code, message) = calls(store, call);
    assert!(started.elapsed() < PATIENCE, "it took {:?}", started.elapsed());
    for secret in ["PLANTED-KEY-ID", "PLANTED-TOKEN"] {
        let given = data.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(given || !message.contains(secret), "{message}");
    }
    let (mut level, mut event) = (0, std::ptr::null_mut());
    // SAFETY: the out-params are live; what comes out is freed once.
    unsafe {
        while checked(|error| store_next_event(store, &raw mut level, &raw mut event, error)).0 == codes::STORE_OK {
            store_string_free(event);
        }
        checked(|error| store_close(store, error));
    }
    code
}

fn calls(store: u64, call: u8) -> (i32, String) {
    let (mut item, mut items, mut number, mut membership) =
        (StoreItem::empty(), std::ptr::null_mut(), 0, std::ptr::null_mut());
    let (features, key, payload) = (c"features".as_ptr(), c"flag".as_ptr(), c"{\"version\":3}");
    // SAFETY: every text is a literal of the length given; the out-params are live; what comes out is freed once.
    unsafe {
        let outcome = match call {
            b'a' => checked(|error| store_get_all(store, features, 8, &raw mut items, error)),
            b'u' => checked(|error| {
                let payload = (payload.as_ptr(), payload.count_bytes());
                store_upsert(store, features, 8, key, 4, 3, 0, payload.0, payload.1, &raw mut item, error)
            }),
            b'i' => checked(|error| {
                let json = c"{\"flags\":{\"flag\":{\"version\":3},\"gone\":{\"version\":1,\"deleted\":true}}}";
                store_init_json(store, json.as_ptr(), json.count_bytes(), std::ptr::null_mut(), error)
            }),
            b'm' => checked(|error| store_big_segments_metadata(store, &raw mut number, error)),
            b's' => checked(|error| store_big_segments_membership(store, key, 4, &raw mut membership, error)),
            b'n' => {
                let mut initialized = 0;
                checked(|error| store_initialized(store, &raw mut initialized, error))
            }
            b'v' => checked(|error| store_available(store, error)),
            _ => checked(|error| store_get(store, features, 8, key, 4, &raw mut item, error)),
        };
        store_item_free(&raw mut item);
        store_items_free(items);
        store_membership_free(membership);
        outcome
    }
}

/// A call by its letter, and the bytes that the server sends to each of its requests before it closes the connection.
/// Every call ends in time with a code that is no bug.
pub fn wire(data: &[u8]) {
    static BENCH: OnceLock<Bench<Arc<Mutex<Vec<u8>>>>> = OnceLock::new();
    let Bench { turn, answers, table } = BENCH.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
        let endpoint = format!("http://{}", listener.local_addr().expect("it is bound"));
        let answers = Arc::<Mutex<Vec<u8>>>::default();
        let sent = Arc::clone(&answers);
        thread::spawn(move || {
            for peer in listener.incoming().flatten() {
                let answer = lock(&sent).clone();
                // The peer may have given up meanwhile.
                let _ = answer_once(peer, &answer);
            }
        });
        Bench {
            turn: Mutex::default(),
            answers,
            table: Arc::new(DynamoTable::new(options(endpoint), Arc::default(), Notices::default())),
        }
    });
    let _turn = lock(turn);
    let (call, answer) = data.split_first().unwrap_or((&b'g', &[]));
    *lock(answers) = answer.to_vec();
    call_once(*call, Arc::clone(table), data);
}

fn answer_once(mut peer: TcpStream, answer: &[u8]) -> std::io::Result<()> {
    peer.set_read_timeout(Some(DEADLINE))?;
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    while !is_complete(&request) {
        let length = peer.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(&chunk[..length]);
    }
    peer.write_all(answer)
}

/// Whether the head is there and as much of a body as it says.
fn is_complete(request: &[u8]) -> bool {
    let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    request.len() - end - 4 >= length.unwrap_or(0)
}
