//! The rule of an init, line by line.

use std::collections::HashSet;

use super::later::{Deletion, needed_after_all, second};
use super::*;
use crate::model::large::{self, Deflated};
use crate::model::row::{Attribute, RawLarge};

/// A stored row: number and text, unless a case says otherwise.
fn stored(key: &str, version: &str, item: &str) -> RawRow {
    RawRow {
        key: Some(key.into()),
        version: Some(Attribute::Number(version.into())),
        item: Some(Attribute::Text(item.into())),
        ..RawRow::default()
    }
}

fn row(key: &str, version: i64, item: &str) -> NewRow {
    NewRow { key: key.into(), version, item: item.into(), deleted: false, deflated: None }
}

fn tombstone(key: &str, version: i64) -> NewRow {
    NewRow { deleted: true, ..row(key, version, "{\"deleted\":true}") }
}

fn given(kind: &str, rows: Vec<NewRow>) -> Given {
    Given { collection: Collection { kind: kind.into(), rows, empty_keys: 0 }, set_aside: HashSet::new() }
}

fn look(rows: &[RawRow]) -> BTreeMap<Box<str>, RawRow> {
    rows.iter().map(|row| (row.key.clone().unwrap(), row.clone())).collect()
}

const CAREFUL: Policy = Policy { overwrites_newer: false };
const FORCEFUL: Policy = Policy { overwrites_newer: true };

use Standing::{NewerThanGiven, NotInitialised, OtherEnvironment, SameEnvironment};

/// What is expected of a row, in short.
#[derive(Debug, PartialEq)]
enum Short {
    Unchanged,
    Keep,
    DoesNotFit,
    /// Written unless something newer appeared.
    Write(Why),
    /// Replaced if it is still as it was read.
    Replace(Why),
}

fn decided(kind: &str, stored: Option<&RawRow>, given: &NewRow, standing: Standing, policy: Policy) -> Short {
    match decide(kind, stored, given, standing, policy) {
        Step::Unchanged => Short::Unchanged,
        Step::KeepNewer => Short::Keep,
        Step::DoesNotFit => Short::DoesNotFit,
        Step::Write(why, Unless::Newer) => Short::Write(why),
        Step::Write(why, Unless::Changed(read)) => {
            assert_eq!(Some(&read), stored, "conditional on the very row that was read");
            Short::Replace(why)
        }
    }
}

/// A stored row with a deflated form beside what other SDKs read.
fn deflated(version: &str, item: &str, beside: RawRow) -> RawRow {
    let bytes = large::deflate("features", &row("k", 1, item)).unwrap().bytes;
    let version = Attribute::Number(version.into());
    RawRow { large: Some(Box::new(RawLarge { version, item: Some(Attribute::Binary(bytes)) })), ..beside }
}

/// A given row that is stored deflated, with so much room beside it.
fn large_row(version: i64, item: &str, room: usize) -> NewRow {
    NewRow { deflated: Some(Deflated { bytes: [].into(), room }), ..row("k", version, item) }
}

use Short::{Keep, Replace, Unchanged, Write as Written};

