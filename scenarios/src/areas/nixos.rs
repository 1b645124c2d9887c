//! What NixOS' modules make of a host's configuration, against the host as it runs: options say one thing, and
//! units, files and the kernel's rules have to be that.

use spawnlab::prelude::*;

use crate::evaluated::{self, Rules, written};

/// Prints the rules of both iptables, without what was counted.
const LIST_IPTABLES: &str = "for tool in iptables ip6tables; do
        for table in filter mangle; do
            echo \"$tool $table\"; $tool -t $table -S
        done
    done";

/// The kernel has the rules that `networking.firewall` evaluates to, and no others in their chains.
#[scenario(on = Deployed, wants = [NixosModules])]
#[saboteur("rule-added-by-hand", fails = "the rules", spares = "names::name_is_the_leased_address" =>
    "if nft list table inet nixos-fw >/dev/null 2>&1; then
         nft add rule inet nixos-fw input-allow tcp dport 9 accept
     else
         iptables -I nixos-fw -p tcp --dport 9 -j nixos-fw-accept
     fi")]
async fn rules_are_what_the_options_say(lab: &Lab) -> Outcome {
    let host = lab.host();
    let rules = evaluated::rules(host).await?;
    let (wanted, found) = match rules {
        Rules {
            start: Some(start), ..
        } => {
            let script = format!("{start} >/dev/null\n{LIST_IPTABLES}");
            let wanted = elsewhere(host, &script, "").await?;
            (wanted, host.succeed(LIST_IPTABLES).await?)
        }
        Rules {
            tables: Some(tables),
            ..
        } => {
            let wanted = elsewhere(host, "nft -f - && nft -s list ruleset", &tables).await?;
            let names = wanted
                .lines()
                .filter(|line| line.starts_with("table "))
                .map(|line| format!("nft -s list {};", line.trim_end_matches([' ', '{'])));
            let found = host.succeed(&names.collect::<Vec<_>>().join("\n")).await?;
            (wanted, found)
        }
        Rules { backend, .. } => {
            let why = format!("{backend} keeps no rules that its options could be compared with");
            return Err(ScenarioError::Skipped(why));
        }
    };
    expect("what the options make of an empty kernel").contains(&wanted, "nixos-fw")?;
    let differing = differing(&wanted, &found);
    expect("the rules").that(differing.is_empty(), "no line that differs", differing)
}

/// Runs `script` in a network namespace of its own, where no rule is loaded.
async fn elsewhere(host: &Host, script: &str, input: &str) -> Result<String> {
    let script = format!("unshare --net sh -ec {}", quote(script));
    let limit = std::time::Duration::from_secs(30);
    let output = host.execute_with(&script, input.as_bytes(), limit).await?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::answer("the host's rules", output.stderr))
}

/// The lines of one text that the other lacks, as often as it lacks them.
fn differing(wanted: &str, found: &str) -> String {
    let lacking = |these: &str, those: &str, sign: &str| {
        let mut those: Vec<&str> = those.lines().collect();
        let mut lines = String::new();
        for line in these.lines() {
            match those.iter().position(|other| *other == line) {
                Some(at) => drop(those.swap_remove(at)),
                None => lines.push_str(&format!("{sign}{line}\n")),
            }
        }
        lines
    };
    let lines = lacking(wanted, found, "-") + &lacking(found, wanted, "+");
    if lines.is_empty() && wanted != found {
        return "the same lines in another order".into();
    }
    lines
}

/// The `.nspawn` file of each container has the settings that `systemd.nspawn` evaluates to, and no others.
#[scenario(on = Host, wants = [NixosModules])]
#[saboteur("setting-added-by-hand", fails = "the settings", spares = "status::host_has_no_failed_units" =>
    edit("/etc/systemd/nspawn/web.nspawn", "/^Boot=/a Hostname=another"))]
#[saboteur("file-is-missing", fails = "the settings", spares = "status::host_has_no_failed_units" =>
    "/lab/tools/editable /etc/systemd/nspawn/web.nspawn
     rm /etc/systemd/nspawn/web.nspawn")]
async fn settings_of_containers_are_what_the_options_say(lab: &Lab) -> Outcome {
    let host = lab.host();
    for (name, settings) in evaluated::containers(host).await? {
        let file = host
            .execute(&format!("cat /etc/systemd/nspawn/{}.nspawn", quote(&name)))
            .await?;
        let found = (name.as_str(), written(&file.stdout));
        expect("the settings").equal(found, (name.as_str(), settings.nspawn_written()))?;
    }
    Ok(())
}

/// The unit of each container has the drop-in that `systemd.services` evaluates to, and is loaded with it.
#[scenario(on = Host, wants = [NixosModules])]
#[saboteur("limit-added-by-hand", fails = "the drop-in", spares = "status::host_has_no_failed_units" =>
    edit("/etc/systemd/system/systemd-nspawn@web.service.d/overrides.conf", "/^.Service.$/a MemoryMax=2G"),
    "systemctl daemon-reload")]
#[saboteur("changed-and-not-loaded", fails = "the unit's state", spares = "status::host_has_no_failed_units" =>
    file("/run/systemd/system/systemd-nspawn@web.service.d/zz-sabotage.conf", "[Service]\nMemoryMax=2G"))]
async fn drop_ins_are_what_the_options_say(lab: &Lab) -> Outcome {
    let host = lab.host();
    for (name, settings) in evaluated::containers(host).await? {
        let unit = format!("systemd-nspawn@{name}.service");
        let file = format!("/etc/systemd/system/{unit}.d/overrides.conf");
        let text = host.execute(&format!("cat {}", quote(&file))).await?.stdout;
        let wanted = settings.dropin.unwrap_or_default();
        let differing = differing(wanted.trim_end(), text.trim_end());
        expect("the drop-in").that(
            differing.is_empty(),
            format_args!("{file} as evaluated"),
            differing,
        )?;
        let show = format!(
            "systemctl show -P DropInPaths -P NeedDaemonReload {}",
            quote(&unit)
        );
        let state = host.succeed(&show).await?;
        // Told by where it really is, in the store.
        expect("the unit's state").contains(&state, &format!("/{unit}.d/overrides.conf"))?;
        expect("the unit's state").lacks(&state, "yes")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::differing;

    #[test]
    fn what_differs_is_said_with_its_side() {
        assert_eq!(differing("a\nb\n", "a\nb\n"), "");
        assert_eq!(differing("a\nb\nb\n", "a\nb\nc\n"), "-b\n+c\n");
        assert_eq!(
            differing("a\nb\n", "b\na\n"),
            "the same lines in another order"
        );
    }
}
