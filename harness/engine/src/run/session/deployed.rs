//! The hosts that most scenarios start from: the tool under test has deployed to them.

use std::sync::Arc;

use super::refused::{self, Leases};
use crate::{
    Error,
    layer::{recipe::LayerRecipe, saved::Layer, stack::Stack},
    run::{attempt, target::programs::LabProgram},
    scenario::{
        expect::expect,
        fixture::{Deployed, Fixture},
        tool::Deploy,
    },
    verdict::{Outcome, ScenarioError},
    vm::host::Host,
};

/// For the record of a layer that holds the tool.
pub(super) fn tool(tested: &LabProgram) -> Vec<(String, String)> {
    vec![("tool".to_owned(), tested.to_string())]
}

/// The layer in which the tool has deployed the lab's containers, and they have settled.
pub(super) async fn deployed(
    stack: &Stack,
    host: &Arc<Layer>,
    tested: &LabProgram,
    fixture: &Fixture,
    leases: Leases,
) -> Result<Arc<Layer>, ScenarioError> {
    let deployed = fixture.deployed.clone();
    let mut made_of: Vec<_> = deployed
        .iter()
        .map(|one| (one.container.clone(), one.machine.clone()))
        .collect();
    if leases == Leases::MayBeRefused {
        made_of.push(("settles".to_owned(), "by leases or refusals".to_owned()));
    }
    let recipe = LayerRecipe {
        name: "deployed".into(),
        made_of,
        built_with: tool(tested),
        lab: None,
        work: Arc::new(move |host: Arc<Host>| {
            let deployed = deployed.clone();
            Box::pin(async move {
                let outcome = deploy_all(&host, &deployed, leases).await;
                // The verdict of every scenario that needs this layer should name the hop.
                attempt::explain(&[&*host], outcome).await
            })
        }),
    };
    stack.child(host, recipe).await
}

async fn deploy_all(host: &Host, deployed: &[Deployed], leases: Leases) -> Outcome {
    if leases == Leases::MayBeRefused {
        refused::count(host).await?;
    }
    for one in deployed {
        let deploy = Deploy::of(&one.machine).into(&one.container);
        let output = match deploy.run(host).await {
            // A tool that never ends is a finding about the tool.
            Err(Error::Timeout(timeout)) => {
                return expect("deploying the layer").equal(timeout.to_string().as_str(), "an end");
            }
            output => output?,
        };
        expect("deploying the layer").succeeded(output)?;
    }
    if leases == Leases::MayBeRefused {
        let containers: Vec<_> = deployed.iter().map(|one| one.container.as_str()).collect();
        refused::wait_ready(host, &containers).await?;
        return refused::forget(host).await;
    }
    for one in deployed {
        host.container(&one.container).wait_ready().await?;
    }
    Ok(())
}
