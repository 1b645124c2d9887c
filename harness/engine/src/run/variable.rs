//! Variables of a suite: what a comparison or a matrix varies besides the image, the guests and the tool.
//!
//! The engine knows none of them. A suite defines them, such as a packet filter, and says how a host is put
//! under a value.

use std::{fmt::Debug, sync::Arc};

use crate::{
    image::Manifest,
    scenario::Scenario,
    util::{error::Result, poll::BoxFuture},
    verdict::Outcome,
    vm::host::Host,
};

/// A variable of a suite, by its name on the command line: `NAME=VALUE`.
pub trait Variable: Debug + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// What a user has to know of it, as lines of the help: its values, and the default.
    fn help(&self) -> &'static str;

    /// Why hosts of the image `manifest` can't be put under any value of it, if they can't.
    fn unfit(&self, _manifest: &Manifest) -> Option<String> {
        None
    }

    /// Why `scenario`, which does not set it by itself, says nothing about it, if it does not.
    fn irrelevant(&self, _scenario: &Scenario) -> Option<String> {
        None
    }

    /// Reads a value. No setting means that hosts are left as they are.
    ///
    /// # Errors
    /// A message for the user: what is wrong, and which values there are.
    fn read(&self, value: &str) -> std::result::Result<Option<Arc<dyn Setting>>, String>;
}

impl dyn Variable {
    /// Why `scenario` says nothing about it, if it does not.
    #[must_use]
    pub fn says_nothing(&self, scenario: &Scenario) -> Option<String> {
        let sets = sets(self.name(), scenario);
        sets.or_else(|| self.irrelevant(scenario))
    }
}

/// That `scenario` sets the variable `name` by itself, if it does.
pub(super) fn sets(name: &str, scenario: &Scenario) -> Option<String> {
    let sets = scenario.brings.contains(&name);
    sets.then(|| format!("it loads a {name} of its own"))
}

/// A value of a [`Variable`], and how a host is put under it.
pub trait Setting: Debug + Send + Sync {
    /// The name of its variable.
    fn variable(&self) -> &'static str;

    /// The value as the command line has it, for reports.
    fn text(&self) -> String;

    /// The same as part of a layer's name: letters, digits and hyphens.
    fn name(&self) -> String;

    /// All that a layer under it is made of, as text: the layer's key follows it.
    fn content(&self) -> String;

    /// Puts `host` under it.
    fn apply(self: Arc<Self>, host: Arc<Host>) -> BoxFuture<Outcome>;

    /// The name of the assertion that fails if containers do not come to rest under it.
    fn ready_assertion(&self) -> &'static str;

    /// How many requests of guests for a lease it has refused; 0 if it refuses none.
    fn refused(self: Arc<Self>, host: Arc<Host>) -> BoxFuture<Result<u64>>;
}
