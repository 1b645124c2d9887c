//! From the host to a guest that is up.

use super::{Found, Seen, broken, ok, unknown};
use crate::{
    diagnose::{Condition, facts::GIVEN_UP},
    verdict::hop::Hop,
};

pub(super) fn host(seen: &Seen) -> Found {
    match seen.facts.said("host") {
        Some(kernel) => ok(format!("it answers, kernel {kernel}")),
        None => broken("the host told nothing"),
    }
}

pub(super) fn declaration(seen: &Seen) -> Found {
    let (unit, name) = (&seen.unit, seen.container());
    let drop_ins = seen.facts.field("unit", "DropInPaths");
    let has = |fact| seen.facts.said(fact).is_some();
    if seen.facts.field("unit", "LoadState") == "masked" {
        broken(format!("{unit} is masked"))
    } else if !drop_ins.is_empty() {
        ok(drop_ins)
    } else if has("nspawn") {
        ok(format!("{name}.nspawn"))
    } else if has("root") || has("machine") {
        ok("nothing is declared beyond the defaults")
    } else {
        let others = seen.facts.said("roots").unwrap_or("none");
        let others = others.split_whitespace().collect::<Vec<_>>().join(", ");
        broken(format!("no container {name} is declared on this host")).with([
            format!("{unit} has no drop-in, {name} no .nspawn file, and there is no /var/lib/machines/{name}"),
            format!("in /var/lib/machines: {others}"),
        ])
    }
}

pub(super) fn profile(seen: &Seen) -> Found {
    let profile = format!(
        "/nix/var/nix/profiles/per-container/{}/system",
        seen.container()
    );
    let nspawn = seen.facts.said("nspawn").unwrap_or_default();
    if seen.facts.said("profile").is_some() {
        ok(profile)
    } else if nspawn.contains("/nix/var/nix/profiles") {
        broken(format!(
            "{profile} has no init: nothing was deployed into it"
        ))
    } else {
        unknown("it does not boot from a Nix profile")
    }
}

pub(super) fn unit(seen: &Seen) -> Found {
    let unit = &seen.unit;
    let other = seen.facts.field("machine", "Unit");
    match seen.facts.field("unit", "ActiveState") {
        "active" | "reloading" | "refreshing" => ok("active"),
        _ if !other.is_empty() && other != unit => ok(format!("it runs in {other}")),
        "" => broken(format!("systemd does not tell the state of {unit}"))
            .with(seen.facts.fact("unit").map(|fact| fact.said.clone())),
        _ => broken(format!("{unit} is {}", seen.state("unit")))
            .with(seen.journal("unit-journal", "journal")),
    }
}

pub(super) fn machine(seen: &Seen) -> Found {
    let name = seen.container();
    let leader = seen.facts.field("machine", "Leader");
    match seen.facts.fact("machine") {
        Some(fact) if fact.status == 0 => ok(format!("registered, its PID 1 is {leader} here")),
        Some(fact) if fact.status == GIVEN_UP => broken("systemd-machined does not answer"),
        Some(fact) => {
            let still = seen.condition(Hop::Unit) == Condition::Ok;
            let still = still.then(|| format!("{} is active all the same", seen.unit));
            broken(format!("systemd-machined does not know {name}"))
                .with(still)
                .with([format!("machinectl: {}", fact.said)])
        }
        None => unknown("not asked"),
    }
}

pub(super) fn guest(seen: &Seen) -> Found {
    let Some(leader) = seen.facts.said("leader") else {
        return unknown("there is no guest to ask");
    };
    let pid = seen.facts.field("machine", "Leader");
    if seen.facts.field("unit", "FreezerState").starts_with("froz") {
        return broken("the guest is frozen").with([format!(
            "{} is frozen; `systemctl thaw` lets it go on",
            seen.unit
        )]);
    }
    if leader.starts_with(['T', 't', 'Z', 'X']) {
        return broken(format!(
            "the guest's PID 1 ({pid} on the host) is in state {leader}"
        ));
    }
    if seen.answers {
        let state = seen.facts.fact("guest-state");
        let state = state.map_or("", |fact| fact.said.trim());
        let failed = seen.facts.said("guest-failed").unwrap_or_default();
        let failed = failed
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let failed: Vec<&str> = failed.collect();
        return match state {
            "running" | "degraded" | "starting" | "initializing" => ok(if failed.is_empty() {
                state.to_owned()
            } else {
                format!("{state}, failed: {}", failed.join(", "))
            }),
            "" => ok("it answers"),
            other => broken(format!("the guest's systemd says: {other}")),
        };
    }
    if seen.condition(Hop::Machine) == Condition::Broken {
        return unknown("only systemd-machined knows the way to its bus");
    }
    match seen.facts.fact("guest") {
        Some(fact) if fact.status == GIVEN_UP => {
            broken("the guest does not answer, though its PID 1 is there").with([format!(
                "its PID 1 ({pid} on the host) is in state {leader}"
            )])
        }
        Some(fact) => broken("the guest can't be asked: its bus does not answer").with(
            fact.said
                .lines()
                .map(|line| format!("systemd-run -M: {line}")),
        ),
        None => unknown("not asked"),
    }
}
