//! The layers of a session: those of each base, or the verdict that stands for it if it could not be made.

use std::{collections::BTreeMap, sync::Arc};

use super::{Session, retry::LayerResult};
use crate::{
    layer::saved::Layer,
    scenario::{Base, Scenario},
    util::error::{Error, Result},
    verdict::Verdict,
};

/// A layer that a person starts a host from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The image, booted, and nothing more.
    Booted,
    /// Provisioned: containers are declared, none is deployed.
    Host,
    /// The fixture's containers are deployed.
    Deployed,
}

impl Start {
    /// What has to be there for it.
    #[must_use]
    pub fn base(self) -> Base {
        match self {
            Self::Booted | Self::Host => Base::Host,
            Self::Deployed => Base::Deployed,
        }
    }
}

/// What a session has of layers.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) booted: Option<Arc<Layer>>,
    /// One each; several where the repeats of a comparison have starts of the containers of their own.
    pub(super) of: BTreeMap<Base, Vec<LayerResult>>,
}

impl Layers {
    /// The layer for `base`, for the run with the place `run` among the repeats. One start that failed stands
    /// for all.
    pub(super) fn find(
        &self,
        base: Base,
        run: usize,
    ) -> std::result::Result<&Arc<Layer>, Box<Verdict>> {
        let layers = self.of.get(&base).map_or(&[][..], Vec::as_slice);
        if let Some(Err(verdict)) = layers.iter().find(|layer| layer.is_err()) {
            return Err(Box::new(verdict.clone()));
        }
        let layer = layers.get(run).or_else(|| layers.last());
        let layer = layer.and_then(|layer| layer.as_ref().ok());
        layer.ok_or_else(|| {
            Box::new(Verdict::Infrastructure {
                error: format!("the layer {} was not prepared", base.name()),
            })
        })
    }
}

impl Session {
    /// The layer for `base` in the run with the place `run` among the repeats.
    ///
    /// # Errors
    /// The verdict of a base that could not be prepared, or was not asked for.
    pub(super) fn layer(
        &self,
        base: Base,
        run: usize,
    ) -> std::result::Result<&Arc<Layer>, Box<Verdict>> {
        if let Some(why) = self.obstacle() {
            let why = why.to_owned();
            return Err(Box::new(Verdict::Skipped { why }));
        }
        self.layers.find(base, run)
    }

    /// Why no scenario on `base` can be run, if none can.
    #[must_use]
    pub fn unprepared(&self, base: Base) -> Option<Verdict> {
        let verdict = self.layer(base, 0).err().map(|verdict| *verdict);
        // Scenarios are skipped on such hosts, each with the reason.
        verdict.filter(|_| self.obstacle().is_none())
    }

    /// The layer that a person asked for.
    ///
    /// # Errors
    /// It could not be made: what failed, and where.
    pub fn start(&self, start: Start) -> Result<&Arc<Layer>> {
        if let (Start::Booted, Some(booted)) = (start, &self.layers.booted) {
            return Ok(booted);
        }
        self.for_a_person(start.base())
    }

    /// The layers that the machines of `scenario` start from, in their order.
    ///
    /// # Errors
    /// One could not be made: what failed, and where.
    pub fn layers_of(&self, scenario: &Scenario) -> Result<Vec<&Arc<Layer>>> {
        let machines = scenario.machines.iter();
        machines
            .map(|machine| self.for_a_person(machine.base))
            .collect()
    }

    fn for_a_person(&self, base: Base) -> Result<&Arc<Layer>> {
        self.layer(base, 0)
            .map_err(|verdict| unmade(base, &verdict))
    }
}

/// That the layer of `base` is not there, in words for a person.
fn unmade(base: Base, verdict: &Verdict) -> Error {
    match verdict {
        Verdict::Skipped { why } => Error::Machine(why.clone()),
        verdict => {
            let name = base.name();
            let why = crate::report::text::essence(verdict);
            Error::Machine(format!("the layer {name} could not be made: {why}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Failure;

    fn failed() -> Verdict {
        Verdict::Failed(Failure {
            assertion: "deploying the layer".into(),
            expected: "exit status 0".into(),
            seen: "exit status 1: no route".into(),
            hop: None,
            lines: vec![],
        })
    }

    #[test]
    fn a_base_that_was_not_asked_for_is_no_finding_about_the_tool() {
        let none = Layers::default();
        let found = none.find(Base::Deployed, 0);
        assert_eq!(
            found.err().map(|verdict| verdict.word()),
            Some("infrastructure")
        );
    }

    #[test]
    fn one_start_that_failed_stands_for_all() {
        let layers = Layers {
            booted: None,
            of: BTreeMap::from([(Base::Deployed, vec![Err(failed())])]),
        };
        for run in [0, 1] {
            let found = layers.find(Base::Deployed, run).err();
            assert_eq!(found, Some(Box::new(failed())));
        }
    }

    #[test]
    fn a_person_is_told_in_words_why_there_is_no_layer() {
        insta::assert_snapshot!(unmade(Base::Deployed, &failed()));
        let why = "the image can't be deployed to".to_owned();
        assert_eq!(
            unmade(Base::Host, &Verdict::Skipped { why: why.clone() }).to_string(),
            Error::Machine(why).to_string()
        );
    }
}
