//! The Debian trees, as tar files, by mmdebstrap.

use camino::{Utf8Path, Utf8PathBuf};

use super::{build_step::BuildStep, nixos, plan, preflight::Tools, workdir::Workdir};
use crate::{
    image::{embedded::script, error::ImageError, recipe::RecipeSpec},
    util::digest,
};

/// One tree.
#[derive(Debug)]
pub(crate) struct TreePlan<'a> {
    /// `host`, or the guest base's name; its tar file is called so.
    pub(crate) name: String,
    suite: &'a str,
    variant: &'a str,
    mirrors: &'a [String],
    apt_options: &'a [String],
    packages: &'a [String],
    excludes: &'a [String],
}

/// All trees of a recipe, the host's first.
pub(crate) fn plans(spec: &RecipeSpec) -> Vec<TreePlan<'_>> {
    let host = TreePlan {
        name: "host".to_owned(),
        suite: &spec.suite,
        variant: &spec.variant,
        mirrors: &spec.mirrors,
        apt_options: &spec.apt_options,
        packages: &spec.packages,
        excludes: &spec.excludes,
    };
    let bases = spec.guest_base.iter().map(|base| TreePlan {
        name: base.name(),
        suite: &base.suite,
        variant: &base.variant,
        mirrors: &base.mirrors,
        apt_options: &base.apt_options,
        packages: &base.packages,
        excludes: &base.excludes,
    });
    std::iter::once(host).chain(bases).collect()
}

/// The tree that a NixOS host's programs come from: `packages`, beside those that the recipe names.
pub(crate) fn programs<'a>(spec: &'a RecipeSpec, packages: &'a [String]) -> TreePlan<'a> {
    TreePlan {
        name: nixos::PROGRAMS.to_owned(),
        suite: &spec.suite,
        variant: &spec.variant,
        mirrors: &spec.mirrors,
        apt_options: &spec.apt_options,
        packages,
        excludes: &spec.excludes,
    }
}

/// What tells the tree of `plan` from others, as far as its build was told.
pub(crate) fn key(plan: &TreePlan<'_>) -> String {
    let tools = Tools {
        mode: "",
        keyring: Utf8PathBuf::new(),
    };
    let arguments = arguments(plan, &tools, Utf8Path::new(""));
    digest::of(arguments.iter().map(String::as_bytes))
}

/// Makes the tar file of `plan` in the work folder.
pub(crate) fn build(plan: &TreePlan<'_>, tools: &Tools, work: &Workdir) -> Result<(), ImageError> {
    let target = work.work().join(format!("{}.tar", plan.name));
    BuildStep::new(
        format!("mmdebstrap for {}", plan.name),
        "mmdebstrap",
        work.log(&plan.name),
        plan::TREE_LIMIT,
    )
    .args(arguments(plan, tools, &target))
    .env("TMPDIR", work.scratch())
    .stopped_by(work.stop())
    .run()
}

fn arguments(plan: &TreePlan<'_>, tools: &Tools, target: &Utf8Path) -> Vec<String> {
    let mut args = vec![
        format!("--mode={}", tools.mode),
        "--format=tar".to_owned(),
        format!("--keyring={}", tools.keyring),
        format!("--variant={}", plan.variant),
        format!("--include={}", plan.packages.join(",")),
        // Made by the kernel in every VM and container; an ordinary user could not unpack it.
        "--skip=output/dev".to_owned(),
        format!("--customize-hook={}", script::RECORD),
    ];
    args.extend(
        plan.apt_options
            .iter()
            .map(|option| format!("--aptopt={option}")),
    );
    args.extend(
        plan.excludes
            .iter()
            .map(|pattern| format!("--dpkgopt=path-exclude={pattern}")),
    );
    args.extend([plan.suite.to_owned(), target.to_string()]);
    args.extend(plan.mirrors.iter().cloned());
    args
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Recipe;

    #[test]
    fn arguments_of_both_trees() {
        let recipe = Recipe::parse("test", include_str!("../testdata/small.toml"), &|_| {
            Ok(Vec::new())
        })
        .expect("a recipe");
        let tools = Tools {
            mode: "unshare",
            keyring: "/keys.gpg".into(),
        };
        let text: Vec<_> = plans(recipe.spec())
            .iter()
            .map(|plan| {
                arguments(plan, &tools, Utf8Path::new("/build/out.tar"))
                    .join("\n")
                    .replace(script::RECORD, "<record.sh>")
            })
            .collect();
        insta::assert_snapshot!(text.join("\n\n"));
    }
}
