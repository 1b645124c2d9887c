//! Breaks fresh clones one way after the other, and has them explained: the hop that is named must be
//! the first one that was broken, and a sound host must be called sound.
//!
//! With `--test-threads=N` so many run at once, whatever else does. Pairs of faults that ci/test leaves out are ignored tests: `-- --ignored`. `SPAWNLAB_FAULTS_REPEAT=N`
//! does each N times; `SPAWNLAB_FAULTS_RECORD=DIR` keeps what was judged there, as JSON. Variables of the
//! lab are those of the test `vm`.

mod table;

use std::{
    num::NonZeroUsize,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use libtest_mimic::{Arguments, Failed, Trial};
use scenarios::suite::suite;
use spawnlab::{
    diagnose::{self, Endpoint},
    image::Cache,
    layer::saved::Layer,
    report::{
        drive::{Driver, drive},
        terminal::Terminal,
    },
    util::scratch::{self, Scratch},
    verdict::{event::Events, hop::Hop},
    vm::{
        host::Host,
        slots::{Bound, Slots},
        verbs::Verbs,
    },
};
use spawnlab_cli::{
    args::LabArgs,
    lab::{diagnosis, rerun::Rerun},
};
use table::{BEYOND, Fault, HELP, LISTED, NO_WAY_OUT, OTHERS, WAYS};
use tokio::{runtime::Runtime, sync::OnceCell};

/// Pairs that ci/test tries, later hop first; all others are ignored tests.
const PAIRS: [(&str, &str); 6] = [
    ("service-dead", "port-closed"),
    ("service-dead", "link-down"),
    ("name-stale", "dhcp-dropped"),
    ("port-closed", "no-route"),
    ("name-stale", "host-unit-failed"),
    ("link-down", "guest-dead"),
];

#[derive(Debug, Parser)]
struct Environment {
    #[command(flatten)]
    lab: LabArgs,
    #[arg(long, env = "SPAWNLAB_FAULTS_REPEAT", default_value = "1")]
    repeat: u32,
    #[arg(long, env = "SPAWNLAB_FAULTS_RECORD")]
    record: Option<Utf8PathBuf>,
    /// As of the test runner's own command line.
    #[arg(skip)]
    at_once: Option<usize>,
}

struct Bench {
    runtime: Runtime,
    environment: Environment,
    session: OnceCell<Result<Session, String>>,
}

struct Session {
    layer: Arc<Layer>,
    /// None where the caller said how many at once.
    slots: Option<Slots>,
    scratch: Scratch,
    /// Dropped before the thread that listens to it is joined.
    _events: Events,
    _driver: Mutex<Driver>,
}

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let bench = match Bench::new(args.test_threads) {
        Ok(bench) => Arc::new(bench),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut trials = vec![];
    let mut add = |name: String, setup: &'static str, faults: Vec<Fault>, ignored: bool| {
        let bench = bench.clone();
        let test = move || bench.test(setup, &faults);
        trials.push(Trial::test(name, test).with_ignored_flag(ignored));
    };
    add("sound".into(), "", vec![], false);
    add("sound-with-an-uplink".into(), BEYOND, vec![], false);
    for fault in LISTED {
        add(format!("listed::{}", fault.name), "", vec![fault], false);
    }
    for fault in OTHERS.into_iter().chain(NO_WAY_OUT) {
        add(format!("others::{}", fault.name), "", vec![fault], false);
    }
    for fault in WAYS {
        add(format!("ways::{}", fault.name), BEYOND, vec![fault], false);
    }
    for (index, first) in LISTED.iter().enumerate() {
        for later in &LISTED[index + 1..] {
            // The later hop first: behind a dead guest there is nothing to break any more.
            let name = format!("pairs::{}+{}", later.name, first.name);
            let often = PAIRS.contains(&(later.name, first.name));
            add(name, "", vec![*later, *first], !often);
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    conclusion.exit_code()
}

impl Bench {
    fn new(at_once: Option<usize>) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            runtime: Runtime::new()?,
            environment: Environment {
                at_once,
                ..Environment::try_parse_from(["faults"])?
            },
            session: OnceCell::new(),
        })
    }

    fn test(&self, setup: &str, faults: &[Fault]) -> Result<(), Failed> {
        self.runtime.block_on(async {
            let session = self
                .session
                .get_or_init(async || Session::open(&self.environment).await.map_err(text_of))
                .await
                .as_ref()?;
            for round in 1..=self.environment.repeat {
                let record = self.environment.record.as_deref();
                session
                    .round(setup, faults, record)
                    .await
                    .map_err(|why| format!("round {round}: {why}"))?;
            }
            Ok(())
        })
    }
}

