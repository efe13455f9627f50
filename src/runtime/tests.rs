//! The runtime and its calls, on runtimes of the tests' own.
#![cfg(not(miri))]

use std::sync::mpsc::{Receiver, SyncSender, channel};

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
        .run(Box::pin(future), drop, Call::new(move |ended| outcome.send(ended).expect("the test waits")))
        .expect("it starts");
    (release, outcomes)
}

/// Every thread of the runtime is kept inside a future, as `wrapped`, until what this gives is dropped.
fn occupied(engine: &Engine, wrapped: impl Fn(Work<()>) -> Work<()>) -> SyncSender<()> {
    let (hold, held) = sync_channel::<()>(0);
    let held = Arc::new(Mutex::new(held));
    let (begun, have_begun) = channel();
    for _ in 0..WORKERS {
        let (held, begun) = (Arc::clone(&held), begun.clone());
        engine.tokio.spawn(wrapped(Box::pin(async move {
            begun.send(()).expect("the test waits");
            let _ = lock(&held).recv();
        })));
    }
    for _ in 0..WORKERS {
        have_begun.recv().expect("a thread is inside");
    }
    hold
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
    let hold = occupied(engine, |waits| waits);
    // The threads of other tests may be in the middle of something, for which these are spared.
    let begun = Instant::now();
    let error = loop {
        let error = engine.why(RecvTimeoutError::Timeout);
        if error.code == Code::Runtime || begun.elapsed() > Duration::from_secs(30) {
            break error;
        }
    };
    assert_eq!(error.code, Code::Runtime, "{error}");
    assert_eq!(outcomes.recv().expect("it has an outcome").map_err(|error| error.code), Err(Code::Runtime));
    drop(hold);
}

#[test]
fn threads_that_take_long_over_a_call_are_not_given_up() {
    let engine = engine();
    let (release, outcomes) = waiting(engine);
    let hold = occupied(engine, |waits| Box::pin(whole_across_forks(waits)));
    let error = engine.why(RecvTimeoutError::Timeout);
    assert_eq!(error.code, Code::Timeout, "{error}");
    drop(hold);
    release.send(()).expect("it waits");
    assert_eq!(outcomes.recv(), Ok(Ok(())), "what the same threads had to do was lost");
}

#[test]
fn a_panic_is_the_outcome_of_its_call() {
    panics::silence();
    let engine = engine();
    let (outcome, outcomes) = channel();
    engine
        .run(Box::pin(async { panics() }), drop, Call::new(move |ended| outcome.send(ended).expect("the test waits")))
        .expect("it starts");
    let error = outcomes.recv().expect("it has an outcome").expect_err("it panicked");
    assert_eq!(error.code, Code::Panic);
    assert!(outcomes.recv().is_err(), "it has no second one");
}

/// Says when it is dropped.
struct Held(std::sync::mpsc::Sender<&'static str>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send("dropped").expect("the test waits");
    }
}

#[test]
fn a_cancelled_call_drops_what_it_holds_and_then_has_its_outcome() {
    panics::silence();
    let engine = engine();
    // Where it waits, and before it was polled: then nothing of it happens.
    for polled in [true, false] {
        let (happens, happened) = channel();
        let (held, ended) = (Held(happens.clone()), happens.clone());
        let mut number = 0;
        let future = async move {
            let _held = held;
            happens.send("polled").expect("the test waits");
            std::future::pending::<Result<()>>().await
        };
        let cancel = |number| engine.body.pending.cancel_of(number).expect("it is under way").abort();
        let begun = |given| {
            number = given;
            if !polled {
                cancel(given);
            }
        };
        let outcome = move |outcome: Result<()>| {
            assert_eq!(outcome.map_err(|error| error.code), Err(Code::Cancelled));
            ended.send("ended").expect("the test waits");
        };
        engine.run(Box::pin(future), begun, Call::new(outcome)).expect("it starts");
        if polled {
            assert_eq!(happened.recv(), Ok("polled"));
            cancel(number);
        }
        assert_eq!((happened.recv(), happened.recv()), (Ok("dropped"), Ok("ended")));
        assert!(happened.recv().is_err(), "there is no more to it");
    }
}

#[test]
fn a_cancelled_call_whose_future_panics_as_it_is_dropped_was_cancelled() {
    struct PanicsWhenDropped;
    impl Drop for PanicsWhenDropped {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    panics::silence();
    let engine = engine();
    let (outcome, outcomes) = channel();
    let future = async {
        let _held = PanicsWhenDropped;
        std::future::pending::<Result<()>>().await
    };
    let begun = |number| engine.body.pending.cancel_of(number).expect("it is under way").abort();
    engine
        .run(Box::pin(future), begun, Call::new(move |ended| outcome.send(ended).expect("awaited")))
        .expect("it starts");
    assert_eq!(outcomes.recv().expect("it has an outcome").map_err(|error| error.code), Err(Code::Cancelled));
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
    let refused =
        engine.run(Box::pin(std::future::pending::<Result<()>>()), drop, Call::new(|_| panic!("it was refused")));
    assert_eq!(refused.map_err(|error| error.code), Err(Code::Runtime));
}
