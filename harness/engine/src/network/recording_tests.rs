use std::collections::BTreeMap;

use bytes::Bytes;
use pcap_file::pcapng::{Block, PcapNgReader};

use super::*;

fn stamped(port: usize, length: usize, comment: Option<&str>) -> Stamped {
    Stamped {
        time: Duration::new(1_795_000_000, 123_456_789),
        record: RecordedFrame {
            port,
            direction: Direction::Out,
            frame: Bytes::from(vec![7; length]),
            comment: comment.map(str::to_owned),
        },
        missing: 0,
    }
}

/// The names of interfaces, and of each packet: interface, bytes in the file, bytes on the wire, and comment.
type Read = (Vec<String>, Vec<(u32, usize, u32, String)>);

fn read(file: &[u8]) -> Read {
    let (mut names, mut packets) = (vec![], vec![]);
    let mut reader = PcapNgReader::new(file).unwrap();
    while let Some(block) = reader.next_block() {
        match block.unwrap() {
            Block::InterfaceDescription(found) => {
                names.extend(found.options.iter().find_map(|option| match option {
                    InterfaceDescriptionOption::IfName(name) => Some(name.to_string()),
                    _ => None,
                }));
            }
            Block::EnhancedPacket(found) => {
                let comments = found.options.iter().filter_map(|option| match option {
                    EnhancedPacketOption::Comment(text) => Some(text.to_string()),
                    _ => None,
                });
                let comments = comments.collect::<Vec<_>>().join("|");
                assert_eq!(found.timestamp.subsec_nanos(), 123_456_789);
                packets.push((
                    found.interface_id,
                    found.data.len(),
                    found.original_len,
                    comments,
                ));
            }
            _ => {}
        }
    }
    (names, packets)
}

fn machines() -> Vec<String> {
    vec!["laptop".to_owned(), "host".to_owned()]
}

#[test]
fn interfaces_are_machines_and_packets_have_comments() {
    let mut file = vec![];
    let mut capture = Capture::begin(&mut file, 1 << 20, "lan", &machines()).unwrap();
    let mut late = stamped(0, 61, Some("to host: lost"));
    late.missing = 3;
    capture.write(&[stamped(1, 60, None), late]).unwrap();
    let (names, packets) = read(&file);
    assert_eq!(names, machines());
    insta::assert_debug_snapshot!(packets, @r#"
    [
        (
            1,
            60,
            60,
            "",
        ),
        (
            0,
            61,
            61,
            "3 frames before this one were not recorded: the disk was too slow; to host: lost",
        ),
    ]
    "#);
}

#[test]
fn the_file_is_bounded_and_its_last_frame_says_so() {
    const LIMIT: u64 = 10_000;
    let mut file = vec![];
    let mut capture = Capture::begin(&mut file, LIMIT, "lan", &machines()).unwrap();
    for _ in 0..5 {
        let batch: Vec<Stamped> = (0..4)
            .map(|_| stamped(0, 1514, Some("to host: lost")))
            .collect();
        capture.write(&batch).unwrap();
    }
    assert!(
        file.len() as u64 <= LIMIT && file.len() > 9000,
        "{}",
        file.len()
    );
    let (_, packets) = read(&file);
    let (last, whole) = packets.split_last().unwrap();
    assert!(
        whole
            .iter()
            .all(|packet| packet.1 == 1514 && packet.3 == "to host: lost")
    );
    assert_eq!((last.1, last.2), (64, 1514));
    assert!(
        last.3.starts_with("the recording ends with this frame"),
        "{}",
        last.3
    );
}

#[test]
fn whole_blocks_are_written_at_once() {
    /// Keeps what each call to write brought.
    #[derive(Default)]
    struct Calls(Vec<Vec<u8>>);
    impl Write for &mut Calls {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut calls = Calls::default();
    let mut capture = Capture::begin(&mut calls, 1 << 20, "lan", &machines()).unwrap();
    for length in [60, 1514, 61] {
        capture
            .write(&[stamped(0, length, None), stamped(1, length, None)])
            .unwrap();
    }
    // A lab that is killed after any of them leaves a file that can be read.
    let mut lengths = BTreeMap::new();
    for upto in 1..=calls.0.len() {
        lengths.insert(upto, read(&calls.0[..upto].concat()).1.len());
    }
    assert_eq!(lengths, BTreeMap::from([(1, 0), (2, 2), (3, 4), (4, 6)]));
}
