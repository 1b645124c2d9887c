//! What a network's switch costs: plain sockets in the place of QEMU, no VM.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};
use spawnlab::{
    Error, Result,
    network::{Network, NetworkSpec, Recording},
    util::scratch::Scratch,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    sync::Semaphore,
};

use super::stats::Samples;

/// What is measured here.
pub(crate) const NAMES: [&str; 5] = [
    "switch-rate",
    "switch-rate-recorded",
    "switch-cpu",
    "switch-cpu-recorded",
    "switch-delay",
];

/// A frame of the usual size of an Ethernet, header included.
const FRAME: usize = 1514;

/// Frames of a bulk transfer: 100 MB.
const FRAMES: usize = 66_050;

/// Frames on their way at once in a bulk transfer; a port's queue holds more.
const AHEAD: usize = 256;

/// Round trips that a delay is the mean of.
const ROUND_TRIPS: usize = 500;

/// Far more than any machine needs.
const LIMIT: Duration = Duration::from_secs(300);

/// Measures everything once.
pub(crate) async fn measure(samples: &mut Samples) -> Result<()> {
    let mut note =
        |name: &str, sample: f64| samples.entry(name.to_owned()).or_default().push(sample);
    for (recorded, rate, cpu) in [
        (false, "switch-rate", "switch-cpu"),
        (true, "switch-rate-recorded", "switch-cpu-recorded"),
    ] {
        let bulk = within(bulk(recorded)).await?;
        note(rate, bulk.megabytes / bulk.seconds);
        note(cpu, bulk.cpu_ms / bulk.megabytes);
    }
    note("switch-delay", within(delay()).await?);
    Ok(())
}

async fn within<T>(measuring: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(LIMIT, measuring)
        .await
        .map_err(|_| Error::Machine(format!("the switch took longer than {} s", LIMIT.as_secs())))?
}

/// Two ends of a network, with what has to live as long.
struct Pair {
    network: Network,
    one: UnixStream,
    other: UnixStream,
    _scratch: Scratch,
}

impl Pair {
    async fn open(recorded: bool) -> Result<Self> {
        let scratch = Scratch::new()?;
        let mut recording = Recording::new(scratch.path().join("bench.pcapng"));
        recording.limit = 1 << 30;
        let network = Network::open(NetworkSpec {
            folder: scratch.path().to_owned(),
            name: "bench".into(),
            seed: 0,
            machines: vec!["one".into(), "other".into()],
            recording: recorded.then_some(recording),
            saved: None,
        })?;
        let mut one = UnixStream::connect(network.socket("one")?).await?;
        let mut other = UnixStream::connect(network.socket("other")?).await?;
        network.wait_connected(LIMIT).await?;
        // So that the switch knows both.
        one.write_all(&frame(1, 0xff)).await?;
        receive(&mut other).await?;
        other.write_all(&frame(2, 1)).await?;
        receive(&mut one).await?;
        Ok(Self {
            network,
            one,
            other,
            _scratch: scratch,
        })
    }
}

/// A frame with its length, from the card `from` to the card `to`.
fn frame(from: u8, to: u8) -> Vec<u8> {
    let mac = |number: u8| match number {
        0xff => [0xff; 6],
        number => [0x52, 0x54, 0, 0, 0, number],
    };
    let length = u32::try_from(FRAME).unwrap_or(u32::MAX).to_be_bytes();
    // An EtherType for local experiments.
    let mut frame = [&length[..], &mac(to), &mac(from), &[0x88, 0xb5]].concat();
    frame.resize(FRAME + 4, 0);
    frame
}

async fn receive(stream: &mut UnixStream) -> io::Result<()> {
    stream.read_exact(&mut [0; FRAME + 4]).await.map(|_| ())
}

struct Bulk {
    megabytes: f64,
    seconds: f64,
    cpu_ms: f64,
}

/// Frames one way, as fast as they go. The processor's time is that of this whole process: both ends are in it.
async fn bulk(recorded: bool) -> Result<Bulk> {
    let Pair {
        network,
        mut one,
        mut other,
        _scratch,
    } = Pair::open(recorded).await?;
    let (begin, cpu) = (Instant::now(), cpu_ms());
    let room = Semaphore::new(AHEAD);
    let frame = frame(1, 2);
    let send = async {
        for _ in 0..FRAMES {
            if let Ok(permit) = room.acquire().await {
                permit.forget();
            }
            one.write_all(&frame).await?;
        }
        Ok::<(), io::Error>(())
    };
    let receive = async {
        for _ in 0..FRAMES {
            receive(&mut other).await?;
            room.add_permits(1);
        }
        Ok::<(), io::Error>(())
    };
    tokio::try_join!(send, receive)?;
    let seconds = begin.elapsed().as_secs_f64();
    // With what the recording still has to write.
    network.close().await?;
    Ok(Bulk {
        megabytes: (FRAMES * FRAME) as f64 / 1e6,
        seconds,
        cpu_ms: cpu_ms() - cpu,
    })
}

/// Processor time of this process in milliseconds.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Microseconds that a frame takes longer through a switch than through a socket alone, one way.
async fn delay() -> Result<f64> {
    let (mut one, mut other) = UnixStream::pair()?;
    let alone = round_trip(&mut one, &mut other).await?;
    let mut pair = Pair::open(false).await?;
    let switched = round_trip(&mut pair.one, &mut pair.other).await?;
    pair.network.close().await?;
    Ok((switched - alone) / 2.0)
}

/// The mean of [`ROUND_TRIPS`] in microseconds.
async fn round_trip(one: &mut UnixStream, other: &mut UnixStream) -> Result<f64> {
    let (there, back) = (frame(1, 2), frame(2, 1));
    let begin = Instant::now();
    for _ in 0..ROUND_TRIPS {
        one.write_all(&there).await?;
        receive(other).await?;
        other.write_all(&back).await?;
        receive(one).await?;
    }
    Ok(begin.elapsed().as_secs_f64() * 1e6 / ROUND_TRIPS as f64)
}
