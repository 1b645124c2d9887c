use proptest::prelude::*;
use rstest::rstest;

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn link(seed: u64, impairment: Impairment) -> LinkDirection {
    let mut link = LinkDirection::new(seed, &["lan", "host", "out"]);
    link.impairment = impairment;
    link
}

fn none() -> Impairment {
    Impairment::default()
}

/// The fates of `frames` frames of 1,000 bytes, one each millisecond.
fn fates(link: &mut LinkDirection, frames: u64) -> Vec<Fate> {
    (0..frames).map(|at| link.decide(ms(at), 1000)).collect()
}

fn passed(fate: Fate) -> Passed {
    match fate {
        Fate::Passed(passed) => passed,
        Fate::Lost(lost) => panic!("{lost:?}"),
    }
}

#[test]
fn without_an_impairment_nothing_happens() {
    for (at, fate) in fates(&mut link(1, none()), 100).into_iter().enumerate() {
        let due = ms(at as u64);
        assert_eq!(
            passed(fate),
            Passed {
                due,
                ..Passed::default()
            }
        );
    }
}

#[rstest]
#[case::loss(Impairment { loss: 0.05, ..none() })]
#[case::duplicate(Impairment { duplicate: 0.05, ..none() })]
#[case::reorder(Impairment { reorder: 0.05, ..none() })]
#[case::corrupt(Impairment { corrupt: 0.05, ..none() })]
fn a_share_of_frames_meets_it(#[case] impairment: Impairment) {
    let hit = |fate: &Fate| match fate {
        Fate::Lost(lost) => *lost == Lost::Chance,
        Fate::Passed(p) => p.duplicate.is_some() || p.reordered || p.corrupted.is_some(),
    };
    // A count, and not a matter of chance: the seed is fixed.
    let hits = fates(&mut link(7, impairment), 10_000)
        .iter()
        .filter(|fate| hit(fate))
        .count();
    assert!((400..600).contains(&hits), "{hits} of 10,000");
}

#[test]
fn all_or_nothing_is_exact() {
    let all = fates(
        &mut link(
            1,
            Impairment {
                loss: 1.0,
                ..none()
            },
        ),
        500,
    );
    assert!(all.iter().all(|fate| *fate == Fate::Lost(Lost::Chance)));
    let mut cut = link(1, none());
    cut.cut = true;
    assert_eq!(cut.decide(ms(0), 60), Fate::Lost(Lost::Cut));
}

#[test]
fn directions_and_seeds_have_fates_of_their_own() {
    let lossy = Impairment {
        loss: 0.5,
        ..none()
    };
    let mut links = [
        LinkDirection::new(1, &["lan", "host", "out"]),
        LinkDirection::new(1, &["lan", "host", "in"]),
        LinkDirection::new(2, &["lan", "host", "out"]),
        // Names are kept apart: "lan" and "host" is not "l" and "anhost".
        LinkDirection::new(1, &["l", "anhost", "out"]),
    ];
    let mut seen = vec![];
    for link in &mut links {
        link.impairment = lossy.clone();
        seen.push(fates(link, 64));
    }
    for (at, one) in seen.iter().enumerate() {
        assert!(seen[..at].iter().all(|other| other != one), "{at}");
    }
}

#[test]
fn frames_wait_for_their_turn_and_the_queue_is_bounded() {
    let slow = Impairment {
        rate: Some(64_000),
        queue: 3000,
        ..none()
    };
    let mut link = link(1, slow);
    let at_once: Vec<Fate> = (0..4).map(|_| link.decide(ms(0), 1000)).collect();
    let dues: Vec<f64> = at_once[..3]
        .iter()
        .map(|fate| passed(fate.clone()).due.as_secs_f64() * 1000.0)
        .collect();
    assert_eq!(dues, [15.625, 31.25, 46.875]);
    assert_eq!(at_once[3], Fate::Lost(Lost::QueueFull));
    // One has left by then.
    assert_eq!(
        passed(link.decide(ms(16), 1000)).due,
        Duration::from_micros(62_500)
    );
}

#[test]
fn a_corrupted_frame_keeps_its_header_and_loses_one_bit() {
    let mut link = link(
        3,
        Impairment {
            corrupt: 1.0,
            ..none()
        },
    );
    for length in 15..200 {
        let (byte, bits) = passed(link.decide(ms(0), length)).corrupted.unwrap();
        assert!((HEADER..length).contains(&byte));
        assert_eq!(bits.count_ones(), 1);
    }
    assert_eq!(passed(link.decide(ms(0), HEADER)).corrupted, None);
}

prop_compose! {
    fn any_impairment()(
        shares in prop::array::uniform4(0.0..=1.0_f64),
        times in prop::array::uniform3(0_u64..500),
        rate in prop::option::of(1_u64..10_000_000),
        queue in 0_u64..200_000,
    ) -> Impairment {
        let [loss, duplicate, reorder, corrupt] = shares;
        let [delay, jitter, reorder_by] = times.map(ms);
        Impairment { loss, duplicate, reorder, reorder_by, corrupt, delay, jitter, rate, queue }
    }
}

proptest! {
    #[test]
    fn the_same_seed_and_the_same_frames_have_the_same_fate(
        seed: u64,
        impairment in any_impairment(),
        frames in prop::collection::vec((0_u64..50, 14_usize..70_000), 0..60),
    ) {
        let run = |upto: usize| {
            let (mut link, mut now) = (link(seed, impairment.clone()), ms(0));
            let fates: Vec<Fate> = frames[..upto]
                .iter()
                .map(|(later, length)| { now += ms(*later); link.decide(now, *length) })
                .collect();
            (fates, link, now)
        };
        let (all, ..) = run(frames.len());
        // Interrupted in the middle, and gone on with from the position alone.
        let half = frames.len() / 2;
        let (mut fates, before, mut now) = run(half);
        let mut resumed = link(seed, impairment.clone());
        resumed.seek(before.position());
        for (later, length) in &frames[half..] {
            now += ms(*later);
            fates.push(resumed.decide(now, *length));
        }
        prop_assert_eq!(all, fates);
    }

    #[test]
    fn a_fate_is_within_what_the_impairment_says(
        seed: u64,
        impairment in any_impairment(),
        frames in prop::collection::vec((0_u64..50, 0_usize..70_000), 0..60),
    ) {
        let mut link = link(seed, impairment.clone());
        let (mut now, mut last) = (ms(0), ms(0));
        for (later, length) in frames {
            now += ms(later);
            match link.decide(now, length) {
                Fate::Lost(Lost::QueueFull) => prop_assert!(impairment.rate.is_some()),
                Fate::Lost(lost) => prop_assert_eq!(lost, Lost::Chance),
                Fate::Passed(passed) => {
                    prop_assert!(passed.delay >= impairment.delay.saturating_sub(impairment.jitter));
                    prop_assert_eq!(passed.due, now + passed.delay);
                    if !passed.reordered {
                        prop_assert!(passed.due >= last);
                        last = passed.due;
                    }
                    if let Some((byte, _)) = passed.corrupted {
                        prop_assert!(byte >= HEADER && byte < length);
                    }
                }
            }
        }
    }
}
