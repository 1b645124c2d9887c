//! The measuring itself.

use std::{sync::Arc, time::Instant};

use camino::Utf8Path;
use spawnlab::{
    Error, Result,
    layer::{cold::Cold, saved::Layer},
    prelude::{Deploy, Verbs},
    util::scratch::Scratch,
};

use super::stats::Samples;

/// Round trips on each clone: one of them takes milliseconds, a clone hundreds.
const ROUND_TRIPS: usize = 5;

/// What is measured on.
pub(crate) struct Bench<'a> {
    /// Where cold hosts put their files: the disk that layers are on.
    pub(crate) disk: &'a Utf8Path,
    pub(crate) host: &'a Layer,
    pub(crate) deployed: &'a Arc<Layer>,
    pub(crate) samples: Samples,
}

fn since(begin: Instant) -> f64 {
    begin.elapsed().as_secs_f64() * 1000.0
}

impl Bench<'_> {
    fn note(&mut self, name: &str, sample: f64) {
        self.samples
            .entry(name.to_owned())
            .or_default()
            .push(sample);
    }

    /// A boot without any layer, and its saving.
    pub(crate) async fn cold(&mut self) -> Result<()> {
        let dir = Scratch::below(self.disk)?;
        let dir = dir.path();
        let begin = Instant::now();
        let cold = Cold::start(self.host.platform(), dir).await?;
        cold.host().wait_for_boot().await?;
        self.note("boot-agent", since(begin));
        cold.host()
            .execute("systemctl is-system-running --wait")
            .await?;
        self.note("boot-running", since(begin));
        let begin = Instant::now();
        cold.wait_ready().await?;
        self.note("layer-quiet", since(begin));
        let begin = Instant::now();
        cold.save().await?;
        self.note("layer-save", since(begin));
        cold.shut_down().await
    }

    /// A bare start, and right behind it a clone with its commands: what drifts, drifts for both.
    pub(crate) async fn clone(&mut self) -> Result<()> {
        let evidence = Scratch::new()?;
        let begin = Instant::now();
        let bare = self.deployed.start(evidence.path()).await?;
        let least = since(begin);
        bare.quit().await?;
        self.note("bare-start", least);
        let begin = Instant::now();
        let host = self.deployed.host(evidence.path()).await?;
        host.succeed("true").await?;
        let took = since(begin);
        let memory = private_mib(host.machine().pid())?;
        self.note("clone", took);
        self.note("clone-beyond", took - least);
        self.note("memory", memory);
        for _ in 0..ROUND_TRIPS {
            let begin = Instant::now();
            host.succeed("true").await?;
            self.note("command-host", since(begin));
        }
        for _ in 0..ROUND_TRIPS {
            let begin = Instant::now();
            host.container("web").succeed("true").await?;
            self.note("command-container", since(begin));
        }
        host.shut_down().await
    }

    /// A first deploy into a host with none, then another generation.
    pub(crate) async fn deploy(&mut self) -> Result<()> {
        let evidence = Scratch::new()?;
        let host = self.host.host(evidence.path()).await?;
        for (name, machine) in [("deploy-first", "web"), ("deploy-again", "web-v2")] {
            let begin = Instant::now();
            let output = Deploy::of(machine).into("web").run(&host).await?;
            let took = since(begin);
            if !output.status.success() {
                return Err(Error::Machine(format!(
                    "{name}: the tool ended with {}: {}",
                    output.status,
                    output.stderr.trim()
                )));
            }
            self.note(name, took);
        }
        host.shut_down().await
    }
}

/// Private memory of the process `pid` in MiB. What a clone wrote to its private mapping is dirty and
/// anonymous at once: counting both fields would count it twice. What was swapped out is its own, too.
fn private_mib(pid: u32) -> Result<f64> {
    let text = fs_err::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let kib = private_kib(&text)
        .ok_or_else(|| Error::Machine(format!("/proc/{pid}/smaps_rollup has no Private_Dirty")))?;
    Ok(kib as f64 / 1024.0)
}

fn private_kib(text: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(field("Private_Dirty:")? + field("Swap:").unwrap_or(0))
}

#[cfg(test)]
mod tests {
    #[test]
    fn private_memory_is_not_counted_twice() {
        let text = "Rss: 9 kB\nPrivate_Dirty:   2048 kB\nAnonymous: 2048 kB\nSwap:  1024 kB\n";
        assert_eq!(super::private_kib(text), Some(3072));
        assert_eq!(super::private_kib("Rss: 9 kB\n"), None);
    }
}
