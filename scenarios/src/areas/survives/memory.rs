//! What a deploy runs on the host gets no more memory while the deploy is held at one of its steps.

use spawnlab::prelude::*;

use super::{held::is_held, whole::FAILING_UNIT};

/// A deploy that gets no more memory on the host leaves the old generation or the new one, whole, and nothing else; the next
/// deploy needs no cleaning up: {case}.
#[scenario(on = Deployed, area = "survives", limit = 180, soak, needs = [RestoresAfterFailure], cases(
    memory_exhausted_at_copy, memory_exhausted_at_build))]
#[expects(OomKill("nix*"), because = "it gets no more memory")]
#[expects(
    OomKill("ssh*"),
    because = "it is the unit of what gets no more memory"
)]
#[saboteur("unit-fails", fails = "the host's state",
    spares = "names::name_is_the_leased_address" => script(FAILING_UNIT))]
async fn leaves_old_or_new(lab: &Lab, cell: &str) -> Outcome {
    is_held(lab, cell).await
}
