//! What writes leave for reads: however one ends, what is known of its rows only stands in from then on, and what it was
//! given is remembered where that is kept.

use std::sync::Arc;

use super::ReadThrough;
use super::moment::Moment;
use crate::model::data_set::Collection;
use crate::model::row::{NewRow, Row};
use crate::store::Store;
use crate::store::host_cache::Stamp;
use crate::store::told::Told;

impl ReadThrough {
    /// A write of a row begins.
    pub fn writing<'a>(&'a self, kind: &'a str, key: &'a str) -> Writing<'a> {
        Writing { reading: self, kind, key, told: None, ended: false }
    }

    /// An init is told, where that is kept.
    pub fn telling_all<'a>(&'a self, store: &'a Arc<Store>, data: &[Collection]) -> Option<TellingAll<'a>> {
        let told = self.told.as_ref()?;
        let rows = data
            .iter()
            .flat_map(|of| of.rows.iter().map(|row| (of.kind.clone(), row.key.clone(), row.version)))
            .collect();
        Some(TellingAll { store, told, number: told.init(data, Moment::now()), rows })
    }

    /// A write of whole kinds begins.
    pub fn replacing(&self, kinds: Vec<String>) -> Replacing<'_> {
        Replacing { reading: self, kinds }
    }
}

/// A write that is under way. However it ends, answered, failed or abandoned, what is known of its row only stands in
/// from then on.
pub struct Writing<'a> {
    reading: &'a ReadThrough,
    kind: &'a str,
    key: &'a str,
    told: Option<(NewRow, &'a Told)>,
    ended: bool,
}

impl<'a> Writing<'a> {
    /// What is to be written, where that is kept: it stands in from now on.
    pub fn telling(&mut self, row: &NewRow) {
        if let Some(told) = &self.reading.told {
            told.upsert(self.kind, row, Moment::now());
            self.told = Some((row.clone(), told));
        }
    }

    /// It did not get through, and is to be written again.
    pub fn failed(&mut self) {
        if let Some((_, told)) = &self.told {
            told.upsert_failed(self.kind, self.key);
        }
    }

    /// The question was wrong: there is nothing to write again.
    pub fn refused(&mut self) {
        self.told = None;
    }

    /// The row that is there now: what was written, or what stood in the way. No read brings an older one from here on.
    pub fn found(&mut self, row: &Arc<Row>) {
        self.ended = true;
        if let Some((_, told)) = &self.told {
            told.written(self.kind, &row.key, row.version);
            told.met(self.kind, &mut Row::clone(row), Moment::now());
        }
        if let Some(host) = &self.reading.host {
            host.with(|host| host.wrote_row(self.kind, row, Stamp::now()));
        }
        if let Some(floors) = &self.reading.floors {
            floors.wrote(self.kind, &row.key, row.version, Moment::now());
        }
        if let Some(cache) = &self.reading.cache {
            cache.wrote(self.kind, row);
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if let Some(cache) = &self.reading.cache {
            cache.doubt(self.kind, self.key);
        }
        if self.ended {
            return;
        }
        // Who cancelled it does not want it written later.
        if std::thread::panicking() {
            self.failed();
        }
        if let Some(host) = &self.reading.host {
            host.with(|host| match &self.told {
                Some((row, _)) => host.told_row(self.kind, &row.as_read(), Stamp::now()),
                None => host.doubt_row(self.kind, self.key, Stamp::now()),
            });
        }
    }
}

/// An init that was told. What it was given stands in, however it ends; if it was cancelled, it is not written later.
pub struct TellingAll<'a> {
    store: &'a Arc<Store>,
    told: &'a Told,
    number: u64,
    rows: Vec<(String, Box<str>, i64)>,
}

impl TellingAll<'_> {
    /// There is nothing to write again.
    pub fn ended(self) {
        self.told.initialised(self.number);
        self.rows.iter().for_each(|(kind, key, version)| self.told.written(kind, key, *version));
    }

    /// It did not get through, and is to be written again.
    pub fn failed(&self) {
        self.told.init_failed(self.number);
        self.store.write_again_later();
    }
}

impl Drop for TellingAll<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.failed();
        }
    }
}

/// Writes of whole kinds that are under way. However they end, what is known only stands in from then on.
pub struct Replacing<'a> {
    reading: &'a ReadThrough,
    kinds: Vec<String>,
}

impl Replacing<'_> {
    /// All is written: what was known before is of no use any more.
    pub fn done(self) {
        self.reading.clear();
    }
}

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        if let Some(floors) = &self.reading.floors {
            let now = Moment::now();
            self.kinds.iter().for_each(|kind| floors.replaced(kind, now));
        }
        if let Some(cache) = &self.reading.cache {
            cache.doubt_all();
        }
        if let Some(host) = &self.reading.host {
            for kind in &self.kinds {
                host.with(|host| host.doubt_list(kind, Stamp::now()));
            }
        }
    }
}
