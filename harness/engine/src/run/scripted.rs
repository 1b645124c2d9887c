//! Scenarios on clones that a script plays, for tests.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};

use super::{
    attempt::{Attempt, PHASES, Phase},
    variable::{Setting, Variable},
};
pub(super) use crate::layer::scripted::recipe;
use crate::{
    diagnose::Facts,
    image::Manifest,
    layer::{kept, saved::Layer, scripted::ScriptedCache},
    scenario::{Body, Saboteur, Scenario, capability::is_nixos, script},
    util::{
        error::{Error, Timeout},
        poll::BoxFuture,
    },
    verdict::{Failure, Outcome, ScenarioError, Verdict, finding::HOST},
    vm::{host::Host, qemu::scripted::Reply},
};

/// A layer to take clones of, and where the evidence of the last one is.
#[derive(Debug)]
pub(super) struct ScriptedLab {
    pub(super) cache: ScriptedCache,
    pub(super) layer: Arc<Layer>,
    pub(super) evidence: Utf8PathBuf,
}

impl ScriptedLab {
    /// One whose hosts do all that they are asked for, and log nothing.
    pub(super) async fn new() -> Self {
        let cache = ScriptedCache::new();
        let layer = cache.stack().booted().await.expect("a layer");
        let evidence = cache.evidence();
        Self {
            cache,
            layer,
            evidence,
        }
    }

    pub(super) fn reply(&self, part: &'static str, reply: Reply) {
        self.cache.script.reply(part, reply);
    }

    /// From here on the host's journal says that `unit` failed.
    pub(super) fn fails(&self, unit: &str) {
        let record = format!(
            "1941b56eaa3240edbdf3684bc88825be host\n\
             {{\"__REALTIME_TIMESTAMP\":\"1773050401250000\",\"_MACHINE_ID\":\"1941b56eaa3240edbdf3684bc88825be\",\
             \"SYSLOG_IDENTIFIER\":\"systemd\",\"_PID\":\"1\",\"UNIT\":\"{unit}\",\
             \"MESSAGE_ID\":\"d9b373ed55a64feb8242e02dbe79a49c\",\"MESSAGE\":\"{unit}: Failed.\"}}\n"
        );
        self.reply("exec journalctl", Reply::Ends(0, record));
    }

    /// From here on a diagnosis finds the host that was recorded as `name`.
    pub(super) fn is_like(&self, name: &str) {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/diagnose/recorded");
        let text = fs_err::read(format!("{folder}/{name}.json")).expect("a recorded host");
        let facts: Facts = serde_json::from_slice(&text).expect("facts");
        let print = |(name, fact): (&String, &crate::diagnose::Fact)| {
            format!("\u{1e}{name}\n{}\n\u{1e}{}\n", fact.said, fact.status)
        };
        let printed = facts.facts.iter().map(print).collect();
        self.reply("exec timeout", Reply::Ends(0, printed));
    }

    /// An attempt at `scenario` as a run makes it.
    pub(super) fn attempt(&self, scenario: &'static Scenario) -> Attempt<'_> {
        let layers = vec![&self.layer; scenario.machines.len()];
        Attempt::of(scenario, layers, NonZeroU32::MIN)
    }

    /// How many VMs run.
    pub(super) fn running(&self) -> usize {
        self.cache.script.count("qmp:start") - self.cache.script.count("qmp:quit")
    }

    /// How many hosts are kept.
    pub(super) fn kept(&self) -> usize {
        kept::list(&self.cache.dir()).expect("readable").len()
    }

    /// The phases of the attempt whose evidence is in `dir`.
    pub(super) fn phases(dir: &Utf8Path) -> Vec<String> {
        let text = fs_err::read(dir.join(PHASES)).expect("the phases are kept");
        let phases: Vec<Phase> = serde_json::from_slice(&text).expect("phases");
        phases.into_iter().map(|phase| phase.phase).collect()
    }
}

/// A way for a scenario's body to end.
pub(super) type Ends = fn() -> Outcome;

pub(super) fn passes() -> Outcome {
    Ok(())
}

pub(super) fn fails() -> Outcome {
    Err(failure("the page is served").into())
}

pub(super) fn waits_in_vain() -> Outcome {
    Err(ScenarioError::TimedOut(Timeout {
        what: "the lease".into(),
        waited: Duration::from_secs(7),
        last: "none".into(),
    }))
}

pub(super) fn is_skipped() -> Outcome {
    Err(ScenarioError::Skipped("this host has no resolver".into()))
}

pub(super) fn lab_fails() -> Outcome {
    Err(Error::Monitor("no answer".into()).into())
}

pub(super) fn failure(assertion: &str) -> Failure {
    Failure {
        assertion: assertion.into(),
        expected: "200".into(),
        seen: "500".into(),
        hop: None,
        lines: vec![],
    }
}

/// What `verdict` says, all of it: for looking whether it says something.
pub(super) fn words(verdict: &Verdict) -> String {
    serde_json::to_string(verdict).expect("JSON")
}

/// `tests::NAME` with `body`, and 30 s for it.
pub(super) fn scenario(name: &'static str, body: Body) -> Scenario {
    Scenario {
        claim: "it is so",
        limit: Duration::from_secs(30),
        body,
        ..Scenario::idle("tests", name)
    }
}

/// A body that ends like `ends`.
pub(super) fn body(ends: Ends) -> Body {
    Body::leaked(move |_| Box::pin(async move { ends() }))
}

/// Scenarios live as long as the process.
pub(super) fn kept_for_ever(scenario: Scenario) -> &'static Scenario {
    Box::leak(Box::new(scenario))
}

/// Stops the web server, so that the page is not served.
pub(super) const SABOTEUR: Saboteur = Saboteur {
    name: "web_stopped",
    on: HOST,
    changes: &[script("systemctl stop web")],
    fails: "the page is served",
    spares: "tests::neighbour",
};

/// The variable `firewall`, which hosts that NixOS' modules make do not take.
#[derive(Debug)]
pub(super) struct ScriptedRules;

impl Variable for ScriptedRules {
    fn name(&self) -> &'static str {
        "firewall"
    }

    fn help(&self) -> &'static str {
        "  firewall=strict   drops everything"
    }

    fn unfit(&self, manifest: &Manifest) -> Option<String> {
        is_nixos(manifest).then(|| "its modules make the rules".into())
    }

    fn read(&self, value: &str) -> Result<Option<Arc<dyn Setting>>, String> {
        Err(format!("no {value}"))
    }
}

/// A setting that ends like this where it is applied.
#[derive(Debug)]
pub(super) struct Strict(pub(super) Ends);

impl Setting for Strict {
    fn variable(&self) -> &'static str {
        "firewall"
    }

    fn text(&self) -> String {
        "strict".into()
    }

    fn name(&self) -> String {
        "strict".into()
    }

    fn content(&self) -> String {
        "drop everything".into()
    }

    fn apply(self: Arc<Self>, _: Arc<Host>) -> BoxFuture<Outcome> {
        Box::pin(async move { (self.0)() })
    }

    fn ready_assertion(&self) -> &'static str {
        "the containers settle under the rules"
    }

    fn refused(self: Arc<Self>, _: Arc<Host>) -> BoxFuture<Result<u64, Error>> {
        Box::pin(async { Ok(0) })
    }
}
