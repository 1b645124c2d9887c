//! Recordings, as Wireshark's programs and the crate that wrote them read them.

use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use pcap_file::pcapng::PcapNgReader;
use spawnlab::{
    network::{Direction, Impairment, Recording},
    util::{
        poll::{self, Seen},
        scratch::Scratch,
    },
};

use super::{Duration, LIMIT, settled, spec, two};

/// The folder of the lab that is killed.
const CHILD: &str = "SPAWNLAB_TEST_CHILD";

/// What `program` prints; none where it is not there.
fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = match Command::new(program).args(args).output() {
        Ok(output) => output,
        Err(error) => {
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{program} is not here ({error}): next: ci/install test"
            );
            eprintln!("left out: {program} is not here");
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {args:?}: {}: {said}",
        output.status
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn wireshark_reads_the_recording_and_shows_what_was_lost() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.path().join("lan.pcapng");
    let mut recorded = spec(scratch.path(), &["laptop", "host"]);
    recorded.recording = Some(Recording::new(&file));
    let (network, mut laptop, mut host) = two(recorded).await;
    network.cut("host", Direction::In).unwrap();
    laptop.send(2, "lost").await;
    settled(&network, |seen| seen["host"].in_.cut == 1).await;
    network.heal_all();
    let delayed = Impairment {
        delay: Duration::from_millis(5),
        ..Impairment::default()
    };
    network.impair("laptop", Direction::Out, delayed).unwrap();
    laptop.send(2, "delayed").await;
    assert_eq!(host.receive().await, "delayed");
    network.close().await.unwrap();

    let fields = [
        "-T",
        "fields",
        "-e",
        "frame.interface_name",
        "-e",
        "frame.comment",
    ];
    let Some(shown) = output(
        "tshark",
        &[&["-n", "-r", file.as_str()][..], &fields].concat(),
    ) else {
        return;
    };
    assert_eq!(
        shown.lines().collect::<Vec<_>>(),
        [
            "laptop\t",
            "host\t",
            "laptop\tto host: lost: the link is cut",
            "laptop\tfrom laptop: delayed by 5.0 ms",
        ]
    );
    let counted = output("capinfos", &["-Mc", file.as_str()]).expect("it comes with tshark");
    assert!(counted.contains("Number of packets:   4"), "{counted}");
}

/// Not a test of its own: what [`a_killed_lab_leaves_a_recording_that_can_be_read`] kills.
#[tokio::test]
async fn the_recording_lab_that_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else {
        return;
    };
    let folder = Utf8PathBuf::from(folder);
    let mut recorded = spec(&folder, &["laptop", "host"]);
    recorded.recording = Some(Recording::new(folder.join("lan.pcapng")));
    let (_network, mut laptop, mut host) = two(recorded).await;
    for length in (0..1400).cycle() {
        laptop.send(2, &"x".repeat(length)).await;
        host.receive().await;
    }
}

#[tokio::test]
async fn a_killed_lab_leaves_a_recording_that_can_be_read() {
    let scratch = Scratch::new().unwrap();
    let file = scratch.path().join("lan.pcapng");
    let mut lab = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "recording::the_recording_lab_that_is_killed"])
        .env(CHILD, scratch.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pace = Duration::from_millis(20);
    let grown = poll::until("a recording of 200 kB", LIMIT, pace, || async {
        let length = std::fs::metadata(&file).map_or(0, |about| about.len());
        Ok(match length > 200_000 {
            true => Seen::Ready(()),
            false => Seen::NotYet(format!("{length} bytes")),
        })
    });
    let grown = grown.await;
    lab.kill().unwrap();
    lab.wait().unwrap();
    grown.unwrap();
    let mut reader = PcapNgReader::new(std::fs::File::open(&file).unwrap()).unwrap();
    let mut blocks = 0;
    while let Some(block) = reader.next_block() {
        block.unwrap();
        blocks += 1;
    }
    assert!(blocks > 100, "{blocks}");
    output("capinfos", &["-Mc", file.as_str()]);
}
