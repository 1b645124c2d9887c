//! What a lab of two machines takes, and what recording takes of a bulk transfer between them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use camino::Utf8Path;
use spawnlab::{
    Error, Result,
    layer::saved::Layer,
    network::Recording,
    prelude::Verbs,
    run::{attempt::FRAMES, open_lab::OpenLab},
    util::scratch::Scratch,
    vm::host::Host,
};

use super::stats::Samples;

/// What is measured here.
pub(crate) const NAMES: [&str; 4] = ["lab", "bulk", "bulk-recorded", "recording"];

/// Bytes of a bulk transfer, some ten seconds of an emulated machine's.
const BULK: usize = 32 << 20;

/// The same before it: what emulates a machine has translated its code for the network then.
const WARM_UP: usize = 2 << 20;

/// Far more than any machine needs for a transfer.
const LIMIT: Duration = Duration::from_secs(300);

/// How long a machine may take to listen.
const LISTENS: Duration = Duration::from_secs(30);

/// Measures everything once, on clones of `layer`. Scratch files are on `disk`, the one that layers are on.
pub(crate) async fn measure(
    layer: &Arc<Layer>,
    disk: &Utf8Path,
    samples: &mut Samples,
) -> Result<()> {
    let mut note =
        |name: &str, sample: f64| samples.entry(name.to_owned()).or_default().push(sample);
    let mut seconds = [0.0; 2];
    for (recorded, name) in [(false, "bulk"), (true, "bulk-recorded")] {
        let dir = Scratch::below(disk)?;
        let mut recording = Recording::new(dir.path().join(FRAMES));
        recording.limit = 1 << 30;
        let begin = Instant::now();
        let machines = [("one", layer), ("other", layer)];
        let lab = OpenLab::joined(&machines, recorded.then_some(recording), dir.path()).await?;
        let (one, other) = (lab.machine(Some("one"))?, lab.machine(Some("other"))?);
        one.succeed("ping -n -c 1 -W 10 other").await?;
        // As every scenario's lab is.
        if recorded {
            note("lab", begin.elapsed().as_secs_f64() * 1e3);
        }
        transfer(one, other, WARM_UP).await?;
        let took = transfer(one, other, BULK).await?;
        note(name, BULK as f64 / 1e6 / took);
        seconds[usize::from(recorded)] = took;
        lab.end().await?;
    }
    note("recording", longer(seconds[0], seconds[1]));
    Ok(())
}

/// Has the machine `one` send bytes to the machine `other` over TCP, and returns the seconds until all have arrived.
async fn transfer(one: &Host, other: &Host, bytes: usize) -> Result<f64> {
    // An input that does not end: the sender would take its end for that of the connection.
    let receive = "rm -f /run/bulk; mkfifo /run/bulk; busybox nc -l -p 7000 <>/run/bulk | wc -c";
    let send = async {
        let listens = "ss -Hltn sport = :7000 | grep -q .";
        other.wait_until_succeeds(listens, LISTENS).await?;
        let begin = Instant::now();
        let send = format!("head -c {bytes} /dev/zero | busybox nc other 7000");
        let sent = one.execute_within(&send, LIMIT).await?;
        Ok::<_, Error>((sent, begin))
    };
    let receive = async {
        let received = other.execute_within(receive, LIMIT).await?;
        Ok::<_, Error>((received, Instant::now()))
    };
    let ((sent, begin), (received, end)) = tokio::try_join!(send, receive)?;
    match received.stdout.trim() == bytes.to_string() {
        true => Ok((end - begin).as_secs_f64()),
        false => Err(Error::Machine(format!(
            "of {bytes} bytes {} have arrived; the sender said: {}",
            received.stdout.trim(),
            sent.stderr.trim()
        ))),
    }
}

/// How much longer the `recorded` transfer took than the `plain` one, in percent; negative where it was faster.
fn longer(plain: f64, recorded: f64) -> f64 {
    (recorded / plain - 1.0) * 100.0
}

#[cfg(test)]
mod tests {
    use super::longer;

    #[test]
    fn what_recording_takes_is_a_share_of_the_plain_transfer() {
        assert!((longer(10.0, 10.5) - 5.0).abs() < 1e-9);
        assert!((longer(10.0, 9.0) + 10.0).abs() < 1e-9);
    }
}
