//! The runtime and its calls, on runtimes of the tests' own.
#![cfg(not(miri))]

use std::sync::mpsc::{Receiver, channel};

use super::*;

/// A runtime of a test's own.
fn engine() -> &'static Engine {
    Box::leak(Box::new(build(&mut Builder::new_multi_thread()).expect("threads can be started")))
}

/// A call that ends once the test lets it.
fn waiting(engine: &Engine) -> (tokio::sync::oneshot::Sender<()>, Receiver<Result<()>>) {
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let (outcome, outcomes) = channel();
    let future = async move { released.await.map_err(|_| given_up()) };
    engine
        .run(Box::pin(future), Call::new(move |ended| outcome.send(ended).expect("the test waits")))
        .expect("it starts");
    (release, outcomes)
}

#[test]
fn threads_that_answer_are_starved_and_threads_that_stay_silent_are_given_up() {
    let engine = engine();
    let (release, outcomes) = waiting(engine);
    let error = engine.why(RecvTimeoutError::Timeout);
    assert_eq!(error.code, Code::Timeout, "{error}");
    assert!(error.message.contains("starved"), "{error}");
    release.send(()).expect("it waits");
    assert_eq!(outcomes.recv(), Ok(Ok(())));

    let (_release, outcomes) = waiting(engine);
    let (hold, held) = sync_channel::<()>(0);
    let held = Arc::new(Mutex::new(held));
    let (blocked, are_blocked) = channel();
    for _ in 0..WORKERS {
        let (held, blocked) = (Arc::clone(&held), blocked.clone());
        engine.tokio.spawn(async move {
            blocked.send(()).expect("the test waits");
            let _ = lock(&held).recv();
        });
    }
    for _ in 0..WORKERS {
        are_blocked.recv().expect("a thread is blocked");
    }
    let error = engine.why(RecvTimeoutError::Timeout);
    assert_eq!(error.code, Code::Runtime, "{error}");
    assert_eq!(outcomes.recv().expect("it has an outcome").map_err(|error| error.code), Err(Code::Runtime));
    drop(hold);
}

#[test]
fn a_panic_is_the_outcome_of_its_call() {
    panics::silence();
    let engine = engine();
    let (outcome, outcomes) = channel();
    engine
        .run(Box::pin(async { panics() }), Call::new(move |ended| outcome.send(ended).expect("the test waits")))
        .expect("it starts");
    let error = outcomes.recv().expect("it has an outcome").expect_err("it panicked");
    assert_eq!(error.code, Code::Panic);
    assert!(outcomes.recv().is_err(), "it has no second one");
}

fn panics() -> Result<()> {
    panic!("payload")
}

#[test]
fn a_call_on_a_runtime_that_was_given_up_is_refused_or_has_its_outcome() {
    let engine = engine();
    let (_release, outcomes) = waiting(engine);
    // There is another runtime already, as where several threads find one dead.
    super::engine().expect("threads can be started");
    engine.body.give_up();
    super::engine().expect("it is there");
    assert_eq!(outcomes.recv().expect("it has an outcome").map_err(|error| error.code), Err(Code::Runtime));
    let refused = engine.run(Box::pin(std::future::pending::<Result<()>>()), Call::new(|_| panic!("it was refused")));
    assert_eq!(refused.map_err(|error| error.code), Err(Code::Runtime));
}
