//! Which rows the SDK can read. Of those that it cannot, one would empty its whole list of flags.

use launchdarkly_server_sdk::{DataKind, Flag, Segment};

/// Why the SDK cannot read this item; `None` if it can. The reason has the place of the fault, never what stands there.
pub fn complaint(kind: &DataKind, item: &str) -> Option<String> {
    let read = match kind {
        DataKind::Flag => serde_json::from_str::<Flag>(item).map(|_| ()),
        DataKind::Segment => serde_json::from_str::<Segment>(item).map(|_| ()),
    };
    let error = read.err()?;
    Some(format!("it is not what the SDK reads, at line {}, column {}", error.line(), error.column()))
}
