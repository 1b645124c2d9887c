//! A scenario as data: one claim, the layer it starts from, and the saboteurs that must turn it red.

use std::{fmt, num::NonZeroU32, pin::Pin, time::Duration};

use crate::{
    scenario::{Change, lab::Lab},
    verdict::{
        Outcome,
        finding::{Expected, HOST},
    },
};

/// What a scenario finds when it starts. Each has a clone of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Base {
    /// A host with its containers declared, and none deployed.
    Host,
    /// The same with `web` and `a-container-with-a-long-name` deployed and settled.
    Deployed,
}

impl Base {
    /// A lab of one machine that starts from it.
    #[must_use]
    pub const fn alone(self) -> &'static [MachineBase] {
        const fn host(base: Base) -> MachineBase {
            MachineBase { name: HOST, base }
        }
        match self {
            Self::Host => const { &[host(Base::Host)] },
            Self::Deployed => const { &[host(Base::Deployed)] },
        }
    }

    /// The layer's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Deployed => "deployed",
        }
    }
}

/// A machine of a lab, and what it is when the scenario starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MachineBase {
    /// Its name.
    pub name: &'static str,
    /// The layer that it is a clone of.
    pub base: Base,
}

/// What only some deploy tools promise. A scenario that needs one is skipped for the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Guarantee {
    /// After a failed activation the profile and the running generation are the old ones again.
    RestoresAfterFailure,
    /// A container that the host does not declare is refused before anything is copied.
    RefusesUndeclared,
    /// Deploying what is deployed already changes nothing and reloads nothing.
    Idempotent,
    /// The closure that runs in the guest is compared with the one that was deployed.
    ChecksTheGuest,
    /// Rolls back to the previous generation on demand (`--rollback`).
    RollsBack,
    /// Deploys to hosts whose Nix is older than 2.13, and does not know `DRV^*`. All scenarios need it on such hosts.
    OldNix,
    /// A host that says nothing ends the deploy after a limit that can be given (`--connect-timeout`), and does not
    /// switch to what it has built for such a deploy.
    GivesUpOnSilence,
    /// A power cut of the host at any instant leaves the old generation or the new one, whole, and what was said to have
    /// succeeded is there.
    SurvivesPowerCuts,
    /// A deploy of a container is refused while another one of it is under way, and told whose that is.
    OneAtATime,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RestoresAfterFailure,
        Self::RefusesUndeclared,
        Self::Idempotent,
        Self::ChecksTheGuest,
        Self::RollsBack,
        Self::OldNix,
        Self::GivesUpOnSilence,
        Self::SurvivesPowerCuts,
        Self::OneAtATime,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RestoresAfterFailure => "restores-after-failure",
            Self::RefusesUndeclared => "refuses-undeclared",
            Self::Idempotent => "idempotent",
            Self::ChecksTheGuest => "checks-the-guest",
            Self::RollsBack => "rolls-back",
            Self::OldNix => "old-nix",
            Self::GivesUpOnSilence => "gives-up-on-silence",
            Self::SurvivesPowerCuts => "survives-power-cuts",
            Self::OneAtATime => "one-at-a-time",
        }
    }

    /// Reads names with commas between, `all` or `none`.
    ///
    /// # Errors
    /// A message for the user: which name is unknown, and which are known.
    pub fn read(text: &str) -> Result<Vec<Self>, String> {
        match text {
            "all" => return Ok(Self::ALL.to_vec()),
            "none" => return Ok(vec![]),
            _ => {}
        }
        let one = |name: &str| {
            let found = Self::ALL.into_iter().find(|known| known.name() == name);
            found.ok_or_else(|| {
                let known: Vec<_> = Self::ALL.iter().map(|known| known.name()).collect();
                format!("{name:?} is none of {}, all, none", known.join(", "))
            })
        };
        text.split(',').map(|name| one(name.trim())).collect()
    }
}

/// What only some hosts have. A scenario that is about it is skipped on all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feature {
    /// NixOS' modules have made the host's files, and its image keeps what evaluating them gave.
    NixosModules,
    /// systemd-resolved asks systemd-machined for the names of containers.
    ResolveHook,
    /// firewalld makes the host's rules. No image says so of itself: the scenario looks.
    Firewalld,
}

/// What the lab knows of what a scenario's host writes to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DiskLog {
    /// Nothing: it costs nothing.
    Unlogged,
    /// Each write and each flush, in their order: the host's power can be cut.
    Logged,
}

