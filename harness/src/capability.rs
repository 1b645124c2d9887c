//! What a host can't do because of what it is made of: computed from its `image.json` before anything boots.

use crate::{image::Manifest, scenario::Guarantee, version::is_before};

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

/// Why hosts of the image `manifest` can keep no part of the contract of deploys, with a tool that `promises`, if
/// they can't. One reason is enough.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn host(change: impl FnOnce(&mut Manifest)) -> Manifest {
        let text = include_str!("../../vm-images/nixos/tests/image.json");
        let mut manifest: Manifest = serde_json::from_str(text).unwrap();
        manifest.name = "debian-test".into();
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
