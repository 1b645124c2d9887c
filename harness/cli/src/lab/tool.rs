//! The deploy tool that the user names.

use camino::Utf8Path;
use spawnlab::{
    run::suite::Suite,
    scenario::{adapter::GivenTool, tool},
};

use crate::output::error::CliError;

/// What a tool is.
pub(crate) const HINT: &str = tool::FORM;

/// The tool that `text` names: the path of a program, or an adapter of `suite` with a checkout.
pub(crate) fn checked(text: &Utf8Path, suite: &Suite) -> Result<GivenTool, CliError> {
    GivenTool::read(text, suite.adapters()).map_err(|why| {
        let mut hint = format!("--tool takes {HINT}");
        for adapter in suite.adapters() {
            hint += &format!(
                ", or {}=PATH with a checkout of {}",
                adapter.name, adapter.source
            );
        }
        CliError::usage(format!("tool {text}"), why).hint(hint)
    })
}
