//! Attempts at scenarios of several machines, which a script plays.

use super::*;
use crate::{
    run::scripted::{SABOTEUR, ScriptedLab, body, fails, kept_for_ever, scenario, words},
    scenario::{Base, Body, MachineBase},
    vm::{qemu::scripted::Reply, verbs::Verbs as _},
};

/// A lab of a laptop and a host, on which `body` runs.
fn two_machines(body: Body) -> &'static Scenario {
    const MACHINES: &[MachineBase] = &[
        MachineBase {
            name: "laptop",
            base: Base::Host,
        },
        MachineBase {
            name: "host",
            base: Base::Host,
        },
    ];
    kept_for_ever(Scenario {
        machines: MACHINES,
        ..scenario("two", body)
    })
}

#[tokio::test(start_paused = true)]
async fn each_machine_of_a_lab_is_asked_and_has_its_own_evidence() {
    let lab = ScriptedLab::new().await;
    let asks = Body::leaked(|lab| {
        Box::pin(async {
            lab.machine("laptop").succeed("echo one").await?;
            lab.machine("host").succeed("echo two").await?;
            lab.network().cut("laptop", Direction::Both)?;
            Ok(())
        })
    });
    let verdict = lab.attempt(two_machines(asks)).run(&lab.evidence).await;
    assert_eq!(verdict, Verdict::Passed);
    for (name, own, other) in [("laptop", "one", "two"), ("host", "two", "one")] {
        let commands = fs_err::read_to_string(lab.evidence.join(name).join("commands.log"));
        let commands = commands.unwrap();
        assert!(commands.contains(&format!("$ echo {own}")), "{commands}");
        assert!(!commands.contains(&format!("$ echo {other}")), "{commands}");
        assert!(commands.contains(&format!("name='{name}' ")), "{commands}");
    }
    let about = fs_err::read_to_string(lab.evidence.join(NETWORK)).unwrap();
    assert!(about.contains("\"seed\": "), "{about}");
    assert!(about.contains("\"mac\": \"52:54:00:5b:00:02\""), "{about}");
    assert!(lab.evidence.join(FRAMES).exists());
    assert_eq!(lab.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lab_that_fails_names_its_seed_and_leaves_evidence_of_all_machines() {
    let lab = ScriptedLab::new().await;
    lab.fails("web.service");
    let attempt = Attempt {
        keep: true,
        ..lab.attempt(two_machines(body(fails)))
    };
    let verdict = attempt.run(&lab.evidence).await;
    let Verdict::Failed(failure) = &verdict else {
        panic!("{verdict:?}");
    };
    let lines = failure.lines.join("\n");
    for said in [
        "network lan: seed ",
        "the lab is kept with all its machines",
        "failed unit on laptop",
        "failed unit on host",
    ] {
        assert!(lines.contains(said), "{said}: {lines}");
    }
    for name in ["laptop", "host"] {
        assert!(lab.evidence.join(name).join("network.txt").exists());
    }
    assert_eq!((lab.kept(), lab.running()), (1, 0));
    assert!(lab.evidence.join("kept.json").exists());
    let kept = crate::layer::kept::list(&lab.cache.dir()).unwrap();
    assert_eq!(kept[0].machines, ["laptop", "host"]);
}

#[rstest::rstest]
#[case::memory("migrate")]
#[case::disk("blockdev-backup")]
#[case::stopped("stop")]
#[tokio::test(start_paused = true)]
async fn of_a_lab_that_can_not_be_kept_nothing_is_left_and_it_goes_on(
    #[case] refused: &'static str,
) {
    let lab = ScriptedLab::new().await;
    lab.cache.script.refuse(refused);
    let attempt = Attempt {
        keep: true,
        ..lab.attempt(two_machines(body(fails)))
    };
    let verdict = attempt.run(&lab.evidence).await;
    let said = words(&verdict);
    assert!(said.contains("the lab could not be kept: "), "{said}");
    assert_eq!(verdict.word(), "failed");
    assert_eq!((lab.kept(), lab.running()), (0, 0));
    let left = lab
        .cache
        .dir()
        .join("kept")
        .read_dir_utf8()
        .unwrap()
        .count();
    assert_eq!(left, 0);
    assert!(!lab.evidence.join("kept.json").exists());
}

#[rstest::rstest]
#[case::there("laptop", "passed")]
#[case::not_there("server", "infrastructure")]
#[tokio::test(start_paused = true)]
async fn a_saboteur_is_done_on_its_machine(#[case] on: &'static str, #[case] word: &str) {
    let lab = ScriptedLab::new().await;
    lab.reply("is it sabotaged", Reply::After("systemctl stop web"));
    let asks = Body::leaked(|lab| {
        Box::pin(async {
            lab.machine("laptop").succeed("is it sabotaged").await?;
            lab.host().fail("is it sabotaged").await?;
            Ok(())
        })
    });
    let saboteur: &'static Saboteur = Box::leak(Box::new(Saboteur { on, ..SABOTEUR }));
    let attempt = Attempt {
        saboteur: Some(saboteur),
        ..lab.attempt(two_machines(asks))
    };
    assert_eq!(attempt.run(&lab.evidence).await.word(), word);
    assert_eq!(lab.running(), 0);
}
