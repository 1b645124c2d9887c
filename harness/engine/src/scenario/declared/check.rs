//! What TOML does not check: names, verbs, and that every scenario asserts something.

use std::ops::Range;

use toml::Spanned;

use super::{
    check_machines::container_host,
    data::{Declared, DeclaredMachine, DeclaredTarget, File, Located, Sabotage},
    parse::nearest,
    problem::Problem,
    raw::{RawFile, RawSaboteur, RawScenario, RawTarget},
    shared::Shared,
    step::DeclaredStep,
};
use crate::scenario::Guarantee;

/// The longest deadline, in seconds: a day.
const LONGEST: u64 = 86_400;
/// A scenario's deadline in seconds, unless it says otherwise.
const LIMIT: u64 = 60;

pub(super) struct Checker<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

pub(super) type Result<T> = std::result::Result<T, Problem>;

impl Checker<'_> {
    pub(super) fn wrong<T>(
        &self,
        location: Range<usize>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Result<T> {
        Err(Problem::at(self.file, self.text, location, message, hint))
    }

    pub(super) fn file(&self, raw: RawFile) -> Result<File> {
        let target = self.target(raw.target)?;
        if raw.scenario.is_empty() {
            let end = self.text.len();
            return self.wrong(
                end..end,
                "the file declares no scenario",
                "add a table [[scenario]] with a name, a claim and steps",
            );
        }
        self.shared(&raw.steps, &raw.scenario)?;
        let mut all = vec![];
        for scenario in raw.scenario {
            all.extend(self.cases(scenario)?);
        }
        let names: Vec<String> = all
            .iter()
            .map(|scenario| scenario.get_ref().name.get_ref().clone())
            .collect();
        let mut scenarios: Vec<Declared> = vec![];
        for scenario in all {
            let location = scenario.get_ref().name.span();
            let scenario = self.scenario(scenario, &names, &raw.steps)?;
            if scenarios
                .iter()
                .any(|other| other.full_name() == scenario.full_name())
            {
                return self.wrong(
                    location,
                    format!("there is another scenario {}", scenario.full_name()),
                    "give each a name of its own: reports and filters know them by it",
                );
            }
            scenarios.push(scenario);
        }
        Ok(File { target, scenarios })
    }

    fn target(&self, raw: RawTarget) -> Result<DeclaredTarget> {
        let promises = raw
            .promises
            .map(|list| self.guarantees(&list))
            .transpose()?;
        let mut deploy = None;
        for one in raw.deploy.unwrap_or_default() {
            let one = one.into_inner();
            let container = one.container.as_ref().unwrap_or(&one.machine);
            let container = self.name(container, "container")?;
            let machine = self.name(&one.machine, "machine")?;
            let list: &mut Vec<(String, String)> = deploy.get_or_insert_default();
            if list.iter().any(|(other, _)| *other == container) {
                return self.wrong(
                    one.machine.span(),
                    format!("something is deployed into {container} already"),
                    "a container holds one machine; name another with `container =`",
                );
            }
            list.push((container, machine));
        }
        Ok(DeclaredTarget {
            image: self.text_of(raw.image)?,
            nixpkgs: self.text_of(raw.nixpkgs)?,
            host_modules: raw
                .host_modules
                .unwrap_or_default()
                .into_iter()
                .map(Into::into)
                .collect(),
            guest: self.text_of(raw.guest)?,
            tool: self.text_of(raw.tool)?.map(into_path),
            promises,
            firewall: self.text_of(raw.firewall)?,
            flake: self.text_of(raw.flake)?.map(into_path),
            containers: self.text_of(raw.containers)?.map(into_path),
            deploy,
        })
    }

    fn text_of(&self, given: Option<Spanned<String>>) -> Result<Option<Located<String>>> {
        let Some(given) = given else { return Ok(None) };
        let location = given.span();
        if given.get_ref().trim().is_empty() {
            return self.wrong(
                location,
                "nothing is named",
                "leave the line out for the default",
            );
        }
        Ok(Some(Located {
            value: given.into_inner(),
            location,
        }))
    }

    fn guarantees(&self, list: &[Spanned<String>]) -> Result<Vec<Guarantee>> {
        let one = |given: &Spanned<String>| {
            let found = Guarantee::ALL
                .into_iter()
                .find(|known| known.name() == given.get_ref());
            found.map_or_else(
                || {
                    let known = Guarantee::ALL.map(Guarantee::name);
                    self.wrong(
                        given.span(),
                        format!("no tool can promise {:?}", given.get_ref()),
                        format!("there are {}", known.join(", ")),
                    )
                },
                Ok,
            )
        };
        list.iter().map(one).collect()
    }

    /// A name that systemd takes for a machine.
    pub(super) fn name(&self, given: &Spanned<String>, what: &str) -> Result<String> {
        let name = given.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if name.is_empty() || name.len() > 64 || !name.chars().all(plain) || name.starts_with('-') {
            return self.wrong(
                given.span(),
                format!("{name:?} is no name of a {what}"),
                "a name has letters, digits and hyphens, 64 at most",
            );
        }
        Ok(name.clone())
    }

    fn scenario(
        &self,
        scenario: Spanned<RawScenario>,
        names: &[String],
        shared: &Shared,
    ) -> Result<Declared> {
        let location = scenario.span();
        let raw = scenario.into_inner();
        let (area, name) = self.full_name(&raw.name)?;
        if raw.claim.get_ref().trim().is_empty() {
            return self.wrong(
                raw.claim.span(),
                "the claim is empty",
                "say in a sentence what the scenario proves",
            );
        }
        let machines = self.machines(&raw)?;
        let case = raw.case.first().map(|case| case.get_ref().as_str());
        let steps: Vec<DeclaredStep> = self
            .expanded(raw.step, shared, case)?
            .into_iter()
            .map(|step| self.step(step, &machines))
            .collect::<Result<_>>()?;
        if !steps.iter().any(DeclaredStep::asserts) {
            return self.wrong(
                location,
                format!("no step of {area}::{name} can fail"),
                "add a step with succeed, fail or a wait, or say what an execute has to print",
            );
        }
        let own = format!("{area}::{name}");
        let mut saboteurs: Vec<Sabotage> = vec![];
        for saboteur in raw.saboteur {
            let location = saboteur.get_ref().name.span();
            let saboteur = self.saboteur(saboteur.into_inner(), &own, &steps, names, &machines)?;
            if saboteurs.iter().any(|other| other.name == saboteur.name) {
                return self.wrong(
                    location,
                    format!("{own} has another saboteur {:?}", saboteur.name),
                    "give each a name of its own",
                );
            }
            saboteurs.push(saboteur);
        }
        Ok(Declared {
            area,
            name,
            claim: raw.claim.into_inner(),
            machines,
            needs: self.guarantees(&raw.needs)?,
            limit: self.seconds(raw.limit)?.unwrap_or(LIMIT),
            steps,
            saboteurs,
        })
    }

    fn full_name(&self, given: &Spanned<String>) -> Result<(String, String)> {
        let word = |word: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            !word.is_empty() && word.len() <= 100 && word.chars().all(plain)
        };
        match given.get_ref().split_once("::") {
            Some((area, name)) if word(area) && word(name) => {
                Ok((area.to_owned(), name.to_owned()))
            }
            _ => self.wrong(
                given.span(),
                format!("{:?} is no name of a scenario", given.get_ref()),
                "write it as area::name, with letters, digits, `_` and `-`",
            ),
        }
    }

    pub(super) fn seconds(&self, given: Option<Spanned<u64>>) -> Result<Option<u64>> {
        match given {
            Some(given) if !(1..=LONGEST).contains(given.get_ref()) => self.wrong(
                given.span(),
                format!("{} seconds are no time limit", given.get_ref()),
                format!("it is stated for a machine with KVM, from 1 to {LONGEST}"),
            ),
            given => Ok(given.map(Spanned::into_inner)),
        }
    }

    fn saboteur(
        &self,
        raw: RawSaboteur,
        own: &str,
        steps: &[DeclaredStep],
        names: &[String],
        machines: &[DeclaredMachine],
    ) -> Result<Sabotage> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = raw.name.get_ref();
        if name.is_empty() || !name.chars().all(plain) {
            return self.wrong(
                raw.name.span(),
                format!("{name:?} is no name of a saboteur"),
                "write it with letters, digits, `_` and `-`",
            );
        }
        let idle = match &raw.script {
            Some(script) if script.get_ref().trim().is_empty() => Some(script.span()),
            None if !raw.cut => Some(raw.name.span()),
            _ => None,
        };
        if let Some(location) = idle {
            return self.wrong(
                location,
                "the saboteur does nothing",
                "give it a script that breaks what the scenario claims, or cut = true",
            );
        }
        let on = match &raw.on {
            Some(on) => self.machine(on, machines)?,
            None => container_host(machines).to_owned(),
        };
        if raw.cut && machines.len() == 1 {
            return self.wrong(
                raw.name.span(),
                "one machine has no network that the saboteur could cut",
                "give it a script that breaks what the scenario claims",
            );
        }
        let called: Vec<&str> = steps
            .iter()
            .filter(|step| step.asserts())
            .map(|step| step.called.as_str())
            .collect();
        let fails = raw.fails.get_ref();
        if !called.contains(&fails.as_str()) {
            return self.wrong(
                raw.fails.span(),
                format!("no step of {own} is called {fails:?}"),
                format!("its steps are called {}", called.join("; ")),
            );
        }
        let spares = raw.spares.get_ref();
        if spares == own || !names.contains(spares) {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let hint = match nearest(spares, &known) {
                Some(near) if near != own => format!("did you mean {near}?"),
                _ => "name another scenario of this file that has to pass nevertheless".to_owned(),
            };
            return self.wrong(
                raw.spares.span(),
                format!("{spares:?} is no other scenario"),
                hint,
            );
        }
        Ok(Sabotage {
            name: raw.name.into_inner(),
            on,
            cut: raw.cut,
            script: raw.script.map(Spanned::into_inner),
            fails: raw.fails.into_inner(),
            spares: raw.spares.into_inner(),
        })
    }
}

fn into_path(found: Located<String>) -> Located<camino::Utf8PathBuf> {
    Located {
        value: found.value.into(),
        location: found.location,
    }
}
