//! Steps that wait for a container's lease, or for its name.

use std::net::Ipv4Addr;

use super::step::DeclaredStep;
use crate::{
    scenario::expect::expect,
    util::{
        error::{Error, Result},
        poll::Seen,
    },
    verdict::Outcome,
    vm::{container::quote, host::Host, link::Link, verbs::Verbs},
};

/// Waits until the container `name` of `host` holds a lease.
pub(super) async fn wait_for_lease(
    host: &Host,
    step: &'static DeclaredStep,
    name: &str,
) -> Outcome {
    let look = || async {
        Ok(match leased(host, name).await? {
            Ok(_) => Seen::Ready(()),
            Err(why) => Seen::NotYet(why),
        })
    };
    expect(&step.called)
        .eventually(host.limit(step.within), "a lease of the host's", look)
        .await
}

/// Waits until the name of the container `name` means the address that it leased.
pub(super) async fn wait_for_name(host: &Host, step: &'static DeclaredStep, name: &str) -> Outcome {
    let look = || async {
        let address = match leased(host, name).await? {
            Ok(address) => address,
            Err(why) => return Ok(Seen::NotYet(why)),
        };
        Ok(match host.resolve(name).await? {
            Some(named) if named == address => Seen::Ready(()),
            Some(named) => Seen::NotYet(format!("leased {address}, named {named}")),
            None => Seen::NotYet(format!("leased {address}, named nothing")),
        })
    };
    let expected = "the name to mean the leased address";
    expect(&step.called)
        .eventually(host.limit(step.within), expected, look)
        .await
}

/// The address that the container `name` of `host` leased, or why there is none, for people.
async fn leased(host: &Host, name: &str) -> Result<std::result::Result<Ipv4Addr, String>> {
    let container = host.container(name);
    match container.link().await {
        Ok(link) => Ok(link.leased().ok_or_else(|| unleased(&link))),
        Err(Error::Command(error)) => {
            let unit = container.unit();
            let show = format!(
                "systemctl show --property=ActiveState,SubState --value {}",
                quote(&unit)
            );
            let state = host.execute(&show).await?.stdout;
            Ok(Err(unasked(&unit, &state, &error.to_string())))
        }
        Err(error) => Err(error),
    }
}

fn unleased(link: &Link) -> String {
    format!("the guest leased no address: {}", link.summary())
}

/// Why a guest whose `unit` has this `state` (a line each for systemd's ActiveState and SubState) could not be asked, which
/// ended with `error`.
fn unasked(unit: &str, state: &str, error: &str) -> String {
    match state.lines().collect::<Vec<_>>().as_slice() {
        ["active", _] => format!("the guest runs and could not be asked: {error}"),
        ["activating", sub] => format!("the container starts: {unit} is activating ({sub})"),
        [active, sub] => format!(
            "the container does not run: {unit} is {active} ({sub}); a step before this one has to deploy into it or start it"
        ),
        _ => format!("the container can't be asked: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case::never_started(
        "inactive\ndead\n",
        "the container does not run: u is inactive (dead); a step before"
    )]
    #[case::failed(
        "failed\nfailed\n",
        "the container does not run: u is failed (failed); a step before"
    )]
    #[case::starts("activating\nstart\n", "the container starts: u is activating (start)")]
    #[case::runs(
        "active\nrunning\n",
        "the guest runs and could not be asked: exit status 1"
    )]
    #[case::unknown("", "the container can't be asked: exit status 1")]
    fn a_guest_that_can_not_be_asked_is_said_to_be_what_it_is(
        #[case] state: &str,
        #[case] said: &str,
    ) {
        let why = unasked("u", state, "exit status 1");
        assert!(why.starts_with(said), "{why}");
    }
}
