//! What a suite is asked for by the command and by the tests.

use std::sync::Arc;

use super::Suite;
use crate::{
    run::{
        known::Known,
        selection::{self, Selected},
        target::programs::OwnPrograms,
        variable::{Setting, Variable},
    },
    scenario::{
        Guarantee, Scenario,
        adapter::{Adapter, GivenTool},
        fixture::Fixture,
        tool,
    },
    util::error::{Error, Result},
};

impl Suite {
    /// All scenarios, in the order in which they are listed and run.
    #[must_use]
    pub fn scenarios(&self) -> &[&'static Scenario] {
        &self.scenarios
    }

    /// Their names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        selection::names(&self.scenarios)
    }

    /// All of them, as `run` takes them.
    #[must_use]
    pub fn to_run(&self) -> Vec<Selected> {
        selection::to_run(&self.scenarios)
    }

    /// All of them with each of their saboteurs, as `prove` takes them.
    #[must_use]
    pub fn to_prove(&self) -> Vec<Selected> {
        selection::to_prove(&self.scenarios)
    }

    /// What makes command lines of others ones of deploy tools.
    #[must_use]
    pub fn adapters(&self) -> &[&'static Adapter] {
        &self.adapters
    }

    /// What hosts are provisioned with, and what is deployed.
    #[must_use]
    pub fn fixture_of_hosts(&self) -> &Fixture {
        &self.fixture
    }

    /// Our own tool and agent, where the program carries them along.
    #[must_use]
    pub fn programs(&self) -> OwnPrograms {
        self.own
    }

    /// The tool under test, ours if there is none, and what it promises: `tool` and `promises` as the user gave them,
    /// and the suite's own where the user is silent. A program of the user's promises nothing unless it is said, a tool
    /// with an adapter what the adapter says.
    ///
    /// # Errors
    /// [`Error::Given`]: the suite's own tool can't be executed.
    pub fn tested(
        &self,
        tool: Option<GivenTool>,
        promises: Option<Vec<Guarantee>>,
    ) -> Result<(Option<GivenTool>, Vec<Guarantee>)> {
        match &tool {
            None => {}
            Some(GivenTool::Program(_)) => return Ok((tool, promises.unwrap_or_default())),
            Some(GivenTool::Adapted(adapted)) => {
                let its_own = || adapted.adapter.promises.to_vec();
                let promises = promises.unwrap_or_else(its_own);
                return Ok((tool, promises));
            }
        }
        let Some(own) = &self.tool else {
            return Ok((None, promises.unwrap_or(Guarantee::ALL.to_vec())));
        };
        let checked = tool::checked(own);
        let checked = checked.map_err(|why| Error::Given(format!("tool {own}: {why}")))?;
        let promises = promises.or_else(|| self.promises.clone());
        let tool = GivenTool::Program(checked);
        Ok((Some(tool), promises.unwrap_or_default()))
    }

    /// The known bugs.
    ///
    /// # Errors
    /// A message for the user: a row is wrong or has expired.
    pub fn known_bugs(&self) -> std::result::Result<Known, String> {
        Known::read_today(self.known, &self.names())
    }

    /// What `verify` takes as one filter: names of groups, and the filters that they stand for.
    #[must_use]
    pub fn groups(&self) -> &[(&'static str, &'static [&'static str])] {
        &self.groups
    }

    /// The text of its matrix, which may be empty.
    #[must_use]
    pub fn matrix_text(&self) -> &'static str {
        self.matrix
    }

    /// What hosts can be put under.
    #[must_use]
    pub fn variables(&self) -> &[&'static dyn Variable] {
        &self.variables
    }

    /// The setting that `value` of the variable `name` means; none where hosts are left as they are.
    ///
    /// # Errors
    /// A message for the user: there is no such variable or value.
    pub fn setting(
        &self,
        name: &str,
        value: &str,
    ) -> std::result::Result<Option<Arc<dyn Setting>>, String> {
        let mut all = self.variables.iter();
        match all.find(|variable| variable.name() == name) {
            Some(variable) => variable.read(value),
            None => Err(format!("the suite has no variable {name:?}")),
        }
    }
}
