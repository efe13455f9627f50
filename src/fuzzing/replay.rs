//! Every input that is checked in, and every past finding among them, through the function of its target.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use super::{TARGETS, Target};

fn inputs(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    files.map(|file| file.expect("it can be listed").path()).filter(|path| path.is_file()).collect()
}

fn replay(name: &str) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("a target of that name");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let inputs = inputs(&folder);
    assert!(inputs.len() >= 5, "{} holds {} inputs", folder.display(), inputs.len());
    let found: Vec<_> = inputs.iter().filter(|input| !is_fine(*target, input)).collect();
    assert!(found.is_empty(), "findings: {found:?}; the panics above say what was found");
}

fn is_fine(target: Target, input: &Path) -> bool {
    let bytes = fs::read(input).expect("it can be read");
    catch_unwind(|| target(&bytes)).is_ok()
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            #[cfg_attr(miri, ignore = "the corpora take minutes there; the unit tests go the same ways")]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        #[cfg_attr(miri, ignore = "it looks at files")]
        fn every_target_is_replayed_and_has_a_file() {
            let replayed = [$(stringify!($name)),*];
            assert_eq!(replayed, TARGETS.map(|(name, _)| name));
            let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
            let mut files: Vec<_> = inputs(&files).iter().filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned())).collect();
            files.sort();
            assert_eq!(files, replayed);
        }
    };
}

targets! { abi content init_json init_structs large options response row tombstone wire }
