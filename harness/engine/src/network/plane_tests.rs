use proptest::prelude::*;

use super::{
    super::ethernet::tests::{BROADCAST, announcement, frame},
    *,
};

const NOW: Duration = Duration::ZERO;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn machines() -> Vec<String> {
    ["a", "b", "c"].map(str::to_owned).to_vec()
}

/// Three connected machines with the addresses 1, 2 and 3, which the switch knows.
fn plane(seed: u64) -> Plane {
    let mut plane = Plane::new(seed, "lan", &machines());
    plane.record();
    for port in 0..3 {
        plane.connect(port);
    }
    for port in 0..3 {
        let number = u8::try_from(port + 1).unwrap();
        plane.receive(NOW, port, frame(BROADCAST, number, 60).into());
    }
    for port in 0..3 {
        assert_eq!(plane.take(port, usize::MAX).len(), 2);
    }
    plane.take_records();
    plane
}

/// The lengths of the frames that wait for the machine at `port`.
fn lengths(plane: &mut Plane, port: usize) -> Vec<usize> {
    plane
        .take(port, usize::MAX)
        .iter()
        .map(Bytes::len)
        .collect()
}

/// Port and comment of each record.
fn comments(plane: &mut Plane) -> Vec<(usize, String)> {
    let records = plane.take_records().into_iter();
    records
        .map(|record| (record.port, record.comment.unwrap_or_default()))
        .collect()
}

#[test]
fn what_is_decided_at_once_is_in_one_record() {
    let mut plane = plane(1);
    plane.receive(NOW, 0, frame(2, 1, 60).into());
    plane.cut(2, Direction::In);
    plane.receive(NOW, 0, frame(BROADCAST, 1, 61).into());
    plane.impair(
        1,
        Direction::In,
        &Impairment {
            delay: ms(20),
            duplicate: 1.0,
            ..Impairment::default()
        },
    );
    plane.receive(NOW, 0, frame(BROADCAST, 1, 62).into());
    let none = String::new();
    assert_eq!(
        comments(&mut plane),
        [
            (0, none),
            (0, "to c: lost: the link is cut".to_owned()),
            (
                0,
                "to b: delayed by 20.0 ms; to b: duplicated; to c: lost: the link is cut"
                    .to_owned()
            ),
        ]
    );
    assert_eq!(lengths(&mut plane, 1), [60, 61]);
    plane.advance(ms(20));
    assert_eq!(lengths(&mut plane, 1), [62, 62]);
    assert!(comments(&mut plane).is_empty());
}

#[test]
fn what_happens_behind_a_delay_has_a_record_of_its_own() {
    let mut plane = plane(1);
    plane.impair(
        0,
        Direction::Out,
        &Impairment {
            delay: ms(5),
            ..Impairment::default()
        },
    );
    plane.receive(NOW, 0, frame(2, 1, 60).into());
    plane.cut(1, Direction::In);
    plane.advance(ms(4));
    assert_eq!(plane.next_due(), Some(ms(5)));
    plane.advance(ms(5));
    assert_eq!(
        comments(&mut plane),
        [
            (0, "from a: delayed by 5.0 ms".to_owned()),
            (1, "to b: lost: the link is cut".to_owned()),
        ]
    );
    let statistics = plane.statistics();
    assert_eq!(
        (statistics["a"].out.delayed, statistics["b"].in_.cut),
        (1, 1)
    );
}

#[test]
fn a_cut_loses_what_is_on_its_way_and_healing_brings_the_next() {
    let mut plane = plane(1);
    plane.impair(
        1,
        Direction::In,
        &Impairment {
            delay: ms(5),
            ..Impairment::default()
        },
    );
    plane.receive(NOW, 0, frame(2, 1, 60).into());
    plane.cut(1, Direction::Both);
    plane.advance(ms(5));
    plane.receive(ms(5), 1, frame(1, 2, 61).into());
    assert!(lengths(&mut plane, 1).is_empty());
    plane.heal(1);
    plane.receive(ms(6), 0, frame(2, 1, 62).into());
    plane.receive(ms(6), 1, frame(1, 2, 63).into());
    assert_eq!(
        (lengths(&mut plane, 1), lengths(&mut plane, 0)),
        (vec![62], vec![63])
    );
}

