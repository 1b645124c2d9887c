use super::*;

#[test]
fn every_text_says_what_to_do_next() {
    let log = Utf8PathBuf::from("/c/images/.building-x/log/host.log");
    let errors = [
        ImageError::NoCacheFolder,
        ImageError::Arch { arch: "aarch64" },
        ImageError::MissingTools {
            programs: vec!["gpg".into()],
            packages: vec!["gpg".into()],
        },
        ImageError::MissingTools {
            programs: vec![
                "mmdebstrap".into(),
                "newuidmap".into(),
                "Debian's archive keys".into(),
            ],
            packages: vec![
                "mmdebstrap".into(),
                "uidmap".into(),
                "debian-archive-keyring".into(),
            ],
        },
        ImageError::NoSubIds {
            user: "lab".into(),
            file: "/etc/subuid",
        },
        ImageError::NoRoom {
            dir: "/c/images".into(),
            needed_mib: 2560,
            free_mib: 12,
            variable: "SPAWNLAB_CACHE",
        },
        ImageError::DiskFull {
            dir: "/c/images".into(),
            scratch: "/var/tmp".into(),
            step: "mmdebstrap for host".into(),
            log: log.clone(),
        },
        ImageError::StepTimeout {
            step: "mmdebstrap for host".into(),
            limit: Duration::from_secs(1800),
            log: log.clone(),
            tail: "I: downloading packages with apt...".into(),
        },
        ImageError::LockTimeout {
            image: "debian-trixie-0123456789abcdef".into(),
            lock: "/c/images/.lock-x".into(),
            limit: Duration::from_secs(3600),
        },
    ];
    insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n"));
}
