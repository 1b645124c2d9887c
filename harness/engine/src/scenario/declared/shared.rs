//! Steps that several scenarios share: `[steps]`, and `{ steps = "NAME" }` where they are taken.

use std::collections::BTreeMap;

use toml::Spanned;

use super::{
    cases::fill_step,
    check::{Checker, Result},
    parse::nearest,
    raw::{RawScenario, RawStep},
};

pub(super) type Shared = BTreeMap<Spanned<String>, Vec<Spanned<RawStep>>>;

impl Checker<'_> {
    /// Whether each list of `shared` is taken by one of `scenarios`, and holds steps of its own.
    pub(super) fn shared(&self, shared: &Shared, scenarios: &[Spanned<RawScenario>]) -> Result<()> {
        let taken = scenarios
            .iter()
            .flat_map(|scenario| &scenario.get_ref().step);
        let taken: Vec<&str> = taken
            .filter_map(|step| Some(step.get_ref().steps.as_ref()?.get_ref().as_str()))
            .collect();
        for (name, steps) in shared {
            let inner = steps.iter().find_map(|step| step.get_ref().steps.as_ref());
            if let Some(inner) = inner {
                return self.wrong(
                    inner.span(),
                    "shared steps take no others",
                    "let the scenario take both, one after the other",
                );
            }
            if !taken.contains(&name.get_ref().as_str()) {
                return self.wrong(
                    name.span(),
                    format!("no scenario takes the steps {}", name.get_ref()),
                    format!("take them with {{ steps = \"{}\" }}", name.get_ref()),
                );
            }
        }
        Ok(())
    }

    /// `steps` with those of `shared` in the place of who takes them.
    pub(super) fn expanded(
        &self,
        steps: Vec<Spanned<RawStep>>,
        shared: &Shared,
        case: Option<&str>,
    ) -> Result<Vec<Spanned<RawStep>>> {
        let mut all = vec![];
        for step in steps {
            let Some(taken) = &step.get_ref().steps else {
                all.push(step);
                continue;
            };
            let wanted = taken.get_ref();
            let found = shared.iter().find(|(name, _)| name.get_ref() == wanted);
            let Some((_, found)) = found else {
                let known: Vec<&str> = shared.keys().map(|name| name.get_ref().as_str()).collect();
                let hint = match nearest(wanted, &known) {
                    Some(near) => format!("did you mean {near}?"),
                    None => "the table [steps] has shared steps by their name".to_owned(),
                };
                return self.wrong(
                    taken.span(),
                    format!("no steps are called {wanted:?}"),
                    hint,
                );
            };
            if !step.get_ref().is_only_steps() {
                return self.wrong(
                    step.span(),
                    "shared steps are taken as they are",
                    "write { steps = \"NAME\" } and nothing else",
                );
            }
            for mut step in found.iter().cloned() {
                if let Some(case) = case {
                    fill_step(step.get_mut(), case);
                }
                all.push(step);
            }
        }
        Ok(all)
    }
}

impl RawStep {
    /// Whether it takes shared steps, and says nothing else.
    fn is_only_steps(&self) -> bool {
        let bare = Self {
            steps: self.steps.clone(),
            ..Self::default()
        };
        *self == bare
    }
}
