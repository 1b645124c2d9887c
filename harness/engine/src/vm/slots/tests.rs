use super::*;

fn some(count: usize) -> Bound {
    Bound::Machine {
        processors: NonZeroUsize::new(count).unwrap(),
    }
}

/// Slots in one folder, with files of their own as those of two processes have.
fn two(bounds: [Bound; 2]) -> (tempfile::TempDir, [Slots; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let cache = Utf8Path::from_path(dir.path()).unwrap();
    let slots = bounds.map(|bound| Slots::open(cache, bound).unwrap());
    (dir, slots)
}

const MIB: u64 = 1 << 20;

#[rstest::rstest]
#[case::one_always_runs(1, 0, &[], true)]
#[case::memory_for_all(1200, 2, &[], true)]
#[case::the_others_may_still_use_theirs(1199, 2, &[], false)]
#[case::what_they_use_is_gone_already(700, 2, &[300, 250], true)]
#[case::what_they_use_is_not_enough(600, 2, &[300, 250], false)]
#[case::who_uses_too_much_makes_no_room(300, 2, &[900, 100], false)]
fn as_many_as_fit(
    #[case] available: u64,
    #[case] running: usize,
    #[case] used: &[u64],
    #[case] fit: bool,
) {
    let used: Vec<u64> = used.iter().map(|mib| mib * MIB).collect();
    assert_eq!(fits(400 * MIB, available * MIB, (running, 1), &used), fit);
}

#[test]
fn a_clone_is_reckoned_with_what_was_measured() {
    let guard = tempfile::tempdir().unwrap();
    let cache = Utf8Path::from_path(guard.path()).unwrap();
    Slots::open(cache, Bound::None).unwrap();
    let dir = cache.join("slots");
    assert_eq!(reckoned(measured(&dir)), CLONE);
    note(cache, std::process::id());
    let own = measured(&dir).unwrap();
    assert!(own > 0 && own < 2 << 30, "{own} bytes");
    assert_eq!(reckoned(Some(own)), (own + own / 4).max(LEAST));
    fs_err::write(dir.join(MEASURED), (32 * own).to_string()).unwrap();
    note(cache, std::process::id());
    let slowly = measured(&dir).unwrap();
    assert!(slowly < 32 * own && slowly > 30 * own, "{slowly}");
    assert_eq!(fs_err::read_dir(&dir).unwrap().count(), 1);
}

#[test]
fn what_the_kernel_says_is_read() {
    assert_eq!(parent("12 (a) b (c) S 34 12 12"), Some(34));
    let own = std::fs::read_to_string("/proc/self/stat").unwrap();
    assert_eq!(parent(&own), Some(std::os::unix::process::parent_id()));
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_free_again_when_its_holder_is_gone() {
    let (_dir, [ours, theirs]) = two([some(2), some(2)]);
    let first = ours.take(NonZeroUsize::MIN).await.unwrap();
    let _second = theirs.take(NonZeroUsize::MIN).await.unwrap();
    let soon = Duration::from_secs(10);
    assert!(
        tokio::time::timeout(soon, ours.take(NonZeroUsize::MIN))
            .await
            .is_err()
    );
    drop(first);
    theirs.take(NonZeroUsize::MIN).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lab_takes_all_of_its_slots_or_none() {
    let (_dir, [ours, theirs]) = two([some(3), some(3)]);
    let count = |count| NonZeroUsize::new(count).unwrap();
    let pair = ours.take(count(2)).await.unwrap();
    let soon = Duration::from_secs(10);
    let second = tokio::time::timeout(soon, theirs.take(count(2))).await;
    assert!(second.is_err(), "one is free, and two are needed");
    let one = ours.take(count(1)).await.unwrap();
    drop(pair);
    let second = theirs.take(count(2)).await.unwrap();
    drop((one, second));
    // More than this machine carries: by itself.
    let large = ours.take(count(5)).await.unwrap();
    assert!(
        tokio::time::timeout(soon, theirs.take(count(1)))
            .await
            .is_err()
    );
    drop(large);
    theirs.take(count(1)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_comes_before_who_has_just_had_one() {
    let (_dir, [busy, patient]) = two([some(1), some(1)]);
    let held = busy.take(NonZeroUsize::MIN).await.unwrap();
    let waits = tokio::spawn(async move { patient.take(NonZeroUsize::MIN).await.unwrap() });
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(held);
    // Asked for before the other one looks again.
    let soon = Duration::from_secs(10);
    assert!(
        tokio::time::timeout(soon, busy.take(NonZeroUsize::MIN))
            .await
            .is_err()
    );
    drop(waits.await.unwrap());
    busy.take(NonZeroUsize::MIN).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_not_bound_is_counted_nevertheless() {
    let (_dir, [bound, free]) = two([some(2), Bound::None]);
    let mut held = vec![bound.take(NonZeroUsize::MIN).await.unwrap()];
    for _ in 0..3 {
        held.push(free.take(NonZeroUsize::MIN).await.unwrap());
    }
    let soon = Duration::from_secs(10);
    assert!(
        tokio::time::timeout(soon, bound.take(NonZeroUsize::MIN))
            .await
            .is_err()
    );
    held.truncate(1);
    bound.take(NonZeroUsize::MIN).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_waits_says_for_whom_as_long_as_others_hold_the_slots() {
    let (_dir, [ours, _]) = two([some(2), some(2)]);
    let told = Mutex::new(vec![]);
    let tell = |held| told.lock().unwrap().push(held);
    let first = ours.take(NonZeroUsize::MIN).await.unwrap();
    let _second = ours.take(NonZeroUsize::MIN).await.unwrap();
    let soon = Duration::from_secs(12);
    let waits = async |clones| {
        let waits = ours.take_telling(clones, tell);
        assert!(tokio::time::timeout(soon, waits).await.is_err());
    };
    // One's own slots are no news.
    waits(NonZeroUsize::MIN).await;
    assert!(told.lock().unwrap().is_empty());
    // Process 1 is there on each machine.
    for slot in ["0", "1"] {
        fs_err::write(ours.dir.join(slot), "1\n").unwrap();
    }
    waits(NonZeroUsize::MIN).await;
    waits(NonZeroUsize::new(2).unwrap()).await;
    let all = std::mem::take(&mut *told.lock().unwrap());
    assert_eq!(all.len(), 4, "after 5 s and 10 s each: {all:?}");
    assert!(all[0].starts_with("1 VM; process 1 "), "{all:?}");
    assert!(all[0].ends_with(" has 2"), "{all:?}");
    assert!(all[3].starts_with("2 VMs; "), "{all:?}");
    drop(first);
    ours.take_telling(NonZeroUsize::MIN, tell).await.unwrap();
    assert!(told.lock().unwrap().is_empty());
}