/// A named change to the host that must make its scenario fail, at a named assertion.
#[derive(Debug, Clone, Copy)]
pub struct Saboteur {
    /// Its name: `spawnlab prove` shows `area::scenario+name`.
    pub name: &'static str,
    /// The machine that it is done on.
    pub on: &'static str,
    /// What is done there, as root and in this order, before the scenario; it has to succeed.
    pub changes: &'static [Change],
    /// The assertion that must fail.
    pub fails: &'static str,
    /// A scenario (full name) that stays green under the same change: a saboteur that breaks
    /// everything proves nothing.
    pub spares: &'static str,
}

impl Saboteur {
    /// What the machine's shell runs, by `sh -e`.
    #[must_use]
    pub fn script(&self) -> String {
        let scripts = self.changes.iter().filter(|it| !it.is_cut());
        let scripts: Vec<String> = scripts.map(Change::script).collect();
        scripts.join("\n")
    }

    /// Whether it cuts its machine off the network.
    #[must_use]
    pub fn cuts(&self) -> bool {
        self.changes.iter().any(Change::is_cut)
    }
}

/// What a body's function returns.
pub type Future<'a> = Pin<Box<dyn std::future::Future<Output = Outcome> + Send + 'a>>;

/// What the body of a scenario is called as.
pub type Call = dyn for<'a> Fn(&'a Lab) -> Future<'a> + Send + Sync;

/// The body of a scenario.
#[derive(Clone, Copy)]
pub struct Body(&'static Call);

impl Body {
    /// A body that is compiled in.
    #[must_use]
    pub const fn of(call: &'static Call) -> Self {
        Self(call)
    }

    /// A body that carries something along, and lives as long as the process does: scenarios are
    /// known once, at the beginning.
    #[must_use]
    pub fn leaked(call: impl for<'a> Fn(&'a Lab) -> Future<'a> + Send + Sync + 'static) -> Self {
        Self(Box::leak(Box::new(call)))
    }

    /// Does it, on `lab`.
    #[must_use]
    pub fn run<'a>(&self, lab: &'a Lab) -> Future<'a> {
        (self.0)(lab)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

/// One claim about behaviour.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// The file it is in.
    pub area: &'static str,
    /// Its name within the area.
    pub name: &'static str,
    /// The sentence that it proves, as the doc comment has it.
    pub claim: &'static str,
    /// The machines that it starts with; most have one, which is called `host`.
    pub machines: &'static [MachineBase],
    /// What the deploy tool must promise for it to make sense.
    pub needs: &'static [Guarantee],
    /// What the host must have for it to make sense.
    pub wants: &'static [Feature],
    /// The suite's variables that it sets by itself, by their names. Under a setting of such a variable it would say
    /// the same whatever the setting is, and is left out.
    pub brings: &'static [&'static str],
    /// What is known of its host's disk.
    pub disk: DiskLog,
    /// What would be trouble anywhere else, and is meant to happen here.
    pub expects: &'static [Expected],
    /// Its deadline on a machine with KVM, without its turns.
    pub limit: Duration,
    /// What each turn takes at most on a machine with KVM, for one that does something
    /// [`Lab::iterations`] times; zero for all others.
    pub per_iteration: Duration,
    /// Whether only soak runs have it, and others that name it: all of its kind together would take an ordinary run too long.
    pub soak: bool,
    /// At least one.
    pub saboteurs: &'static [Saboteur],
    /// What it does.
    pub body: Body,
}

#[cfg(test)]
impl Scenario {
    /// One on a host that asks for nothing and does nothing, for tests of what is said of scenarios.
    pub(crate) fn idle(area: &'static str, name: &'static str) -> Self {
        Self {
            area,
            name,
            claim: "",
            machines: Base::Host.alone(),
            needs: &[],
            wants: &[],
            brings: &[],
            disk: DiskLog::Unlogged,
            expects: &[],
            limit: Duration::ZERO,
            per_iteration: Duration::ZERO,
            soak: false,
            saboteurs: &[],
            body: Body::of(&|_| Box::pin(async { Ok(()) })),
        }
    }
}

impl Scenario {
    /// `area::name`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}::{}", self.area, self.name)
    }

    /// The layers that its machines are clones of, each once, in the order of its machines.
    #[must_use]
    pub fn bases(&self) -> Vec<Base> {
        let mut bases = vec![];
        for machine in self.machines {
            if !bases.contains(&machine.base) {
                bases.push(machine.base);
            }
        }
        bases
    }

    /// Its deadline on a machine with KVM, when it loops `iterations` times.
    #[must_use]
    pub fn deadline(&self, iterations: NonZeroU32) -> Duration {
        self.limit + self.per_iteration * iterations.get()
    }

    /// The claim without the white space of its comment.
    #[must_use]
    pub fn claim(&self) -> String {
        self.claim.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
