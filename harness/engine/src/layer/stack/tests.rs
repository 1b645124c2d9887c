//! The stack with hosts that a script plays.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{
    layer::scripted::{ScriptedCache, recipe},
    util::error::Timeout,
    verdict::Failure,
    vm::{qemu::scripted::Reply, verbs::Verbs as _},
};

/// A layer called `name` that takes some time to build, and counts how often that is done.
fn counted(name: &str, builds: &Arc<AtomicUsize>) -> LayerRecipe {
    let builds = Arc::clone(builds);
    recipe(name, move |host| {
        builds.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            host.succeed("the work is done").await?;
            Ok(())
        })
    })
}

#[tokio::test(start_paused = true)]
async fn a_layer_is_built_once_and_found_by_the_next_process() {
    let cache = ScriptedCache::new();
    let builds = Arc::new(AtomicUsize::new(0));
    for _ in 0..2 {
        let stack = cache.stack();
        let booted = stack.booted().await.unwrap();
        let host = stack.child(&booted, counted("host", &builds)).await;
        assert_eq!(host.unwrap().name(), "host");
    }
    assert_eq!(builds.load(Ordering::Relaxed), 1);
    assert_eq!(cache.names(), ["booted", "host"]);
    assert_eq!(cache.script.count("qmp:start"), 2);
    assert_eq!(cache.script.count("qmp:quit"), 2);
}

#[tokio::test(start_paused = true)]
async fn two_who_want_one_layer_wait_for_one_build() {
    let cache = ScriptedCache::new();
    let (one, other) = (cache.stack(), cache.stack());
    let builds = Arc::new(AtomicUsize::new(0));
    let child = async |stack: &Stack| {
        let booted = stack.booted().await?;
        stack.child(&booted, counted("host", &builds)).await
    };
    let (one, other) = tokio::join!(child(&one), child(&other));
    assert_eq!(one.unwrap().key(), other.unwrap().key());
    assert_eq!(builds.load(Ordering::Relaxed), 1);
    assert_eq!(cache.script.count("qmp:start"), 2);
}

#[tokio::test(start_paused = true)]
async fn clones_are_of_the_host_that_was_saved() {
    let cache = ScriptedCache::new();
    let layer = cache.stack().booted().await.unwrap();
    let clones = [
        layer.host(&cache.evidence()).await.unwrap(),
        layer.host(&cache.evidence()).await.unwrap(),
    ];
    for clone in clones {
        assert!(clone.born().is_some());
        clone.succeed("true").await.unwrap();
        clone.shut_down().await.unwrap();
    }
    assert_eq!(cache.script.count("qmp:migrate-incoming"), 2);
    assert_eq!(cache.script.count("qmp:quit"), 3);
}

#[rstest::rstest]
#[case::nothing("host", &[], true)]
#[case::its_name("deployed", &[], false)]
#[case::a_part("host", &[("tool", "1")], false)]
#[tokio::test(start_paused = true)]
async fn the_key_follows_what_a_layer_is_made_of(
    #[case] name: &str,
    #[case] made_of: &[(&str, &str)],
    #[case] same: bool,
) {
    let cache = ScriptedCache::new();
    let stack = cache.stack();
    let booted = stack.booted().await.unwrap();
    let plain = recipe("host", |_| Box::pin(async { Ok(()) }));
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let changed = LayerRecipe {
        name: name.into(),
        made_of: made_of.iter().map(owned).collect(),
        built_with: vec![("tool".into(), "/another/tool".into())],
        ..plain.clone()
    };
    let plain = stack.child(&booted, plain).await.unwrap();
    let changed = stack.child(&booted, changed).await.unwrap();
    assert_eq!(plain.key() == changed.key(), same);
}

fn passes() -> Outcome {
    Ok(())
}

fn fails() -> Outcome {
    Err(ScenarioError::Failed(Failure {
        assertion: "deploying the layer".into(),
        expected: "exit status 0".into(),
        seen: "exit status 1".into(),
        hop: None,
        lines: vec![],
    }))
}

fn waits_in_vain() -> Outcome {
    Err(ScenarioError::TimedOut(Timeout {
        what: "the lease".into(),
        waited: Duration::from_secs(1),
        last: "none".into(),
    }))
}

#[rstest::rstest]
#[case::an_assertion_fails(fails, None, "deploying the layer: ")]
#[case::a_wait_is_in_vain(waits_in_vain, None, "waited 1s for the lease")]
#[case::no_vm_starts(passes, Some("start"), "it could not be started")]
#[case::no_state_is_loaded(passes, Some("migrate-incoming"), "does no migrate-incoming")]
#[case::no_state_is_saved(passes, Some("migrate"), "does no migrate")]
#[tokio::test(start_paused = true)]
async fn of_a_layer_that_can_not_be_made_nothing_is_left(
    #[case] work: fn() -> Outcome,
    #[case] refused: Option<&'static str>,
    #[case] words: &str,
) {
    let cache = ScriptedCache::new();
    let stack = cache.stack();
    let booted = stack.booted().await.unwrap();
    if let Some(command) = refused {
        cache.script.refuse(command);
    }
    let failing = recipe("host", move |_| Box::pin(async move { work() }));
    let broken = stack.child(&booted, failing).await.unwrap_err();
    assert!(broken.to_string().contains(words), "{broken}");
    assert_eq!(cache.names(), ["booted"]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_take_the_mark_of_its_layer_is_not_saved() {
    let cache = ScriptedCache::new();
    let full = Reply::Ends(1, "no space left".into());
    cache.script.reply("/run/spawnlab-layer", full);
    let broken = cache.stack().booted().await.unwrap_err();
    assert!(matches!(broken, ScenarioError::Failed(_)), "{broken}");
    assert_eq!(cache.script.count("qmp:migrate"), 0);
    assert_eq!(cache.names(), Vec::<String>::new());
}

#[rstest::rstest]
#[case::its_own("host", 1)]
#[case::its_parents("booted", 2)]
#[tokio::test(start_paused = true)]
async fn what_was_damaged_is_built_again_for_the_next_clone(
    #[case] damaged: &str,
    #[case] builds: usize,
) {
    let cache = ScriptedCache::new();
    let stack = cache.stack();
    let booted = stack.booted().await.unwrap();
    let work = recipe("host", |_| Box::pin(async { Ok(()) }));
    let host = stack.child(&booted, work).await.unwrap();
    let key = if damaged == "host" {
        host.key()
    } else {
        booted.key()
    };
    let file = cache.dir().join("layers").join(key.as_str()).join(STATE);
    fs_err::write(file, "rubbish").unwrap();
    let before = cache.script.count("qmp:start");
    host.host(&cache.evidence()).await.unwrap();
    let started = cache.script.count("qmp:start") - before;
    assert_eq!(started, builds + 1, "the builds and the clone");
    assert_eq!(cache.names(), ["booted", "host"]);
}