#[test]
fn a_corrupted_frame_differs_in_one_bit_and_is_recorded_as_it_was_sent() {
    let mut plane = plane(1);
    plane.impair(
        0,
        Direction::Out,
        &Impairment {
            corrupt: 1.0,
            ..Impairment::default()
        },
    );
    let sent = frame(2, 1, 60);
    plane.receive(NOW, 0, sent.clone().into());
    let received = plane.take(1, 1).remove(0);
    let bits: u32 = sent
        .iter()
        .zip(&received)
        .map(|(a, b)| (a ^ b).count_ones())
        .sum();
    assert_eq!(bits, 1);
    let record = plane.take_records().remove(0);
    assert_eq!(record.frame, sent);
    let comment = record.comment.unwrap();
    assert!(comment.starts_with("from a: corrupted: byte "), "{comment}");
}

#[test]
fn machines_that_share_an_address_are_noted_once() {
    let mut plane = plane(1);
    for _ in 0..3 {
        plane.receive(NOW, 1, frame(BROADCAST, 1, 60).into());
        plane.receive(NOW, 0, frame(BROADCAST, 1, 60).into());
    }
    assert_eq!(
        plane.notes(),
        [
            "52:54:00:00:00:01 is at two ports: at b, and before at a",
            "52:54:00:00:00:01 is at two ports: at a, and before at b",
        ]
    );
    plane.receive(NOW, 1, announcement(3).into());
    assert_eq!(
        (plane.notes().len(), plane.statistics()["b"].unforwarded),
        (2, 1)
    );
}

#[test]
fn nothing_moves_while_it_is_frozen_and_nothing_is_lost() {
    let mut plane = plane(1);
    plane.receive(NOW, 0, frame(2, 1, 60).into());
    plane.impair(
        1,
        Direction::In,
        &Impairment {
            delay: ms(5),
            ..Impairment::default()
        },
    );
    plane.receive(NOW, 0, frame(2, 1, 61).into());
    plane.frozen = true;
    plane.receive(NOW, 0, frame(2, 1, 62).into());
    plane.advance(ms(50));
    assert_eq!(
        (
            plane.take(1, 1).len(),
            plane.next_due(),
            plane.ready().count()
        ),
        (0, None, 0)
    );
    // QEMU ends, and another one is started.
    plane.disconnect(1);
    let saved = plane.save(ms(1), 1);
    let places: Vec<(Place, &str, u64)> = saved
        .frames
        .iter()
        .map(|frame| (frame.place, frame.machine.as_str(), frame.due))
        .collect();
    assert_eq!(
        places,
        [
            (Place::Arrived, "b", 0),
            (Place::Sent, "a", 0),
            (Place::In, "b", 4000)
        ]
    );

    let mut again = Plane::new(1, "lan", &machines());
    again.restore(saved.clone()).unwrap();
    assert_eq!(again.save(NOW, 1), saved);
    again.connect(1);
    again.frozen = false;
    again.advance(NOW);
    assert_eq!(lengths(&mut again, 1), [60]);
    again.advance(ms(4));
    assert_eq!(lengths(&mut again, 1), [61]);
    again.advance(ms(5));
    assert_eq!(lengths(&mut again, 1), [62]);
}

