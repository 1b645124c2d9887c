//! The hosts that most scenarios start from: the tool under test has deployed to them.

use std::sync::Arc;

use camino::Utf8Path;
use spawnlab::{
    Error,
    host::Host,
    layer::{recipe::Recipe, saved::Layer, stack::Stack},
    prelude::{Broken, Deploy, Outcome, expect},
    trial,
};

use crate::settle;

/// What the deployed layer holds: machine and container.
pub(crate) const DEPLOYED: [(&str, &str); 2] =
    [("web", "web"), ("web", "a-container-with-a-long-name")];

/// For the record of a layer that holds the tool.
pub(crate) fn tool(path: &Utf8Path) -> Vec<(String, String)> {
    vec![("tool".to_owned(), path.to_string())]
}

/// The layer in which the tool has deployed the lab's containers, and they have settled.
pub(crate) async fn deployed(
    stack: &Stack,
    host: &Arc<Layer>,
    tested: &Utf8Path,
) -> Result<Arc<Layer>, Broken> {
    let recipe = Recipe {
        name: "deployed".into(),
        made_of: DEPLOYED
            .map(|(machine, container)| (container.to_owned(), machine.to_owned()))
            .to_vec(),
        built_with: tool(tested),
        lab: None,
        work: Arc::new(|host: Arc<Host>| {
            Box::pin(async move {
                let outcome = deploy_all(&host).await;
                if outcome.is_err() {
                    // The verdict of every scenario that needs this layer should name the hop.
                    return trial::explain(&host, outcome).await;
                }
                outcome
            })
        }),
    };
    stack.child(host, recipe).await
}

async fn deploy_all(host: &Host) -> Outcome {
    for (machine, container) in DEPLOYED {
        let output = match Deploy::of(machine).into(container).run(host).await {
            // A tool that never ends is a finding about the tool.
            Err(Error::Timeout(timeout)) => {
                return expect("deploying the layer").equal(timeout.to_string().as_str(), "an end");
            }
            output => output?,
        };
        expect("deploying the layer").succeeded(output)?;
    }
    for (_, container) in DEPLOYED {
        settle::settled(host, container).await?;
    }
    Ok(())
}
