//! What was asked of DynamoDB, for the statistics.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts that only grow.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests sent, repeated ones included.
    pub requests: AtomicU64,
    /// Requests sent again.
    pub retries: AtomicU64,
    /// Answers that asked to slow down.
    pub throttles: AtomicU64,
    /// Operations that failed for good.
    pub errors: AtomicU64,
    /// Read capacity consumed, in thousandths of a unit.
    read_milliunits: AtomicU64,
    /// Write capacity consumed, in thousandths of a unit.
    write_milliunits: AtomicU64,
}

/// Which kind of capacity a request consumes.
#[derive(Debug, Clone, Copy)]
pub enum Capacity {
    /// Read units.
    Read,
    /// Write units.
    Write,
}

impl Counters {
    /// One more.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Capacity that an answer says was consumed. Units come in halves at the least.
    pub fn consumed(&self, capacity: Capacity, units: Option<f64>) {
        let milliunits = (units.unwrap_or(0.0) * 1000.0).round();
        if milliunits > 0.0 && milliunits < 1e15 {
            let counter = match capacity {
                Capacity::Read => &self.read_milliunits,
                Capacity::Write => &self.write_milliunits,
            };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
            counter.fetch_add(milliunits as u64, Ordering::Relaxed);
        }
    }

    /// Read units consumed.
    pub fn read_units(&self) -> f64 {
        units(&self.read_milliunits)
    }

    /// Write units consumed.
    pub fn write_units(&self) -> f64 {
        units(&self.write_milliunits)
    }
}

fn units(milliunits: &AtomicU64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "exact up to 2^53 thousandths")]
    let milliunits = milliunits.load(Ordering::Relaxed) as f64;
    milliunits / 1000.0
}