#[test]
fn what_is_delayed_is_bounded() {
    let mut plane = plane(1);
    plane.impair(
        1,
        Direction::In,
        &Impairment {
            delay: ms(1000),
            ..Impairment::default()
        },
    );
    let large = Bytes::from(frame(2, 1, 65_000));
    for _ in 0..2 * MOST_DELAYED / large.len() {
        plane.receive(NOW, 0, large.clone());
    }
    assert!(plane.delayed <= MOST_DELAYED);
    assert!(plane.statistics()["b"].in_.queue_full > 900);
    plane.advance(ms(1000));
    assert_eq!((plane.delayed, plane.pending.len()), (0, 0));
}

/// What is done to a network.
#[derive(Debug, Clone)]
enum Step {
    Receive(usize, Vec<u8>),
    Later(u64),
    Impair(usize, f64, u64),
    Cut(usize),
    Heal(usize),
    Frozen(bool),
    Connected(usize, bool),
    Read(usize),
}

fn step() -> impl Strategy<Value = Step> {
    // Addresses that are often each other's.
    let bytes = prop::collection::vec(0_u8..3, 0..40);
    prop_oneof![
        6 => (0_usize..3, bytes).prop_map(|(port, bytes)| Step::Receive(port, bytes)),
        3 => (0_u64..40).prop_map(Step::Later),
        1 => (0_usize..3, 0.0..=1.0_f64, 0_u64..40).prop_map(|(port, share, ms)| Step::Impair(port, share, ms)),
        1 => (0_usize..3).prop_map(Step::Cut),
        1 => (0_usize..3).prop_map(Step::Heal),
        1 => any::<bool>().prop_map(Step::Frozen),
        1 => (0_usize..3, any::<bool>()).prop_map(|(port, is)| Step::Connected(port, is)),
        2 => (0_usize..3).prop_map(Step::Read),
    ]
}

/// All that comes out of a network.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// Port and frame, as machines read them.
    read: Vec<(usize, Bytes)>,
    records: Vec<RecordedFrame>,
    statistics: BTreeMap<String, PortStatistics>,
}

fn run(seed: u64, steps: &[Step]) -> Outcome {
    let (mut plane, mut now, mut read) = (plane(seed), NOW, vec![]);
    for step in steps {
        match step.clone() {
            Step::Receive(port, bytes) => plane.receive(now, port, bytes.into()),
            Step::Later(later) => now += ms(later),
            Step::Impair(port, share, delay) => {
                let with = Impairment {
                    loss: share / 2.0,
                    duplicate: share,
                    reorder: share,
                    corrupt: share,
                    delay: ms(delay),
                    jitter: ms(delay / 2),
                    ..Impairment::default()
                };
                plane.impair(port, Direction::Both, &with);
            }
            Step::Cut(port) => plane.cut(port, Direction::Out),
            Step::Heal(port) => plane.heal(port),
            Step::Frozen(frozen) => plane.frozen = frozen,
            Step::Connected(port, true) => plane.connect(port),
            Step::Connected(port, false) => plane.disconnect(port),
            Step::Read(port) => {
                read.extend(plane.take(port, 100).into_iter().map(|frame| (port, frame)))
            }
        }
        plane.advance(now);
    }
    Outcome {
        read,
        records: plane.take_records(),
        statistics: plane.statistics(),
    }
}

proptest! {
    #[test]
    fn the_same_seed_and_the_same_steps_come_to_the_same(
        seed: u64,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        prop_assert_eq!(run(seed, &steps), run(seed, &steps));
    }

    #[test]
    fn each_frame_that_was_taken_is_recorded_once_as_it_was_sent(
        seed: u64,
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut steps = steps;
        steps.push(Step::Frozen(false));
        let Outcome { read, records, statistics } = run(seed, &steps);
        let sent = steps.iter().filter(|step| matches!(step, Step::Receive(..))).count();
        let recorded = records.iter().filter(|record| record.direction == Direction::Out).count();
        prop_assert_eq!(recorded, sent);
        let taken: u64 = statistics.values().map(|port| port.in_.frames).sum();
        prop_assert!(read.len() as u64 <= taken);
    }
}
