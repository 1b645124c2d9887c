//! Many clones, one after the other or several at once, and what they leave behind: nothing.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc, time::Duration, time::Instant};

use serde_json::{Value, json};
use spawnlab::{
    Error, Result,
    layer::saved::Layer,
    util::{
        poll::{self, Seen},
        scratch::{self, Scratch},
    },
    verdict::event::Events,
    vm::verbs::Verbs,
};
use tokio::task::JoinSet;

/// By how much this process may grow, in KiB: what its allocator does not give back.
const GROWTH: u64 = 8 << 10;
/// How many threads more are no leak: those that wait to be used again.
const THREADS: u64 = 8;
/// Longest time for the last sockets to close.
const SETTLE: Duration = Duration::from_secs(60);
/// How many of the failures are told.
const TOLD: usize = 5;

/// What this process has at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Held {
    files: u64,
    sockets: u64,
    locks: u64,
    processes: u64,
    folders: u64,
    threads: u64,
    memory_kib: u64,
}

/// What became of the clones.
#[derive(Debug)]
pub(crate) struct Soaked {
    clones: usize,
    at_once: usize,
    seconds: f64,
    failures: Vec<String>,
    before: Held,
    after: Held,
    most_memory_kib: u64,
}

/// Makes `clones` clones of `layer`, `at_once` together, and asks each on the host and in a container.
/// What was held is looked at after the first `at_once` of them, and after the last.
pub(crate) async fn soak(
    layer: &Arc<Layer>,
    clones: usize,
    at_once: usize,
    events: &Events,
) -> Result<Soaked> {
    let mut failures = vec![];
    let mut seen = BTreeSet::new();
    // Whatever is made once for all, is made now.
    round(layer, 0..at_once, at_once, &mut seen, &mut failures).await;
    let before = Held::now()?;
    let mut most_memory_kib = before.memory_kib;
    let begin = Instant::now();
    let step = (clones / 10).max(at_once);
    let mut done = 0;
    while done < clones {
        let next = clones.min(done + step);
        round(layer, done..next, at_once, &mut seen, &mut failures).await;
        done = next;
        let now = Held::now()?;
        most_memory_kib = most_memory_kib.max(now.memory_kib);
        events.progress(
            "soak",
            format!("{done} of {clones}, {} MiB of memory", now.memory_kib >> 10),
        );
    }
    let seconds = begin.elapsed().as_secs_f64();
    let settled = poll::until(
        "everything to be closed",
        SETTLE,
        Duration::from_millis(200),
        || async {
            let now = Held::now()?;
            Ok(match now.more_than(before).is_empty() {
                true => Seen::Ready(now),
                false => Seen::NotYet(format!("{now:?}")),
            })
        },
    )
    .await;
    let after = match settled {
        Err(Error::Timeout(_)) => Held::now()?,
        settled => settled?,
    };
    Ok(Soaked {
        clones,
        at_once,
        seconds,
        failures,
        before,
        after,
        most_memory_kib,
    })
}

/// The clones with these numbers; what each of them drew at random goes into `seen`.
async fn round(
    layer: &Arc<Layer>,
    numbers: std::ops::Range<usize>,
    at_once: usize,
    seen: &mut BTreeSet<String>,
    failures: &mut Vec<String>,
) {
    let mut running = JoinSet::new();
    let mut waiting = numbers.peekable();
    while waiting.peek().is_some() || !running.is_empty() {
        if running.len() < at_once {
            if let Some(number) = waiting.next() {
                let layer = Arc::clone(layer);
                running.spawn(async move { (number, asked(&layer, number).await) });
                continue;
            }
        }
        match running.join_next().await {
            Some(Ok((number, Ok(drawn)))) if seen.contains(&drawn) => {
                failures.push(format!("clone {number} drew {drawn}, as another one did"));
            }
            Some(Ok((_, Ok(drawn)))) => drop(seen.insert(drawn)),
            Some(Ok((number, Err(error)))) => failures.push(format!("clone {number}: {error}")),
            Some(Err(error)) => failures.push(error.to_string()),
            None => {}
        }
    }
}

/// Asks one clone on the host and in a container, and ends it. Returns what it drew at random.
async fn asked(layer: &Layer, number: usize) -> Result<String> {
    let evidence = Scratch::new()?;
    let host = layer.host(evidence.path()).await?;
    let answer = host.succeed(&format!("echo clone {number}")).await;
    let inside = host
        .container("web")
        .succeed("echo inside $((6 * 7))")
        .await;
    let drawn = host.succeed("cat /proc/sys/kernel/random/uuid").await;
    host.shut_down().await?;
    let expect = |said: String, expected: String| match said.trim() == expected {
        true => Ok(()),
        false => Err(Error::answer(
            "a clone",
            format!("`{said}` is not `{expected}`"),
        )),
    };
    expect(answer?, format!("clone {number}"))?;
    expect(inside?, "inside 42".into())?;
    Ok(drawn?.trim().to_owned())
}

