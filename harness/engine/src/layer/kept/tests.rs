use std::fs::File;

use rustix::fs::{FlockOperation, flock};

use super::{resume::locked, shelf::make_room, *};
use crate::layer::{
    list::tests::{cache, layer, layer_on},
    platform::nowhere,
    record::{LayerRecord, STATE},
};

/// Puts a host into `cache` that `run` kept `at`.
fn put(cache: &Utf8Path, name: &str, run: &str, at: i64) -> Utf8PathBuf {
    put_lab(cache, name, run, at, &["host"])
}

/// The same of the `machines` of a lab.
fn put_lab(cache: &Utf8Path, name: &str, run: &str, at: i64, machines: &[&str]) -> Utf8PathBuf {
    let dir = cache.join("kept").join(name);
    for machine in machines {
        let folder = dir.join(machine);
        fs_err::create_dir_all(&folder).unwrap();
        fs_err::write(folder.join(STATE), vec![1; 1 << 20]).unwrap();
    }
    fs_err::write(dir.join(OWNER), "").unwrap();
    let note = Note {
        version: VERSION,
        run: run.into(),
        evidence: format!("/runs/{name}").into(),
        kept_at: at,
        machines: machines
            .iter()
            .map(|machine| MachineNote {
                name: (*machine).into(),
                layer: "deployed".into(),
                below: vec![],
                platform: nowhere(),
            })
            .collect(),
        network: None,
    };
    write(&dir.join(NOTE), &note).unwrap();
    dir
}

fn names(cache: &Utf8Path) -> Vec<String> {
    let all = list(cache).unwrap();
    let name = |kept: &KeptLab| kept.dir.file_name().unwrap().to_owned();
    all.iter().map(name).collect()
}

/// Evidence that points to `kept`.
fn evidence(cache: &Utf8Path, kept: &Utf8Path) -> Utf8PathBuf {
    let pointer = Pointer {
        kept: kept.to_owned(),
    };
    write(&cache.join(NOTE), &pointer).unwrap();
    cache.to_owned()
}

#[test]
fn where_nothing_is_kept_the_option_is_named() {
    let (_guard, cache) = cache();
    assert_eq!(list(&cache).unwrap(), []);
    let error = Kept::open(&cache, "/runs/latest/evidence/a/b".into()).unwrap_err();
    insta::assert_snapshot!(error, @"no host is kept for /runs/latest/evidence/a/b; `run --keep` keeps those of scenarios that fail");
}

#[test]
fn the_oldest_go_and_what_was_left_half_written() {
    let (_guard, cache) = cache();
    put(&cache, "own-old", run(), 1);
    for at in 2..11 {
        put(&cache, &format!("at-{at:02}"), "other", at);
    }
    let half = cache.join("kept/.saving-abc");
    fs_err::create_dir(&half).unwrap();
    fs_err::write(half.join(OWNER), "").unwrap();
    make_room(&cache.join("kept")).unwrap();
    assert!(!half.exists());
    let left = names(&cache);
    assert_eq!(left.len(), MOST);
    assert_eq!(left[..2], ["own-old", "at-04"], "what this run kept stays");
}

#[test]
fn what_somebody_looks_at_or_writes_stays() {
    let (_guard, cache) = cache();
    let dir = put(&cache, "looked-at", "other", 1);
    for at in 2..11 {
        put(&cache, &format!("at-{at:02}"), "other", at);
    }
    let half = cache.join("kept/.saving-abc");
    fs_err::create_dir(&half).unwrap();
    let writer = File::create(half.join(OWNER)).unwrap();
    flock(&writer, FlockOperation::LockExclusive).unwrap();
    let reader = File::open(dir.join(OWNER)).unwrap();
    flock(&reader, FlockOperation::LockShared).unwrap();
    make_room(&cache.join("kept")).unwrap();
    assert!(half.exists());
    assert_eq!(names(&cache).len(), MOST);
    assert_eq!(names(&cache)[0], "looked-at");
}

