//! The whole suite, cold and warm, as processes of its own.

use std::time::{Duration, Instant};

use camino::Utf8Path;
use spawnlab::{
    Error, Result,
    vm::qemu::process::{Process, ProcessSpec},
};

/// Far more than any machine needs: a suite that hangs ends the benchmark.
const LIMIT: Duration = Duration::from_secs(2 * 3600);

/// Runs `spawnlab run` with the layers below `cache` and `words` behind it, and returns the milliseconds that it took.
pub(crate) async fn run(cache: &Utf8Path, dir: &Utf8Path, words: &[String]) -> Result<f64> {
    let mut args = vec![
        format!("SPAWNLAB_CACHE={cache}"),
        std::env::current_exe()?.to_string_lossy().into_owned(),
        "run".to_owned(),
        "--report".to_owned(),
        dir.join("report").to_string(),
    ];
    args.extend_from_slice(words);
    let begin = Instant::now();
    let process = Process::start(ProcessSpec {
        program: "env".into(),
        args,
        stdin: None,
        log: dir.join("suite.log"),
    })?;
    let status = tokio::time::timeout(LIMIT, process.wait())
        .await
        .map_err(|_| {
            Error::Machine(format!(
                "the suite did not end within {} s",
                LIMIT.as_secs()
            ))
        })??;
    if status.success() {
        return Ok(begin.elapsed().as_secs_f64() * 1000.0);
    }
    let said = fs_err::read_to_string(process.log()).unwrap_or_default();
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = lines[lines.len().saturating_sub(10)..].join("\n");
    Err(Error::Machine(format!(
        "the suite ended with {status}; `spawnlab run` shows why; it said last: {last}"
    )))
}
