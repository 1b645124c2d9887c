//! Which closure a container runs, and whether it was restarted on the way there.

use spawnlab::prelude::*;

/// A running guest, as far as a deploy may change it. Asked in one command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningGuest {
    /// Changes with every start of the container.
    pub boot_id: String,
    /// Store path of what `/run/current-system` leads to.
    pub closure: String,
    /// Main process of `steady.service`, which no machine of the lab's flake ever changes; 0 where
    /// there is no such service.
    pub steady: String,
}

/// Looks into `container`.
///
/// # Errors
/// When the guest can't be asked, or does not answer with three lines.
pub async fn guest(container: &Container<'_>) -> Result<RunningGuest> {
    let script = "cat /proc/sys/kernel/random/boot_id; readlink -f /run/current-system
        systemctl show -P MainPID steady.service";
    let text = container.look(script).await?;
    let lines: Vec<&str> = text.lines().collect();
    let [boot_id, closure, steady] = lines[..] else {
        return Err(Error::answer(container.name(), text));
    };
    Ok(RunningGuest {
        boot_id: boot_id.to_owned(),
        closure: closure.to_owned(),
        steady: steady.to_owned(),
    })
}

/// The profile of `container` on the host: the generation's link, such as `system-2-link`, and the
/// closure that it leads to. Both are empty for one that was never deployed.
///
/// # Errors
/// When the host can't be asked.
pub async fn profile(host: &Host, container: &str) -> Result<(String, String)> {
    let profile = quote(&format!(
        "/nix/var/nix/profiles/per-container/{container}/system"
    ));
    // A tool may put files of its own beside the closure: the profile is then a folder of links into it.
    let script = format!(
        "if [ -L {profile} ]; then
            readlink {profile}
            if [ -L {profile}/init ]; then dirname $(readlink -f {profile}/init); else readlink -f {profile}; fi
        fi"
    );
    let text = host.succeed(&script).await?;
    let mut lines = text.lines().map(str::to_owned);
    Ok((
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    ))
}

/// Asserts that `container` runs the closure that its profile on the host leads to, as `the running closure`.
///
/// # Errors
/// A failure of the assertion, or one of the machines can't be asked.
pub async fn runs_its_profile(host: &Host, container: &str) -> Outcome {
    let (_, built) = profile(host, container).await?;
    let running = guest(&host.container(container)).await?;
    expect("the running closure").equal(running.closure, built)
}

/// What a person who opens `http://NAME/` on the host sees.
///
/// # Errors
/// When the host can't be asked; a page that can't be had is an [`Output`].
pub async fn page(host: &Host, name: &str) -> Result<Output> {
    let url = quote(&format!("http://{name}/"));
    host.execute(&format!("curl -fsS -m 10 {url}")).await
}
