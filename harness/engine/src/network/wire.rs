//! Frames on the byte stream that `-netdev stream` speaks: four bytes of length, big-endian, then the frame.

use bytes::{BufMut as _, Bytes, BytesMut};

/// The longest frame in bytes, which is QEMU's own `NET_BUFSIZE`. A longer one is not a frame that a card sent.
pub const LARGEST: usize = 4096 + 65536;

const LENGTH: usize = 4;

/// A length that no frame has. What follows it in the stream can't be understood any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("port {port}: a frame of {length} bytes was announced, the longest has {LARGEST}")]
pub struct TooLong {
    /// The name of the port.
    pub port: String,
    /// The announced length in bytes.
    pub length: u32,
}

/// Takes the stream of one connection apart. Bytes may come in pieces of any size.
#[derive(Debug)]
pub struct Decoder {
    port: String,
    buffer: BytesMut,
}

impl Decoder {
    /// For a connection of the port `port`, which errors name.
    pub fn new(port: impl Into<String>) -> Self {
        Self {
            port: port.into(),
            buffer: BytesMut::new(),
        }
    }

    /// What bytes are read into, with room for at least one more.
    pub fn buffer(&mut self) -> &mut BytesMut {
        // What is left of the last piece is used up first, so that small frames share an allocation.
        if self.buffer.capacity() - self.buffer.len() < 2048 {
            self.buffer.reserve(LARGEST);
        }
        &mut self.buffer
    }

    /// The next whole frame, without its length; none if more bytes are needed.
    ///
    /// # Errors
    /// When the length is beyond [`LARGEST`]. Each further call says the same.
    pub fn next_frame(&mut self) -> Result<Option<Bytes>, TooLong> {
        let Some(length) = self.buffer.first_chunk::<LENGTH>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        let whole = length as usize;
        if whole > LARGEST {
            return Err(TooLong {
                port: self.port.clone(),
                length,
            });
        }
        if self.buffer.len() < LENGTH + whole {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(LENGTH + whole).freeze();
        Ok(Some(frame.split_off(LENGTH)))
    }
}

/// Appends `frame` with its length to `stream`.
pub fn encode(frame: &[u8], stream: &mut BytesMut) {
    debug_assert!(frame.len() <= LARGEST, "{} bytes", frame.len());
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    stream.reserve(LENGTH + frame.len());
    stream.put_u32(length);
    stream.put_slice(frame);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn decode(pieces: &[&[u8]]) -> (Vec<Bytes>, Option<TooLong>) {
        let mut decoder = Decoder::new("host");
        let mut frames = vec![];
        for piece in pieces {
            decoder.buffer().extend_from_slice(piece);
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (frames, Some(error)),
                }
            }
        }
        (frames, None)
    }

    #[rstest]
    #[case::nothing(&[], 0)]
    #[case::half_a_length(&[&[0, 0][..]], 0)]
    #[case::a_length_without_its_frame(&[&[0, 0, 0, 2, 7][..]], 0)]
    #[case::an_empty_frame(&[&[0, 0, 0, 0][..]], 1)]
    #[case::byte_by_byte(&[&[0][..], &[0], &[0], &[1], &[9]], 1)]
    #[case::two_at_once(&[&[0, 0, 0, 1, 9, 0, 0, 0, 1, 8][..]], 2)]
    fn a_frame_is_there_when_it_is_whole(#[case] pieces: &[&[u8]], #[case] frames: usize) {
        let (found, error) = decode(pieces);
        assert_eq!((found.len(), error), (frames, None));
    }

    #[test]
    fn a_length_beyond_the_bound_names_the_port() {
        let (frames, error) = decode(&[&[0, 0, 0, 1, 9], &[0xff, 0, 0, 0], &[1, 2, 3]]);
        assert_eq!(frames, [Bytes::from_static(&[9])]);
        insta::assert_snapshot!(
            error.unwrap(),
            @"port host: a frame of 4278190080 bytes was announced, the longest has 69632"
        );
        let longest = u32::try_from(LARGEST).unwrap();
        assert_eq!(decode(&[&longest.to_be_bytes()]), (vec![], None));
        let beyond = decode(&[&(longest + 1).to_be_bytes()]);
        assert_eq!(beyond.1.unwrap().length, longest + 1);
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back_however_it_is_cut(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..8),
            cuts in prop::collection::vec(1_usize..60, 1..8),
        ) {
            let mut stream = BytesMut::new();
            for frame in &frames {
                encode(frame, &mut stream);
            }
            let (mut rest, mut pieces, mut cuts) = (&stream[..], vec![], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.push(piece);
                rest = behind;
            }
            let (found, error) = decode(&pieces);
            prop_assert_eq!(error, None);
            prop_assert_eq!(found, frames);
        }

        #[test]
        fn a_broken_stream_yields_frames_or_an_error_and_never_a_panic(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let bytes: usize = pieces.iter().map(|piece| piece.len()).sum();
            let (frames, _) = decode(&pieces);
            prop_assert!(frames.iter().map(|frame| frame.len() + LENGTH).sum::<usize>() <= bytes);
        }
    }
}
