//! What a suite is asked for by the command and by the tests.

use std::sync::Arc;

use super::Suite;
use crate::{
    run::{
        known::Known,
        selection::{self, Selected},
        variable::{Setting, Variable},
    },
    scenario::{Scenario, fixture::Fixture},
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
        let names = self.scenarios.iter().map(|scenario| scenario.full_name());
        names.collect()
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

    /// What hosts are provisioned with, and what is deployed.
    #[must_use]
    pub fn fixture_of_hosts(&self) -> &Fixture {
        &self.fixture
    }

    /// The known bugs.
    ///
    /// # Errors
    /// A message for the user: a row is wrong or has expired.
    pub fn known_bugs(&self) -> Result<Known, String> {
        Known::read_today(self.known, &self.names())
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
    pub fn setting(&self, name: &str, value: &str) -> Result<Option<Arc<dyn Setting>>, String> {
        let mut all = self.variables.iter();
        match all.find(|variable| variable.name() == name) {
            Some(variable) => variable.read(value),
            None => Err(format!("the suite has no variable {name:?}")),
        }
    }
}
