//! `spawnlab explain`.

use camino::Utf8PathBuf;
use clap::Args;
use serde_json::json;
use spawnlab::{
    diagnose::{self, Diagnosis, Endpoint},
    report::{drive::drive, terminal::Terminal},
    run::suite::Suite,
    verdict::event::Events,
};

use crate::{
    args::{LabArgs, LayerName},
    lab::{
        diagnosis::{self, HostSource},
        kept, report_dir,
        rerun::Rerun,
    },
    output::{error::CliError, exit::Exit, print},
};

/// What the help says below the options.
pub(crate) const AFTER: &str = "\
The hops, first to last: host, declaration, profile, unit, machine, guest, link, firewall, lease, route, name,
port, service. A guest without a lease is made to ask for one, and its request is counted by a table of the
firewall that is removed again. A guest needs no service, unless --port or --service is given.

Exit codes:
  0    sound: no hop is broken, though some may be beyond telling
  1    a hop is broken
  2    the command line is wrong
  3    the lab itself failed
  130  interrupted";

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The container's name
    pub container: String,
    /// On a fresh clone of this layer
    #[arg(long, value_enum, default_value = "deployed")]
    pub layer: LayerName,
    /// On the host of a scenario that failed, as `run --keep` kept it
    ///
    /// EVIDENCE is what `resume` takes: RUN/AREA::NAME, or the scenario's evidence folder; with /MACHINE behind it that machine of
    /// its lab is meant, and else the container host.
    #[arg(long, value_name = "EVIDENCE", conflicts_with = "layer")]
    pub kept: Option<Utf8PathBuf>,
    /// On this very machine, which needs root
    #[arg(long, conflicts_with_all = ["layer", "kept"])]
    pub here: bool,
    /// The port that has to answer HTTP [default: 80]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,
    /// The unit in the guest that has to answer [default: nginx.service]
    #[arg(long, value_name = "UNIT")]
    pub service: Option<String>,
    /// Print an object with every hop and what it was judged by
    #[arg(long)]
    pub json: bool,
    /// On what.
    #[command(flatten)]
    pub lab: LabArgs,
}

/// Diagnoses, and tells.
pub(crate) async fn explain(args: &ExplainArgs, suite: &Suite) -> Result<Exit, CliError> {
    let endpoint = endpoint(args)?;
    let diagnosis = Box::pin(diagnosed(args, suite, &endpoint)).await?;
    print::stdout(&if args.json {
        format!("{:#}\n", object(&diagnosis))
    } else {
        diagnosis.explanation().join("\n") + "\n"
    })?;
    Ok(match diagnosis.broken() {
        None => Exit::AsExpected,
        Some(_) => Exit::Failed,
    })
}

fn endpoint(args: &ExplainArgs) -> Result<Endpoint, CliError> {
    let name = &args.container;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // As systemd has it for machines.
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) || name.starts_with(['-', '.'])
    {
        let why = format!("{name:?} can't be the name of a container");
        return Err(CliError::usage("container", why)
            .hint("names have at most 64 letters, digits, and -_. between them"));
    }
    let mut endpoint = Endpoint::to(name);
    endpoint.demanded = args.port.is_some() || args.service.is_some();
    if let Some(port) = args.port {
        endpoint.port = port;
    }
    if let Some(service) = &args.service {
        service.clone_into(&mut endpoint.service);
        if !service.contains('.') {
            endpoint.service.push_str(".service");
        }
    }
    Ok(endpoint)
}

async fn diagnosed(
    args: &ExplainArgs,
    suite: &Suite,
    endpoint: &Endpoint,
) -> Result<Diagnosis, CliError> {
    let cli_error = |error| CliError::of("explain", error);
    if args.here {
        if !rustix::process::geteuid().is_root() {
            let why = "the namespaces of a container are seen by root alone";
            return Err(CliError::usage("--here", why).hint("run it with sudo"));
        }
        return diagnose::diagnose_here(endpoint).await.map_err(cli_error);
    }
    let source = match &args.kept {
        Some(wanted) => {
            let (evidence, machine) = kept::meant(wanted, &report_dir::runs())
                .map_err(|why| CliError::usage("--kept", why).hint(kept::HINT))?;
            HostSource::Kept(evidence, machine)
        }
        None => HostSource::Layer(args.layer.into()),
    };
    let config = args
        .lab
        .config(suite, Rerun::new(&["spawnlab", "run"], &args.lab))?;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let driver = drive(receiver, move |event| terminal.tell(event), None)
        .map_err(|error| CliError::infrastructure("reporters", error))?;
    let found = diagnosis::diagnose(config, source, endpoint, &events).await;
    drop(events);
    let _ = tokio::task::spawn_blocking(|| driver.finish()).await;
    found.map_err(cli_error)
}

fn object(diagnosis: &Diagnosis) -> serde_json::Value {
    json!({
        "container": diagnosis.facts.endpoint.container,
        "sound": diagnosis.broken().is_none(),
        "broken": diagnosis.broken().map(|step| step.hop),
        "steps": diagnosis.steps,
        "explanation": diagnosis.explanation(),
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: ExplainArgs,
    }

    fn read(words: &[&str]) -> Result<Endpoint, CliError> {
        let words = [&["explain"], words].concat();
        endpoint(&Line::try_parse_from(words).expect("a command line").args)
    }

    #[test]
    fn a_service_is_demanded_only_if_it_is_named() {
        assert_eq!(read(&["web"]), Ok(Endpoint::to("web")));
        let endpoint = read(&["web", "--service", "caddy", "--port", "8080"]).expect("a way");
        assert_eq!(
            (endpoint.service.as_str(), endpoint.port),
            ("caddy.service", 8080)
        );
        assert!(endpoint.demanded);
    }

    #[rstest::rstest]
    #[case("")]
    #[case("../web")]
    #[case("web;reboot")]
    #[case(".web")]
    fn what_is_no_name_is_refused(#[case] name: &str) {
        assert!(read(&[name]).is_err_and(|why| why.to_string().contains("can't be the name")));
    }
}
