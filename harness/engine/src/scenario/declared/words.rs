//! What a step's script becomes, and how a file gets to its place.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::step::DeclaredStep;
use crate::vm::container::{assignments, quote};

/// `script` as the user of `step`, who begins at home, and with what it puts into the environment.
pub(super) fn script(step: &DeclaredStep, script: &str) -> String {
    let variables = step.environment.iter();
    let variables = assignments(variables.map(|(name, value)| (name.as_str(), value.as_str())));
    match &step.user {
        None if variables.is_empty() => script.to_owned(),
        None => format!("exec env{variables} sh -c {}", quote(script)),
        // The user's own group may have another name. A reset environment knows only the folders of programs that
        // all distributions have.
        Some(user) => format!(
            "group=$(id -g {user}) && exec setpriv --reuid {user} --regid \"$group\" --init-groups --reset-env \
             env PATH=\"$PATH\"{variables} sh -c {}",
            quote(&format!("cd 2>/dev/null || cd /\n{script}"))
        ),
    }
}

/// The script that makes a file of `content` at `path`, in a folder that is made if need be; of `user`, if one is named.
pub(super) fn put(path: &str, content: &[u8], mode: &str, user: Option<&str>) -> String {
    let path = quote(path);
    let text = quote(&STANDARD.encode(content));
    // Nobody sees half of it, or sees it before its mode is right.
    let owner = user.map(|user| format!("chown {user}: \"$part\"\n"));
    format!(
        "set -e\nmkdir -p \"$(dirname {path})\"\npart=$(mktemp {path}.XXXXXX)\n\
         printf %s {text} | base64 -d >\"$part\"\n{}chmod {mode} \"$part\"\nmv -T \"$part\" {path}",
        owner.unwrap_or_default()
    )
}
