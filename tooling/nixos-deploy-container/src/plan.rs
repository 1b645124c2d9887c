//! What `--dry-run` says.

use crate::cli::{Mode, Request};
use crate::names::Deployment;
use crate::remote::host::State;
use crate::remote::switch::unit;

/// The plan for one container: what it has, and what a deploy would do. `built` is what the derivation's outputs will
/// be, empty where that is not known before.
pub(crate) fn describe(
    request: &Request,
    deployment: &Deployment,
    state: &State,
    derivation: Option<&String>,
    built: &[String],
) -> String {
    let container = &deployment.container;
    let (generation, closure) = match (&state.generation, &state.closure) {
        (Some(generation), Some(closure)) => (generation.as_str(), closure.as_str()),
        _ => ("no generation", "nothing"),
    };
    let mut lines = vec![format!(
        "{container}: {}, profile on {closure} ({generation})",
        state.state
    )];
    let running = state.state == "active";
    if let Some(derivation) = derivation {
        let same = built.iter().any(|path| path == closure);
        if same && (running || request.mode == Mode::Stage) {
            lines.push("  the profile is at this closure already".to_owned());
        } else if same {
            lines.push(
                "  the profile is at this closure already, the container does not run".to_owned(),
            );
        } else {
            lines.push(format!(
                "  would copy {derivation} to {}",
                request.target.store()
            ));
            let closure = built.first().map_or("its output", String::as_str);
            lines.push(format!(
                "  would build {closure} there, as the next generation"
            ));
        }
    } else {
        lines.push(format!(
            "  would set the profile to the generation before {generation}"
        ));
    }
    lines.push(match (request.mode, running) {
        (Mode::Stage, _) => "  would leave the container alone".to_owned(),
        (_, true) => format!(
            "  would make sure that the guest runs it, by reloading {} if it does not",
            unit(container)
        ),
        (_, false) => format!("  would start {}", unit(container)),
    });
    lines.join("\n")
}