impl Session {
    async fn open(environment: &Environment) -> Result<Self, Box<dyn std::error::Error>> {
        let config = environment
            .lab
            .config(&suite(), Rerun::new(&["spawnlab", "run"], &environment.lab))?;
        let (events, receiver) = Events::channel();
        let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
        let driver = drive(receiver, move |event| terminal.tell(event), None)?;
        scratch::sweep()?;
        let scratch = Scratch::new()?;
        let layer = diagnosis::deployed(config, scratch.path(), &events).await?;
        let processors = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Ok(Self {
            layer,
            slots: match environment.at_once {
                Some(_) => None,
                None => Some(Slots::open(
                    Cache::open()?.root(),
                    Bound::Machine { processors },
                )?),
            },
            scratch,
            _events: events,
            _driver: Mutex::new(driver),
        })
    }

    /// Sets up one clone, breaks it, and has it explained.
    async fn round(
        &self,
        setup: &str,
        faults: &[Fault],
        record: Option<&Utf8Path>,
    ) -> Result<(), String> {
        let _slot = match &self.slots {
            Some(slots) => Some(slots.take(NonZeroUsize::MIN).await.map_err(text_of)?),
            None => None,
        };
        let evidence = tempfile::tempdir_in(self.scratch.path()).map_err(text_of)?;
        let evidence = Utf8Path::from_path(evidence.path()).ok_or("a path is not UTF-8")?;
        let host = self.layer.host(evidence).await.map_err(text_of)?;
        run(&host, "the setup", setup).await?;
        for fault in faults {
            inject(&host, fault).await?;
        }
        let diagnosis = diagnose::diagnose(&host, &Endpoint::to("web"))
            .await
            .map_err(text_of)?;
        let named = diagnosis.broken().map(|step| step.hop);
        if let Some(dir) = record {
            let names: Vec<_> = faults.iter().map(|fault| fault.name).collect();
            let name = match (names.is_empty(), setup.is_empty()) {
                (true, true) => "sound".into(),
                (true, false) => "sound-with-an-uplink".into(),
                (false, _) => names.join("+"),
            };
            let text = serde_json::to_vec_pretty(&diagnosis.facts).map_err(text_of)?;
            fs_err::write(dir.join(name + ".json"), text).map_err(text_of)?;
        }
        host.shut_down().await.map_err(text_of)?;
        let expected = faults.iter().map(|fault| fault.hop).min();
        let lines = diagnosis.explanation();
        let first = expected.map_or("web is sound".to_owned(), |hop: Hop| {
            format!("web is broken at the hop {hop}: ")
        });
        if named == expected && lines[0].starts_with(&first) && lines.len() <= 10 {
            return Ok(());
        }
        Err(format!(
            "expected {expected:?}, and was told:\n{}\n{:#?}",
            lines.join("\n"),
            diagnosis.steps
        ))
    }
}

/// How long a change of the host may take, with KVM.
const LIMIT: Duration = Duration::from_secs(30);

async fn run(host: &Host, what: &str, script: &str) -> Result<(), String> {
    let script = format!("{HELP}\nset -e\n{script}");
    let output = host
        .execute_with(&script, b"", LIMIT)
        .await
        .map_err(text_of)?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what} failed: {output:?}"))
}

async fn inject(host: &Host, fault: &Fault) -> Result<(), String> {
    run(host, fault.name, fault.inject).await?;
    let until = format!("{HELP}\n{}", fault.until);
    let reached = host.wait_until_succeeds(&until, LIMIT).await;
    reached
        .map(drop)
        .map_err(|error| format!("{} never came: {error}", fault.name))
}

fn text_of<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}
