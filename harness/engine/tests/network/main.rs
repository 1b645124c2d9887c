//! A network with plain sockets in the place of QEMU.

mod recording;

use std::{collections::BTreeMap, time::Duration};

use camino::Utf8Path;
use spawnlab::{
    network::{Direction, Impairment, Network, NetworkSpec, PortStatistics, Saved, wire},
    util::{
        poll::{self, Seen},
        scratch::Scratch,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
};

/// Nothing here takes long; a machine that is busy elsewhere may.
const LIMIT: Duration = Duration::from_secs(60);

/// A machine with one card.
struct Machine {
    number: u8,
    stream: UnixStream,
}

fn frame(from: u8, to: u8, text: &str) -> Vec<u8> {
    let mac = |number: u8| match number {
        0xff => [0xff; 6],
        number => [0x52, 0x54, 0, 0, 0, number],
    };
    // A local experimental EtherType.
    [&mac(to)[..], &mac(from), &[0x88, 0xb5], text.as_bytes()].concat()
}

impl Machine {
    async fn connect(network: &Network, name: &str, number: u8) -> Self {
        let stream = UnixStream::connect(network.socket(name).unwrap())
            .await
            .unwrap();
        Self { number, stream }
    }

    async fn send(&mut self, to: u8, text: &str) {
        let mut bytes = bytes::BytesMut::new();
        wire::encode(&frame(self.number, to, text), &mut bytes);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The text of the next frame.
    async fn receive(&mut self) -> String {
        let read = async {
            let length = self.stream.read_u32().await.unwrap();
            let mut frame = vec![0; length as usize];
            self.stream.read_exact(&mut frame).await.unwrap();
            String::from_utf8(frame.split_off(14)).unwrap()
        };
        tokio::time::timeout(LIMIT, read).await.expect("a frame")
    }
}

/// Waits until the network has seen what `seen` asks for: a frame that was sent is not yet one that was decided on.
async fn settled(network: &Network, seen: impl Fn(&BTreeMap<String, PortStatistics>) -> bool) {
    let pace = Duration::from_millis(20);
    let wait = poll::until(
        "the network to have read the frames",
        LIMIT,
        pace,
        || async {
            let statistics = network.statistics();
            Ok(match seen(&statistics) {
                true => Seen::Ready(()),
                false => Seen::NotYet(format!("{statistics:?}")),
            })
        },
    );
    wait.await.unwrap();
}

fn spec(folder: &Utf8Path, machines: &[&str]) -> NetworkSpec {
    NetworkSpec {
        folder: folder.to_owned(),
        name: "lan".into(),
        seed: 7,
        machines: machines.iter().map(|name| (*name).to_owned()).collect(),
        recording: None,
        saved: None,
    }
}

/// A network of two machines that know each other's address.
async fn two(spec: NetworkSpec) -> (Network, Machine, Machine) {
    let network = Network::open(spec).unwrap();
    let mut laptop = Machine::connect(&network, "laptop", 1).await;
    let mut host = Machine::connect(&network, "host", 2).await;
    network.wait_connected(LIMIT).await.unwrap();
    laptop.send(0xff, "who is there").await;
    assert_eq!(host.receive().await, "who is there");
    host.send(1, "host").await;
    assert_eq!(laptop.receive().await, "host");
    (network, laptop, host)
}

#[tokio::test]
async fn machines_reach_each_other_and_nobody_else() {
    let scratch = Scratch::new().unwrap();
    let network = Network::open(spec(scratch.path(), &["laptop", "host", "other"])).unwrap();
    let mut laptop = Machine::connect(&network, "laptop", 1).await;
    let mut host = Machine::connect(&network, "host", 2).await;
    let mut other = Machine::connect(&network, "other", 3).await;
    network.wait_connected(LIMIT).await.unwrap();
    host.send(0xff, "to all").await;
    assert_eq!(laptop.receive().await, "to all");
    assert_eq!(other.receive().await, "to all");
    laptop.send(2, "to the host").await;
    laptop.send(0xff, "again to all").await;
    assert_eq!(host.receive().await, "to the host");
    assert_eq!(host.receive().await, "again to all");
    // The frame to the host would have come before it.
    assert_eq!(other.receive().await, "again to all");
    let statistics = network.statistics();
    assert_eq!(statistics["laptop"].out.frames, 2);
    assert_eq!(statistics["other"].in_.frames, 2);
    assert!(network.notes().is_empty());
    let sockets: Vec<_> = ["laptop", "host"]
        .map(|name| network.socket(name).unwrap().to_owned())
        .into();
    assert!(sockets.iter().all(|socket| socket.exists()));
    network.close().await.unwrap();
    assert!(!sockets.iter().any(|socket| socket.exists()));
}

#[tokio::test]
async fn a_cut_is_one_way_or_both_and_heals() {
    let scratch = Scratch::new().unwrap();
    let (network, mut laptop, mut host) = two(spec(scratch.path(), &["laptop", "host"])).await;
    network.cut("laptop", Direction::Out).unwrap();
    laptop.send(2, "lost").await;
    host.send(1, "one way is open").await;
    assert_eq!(laptop.receive().await, "one way is open");
    network.cut("host", Direction::Both).unwrap();
    host.send(1, "lost").await;
    settled(&network, |seen| {
        (seen["laptop"].out.cut, seen["host"].out.cut) == (1, 1)
    })
    .await;
    network.heal_all();
    laptop.send(2, "healed").await;
    assert_eq!(host.receive().await, "healed");
    let error = network.cut("nobody", Direction::In).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no machine nobody is in this network; there are laptop, host"
    );
}

#[tokio::test]
async fn a_broken_stream_ends_its_connection_and_is_noted() {
    let scratch = Scratch::new().unwrap();
    let (network, mut laptop, mut host) = two(spec(scratch.path(), &["laptop", "host"])).await;
    laptop.stream.write_all(&[0xff; 4]).await.unwrap();
    let end = tokio::time::timeout(LIMIT, laptop.stream.read(&mut [0])).await;
    assert_eq!(end.expect("closed").unwrap_or(0), 0);
    let mut again = Machine::connect(&network, "laptop", 1).await;
    network.wait_connected(LIMIT).await.unwrap();
    again.send(2, "back").await;
    assert_eq!(host.receive().await, "back");
    assert_eq!(network.statistics()["laptop"].connections, 2);
    assert_eq!(
        network.notes(),
        [
            "port laptop: a frame of 4294967295 bytes was announced, the longest has 69632; the connection was closed"
        ]
    );
}

#[tokio::test]
async fn who_does_not_read_loses_frames_and_makes_nobody_wait() {
    let scratch = Scratch::new().unwrap();
    let (network, mut laptop, mut host) = two(spec(scratch.path(), &["laptop", "host"])).await;
    let text = "x".repeat(1000);
    // Far more than its socket and its queue hold.
    let send = async {
        for _ in 0..4000 {
            laptop.send(2, &text).await;
        }
    };
    tokio::time::timeout(LIMIT, send)
        .await
        .expect("the sender does not wait");
    settled(&network, |seen| seen["laptop"].out.frames == 4001).await;
    assert!(network.statistics()["host"].in_.unread > 1000);
    assert_eq!(
        network.notes(),
        ["port host: does not read, frames to it are lost"]
    );
    host.send(1, "still heard").await;
    assert_eq!(laptop.receive().await, "still heard");
}

#[tokio::test]
async fn what_is_in_flight_is_kept_and_goes_on_in_another_network() {
    let scratch = Scratch::new().unwrap();
    let (network, mut laptop, host) = two(spec(scratch.path(), &["laptop", "host"])).await;
    let hour = Impairment {
        delay: Duration::from_secs(600),
        ..Impairment::default()
    };
    network.impair("host", Direction::In, hour).unwrap();
    laptop.send(2, "delayed").await;
    settled(&network, |seen| seen["host"].in_.delayed == 1).await;
    network.freeze();
    network
        .impair("host", Direction::In, Impairment::default())
        .unwrap();
    laptop.send(2, "held").await;
    let mut saved = network.save(LIMIT).await.unwrap();
    drop((laptop, host));
    network.close().await.unwrap();
    let places: Vec<_> = saved
        .frames
        .iter()
        .map(|frame| frame.machine.as_str())
        .collect();
    assert_eq!(places, ["laptop", "host"]);

    // The ten minutes are over sooner.
    saved.frames[1].due = 0;
    saved.links[3].last = 0;
    let text = serde_json::to_string(&saved).unwrap();
    let saved: Saved = serde_json::from_str(&text).unwrap();
    let mut again = spec(scratch.path(), &["laptop", "host"]);
    again.saved = Some(saved);
    let network = Network::open(again).unwrap();
    let mut host = Machine::connect(&network, "host", 2).await;
    let mut laptop = Machine::connect(&network, "laptop", 1).await;
    network.wait_connected(LIMIT).await.unwrap();
    network.thaw();
    let mut received = [host.receive().await, host.receive().await];
    received.sort();
    assert_eq!(received, ["delayed", "held"]);
    // Addresses are known: nothing is sent to a port for the first time.
    host.send(1, "an answer").await;
    assert_eq!(laptop.receive().await, "an answer");
}

#[tokio::test]
async fn a_saved_network_belongs_to_its_machines() {
    let scratch = Scratch::new().unwrap();
    let network = Network::open(spec(scratch.path(), &["laptop", "host"])).unwrap();
    let saved = network.save(LIMIT).await.unwrap();
    network.close().await.unwrap();
    for (machines, said) in [
        (&["laptop"][..], "no machine host is in this network"),
        (
            &["laptop", "host", "other"],
            "the saved network has no machine other",
        ),
    ] {
        let mut other = spec(scratch.path(), machines);
        other.saved = Some(saved.clone());
        let error = Network::open(other).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// The texts that arrive of a thousand, on a link that loses, duplicates and corrupts them.
async fn survivors(seed: u64) -> (Vec<String>, BTreeMap<String, u64>) {
    let scratch = Scratch::new().unwrap();
    let mut with_seed = spec(scratch.path(), &["laptop", "host"]);
    with_seed.seed = seed;
    let (network, mut laptop, mut host) = two(with_seed).await;
    let bad = Impairment {
        loss: 0.1,
        duplicate: 0.05,
        ..Impairment::default()
    };
    network
        .impair("laptop", Direction::Both, bad.clone())
        .unwrap();
    network.impair("host", Direction::Both, bad).unwrap();
    for number in 0..1000 {
        laptop.send(2, &number.to_string()).await;
    }
    settled(&network, |seen| {
        let out = seen["laptop"].out;
        out.frames - out.duplicated + out.lost == 1001
    })
    .await;
    network.heal_all();
    laptop.send(2, "end").await;
    let mut texts = vec![];
    while texts.last().is_none_or(|text| text != "end") {
        texts.push(host.receive().await);
    }
    let statistics = network.statistics();
    let lost = statistics
        .iter()
        .map(|(name, port)| (name.clone(), port.out.lost + port.in_.lost));
    (texts, lost.collect())
}

#[tokio::test]
async fn the_same_seed_loses_the_same_frames() {
    let (one, again, other) = (survivors(1).await, survivors(1).await, survivors(2).await);
    assert_eq!(one, again);
    assert_ne!(one.0, other.0);
    assert!(one.1["laptop"] > 50 && one.1["host"] > 50, "{:?}", one.1);
}
