//! What a run injects into its hosts: provisioning, tooling, guests, and the tool under test.

use camino::Utf8Path;
use spawnlab::{
    Error, Result,
    layer::labdisk::LabFile,
    subject::{CONTAINERS, Deployed, Subject},
};

use crate::declarations::Declarations;

/// Files of the repository by their place on the lab disk; see `build.rs`.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/lab_files.rs"));

/// Where provisioning looks for the tool under test.
const TOOL: &str = "tool/nixos-deploy-container";

/// Where the host starts the lab's own agent from.
pub(crate) const AGENT: &str = "spawnlab-agent";

/// What the shipped scenarios are about: the flake of this repository's guests, declared as `tooling/`
/// declares them.
#[must_use]
pub fn subject() -> Subject {
    let deployed = |container: &str| Deployed {
        machine: "web".to_owned(),
        container: container.to_owned(),
    };
    let mut subject = Subject {
        files: vec![],
        deployed: vec![deployed("web"), deployed("a-container-with-a-long-name")],
    };
    for (path, content) in FILES {
        subject.put_file(path, content.to_vec());
    }
    subject
}

/// What the host declares, and where the lab's own declarations are beside somebody else's.
const OWN_DECLARATIONS: &str = "lab-containers.nix";

/// All files of the lab disk: those of `subject`, with the program at `tool` as the tool under test,
/// that at `agent` as the lab's own agent, and `host` in place of the subject's containers.
///
/// # Errors
/// When one of the two can't be read.
pub(crate) fn lab_files(
    subject: &Subject,
    tool: &Utf8Path,
    agent: Option<&Utf8Path>,
    host: Option<&Declarations>,
) -> Result<Vec<LabFile>> {
    let content = fs_err::read(tool).map_err(|error| {
        Error::Machine(format!(
            "the tool can't be read: {error}; --tool takes the path of a program"
        ))
    })?;
    let tool = LabFile {
        path: TOOL.into(),
        executable: true,
        content,
    };
    let agent = match agent {
        None => None,
        Some(path) => Some(LabFile {
            path: AGENT.into(),
            executable: true,
            content: fs_err::read(path)?,
        }),
    };
    let mut subject = subject.clone();
    if let Some(host) = host {
        for file in &mut subject.files {
            if file.path == CONTAINERS {
                file.path = OWN_DECLARATIONS.into();
            }
        }
        subject.put_file(CONTAINERS, host.text.clone().into_bytes());
    }
    let files = subject.files.into_iter();
    Ok(files.chain([tool]).chain(agent).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_has_what_the_contract_names() {
        let dir = tempfile::tempdir().unwrap();
        let tool = Utf8Path::from_path(dir.path()).unwrap().join("tool");
        fs_err::write(&tool, "#!/bin/sh\n").unwrap();
        let files = lab_files(&subject(), &tool, Some(&tool), None).unwrap();
        let find = |path: &str| files.iter().find(|file| file.path == path);
        assert!(find("provision").unwrap().executable);
        assert!(find(TOOL).unwrap().executable);
        assert!(find(AGENT).unwrap().executable);
        assert!(!find("containers.nix").unwrap().executable);
        assert!(find("guests/flake.nix").is_some());
        assert!(find("nix/declaration.nix").is_some());
    }

    #[test]
    fn somebody_elses_declarations_can_import_the_labs() {
        let dir = tempfile::tempdir().unwrap();
        let tool = Utf8Path::from_path(dir.path()).unwrap().join("tool");
        fs_err::write(&tool, "#!/bin/sh\n").unwrap();
        let host = Declarations {
            file: "mine.nix".into(),
            text: "import ./lab-containers.nix".into(),
        };
        let own = lab_files(&subject(), &tool, None, None).unwrap();
        let files = lab_files(&subject(), &tool, None, Some(&host)).unwrap();
        let find = |files: &[LabFile], path: &str| {
            let mut found = files.iter().filter(|file| file.path == path);
            let content = found.next().map(|file| file.content.clone());
            assert!(found.next().is_none(), "{path} is there twice");
            content
        };
        let mine = find(&files, CONTAINERS);
        assert_eq!(mine, Some(host.text.clone().into_bytes()));
        assert_eq!(find(&files, OWN_DECLARATIONS), find(&own, CONTAINERS));
        assert_eq!(find(&own, OWN_DECLARATIONS), None);
    }

    #[test]
    fn a_missing_tool_names_the_option() {
        let error = lab_files(&subject(), "/nowhere/tool".into(), None, None).unwrap_err();
        assert!(error.to_string().contains("--tool"), "{error}");
    }
}
