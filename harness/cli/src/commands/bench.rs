//! `spawnlab bench`.

use spawnlab::{
    Result,
    report::{drive::drive, terminal::Terminal},
    run::{
        config::RunConfig,
        session::{Session, Start, cache},
        suite::Suite,
    },
    scenario::Base,
    util::scratch::Scratch,
    verdict::event::Events,
};

use crate::bench::{
    lab,
    measure::Bench,
    network,
    soak::{self, Soaked},
    stats::Samples,
    suite, table,
};
use crate::{
    args::{AccelArg, BenchArgs, Promises},
    lab::rerun::Rerun,
    output::{error::CliError, exit::Exit, print, signals},
};

/// Measures and shows.
pub(crate) async fn bench(args: &BenchArgs, suite: &Suite) -> Result<Exit, CliError> {
    let config = args
        .lab
        .config(suite, Rerun::new(&["spawnlab", "run"], &args.lab))?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let driver = drive(receiver, move |event| terminal.tell(event), None)
        .map_err(|error| CliError::infrastructure("reporters", error))?;
    let interrupt =
        signals::listen().map_err(|error| CliError::infrastructure("signals", error))?;
    // An interruption drops what measures, and with it every process that it started.
    let measured = tokio::select! {
        biased;
        () = interrupt.raised() => None,
        measured = Box::pin(measured(args, &config, &events)) => Some(measured),
    };
    drop(events);
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    let Some(measured) = measured else {
        return Ok(Exit::Interrupted);
    };
    let measured = measured.map_err(|error| CliError::infrastructure("bench", error))?;
    print::stdout(&measured.text)?;
    if let Some(file) = &args.json {
        let text = format!("{:#}\n", measured.json);
        fs_err::write(file, text).map_err(|error| {
            CliError::infrastructure("json", error)
                .hint("--json takes a file in a folder that exists")
        })?;
    }
    Ok(measured.exit)
}

/// What there is to show.
struct Measured {
    text: String,
    json: serde_json::Value,
    exit: Exit,
}

async fn measured(args: &BenchArgs, config: &RunConfig, events: &Events) -> Result<Measured> {
    if let Some(clones) = args.soak {
        let soaked = soaked(clones.get(), args.at_once.get(), config, events).await?;
        let exit = match soaked.is_clean() {
            true => Exit::AsExpected,
            false => Exit::Failed,
        };
        return Ok(Measured {
            text: soaked.text(),
            json: soaked.json(),
            exit,
        });
    }
    let (machine, samples) = measure(args, config, events).await?;
    Ok(Measured {
        text: table::table(&machine, &samples),
        json: table::json(&machine, &samples),
        exit: Exit::AsExpected,
    })
}

async fn soaked(
    clones: usize,
    at_once: usize,
    config: &RunConfig,
    events: &Events,
) -> Result<Soaked> {
    let evidence = Scratch::new()?;
    let needed = [Base::Deployed];
    let session = Session::open(config.clone(), &needed, evidence.path(), events).await?;
    let layer = session.start(Start::Deployed)?;
    soak::soak(layer, clones, at_once, events).await
}

async fn measure(
    args: &BenchArgs,
    config: &RunConfig,
    events: &Events,
) -> Result<(table::Machine, Samples)> {
    let wanted = |names: &[&str]| {
        args.only.is_empty() || args.only.iter().any(|only| names.contains(&only.as_str()))
    };
    let times = args.repeat.get();
    let mut samples = Samples::new();
    if wanted(&network::NAMES) {
        for time in 1..=times {
            events.progress("bench", format!("switch, {time} of {times}"));
            Box::pin(network::measure(&mut samples)).await?;
        }
    }
    let of_switch = |only: &String| network::NAMES.contains(&only.as_str());
    if !args.only.is_empty() && args.only.iter().all(of_switch) && !args.suite {
        samples.retain(|name, _| args.only.contains(name));
        return Ok((table::machine("none", "none"), samples));
    }
    // On the disk that layers are on.
    let disk = cache()?.root().join("scratch");
    let evidence = Scratch::new()?;
    let needed = [Base::Host, Base::Deployed];
    let session = Session::open(config.clone(), &needed, evidence.path(), events).await?;
    let mut bench = Bench {
        disk: &disk,
        host: session.start(Start::Host)?,
        deployed: session.start(Start::Deployed)?,
        samples,
    };
    for time in 1..=times {
        let say = |what: &str| events.progress("bench", format!("{what}, {time} of {times}"));
        if wanted(&["boot-agent", "boot-running", "layer-quiet", "layer-save"]) {
            say("cold boot");
            Box::pin(bench.cold()).await?;
        }
        if wanted(&[
            "bare-start",
            "clone",
            "clone-beyond",
            "command-host",
            "command-container",
            "memory",
        ]) {
            say("clone");
            Box::pin(bench.clone()).await?;
        }
        if wanted(&["deploy-first", "deploy-again"]) {
            say("deploy");
            Box::pin(bench.deploy()).await?;
        }
        if wanted(&lab::NAMES) {
            say("lab");
            Box::pin(lab::measure(bench.deployed, &disk, &mut bench.samples)).await?;
        }
    }
    let mut samples = bench.samples;
    samples.retain(|name, _| args.only.is_empty() || args.only.contains(name));
    if args.suite {
        let dir = Scratch::below(&disk)?;
        let dir = dir.path();
        let words = words(args, config, session.image().as_str());
        for name in ["suite-cold", "suite-warm"] {
            events.progress("bench", format!("{name}, once"));
            let took = suite::run(dir, dir, &words).await?;
            samples.insert(name.into(), vec![took]);
        }
    }
    let environment = session.environment();
    let qemu = environment
        .versions
        .get("qemu")
        .cloned()
        .unwrap_or_default();
    Ok((table::machine(&environment.accelerator, &qemu), samples))
}

/// The options of this command for `spawnlab run`, on the image that is there already.
fn words(args: &BenchArgs, config: &RunConfig, image: &str) -> Vec<String> {
    let accel = args.lab.accel.and_then(AccelArg::unusual).unwrap_or("auto");
    let mut words = vec![
        "--image".to_owned(),
        image.to_owned(),
        "--accel".into(),
        accel.into(),
    ];
    if let Some(tool) = &config.target.tool {
        words.extend(["--tool".into(), tool.to_string()]);
    }
    let promises = Promises(config.target.promises.clone()).listed();
    words.extend(["--promises".into(), promises]);
    words
}
