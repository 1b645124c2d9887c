//! What a host can't do because of what it is made of: computed from its `image.json` before anything boots.

use crate::{
    image::Manifest,
    scenario::{Feature, Guarantee, Scenario},
    util::version::is_before,
};

/// systemd-nspawn binds with `rootidmap` since <https://github.com/systemd/systemd/pull/24467>.
const ROOTIDMAP: [u64; 1] = [252];
/// Linux can map the owners of a mount, on ext4 among others.
const IDMAPPED_MOUNTS: [u64; 2] = [5, 12];
/// Where a mount's owners can't be mapped.
const NOT_IDMAPPED: [&str; 2] = ["9p", "overlay"];
/// Nix evaluates flakes, and copies over `ssh-ng` what it evaluated.
const FLAKES: [u64; 2] = [2, 4];
/// Nix takes `DRV^*` for all outputs of a derivation; before, the derivation's bare path means them.
const ALL_OUTPUTS: [u64; 2] = [2, 13];
/// systemd-resolved has hooks that it asks for names, and systemd-machined is one of them.
const RESOLVE_HOOK: [u64; 1] = [259];

/// Why nothing can be tested on hosts of the image `manifest` with a tool that `promises`, if nothing can: they can
/// keep no part of the contract of deploys. One reason is enough.
#[must_use]
pub fn obstacle(manifest: &Manifest, promises: &[Guarantee]) -> Option<String> {
    let versions = &manifest.versions;
    let (systemd, nix, kernel) = (&versions.systemd, &versions.nix, &versions.kernel);
    let filesystem = manifest.store_filesystem.as_str();
    let old_nix = Guarantee::OldNix;
    let why = if is_before(systemd, &ROOTIDMAP) {
        format!(
            "its systemd-nspawn, {systemd}, binds nothing with rootidmap: that takes systemd 252"
        )
    } else if is_before(kernel, &IDMAPPED_MOUNTS) {
        format!(
            "its Linux, {kernel}, has no idmapped mounts, which rootidmap needs: that takes 5.12"
        )
    } else if NOT_IDMAPPED.contains(&filesystem) {
        format!("its Nix store is on {filesystem}, which can't be mounted with rootidmap: ext4 can")
    } else if is_before(nix, &FLAKES) {
        format!("its Nix, {nix}, has no flakes: that takes 2.4")
    } else if is_before(nix, &ALL_OUTPUTS) && !promises.contains(&old_nix) {
        format!(
            "its Nix, {nix}, is older than 2.13 and takes no DRV^*, and the tool does not promise {}",
            old_nix.name()
        )
    } else {
        return None;
    };
    Some(format!("{} can't be deployed to: {why}", manifest.name))
}

/// What the reason begins with for which a scenario is skipped that asks for more than the tool promises.
pub const NOT_PROMISED: &str = "the tool does not promise ";

/// What a tool that `promises` this would have to promise besides for `scenario` to be run, if anything.
#[must_use]
pub fn unpromised(promises: &[Guarantee], scenario: &Scenario) -> Option<String> {
    let needs = scenario.needs.iter();
    let missing = needs.filter(|need| !promises.contains(need));
    let missing: Vec<&str> = missing.map(|need| need.name()).collect();
    (!missing.is_empty()).then(|| format!("{NOT_PROMISED}{}", missing.join(", ")))
}

/// That a scenario which is about what NixOS' modules make is not for hosts of `system`.
#[must_use]
pub fn is_no_nixos(system: &str) -> String {
    format!("it is about what NixOS' modules make of a host, and this one is {system}")
}

/// Why `scenario` makes no sense on hosts of the image `manifest`, if it does not.
#[must_use]
pub fn unfit(manifest: &Manifest, scenario: &Scenario) -> Option<String> {
    let systemd = &manifest.versions.systemd;
    scenario.wants.iter().find_map(|feature| match feature {
        Feature::NixosModules if !is_nixos(manifest) => Some(is_no_nixos(&manifest.os.pretty)),
        Feature::ResolveHook if is_before(systemd, &RESOLVE_HOOK) => Some(format!(
            "its systemd-resolved, {systemd}, does not ask for names of containers: that takes systemd 259"
        )),
        Feature::NixosModules | Feature::ResolveHook | Feature::Firewalld => None,
    })
}

/// By how much deadlines of scenarios grow on hosts of the image `manifest`. A NixOS guest is evaluated from all of
/// nixpkgs, and its switch knows more than Debian's guests have: a deploy takes twice as long, or longer.
#[must_use]
pub fn effort(manifest: &Manifest) -> u32 {
    if is_nixos(manifest) { 2 } else { 1 }
}

/// Whether NixOS' modules have made hosts of the image `manifest`.
#[must_use]
pub fn is_nixos(manifest: &Manifest) -> bool {
    manifest.os.id == "nixos"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(change: impl FnOnce(&mut Manifest)) -> Manifest {
        let text = include_str!("../../../../vm-images/nixos/tests/image.json");
        let mut manifest: Manifest = serde_json::from_str(text).unwrap();
        manifest.name = "debian-test".into();
        manifest.os.id = "debian".into();
        manifest.os.pretty = "Debian Test".into();
        manifest.versions.systemd = "252.39-1~deb12u2".into();
        manifest.versions.nix = "2.8.0-1.1+b1".into();
        manifest.versions.kernel = "6.1.0-56-cloud-amd64".into();
        manifest.store_filesystem = "ext4".into();
        change(&mut manifest);
        manifest
    }

    #[test]
    fn bookworm_will_do_for_a_tool_that_knows_old_nix() {
        assert_eq!(obstacle(&host(|_| ()), &Guarantee::ALL), None);
        let sid = host(|host| {
            host.versions.systemd = "262.1-1".into();
            host.versions.nix = "2.34.8+dfsg-1+b1".into();
            host.versions.kernel = "7.2.13+deb14-cloud-amd64".into();
        });
        assert_eq!(obstacle(&sid, &[]), None);
    }

    fn scenario(name: &'static str, wants: &'static [Feature]) -> Scenario {
        Scenario {
            wants,
            ..Scenario::idle("tests", name)
        }
    }

    #[test]
    fn a_scenario_is_run_where_it_makes_sense() {
        let nixos = host(|host| {
            host.os.id = "nixos".into();
            host.versions.systemd = "262.1".into();
        });
        let why = |manifest| {
            let scenarios = [
                scenario("reads_modules", &[Feature::NixosModules]),
                scenario("asks_resolved", &[Feature::ResolveHook]),
            ];
            let lines = scenarios.iter().map(|scenario| {
                let why = unfit(manifest, scenario);
                format!("{}: {}", scenario.name, why.as_deref().unwrap_or("is run"))
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(format!("{}\n\n{}", why(&host(|_| ())), why(&nixos)));
    }

    #[test]
    fn the_reason_says_what_it_takes() {
        let all = Guarantee::ALL.as_slice();
        type Change = fn(&mut Manifest);
        let cases: [(Change, &[Guarantee]); 5] = [
            (|host| host.versions.systemd = "247.3-7+deb11u6".into(), all),
            (|host| host.versions.kernel = "5.10.0-32-amd64".into(), all),
            (|host| host.store_filesystem = "9p".into(), all),
            (|host| host.versions.nix = "2.3.7".into(), all),
            (|_| (), &[Guarantee::Idempotent]),
        ];
        let texts: Vec<_> = cases
            .into_iter()
            .map(|(change, promises)| obstacle(&host(change), promises).expect("a reason"))
            .collect();
        insta::assert_snapshot!(texts.join("\n"));
    }
}