impl Held {
    fn now() -> Result<Self> {
        let links = fs_err::read_dir("/proc/self/fd")?.flatten();
        let links: Vec<_> = links
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .collect();
        let sockets = links
            .iter()
            .filter(|link| link.to_string_lossy().starts_with("socket:"));
        let own = std::process::id().to_string();
        let locks = fs_err::read_to_string("/proc/locks")?;
        let locks = locks
            .lines()
            .filter(|line| line.split_whitespace().any(|word| word == own));
        let children = std::fs::read_dir("/proc")?.flatten().filter(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let behind = stat.rsplit_once(')').map(|(_, behind)| behind.to_owned());
            behind.is_some_and(|behind| behind.split_whitespace().nth(1) == Some(&own))
        });
        let status = fs_err::read_to_string("/proc/self/status")?;
        let field = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            files: links.len() as u64,
            sockets: sockets.count() as u64,
            locks: locks.count() as u64,
            processes: children.count() as u64,
            folders: scratch::own()? as u64,
            threads: field("Threads:"),
            memory_kib: field("VmRSS:"),
        })
    }

    fn named(self) -> [(&'static str, u64, u64); 7] {
        [
            ("open files", self.files, 0),
            ("sockets among them", self.sockets, 0),
            ("locks", self.locks, 0),
            ("processes", self.processes, 0),
            ("scratch folders", self.folders, 0),
            ("threads", self.threads, THREADS),
            ("memory in KiB", self.memory_kib, GROWTH),
        ]
    }

    /// What there is more of than `before`, and than may be.
    fn more_than(self, before: Self) -> Vec<&'static str> {
        let pairs = self.named().into_iter().zip(before.named());
        let more = pairs.filter(|((_, now, more), (_, before, _))| *now > before + more);
        more.map(|((name, ..), _)| name).collect()
    }
}

impl Soaked {
    /// Whether every clone answered and nothing was left behind.
    pub(crate) fn is_clean(&self) -> bool {
        self.failures.is_empty() && self.after.more_than(self.before).is_empty()
    }

    /// A sentence and a table.
    pub(crate) fn text(&self) -> String {
        let bad = self.failures.len();
        let mut text = format!(
            "{} clones, {} at once: {bad} failed; {:.1} s, {:.2} s each\n\n| held by this process | before | after | may grow by |\n| --- | ---: | ---: | ---: |\n",
            self.clones,
            self.at_once,
            self.seconds,
            self.seconds / self.clones as f64,
        );
        for ((name, before, may), (_, after, _)) in
            self.before.named().into_iter().zip(self.after.named())
        {
            let _ = writeln!(text, "| {name} | {before} | {after} | {may} |");
        }
        let _ = writeln!(text, "\nmost memory in KiB: {}", self.most_memory_kib);
        for failure in self.failures.iter().take(TOLD) {
            let _ = writeln!(text, "failed: {failure}");
        }
        for name in self.after.more_than(self.before) {
            let _ = writeln!(text, "left behind: {name}");
        }
        text
    }

    /// `{format, clones, at_once, seconds, failures, held: {name: [before, after]}, most_memory_kib}`.
    pub(crate) fn json(&self) -> Value {
        let pairs = self.before.named().into_iter().zip(self.after.named());
        let held: serde_json::Map<String, Value> = pairs
            .map(|((name, before, _), (_, after, _))| (name.to_owned(), json!([before, after])))
            .collect();
        json!({
            "format": 1, "clones": self.clones, "at_once": self.at_once, "seconds": self.seconds,
            "failures": self.failures, "held": held, "most_memory_kib": self.most_memory_kib,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soaked(files: u64, failures: &[&str]) -> Soaked {
        let before = Held {
            files: 10,
            threads: 6,
            memory_kib: 20_000,
            ..Held::default()
        };
        Soaked {
            clones: 4,
            at_once: 2,
            seconds: 6.0,
            failures: failures.iter().map(|text| (*text).to_owned()).collect(),
            before,
            after: Held { files, ..before },
            most_memory_kib: 21_000,
        }
    }

    #[test]
    fn what_is_left_behind_is_named() {
        assert!(soaked(10, &[]).is_clean());
        assert!(!soaked(10, &["clone 3: no answer"]).is_clean());
        let leak = soaked(11, &["clone 3: no answer"]);
        assert!(!leak.is_clean());
        insta::assert_snapshot!(leak.text(), @r"
        4 clones, 2 at once: 1 failed; 6.0 s, 1.50 s each

        | held by this process | before | after | may grow by |
        | --- | ---: | ---: | ---: |
        | open files | 10 | 11 | 0 |
        | sockets among them | 0 | 0 | 0 |
        | locks | 0 | 0 | 0 |
        | processes | 0 | 0 | 0 |
        | scratch folders | 0 | 0 | 0 |
        | threads | 6 | 6 | 8 |
        | memory in KiB | 20000 | 20000 | 8192 |

        most memory in KiB: 21000
        failed: clone 3: no answer
        left behind: open files
        ");
        assert_eq!(leak.json()["held"]["open files"], json!([10, 11]));
    }

    #[test]
    fn this_process_is_looked_at() {
        let before = Held::now().unwrap();
        assert!(before.files > 0 && before.threads > 0 && before.memory_kib > 0);
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let held = tempfile::tempfile().unwrap();
        rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let scratch = Scratch::new().unwrap();
        let now = Held::now().unwrap();
        // Other tests of this process come and go, too, but not these.
        let more = now.more_than(before);
        for name in ["sockets among them", "locks", "scratch folders"] {
            assert!(more.contains(&name), "{name} of {before:?} and {now:?}");
        }
        drop((ours, scratch));
    }
}
