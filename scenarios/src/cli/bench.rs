//! `spawnlab bench`.

use std::sync::Arc;

use spawnlab::{
    Error, Result,
    layer::saved::Layer,
    report::{drive::drive, terminal::Terminal},
    run::stage::Stage,
    scenario::Base,
    util::scratch::{self, Scratch},
    verdict::event::Events,
};

use super::{
    again::Again,
    args::{Accel, BenchArgs},
    exit::Exit,
    print, signals,
    trouble::Trouble,
};
use crate::{
    bench::{
        measure::Bench,
        soak::{self, Soaked},
        stats::Samples,
        suite, table,
    },
    engine::{self, Options},
};

/// Measures and shows.
pub(super) async fn bench(args: &BenchArgs) -> Result<Exit, Trouble> {
    let options = args
        .lab
        .options(Again::new(&["spawnlab", "run"], &args.lab))?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let driver = drive(receiver, move |event| terminal.tell(event), None)
        .map_err(|error| Trouble::infrastructure("reporters", error))?;
    let interrupt = signals::listen().map_err(|error| Trouble::infrastructure("signals", error))?;
    // An interruption drops what measures, and with it every process that it started.
    let measured = tokio::select! {
        biased;
        () = interrupt.raised() => None,
        measured = Box::pin(measured(args, &options, &events)) => Some(measured),
    };
    drop(events);
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    let Some(measured) = measured else {
        return Ok(Exit::Interrupted);
    };
    let measured = measured.map_err(|error| Trouble::infrastructure("bench", error))?;
    print::stdout(&measured.text)?;
    if let Some(file) = &args.json {
        let text = format!("{:#}\n", measured.json);
        fs_err::write(file, text).map_err(|error| {
            Trouble::infrastructure("json", error)
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

async fn measured(args: &BenchArgs, options: &Options, events: &Events) -> Result<Measured> {
    if let Some(clones) = args.soak {
        let soaked = soaked(clones.get(), args.at_once.get(), options, events).await?;
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
    let (machine, samples) = measure(args, options, events).await?;
    Ok(Measured {
        text: table::table(&machine, &samples),
        json: table::json(&machine, &samples),
        exit: Exit::AsExpected,
    })
}

async fn soaked(
    clones: usize,
    at_once: usize,
    options: &Options,
    events: &Events,
) -> Result<Soaked> {
    scratch::sweep()?;
    let evidence = Scratch::new()?;
    let options = engine::stage_options(options)?;
    let needed = [Base::Deployed];
    let stage = Stage::prepare(&options, &needed, events, evidence.path());
    let stage = Box::pin(stage).await?;
    let layer = layer(&stage, Base::Deployed)?;
    soak::soak(layer, clones, at_once, events).await
}

fn layer(stage: &Stage, base: Base) -> Result<&Arc<Layer>> {
    stage.layer(base).map_err(|verdict| Error::Layer {
        name: base.name().into(),
        why: format!("it could not be made: {verdict:?}; `spawnlab run` explains it"),
    })
}

async fn measure(
    args: &BenchArgs,
    options: &Options,
    events: &Events,
) -> Result<(table::Machine, Samples)> {
    scratch::sweep()?;
    let cache = engine::cache()?;
    // On the disk that layers are on.
    let disk = cache.root().join("scratch");
    scratch::sweep_under(&disk)?;
    let evidence = Scratch::new()?;
    let stage_options = engine::stage_options(options)?;
    let needed = [Base::Host, Base::Deployed];
    let stage = Box::pin(Stage::prepare(
        &stage_options,
        &needed,
        events,
        evidence.path(),
    ))
    .await?;
    let mut bench = Bench {
        disk: &disk,
        host: layer(&stage, Base::Host)?,
        deployed: layer(&stage, Base::Deployed)?,
        samples: Samples::new(),
    };
    let wanted = |names: &[&str]| {
        args.only.is_empty() || args.only.iter().any(|only| names.contains(&only.as_str()))
    };
    let times = args.repeat.get();
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
    }
    let mut samples = bench.samples;
    samples.retain(|name, _| args.only.is_empty() || args.only.contains(name));
    if args.suite {
        let dir = Scratch::under(&disk)?;
        let dir = dir.path();
        let image = engine::image_folder(options, events).await?;
        let words = words(args, options, image.as_str());
        for name in ["suite-cold", "suite-warm"] {
            events.progress("bench", format!("{name}, once"));
            let took = suite::run(dir, dir, &words).await?;
            samples.insert(name.into(), vec![took]);
        }
    }
    let environment = stage.environment();
    let qemu = environment
        .versions
        .get("qemu")
        .cloned()
        .unwrap_or_default();
    Ok((table::machine(&environment.accelerator, &qemu), samples))
}

/// The options of this command for `spawnlab run`, on the image that is there already.
fn words(args: &BenchArgs, options: &Options, image: &str) -> Vec<String> {
    let accel = match args.lab.accel {
        Accel::Auto => "auto",
        Accel::Kvm => "kvm",
        Accel::Tcg => "tcg",
    };
    let mut words = vec![
        "--image".to_owned(),
        image.to_owned(),
        "--accel".into(),
        accel.into(),
    ];
    if let Some(tool) = &options.tool {
        words.extend(["--tool".into(), tool.to_string()]);
    }
    let promises: Vec<_> = options
        .promises
        .iter()
        .map(|promise| promise.name())
        .collect();
    let promises = if promises.is_empty() {
        "none".into()
    } else {
        promises.join(",")
    };
    words.extend(["--promises".into(), promises]);
    words
}
