use std::process::Command;

use super::*;

/// A folder with the smallest nixpkgs.
fn nixpkgs() -> (tempfile::TempDir, Utf8PathBuf) {
    let dir = tempfile::tempdir().expect("a folder");
    let root = Utf8PathBuf::try_from(dir.path().join("nixpkgs")).expect("UTF-8");
    for folder in MARKS {
        std::fs::create_dir_all(root.join(folder)).expect("made");
    }
    put(&root, "lib/.version", "26.11");
    put(&root, "nixos/modules/module-list.nix", "[ ]\n");
    std::os::unix::fs::symlink("lib/.version", root.join(".version")).expect("made");
    (dir, root)
}

fn put(root: &Utf8Path, path: &str, text: &str) {
    std::fs::write(root.join(path), text).expect("written");
}

fn git(root: &Utf8Path, args: &[&str]) {
    let done = Command::new("git")
        .args([
            "-C",
            root.as_str(),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
        ])
        .args(args)
        .output()
        .expect("git starts");
    assert!(done.status.success(), "{done:?}");
}

fn commit(root: &Utf8Path) {
    git(root, &["add", "-A"]);
    git(root, &["commit", "-q", "-m", "all"]);
}

fn given(root: &Utf8Path) -> NixpkgsGiven {
    NixpkgsGiven::read(root.as_str())
}

fn read(root: &Utf8Path) -> Tree {
    Tree::read(&given(root), root, None).expect("a tree")
}

fn refused(root: &Utf8Path) -> String {
    let error = Tree::read(&given(root), root, None).expect_err("refused");
    assert!(error.is_given(), "{error}");
    error.to_string().replace(root.as_str(), "<tree>")
}

#[test]
fn the_hash_is_that_of_paths_modes_bytes_and_links() {
    let (_dir, root) = nixpkgs();
    let plain = read(&root);
    assert_eq!(plain.label, plain.hash[..12]);
    assert_eq!(read(&root).hash, plain.hash);
    let mut seen = vec![plain.hash];
    let mut differs = |what: &str| {
        let hash = read(&root).hash;
        assert!(!seen.contains(&hash), "{what}");
        seen.push(hash);
    };
    put(&root, "lib/.version", "26.05");
    differs("bytes");
    std::fs::rename(root.join("lib/.version"), root.join("lib/version")).expect("renamed");
    differs("a path");
    let chmod = Command::new("chmod")
        .args(["+x", root.join("lib/version").as_str()])
        .status();
    assert!(chmod.expect("chmod starts").success());
    differs("a mode");
    std::fs::remove_file(root.join(".version")).expect("removed");
    std::os::unix::fs::symlink("lib/version", root.join(".version")).expect("made");
    differs("a link");
}

#[test]
fn the_same_size_and_time_is_no_reason_to_believe_it_is_the_same() {
    let (_dir, root) = nixpkgs();
    let before = read(&root).hash;
    let file = root.join("lib/.version");
    let time = std::fs::metadata(&file)
        .expect("there")
        .modified()
        .expect("a time");
    put(&root, "lib/.version", "26.12");
    let opened = std::fs::File::options()
        .write(true)
        .open(&file)
        .expect("opened");
    opened.set_modified(time).expect("set");
    assert_ne!(read(&root).hash, before);
}

#[test]
fn of_a_git_work_tree_what_is_ignored_stays_out_and_what_is_new_counts() {
    let (_dir, root) = nixpkgs();
    let plain = read(&root).hash;
    git(&root, &["init", "-q"]);
    assert_eq!(read(&root).hash, plain, "a repository without a commit");
    put(&root, ".gitignore", "result\n");
    commit(&root);
    let clean = read(&root);
    let rev = clean
        .label
        .strip_prefix("rev ")
        .expect("a commit")
        .to_owned();
    assert_eq!(rev.len(), 12);
    std::os::unix::fs::symlink("/nix/store/x", root.join("result")).expect("made");
    assert_eq!(read(&root).hash, clean.hash, "what git ignores");
    assert_eq!(read(&root).label, clean.label);
    put(&root, "lib/new.nix", "{ }");
    let dirty = read(&root);
    assert_ne!(dirty.hash, clean.hash, "what git does not know yet");
    assert_eq!(
        dirty.label,
        format!("rev {rev}-dirty {}", &dirty.hash[..12])
    );
    std::fs::remove_file(root.join("lib/new.nix")).expect("removed");
    std::fs::remove_file(root.join("lib/.version")).expect("removed");
    assert!(read(&root).label.contains("-dirty "), "what is gone");
}

#[test]
fn the_archive_has_the_tree_without_git() {
    let (dir, root) = nixpkgs();
    put(&root, "lib/a name\nwith a line's end", "x");
    git(&root, &["init", "-q"]);
    commit(&root);
    let tree = read(&root);
    let archive = Utf8PathBuf::try_from(dir.path().join("a.tar")).expect("UTF-8");
    tree.write(&archive).expect("written");
    let copy = Utf8PathBuf::try_from(dir.path().join("copy")).expect("UTF-8");
    std::fs::create_dir(&copy).expect("made");
    let status = Command::new("tar")
        .args(["-xf", archive.as_str(), "-C", copy.as_str()])
        .status();
    assert!(status.expect("tar starts").success());
    assert!(!copy.join(".git").exists());
    std::fs::create_dir_all(copy.join("pkgs/top-level")).expect("an empty folder is no content");
    assert_eq!(read(&copy).hash, tree.hash);
}

#[test]
fn a_tree_that_changes_after_its_name_was_known_makes_no_image() {
    let (dir, root) = nixpkgs();
    let archive = Utf8PathBuf::try_from(dir.path().join("a.tar")).expect("UTF-8");
    let said = |tree: &Tree| {
        let error = tree.write(&archive).expect_err("refused");
        assert!(error.is_given(), "{error}");
        error.to_string().replace(root.as_str(), "<tree>")
    };
    let tree = read(&root);
    put(&root, "lib/.version", "26.12");
    let changed = said(&tree);
    std::fs::remove_file(root.join("lib/.version")).expect("removed");
    insta::assert_snapshot!(format!("{changed}\n{}", said(&tree)));
}

#[test]
fn what_is_no_tree_is_refused() {
    let mut texts = vec![];
    let mut case = |make: &dyn Fn(&Utf8Path)| {
        let (_dir, root) = nixpkgs();
        make(&root);
        texts.push(refused(&root));
    };
    case(&|root| std::fs::remove_dir_all(root).expect("removed"));
    case(&|root| {
        std::fs::remove_dir_all(root).expect("removed");
        std::fs::write(root, "a file").expect("written");
    });
    case(&|root| {
        std::fs::remove_dir_all(root).expect("removed");
        std::fs::create_dir(root).expect("made");
    });
    case(&|root| std::fs::remove_dir_all(root.join("nixos")).expect("removed"));
    case(&|root| std::os::unix::fs::symlink("../..", root.join("lib/up")).expect("made"));
    case(&|root| std::os::unix::fs::symlink("/etc", root.join("etc")).expect("made"));
    case(&|root| {
        let socket = std::os::unix::net::UnixListener::bind(root.join("lib/socket"));
        drop(socket.expect("bound"));
    });
    case(&|root| std::fs::create_dir(root.join(".git")).expect("made"));
    let texts: Vec<_> = texts
        .iter()
        // The rest is git's own words.
        .map(|text| {
            text.split_once("fatal:")
                .map_or(text.as_str(), |(ours, _)| ours)
        })
        .collect();
    insta::assert_snapshot!(texts.join("\n"));
}
