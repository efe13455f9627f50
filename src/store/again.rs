//! Writing again what could not be written: in the background while DynamoDB is away, and at once when it is back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::{Mutex, Notify};

use super::Store;
use super::init::Progress;
use super::read_through::breaker::{FIRST_PAUSE, longer};
use crate::model::options::LogLevel;
use crate::model::{Code, Error, Result};
use crate::runtime;

/// What one store knows of its writing again.
#[derive(Default)]
pub struct Again {
    /// One after the generation of the runtime that the task is of; zero while there is none. A task of a runtime that is
    /// gone never ends.
    task: AtomicU64,
    wake: Arc<Notify>,
    /// Held while something is written again, so that a caller and the task do not do it both.
    writing: Mutex<()>,
}

impl Again {
    /// DynamoDB answers again: no pause is worth it.
    pub fn at_once(&self) {
        if self.task.load(Ordering::Relaxed) != 0 {
            self.wake.notify_one();
        }
    }

    /// Whether the caller is the one to start the task.
    fn begins(&self) -> bool {
        let now = runtime::generation() + 1;
        self.task.swap(now, Ordering::SeqCst) != now
    }
}

impl Store {
    /// Has what could not be written written again, later. Does nothing where nothing is left or it is under way.
    pub(super) fn write_again_later(self: &Arc<Self>) {
        if self.unwritten() == 0 || !self.again.begins() {
            return;
        }
        let store = Arc::downgrade(self);
        // Without a thread to do it on, the next failure tries to start it, and so does whoever asks for availability.
        if runtime::spawn(write_again(store, Arc::clone(&self.again.wake))).is_err() {
            self.again.task.store(0, Ordering::SeqCst);
        }
    }

    /// How many items the table lacks.
    pub(super) fn unwritten(&self) -> usize {
        self.reading.told().map_or(0, super::told::Told::unwritten)
    }

    /// Writes what could not be written: a data set as an init does, items each on the condition of its version, segments
    /// first. What is newer in the table stays.
    pub(super) async fn write_unwritten(&self, deadline: Instant) -> Result<()> {
        let Some(told) = self.reading.told().filter(|told| told.unwritten() > 0) else { return Ok(()) };
        let Ok(_writing) = tokio::time::timeout_at(deadline.into(), self.again.writing.lock()).await else {
            return Err(Error::new(
                Code::Timeout,
                "what could not be written before is still being written: try again later, or raise the timeouts",
            ));
        };
        let count = told.unwritten();
        while let Some(again) = told.again() {
            if let Some((number, data)) = again.data_set {
                let rows: Vec<_> = data
                    .iter()
                    .flat_map(|of| of.rows.iter().map(|row| (of.kind.clone(), row.key.clone(), row.version)))
                    .collect();
                self.replace_rows(data, deadline, &Progress::default()).await?;
                told.initialised(number);
                rows.iter().for_each(|(kind, key, version)| told.written(kind, key, *version));
            }
            for (kind, row) in &again.items {
                self.write_row(kind, row, deadline).await?;
                // Also one that turns out to be too large, which was reported.
                told.written(kind, &row.key, row.version);
            }
        }
        self.report_answer(None);
        if count > 0 {
            self.events.emit(LogLevel::Info, || {
                format!("{count} items that could not be written are stored now, in table \"{}\"", self.options.table)
            });
        }
        Ok(())
    }
}

/// The task. It holds the store only while it writes, so that a store that is closed meanwhile is gone.
async fn write_again(store: Weak<Store>, wake: Arc<Notify>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let jittered = pause.mul_f64(1.0 - 0.5 * fastrand::f64());
        let woken = tokio::time::timeout(jittered, wake.notified()).await.is_ok();
        pause = if woken { FIRST_PAUSE } else { longer(pause) };
        let Some(store) = store.upgrade() else { return };
        // How it fails is no news: the call that could not write has said so.
        let deadline = Instant::now() + store.options.init_timeout;
        if runtime::contained(store.write_unwritten(deadline)).await.is_ok() {
            store.again.task.store(0, Ordering::SeqCst);
            // What failed between the last look and here found the task still there.
            if store.unwritten() == 0 || !store.again.begins() {
                return;
            }
            pause = FIRST_PAUSE;
        }
    }
}