#[test]
fn every_line_of_the_rule_where_a_row_has_two_forms() {
    let a = r#"{"salt":"a","on":true}"#;
    let more = r#"{"salt":"a","on":true,"more":1}"#;
    let off = r#"{"salt":"a","on":false}"#;
    let anew = r#"{"salt":"b","on":true}"#;
    let beside = |version: &str| stored("k", version, a);
    let same = SameEnvironment;
    type Case = (&'static str, RawRow, NewRow, Standing, Policy, Short);
    let cases: Vec<Case> = vec![
        // The deflated form is the newer one: its version and content decide.
        ("there", deflated("7", off, beside("5")), row("k", 7, off), same, CAREFUL, Unchanged),
        ("there, and large", deflated("7", off, beside("5")), large_row(7, off, 500), same, CAREFUL, Unchanged),
        ("within the version of what others see", deflated("7", off, beside("5")), row("k", 5, a), same, CAREFUL, Keep),
        ("between the two", deflated("7", off, beside("5")), row("k", 6, a), same, CAREFUL, Keep),
        ("newer than both", deflated("7", off, beside("5")), row("k", 8, a), same, CAREFUL, Written(Why::Newer)),
        ("contradicts", deflated("7", off, beside("5")), row("k", 7, a), same, CAREFUL, Written(Why::Contradicts)),
        ("says more", deflated("7", a, beside("5")), row("k", 7, more), same, CAREFUL, Written(Why::SaysMore)),
        ("says less", deflated("7", more, beside("5")), row("k", 7, a), same, CAREFUL, Unchanged),
        ("made anew", deflated("7", anew, beside("5")), row("k", 6, a), same, CAREFUL, Replace(Why::MadeAnew)),
        ("forced", deflated("7", off, beside("5")), row("k", 6, a), same, FORCEFUL, Replace(Why::OverwritesNewer)),
        (
            "leftover",
            deflated("9", off, beside("5")),
            row("k", 6, a),
            NotInitialised,
            CAREFUL,
            Replace(Why::NotInitialised),
        ),
        // Within one version it wins; beside a newer one it means nothing, readable or not.
        ("tie", deflated("5", off, beside("5")), row("k", 5, off), same, CAREFUL, Unchanged),
        ("older", deflated("4", off, beside("5")), row("k", 5, a), same, CAREFUL, Unchanged),
        ("older, in the way of nobody", deflated("4", off, beside("5")), row("k", 4, off), same, CAREFUL, Keep),
        // A deflated form that cannot be read makes the row one that cannot be read.
        (
            "no binary",
            RawRow {
                large: Some(Box::new(RawLarge { version: Attribute::Number("9".into()), item: None })),
                ..beside("5")
            },
            row("k", 6, a),
            same,
            CAREFUL,
            Replace(Why::Unreadable),
        ),
        // What is large itself needs room for what others see.
        ("room", beside("5"), large_row(7, off, a.len()), same, CAREFUL, Written(Why::Newer)),
        ("no room", beside("5"), large_row(7, off, a.len() - 1), same, CAREFUL, Short::DoesNotFit),
        (
            "no room, deflated before",
            deflated("6", off, beside("5")),
            large_row(7, off, 1),
            same,
            CAREFUL,
            Short::DoesNotFit,
        ),
        ("no room, nor need", beside("9"), large_row(7, off, 1), same, CAREFUL, Keep),
    ];
    for (name, stored, given, standing, policy, wanted) in cases {
        assert_eq!(decided("features", Some(&stored), &given, standing, policy), wanted, "{name}");
    }
}

#[test]
fn what_does_not_fit_is_not_missed_afterwards_and_holds_nothing_up() {
    let ours = vec![large_row(7, "{}", 1), row("other", 1, "{}")];
    let theirs = look(&[stored("k", "5", r#"{"on":true}"#), stored("leftover", "1", "{}")]);
    let given = [given("features", ours)];
    let plan = plan(&given, &vec![theirs.clone()], true, CAREFUL);
    assert_eq!((plan.does_not_fit.clone(), plan.newer.clone()), (vec![(0, 0)], vec![]));
    assert_eq!(keys_of(&given, &plan.waves), [["other"]]);
    let mut then = theirs.clone();
    then.insert("other".into(), stored("other", "1", "{}"));
    let second = second(&given, &plan, &vec![theirs], &vec![then], &[]);
    assert_eq!((second.again, second.kept.len()), (vec![], 0));
    let deleted: Vec<_> = second.deletions.concat().into_iter().filter_map(|one| one.row.key).collect();
    assert_eq!(deleted, [Box::<str>::from("leftover")]);
}

#[test]
fn every_line_of_the_rule() {
    let a = r#"{"salt":"a","on":true}"#;
    let more = r#"{"salt":"a","on":true,"more":1}"#;
    let other_more = r#"{"salt":"a","on":true,"other":1}"#;
    let off = r#"{"salt":"a","on":false}"#;
    let anew = r#"{"salt":"b","on":true}"#;
    let with = |version: Option<Attribute>, item: Option<Attribute>| RawRow { version, item, ..stored("k", "5", a) };
    let number = |text: &str| Some(Attribute::Number(text.into()));
    let text = |text: &str| Some(Attribute::Text(text.into()));
    let same = SameEnvironment;
    type Case = (&'static str, Option<RawRow>, NewRow, Standing, Policy, Short);
    let cases: Vec<Case> = vec![
        ("nothing", None, row("k", 5, a), same, CAREFUL, Written(Why::Missing)),
        ("nothing", None, row("k", 5, a), NotInitialised, CAREFUL, Written(Why::Missing)),
        ("nothing", None, tombstone("k", 5), same, CAREFUL, Written(Why::Missing)),
        // Unreadable, whatever its version says.
        ("text version", Some(with(text("9"), text(a))), row("k", 5, a), same, CAREFUL, Replace(Why::Unreadable)),
        (
            "boolean",
            Some(with(Some(Attribute::Truth(true)), text(a))),
            row("k", 5, a),
            same,
            CAREFUL,
            Replace(Why::Unreadable),
        ),
        ("fraction", Some(with(number("1.5"), text(a))), row("k", 5, a), same, CAREFUL, Replace(Why::Unreadable)),
        (
            "beyond 64 bits",
            Some(with(number("1E+20"), text(a))),
            row("k", 5, a),
            same,
            CAREFUL,
            Replace(Why::Unreadable),
        ),
        ("no content", Some(with(number("9"), text(""))), row("k", 5, a), same, CAREFUL, Replace(Why::Unreadable)),
        ("no string", Some(with(number("9"), number("1"))), row("k", 5, a), same, FORCEFUL, Replace(Why::Unreadable)),
        (
            "unreadable",
            Some(with(text("9"), text(a))),
            row("k", 5, a),
            NotInitialised,
            CAREFUL,
            Replace(Why::Unreadable),
        ),
        // An init wins over leftovers, and over another environment.
        (
            "leftover, newer",
            Some(stored("k", "9", a)),
            row("k", 5, off),
            NotInitialised,
            CAREFUL,
            Replace(Why::NotInitialised),
        ),
        (
            "leftover, older",
            Some(stored("k", "1", a)),
            row("k", 5, off),
            NotInitialised,
            CAREFUL,
            Replace(Why::NotInitialised),
        ),
        (
            "leftover, richer",
            Some(stored("k", "5", more)),
            row("k", 5, a),
            NotInitialised,
            CAREFUL,
            Replace(Why::NotInitialised),
        ),
        ("leftover, as given", Some(stored("k", "5", a)), row("k", 5, a), NotInitialised, CAREFUL, Unchanged),
        (
            "leftover, tombstone",
            Some(stored("k", "9", "null")),
            row("k", 5, a),
            NotInitialised,
            CAREFUL,
            Replace(Why::NotInitialised),
        ),
        (
            "other environment",
            Some(stored("k", "9", anew)),
            row("k", 5, a),
            OtherEnvironment,
            CAREFUL,
            Replace(Why::OtherEnvironment),
        ),
        (
            "other environment",
            Some(stored("k", "9", "null")),
            row("k", 5, a),
            OtherEnvironment,
            CAREFUL,
            Replace(Why::OtherEnvironment),
        ),
        // The flag was made anew.
        ("salts differ, newer", Some(stored("k", "9", anew)), row("k", 5, a), same, CAREFUL, Replace(Why::MadeAnew)),
        ("salts differ, same", Some(stored("k", "5", anew)), row("k", 5, a), same, CAREFUL, Replace(Why::MadeAnew)),
        ("salts differ, older", Some(stored("k", "1", anew)), row("k", 5, a), same, CAREFUL, Replace(Why::MadeAnew)),
        ("old, salts differ, newer", Some(stored("k", "9", anew)), row("k", 5, a), NewerThanGiven, CAREFUL, Keep),
        (
            "old, salts differ, older",
            Some(stored("k", "1", anew)),
            row("k", 5, a),
            NewerThanGiven,
            CAREFUL,
            Replace(Why::MadeAnew),
        ),
        ("no salt stored", Some(stored("k", "9", "{}")), row("k", 5, a), same, CAREFUL, Keep),
        ("empty salt stored", Some(stored("k", "9", r#"{"salt":""}"#)), row("k", 5, a), same, CAREFUL, Keep),
        ("deletion given", Some(stored("k", "9", anew)), tombstone("k", 5), same, CAREFUL, Keep),
        // The same version.
        ("same bytes", Some(stored("k", "5", a)), row("k", 5, a), same, CAREFUL, Unchanged),
        ("same number, spelt otherwise", Some(stored("k", "5.0", a)), row("k", 5, a), same, CAREFUL, Unchanged),
        ("same JSON", Some(stored("k", "5", &a.replace(',', " , "))), row("k", 5, a), same, CAREFUL, Unchanged),
        ("stored has more", Some(stored("k", "5", more)), row("k", 5, a), same, CAREFUL, Unchanged),
        ("given has more", Some(stored("k", "5", a)), row("k", 5, more), same, CAREFUL, Written(Why::SaysMore)),
        ("each lacks something", Some(stored("k", "5", other_more)), row("k", 5, more), same, CAREFUL, Unchanged),
        ("contradicting", Some(stored("k", "5", off)), row("k", 5, a), same, CAREFUL, Written(Why::Contradicts)),
        ("both deleted", Some(stored("k", "5", "null")), tombstone("k", 5), same, CAREFUL, Unchanged),
        (
            "live where deleted",
            Some(stored("k", "5", "null")),
            row("k", 5, a),
            same,
            CAREFUL,
            Written(Why::Contradicts),
        ),
        ("deleted where live", Some(stored("k", "5", a)), tombstone("k", 5), same, CAREFUL, Written(Why::Contradicts)),
        // Older and newer.
        ("older", Some(stored("k", "4", a)), row("k", 5, off), same, CAREFUL, Written(Why::Newer)),
        ("no version", Some(with(None, text(a))), row("k", 5, a), same, CAREFUL, Written(Why::Newer)),
        ("newer", Some(stored("k", "6", off)), row("k", 5, a), same, CAREFUL, Keep),
        ("newer, deleted", Some(stored("k", "6", "null")), row("k", 5, a), same, CAREFUL, Keep),
        (
            "newer, overwritten",
            Some(stored("k", "6", off)),
            row("k", 5, a),
            same,
            FORCEFUL,
            Replace(Why::OverwritesNewer),
        ),
    ];
    for (name, stored, given, standing, policy, wanted) in cases {
        for kind in ["features", "segments"] {
            assert_eq!(decided(kind, stored.as_ref(), &given, standing, policy), wanted, "{name}, {kind}");
        }
    }
}

#[test]
fn other_kinds_have_no_salt_and_no_relation_but_bytes() {
    let newer = stored("k", "9", r#"{"salt":"b"}"#);
    assert_eq!(decided("things", Some(&newer), &row("k", 5, r#"{"salt":"a"}"#), SameEnvironment, CAREFUL), Keep);
    let richer = stored("k", "5", r#"{"more":1}"#);
    assert_eq!(
        decided("things", Some(&richer), &row("k", 5, "{}"), SameEnvironment, CAREFUL),
        Written(Why::Contradicts)
    );
    assert_eq!(decided("things", Some(&richer), &row("k", 5, r#"{"more":1}"#), SameEnvironment, CAREFUL), Unchanged);
}

#[test]
fn most_salts_tell_another_environment() {
    let salted = |salt: &str| format!(r#"{{"salt":"{salt}"}}"#);
    let item = |salt: &str| if salt.is_empty() { "{}".to_owned() } else { salted(salt) };
    for (name, pairs, wanted) in [
        ("nothing in common", vec![], SameEnvironment),
        ("one of one differs", vec![("a", "x")], OtherEnvironment),
        ("one of two differs", vec![("a", "x"), ("b", "b")], SameEnvironment),
        ("two of three differ", vec![("a", "x"), ("b", "y"), ("c", "c")], OtherEnvironment),
        ("no salt on one side", vec![("a", ""), ("", "x"), ("", "")], SameEnvironment),
        ("those without do not count", vec![("a", "x"), ("", ""), ("", "")], OtherEnvironment),
    ] {
        let key = |i: usize| format!("k{i}");
        let ours = pairs.iter().enumerate().map(|(i, (_, ours))| row(&key(i), 5, &item(ours))).collect();
        let theirs: Vec<_> = pairs.iter().enumerate().map(|(i, (its, _))| stored(&key(i), "5", &item(its))).collect();
        let plan = plan(&[given("features", ours)], &vec![look(&theirs)], true, CAREFUL);
        assert_eq!(plan.standing, wanted, "{name}");
    }
    // Tombstones and other kinds have no part in it.
    let theirs = vec![look(&[stored("k", "5", &salted("x"))])];
    let things = [given("things", vec![row("k", 5, &salted("a"))])];
    assert_eq!(plan(&things, &theirs, true, CAREFUL).standing, SameEnvironment);
    let deleted = [given("features", vec![tombstone("k", 5)])];
    assert_eq!(plan(&deleted, &theirs, true, CAREFUL).standing, SameEnvironment);
    assert_eq!(plan(&deleted, &theirs, false, CAREFUL).standing, NotInitialised);
}

#[test]
fn a_newer_row_tells_an_old_data_set_unless_it_is_plainly_another_flag() {
    let item = |salt: &str| if salt.is_empty() { "{}".to_owned() } else { format!(r#"{{"salt":"{salt}"}}"#) };
    let same = || (row("same", 5, &item("s")), stored("same", "5", &item("s")));
    for (name, ours, theirs, wanted) in [
        ("newer", row("k", 5, &item("a")), stored("k", "6", &item("a")), NewerThanGiven),
        ("newer, without salts", row("k", 5, "{}"), stored("k", "6", "{}"), NewerThanGiven),
        ("deleted since", row("k", 5, &item("a")), stored("k", "6", "null"), NewerThanGiven),
        ("made anew", row("k", 5, &item("a")), stored("k", "6", &item("b")), SameEnvironment),
        ("the same", row("k", 5, &item("a")), stored("k", "5", &item("a")), SameEnvironment),
        ("older", row("k", 5, &item("a")), stored("k", "4", &item("a")), SameEnvironment),
    ] {
        let (our, their) = same();
        let plan = plan(&[given("features", vec![our, ours])], &vec![look(&[their, theirs])], true, CAREFUL);
        assert_eq!(plan.standing, wanted, "{name}");
    }
    // Then what differs in its salt and is newer was made anew since, too.
    let ours = vec![row("k", 5, &item("a")), row("old", 5, &item("a")), row("same", 5, &item("s"))];
    let theirs = look(&[stored("k", "6", &item("a")), stored("old", "7", &item("b")), stored("same", "5", &item("s"))]);
    let plan = plan(&[given("features", ours)], &vec![theirs], true, CAREFUL);
    assert_eq!((plan.newer, plan.waves), (vec![(0, 0), (0, 1)], vec![]));
}

fn names_segment(key: &str, version: i64, segment: &str) -> NewRow {
    let item = format!(r#"{{"rules":[{{"clauses":[{{"op":"segmentMatch","values":["{segment}"]}}]}}]}}"#);
    row(key, version, &item)
}

fn names_flag(key: &str, version: i64, flag: &str) -> NewRow {
    row(key, version, &format!(r#"{{"prerequisites":[{{"key":"{flag}","variation":0}}]}}"#))
}

/// A row as it is stored after it was written.
fn as_stored(row: &NewRow) -> RawRow {
    stored(&row.key, &row.version.to_string(), &row.item)
}

fn keys_of(given: &[Given], waves: &[Vec<Write>]) -> Vec<Vec<String>> {
    let key = |write: &Write| given[write.place.0].collection.rows[write.place.1].key.to_string();
    waves.iter().map(|wave| wave.iter().map(key).collect()).collect()
}

#[test]
fn writes_come_after_what_they_name_and_only_where_something_changes() {
    let base = row("base", 1, "{}");
    let given = [
        given("features", vec![names_flag("top", 1, "base"), base.clone(), names_segment("by segment", 1, "outer")]),
        given("segments", vec![names_segment("outer", 1, "inner"), row("inner", 1, "{}")]),
    ];
    let all = plan(&given, &vec![look(&[]), look(&[])], false, CAREFUL);
    let order = [vec!["inner"], vec!["outer"], vec!["base", "by segment"], vec!["top"]];
    assert_eq!(keys_of(&given, &all.waves), order);
    assert!(all.looks_again, "somebody may be deleting what is named");
    let some = plan(&given, &vec![look(&[as_stored(&base)]), look(&[])], true, CAREFUL);
    assert_eq!(keys_of(&given, &some.waves), [vec!["inner"], vec!["outer"], vec!["by segment"], vec!["top"]]);
    assert_eq!(some.unchanged, 1);
}

#[test]
fn an_unchanged_table_is_looked_at_once() {
    let flag = names_flag("k", 1, "base");
    let given = [given("features", vec![flag.clone()])];
    let tombstone = stored("gone", "4", "null");
    for (rows, initialised, again) in [
        (vec![as_stored(&flag)], true, false),
        (vec![as_stored(&flag), tombstone.clone()], true, false),
        (vec![as_stored(&flag), tombstone], false, true),
        (vec![as_stored(&flag), stored("left", "4", "{}")], true, true),
        (vec![as_stored(&flag), stored("unreadable", "4", "")], true, true),
    ] {
        let plan = plan(&given, &vec![look(&rows)], initialised, CAREFUL);
        assert_eq!((plan.waves.len(), plan.looks_again), (0, again), "{rows:?}");
    }
}

#[test]
fn an_item_that_was_set_aside_is_no_leftover() {
    let mut big = given("features", vec![]);
    big.set_aside.insert("big".into());
    let rows = vec![look(&[stored("big", "1", "{}")])];
    let plan = plan(&[big.clone()], &rows, true, CAREFUL);
    assert!(!plan.looks_again);
    assert_eq!(second(&[big], &plan, &rows, &rows, &[]), later::Second::default());
}

fn deleted_keys(waves: &[Vec<Deletion>]) -> Vec<Vec<&str>> {
    waves.iter().map(|wave| wave.iter().map(|one| one.row.key.as_deref().unwrap()).collect()).collect()
}

#[test]
fn leftovers_go_before_what_they_depend_on_and_tombstones_stay() {
    let given = [given("segments", vec![]), given("features", vec![])];
    let first = vec![
        look(&[as_stored(&names_segment("outer", 1, "inner")), stored("inner", "1", "{}")]),
        look(&[
            as_stored(&names_flag("top", 1, "base")),
            as_stored(&names_segment("base", 1, "outer")),
            stored("gone", "3", "null"),
            stored("unreadable", "3", ""),
        ]),
    ];
    let initialised = plan(&given, &first, true, CAREFUL);
    let found = second(&given, &initialised, &first, &first, &[]);
    let order = [vec!["top"], vec!["base", "unreadable"], vec!["outer"], vec!["inner"]];
    assert_eq!(deleted_keys(&found.deletions), order);
    assert_eq!(initialised.tombstones, [(1, "gone".into())]);
    // An init wins over leftovers of any form.
    let wins = plan(&given, &first, false, CAREFUL);
    assert_eq!(wins.tombstones, []);
    assert_eq!(second(&given, &wins, &first, &first, &[]).deletions.iter().map(Vec::len).sum::<usize>(), 6);
    // One that came since is somebody's word.
    let mut since = first.clone();
    since[1].insert("late".into(), stored("late", "3", "null"));
    assert_eq!(second(&given, &wins, &first, &since, &[]).deletions.iter().map(Vec::len).sum::<usize>(), 6);
}

#[test]
fn from_an_older_data_set_nothing_is_deleted() {
    let given = [given("features", vec![row("k", 5, "{}")])];
    let left = stored("left", "1", "{}");
    let ours = stored("k", "5", "{}");
    let first = vec![look(&[ours.clone(), left.clone()])];
    let plan = plan(&given, &first, true, CAREFUL);
    for (name, rows, older, newer) in [
        ("nothing came", vec![ours.clone(), left.clone()], vec![], None),
        ("known before", vec![stored("k", "6", "{}"), left.clone()], vec![(0, 0)], None),
        ("a newer version came", vec![stored("k", "6", "{}"), left.clone()], vec![], Some("k")),
        ("a newer deletion came", vec![stored("k", "6", "null"), left.clone()], vec![], Some("k")),
        ("an unknown row came", vec![ours.clone(), left.clone(), stored("new", "1", "{}")], vec![], Some("new")),
        ("a leftover changed", vec![ours.clone(), stored("left", "2", "{}")], vec![], Some("left")),
        ("a leftover changed within its version", vec![ours.clone(), stored("left", "1", "{ }")], vec![], Some("left")),
    ] {
        let found = second(&given, &plan, &first, &vec![look(&rows)], &older);
        let is_older = newer.is_some() || !older.is_empty();
        assert_eq!(deleted_keys(&found.deletions).concat(), if is_older { vec![] } else { vec!["left"] }, "{name}");
        assert_eq!(found.newer, newer.map(|key| (0, key.into())).into_iter().collect::<Vec<_>>(), "{name}");
    }
    // A tombstone that came for what is not given says nothing against the data set.
    let found = second(&given, &plan, &first, &vec![look(&[ours, left, stored("new", "1", "null")])], &[]);
    assert_eq!((deleted_keys(&found.deletions).concat(), found.newer), (vec!["left"], vec![]));
}

#[test]
fn what_others_undid_is_written_again() {
    let given = [given("features", vec![row("k", 5, "{}")])];
    let first = vec![look(&[])];
    let plan = plan(&given, &first, true, CAREFUL);
    let unreadable = stored("k", "5", "");
    for (rows, wanted) in [
        (vec![], Some((Why::Missing, Unless::Newer))),
        (vec![stored("k", "4", "{}")], Some((Why::Newer, Unless::Newer))),
        (vec![unreadable.clone()], Some((Why::Unreadable, Unless::Changed(unreadable)))),
        (vec![stored("k", "5", "{}")], None),
        (vec![stored("k", "6", "{}")], None),
    ] {
        let found = second(&given, &plan, &first, &vec![look(&rows)], &[]);
        let again: Vec<_> = found.again.concat().into_iter().map(|write| (write.why, write.unless)).collect();
        assert_eq!(again, wanted.into_iter().collect::<Vec<_>>(), "{rows:?}");
    }
    // Where a newer row stood, this data set has no say.
    assert_eq!(second(&given, &plan, &first, &vec![look(&[])], &[(0, 0)]).again, Vec::<Vec<Write>>::new());
}

#[test]
fn what_somebody_needs_after_all_is_put_back_with_all_that_it_names() {
    let outer = as_stored(&names_segment("outer", 1, "inner"));
    let inner = stored("inner", "1", "{}");
    let unneeded = stored("unneeded", "1", "{}");
    let ours = names_segment("ours", 1, "unneeded");
    let given = [given("segments", vec![]), given("features", vec![ours.clone()])];
    let deleted: Vec<_> =
        [&outer, &inner, &unneeded].into_iter().map(|row| Deletion { kind: 0, row: row.clone() }).collect();
    let before = vec![look(&[outer.clone(), inner.clone(), unneeded]), look(&[as_stored(&ours)])];
    let needs = as_stored(&names_segment("came meanwhile", 1, "outer"));
    let after = vec![look(&[]), look(&[as_stored(&ours), needs])];
    let restored = needed_after_all(&given, &deleted, &before, &after);
    let rows: Vec<_> = restored.iter().map(|restored| (restored.kind, as_stored(&restored.row))).collect();
    assert_eq!(rows, [(0, outer), (0, inner)]);
    // What the data set itself names and does not hold is its own affair.
    assert_eq!(needed_after_all(&given, &deleted, &before, &vec![look(&[]), look(&[as_stored(&ours)])]), []);
    assert_eq!(
        needed_after_all(&given, &deleted, &vec![look(&[]), look(&[])], &vec![look(&[]), look(&[as_stored(&ours)])]),
        []
    );
}
