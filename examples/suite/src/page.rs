//! The page, as the host sees it.

use spawnlab::prelude::*;

/// The host reads the page under the container's name.
#[scenario(on = Deployed)]
#[saboteur("server-stops", fails = "the page", spares = "limits::processes_are_bounded" =>
    in_guest("page", stop_unit("page.service")))]
async fn is_served_by_name(lab: &Lab) -> Outcome {
    let output = lab
        .host()
        .execute("curl -sf --max-time 20 http://page/")
        .await?;
    expect("the page").equal(output.stdout.as_str(), "first edition\n")
}

/// A deploy of the next edition replaces the page, and the guest goes on running.
#[scenario(on = Deployed, limit = 120)]
#[saboteur("tool-does-nothing", fails = "the page of the next edition", spares = "page::is_served_by_name" =>
    "ln -sf /bin/true /usr/local/bin/nixos-deploy-container")]
#[saboteur("guest-restarts", fails = "the guest's boot", spares = "page::is_served_by_name" =>
    drop_in("systemd-nspawn@page.service",
        "[Service]\nExecReload=\nExecReload=systemctl --no-block restart systemd-nspawn@page"))]
async fn next_edition_replaces_it(lab: &Lab) -> Outcome {
    let (host, page) = (lab.host(), lab.host().container("page"));
    let before = page.boot_id().await?;
    let output = lab.deploy(Deploy::of("page-v2").into("page")).await?;
    expect("deploying").succeeded(output)?;
    expect("the page of the next edition")
        .eventually(lab.seconds(20), "second edition", || async {
            let seen = host
                .execute("curl -sf --max-time 5 http://page/")
                .await?
                .stdout;
            Ok(match seen.as_str() {
                "second edition\n" => Seen::Ready(()),
                _ => Seen::NotYet(seen),
            })
        })
        .await?;
    expect("the guest's boot").equal(page.boot_id().await?, before)
}
