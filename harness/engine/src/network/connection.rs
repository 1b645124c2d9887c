//! What goes on at one socket: a machine connects, sends, reads, goes, and may come again.

use std::{io, sync::Arc};

use bytes::{Buf as _, BytesMut};
use tokio::net::{UnixListener, UnixStream};

use super::{running::Inner, wire};

/// Bytes of frames that are written at once, about.
const PORTION: usize = 64 << 10;

/// Serves one machine after the other at `port`; in a lab these are the same one, started anew.
pub(super) async fn accept(inner: Arc<Inner>, port: usize, listener: UnixListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => Arc::new(stream),
            Err(error) => {
                let name = inner.machine(port);
                let text = format!("port {name}: no machine can connect any more: {error}");
                inner.lock().plane.note(text);
                return;
            }
        };
        inner.work(|state, _| {
            state.plane.connect(port);
            state.streams[port] = Some(stream.clone());
        });
        // Both go on whatever the other one waits for: a machine that does not read is still read.
        let ended = tokio::select! {
            read = read(&inner, port, &stream) => read,
            written = write(&inner, port, &stream) => written,
        };
        inner.work(|state, _| {
            state.streams[port] = None;
            state.plane.disconnect(port);
            // A machine that is killed breaks its connection, which is no news.
            if let Err(error) = ended {
                if error.kind() == io::ErrorKind::InvalidData {
                    state
                        .plane
                        .note(format!("{error}; the connection was closed"));
                }
            }
        });
    }
}

/// Takes what the machine sends, until it goes.
async fn read(inner: &Inner, port: usize, stream: &UnixStream) -> io::Result<()> {
    let mut decoder = wire::Decoder::new(inner.machine(port));
    loop {
        stream.readable().await?;
        // Read under the lock: so whatever is no longer in the socket is in the network's state.
        let read: io::Result<usize> = inner.work(|state, now| {
            let bytes = stream.try_read_buf(decoder.buffer())?;
            while let Some(frame) = decoder.next_frame().map_err(invalid)? {
                state.plane.receive(now, port, frame);
            }
            Ok(bytes)
        });
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => tokio::task::consume_budget().await,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

fn invalid(error: wire::TooLong) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// Gives the machine what there is for it, until it goes.
async fn write(inner: &Inner, port: usize, stream: &UnixStream) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    loop {
        let frames = inner.lock().plane.take(port, PORTION);
        if frames.is_empty() {
            inner.ready[port].notified().await;
            continue;
        }
        for frame in frames {
            wire::encode(&frame, &mut bytes);
        }
        while !bytes.is_empty() {
            stream.writable().await?;
            match stream.try_write(&bytes) {
                Ok(written) => bytes.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}