#[test]
fn each_machine_of_a_lab_counts() {
    let (_guard, cache) = cache();
    put(&cache, "first", "other", 1);
    put_lab(&cache, "three", "other", 2, &["laptop", "host", "outside"]);
    for at in 3..8 {
        put(&cache, &format!("at-{at:02}"), "other", at);
    }
    make_room(&cache.join("kept")).unwrap();
    let left = list(&cache).unwrap();
    assert_eq!(left[0].machines, ["laptop", "host", "outside"]);
    assert_eq!(left.len(), 6, "eight machines");
}

/// The states of machines lie in a folder of each.
#[test]
fn what_all_machines_take_on_the_disk_counts() {
    let (_guard, cache) = cache();
    put_lab(&cache, "lab", "this", 1, &["laptop", "host"]);
    let kept = list(&cache).unwrap();
    let mib = 1 << 20;
    assert!((2 * mib..3 * mib).contains(&kept[0].bytes), "{kept:?}");
}

#[test]
fn what_another_version_kept_is_said_and_swept() {
    let (_guard, cache) = cache();
    let dir = put(&cache, "old", "other", 1);
    fs_err::write(dir.join(NOTE), r#"{"version": 2, "layer": "deployed"}"#).unwrap();
    let error = Kept::open(&cache, &evidence(&cache, &dir)).unwrap_err();
    assert!(error.to_string().contains("another version"), "{error}");
    sweep(&cache).unwrap();
    assert!(!dir.exists());
}

#[test]
fn a_lab_is_resumed_by_one_at_a_time() {
    let (_guard, cache) = cache();
    let dir = put_lab(&cache, "two", "other", 1, &["laptop", "host"]);
    let first = File::open(dir.join(OWNER)).unwrap();
    flock(&first, FlockOperation::LockExclusive).unwrap();
    fs_err::write(dir.join(OWNER), "4711").unwrap();
    let evidence = evidence(&cache, &dir);
    let error = Kept::open(&cache, &evidence).unwrap_err().to_string();
    let error = error.replace(evidence.as_str(), "EVIDENCE");
    insta::assert_snapshot!(error, @"the lab kept for EVIDENCE is resumed already, by the process 4711; end that one first, since a second one would be a lab of its own");
    drop(first);
    let error = Kept::open(&cache, &evidence).unwrap_err().to_string();
    assert!(!error.contains("already"), "{error}");
}

#[test]
fn one_that_made_room_for_others_says_so() {
    let (_guard, cache) = cache();
    let evidence = evidence(&cache, &cache.join("kept/gone"));
    let error = Kept::open(&cache, &evidence).unwrap_err().to_string();
    let error = error.replace(evidence.as_str(), "EVIDENCE");
    insta::assert_snapshot!(error, @"the host kept for EVIDENCE can't be resumed: it was removed to make room for later ones (at most 8 are kept, in 4 GiB); run its scenario again with --keep");
}

#[test]
fn layers_under_it_have_to_be_the_very_same() {
    let (_guard, cache) = cache();
    let layers = cache.join("layers");
    let booted = layer(&cache, "booted", None, 1);
    let host = layer_on(&cache, "host", &booted, 1);
    let build = |key: &Key| {
        let record = layers.join(key.as_str()).join("layer.json");
        LayerRecord::read(&record).unwrap().build
    };
    let below = [
        (host.clone(), build(&host)),
        (booted.clone(), build(&booted)),
    ];
    assert_eq!(locked(&layers, &below).unwrap().len(), 2);
    fs_err::write(layers.join(host.as_str()).join(STATE), vec![2; 4096]).unwrap();
    assert!(locked(&layers, &below).is_err_and(|why| why.contains("damaged")));
    layer_on(&cache, "host", &booted, 1);
    assert_eq!(
        locked(&layers, &below).unwrap_err(),
        "was built again since"
    );
    fs_err::remove_dir_all(layers.join(host.as_str())).unwrap();
    assert_eq!(locked(&layers, &below).unwrap_err(), "is gone");
}
