//! Proofs on clones that a script plays.

use super::*;
use crate::{
    run::scripted::{
        Ends, SABOTEUR, ScriptedLab, fails, failure, is_skipped, kept_for_ever, lab_fails, passes,
        scenario, waits_in_vain, words,
    },
    scenario::{Body, Scenario},
    verdict::Outcome,
    vm::{qemu::scripted::Reply, verbs::Verbs as _},
};

fn fails_elsewhere() -> Outcome {
    Err(failure("the name resolves").into())
}

/// Ends like `sabotaged` where the saboteur was, else like `plain`.
fn sensitive(name: &'static str, sabotaged: Ends, plain: Ends) -> &'static Scenario {
    let body = Body::leaked(move |lab| {
        Box::pin(async move {
            match lab
                .host()
                .execute("is it sabotaged")
                .await?
                .status
                .success()
            {
                true => sabotaged(),
                false => plain(),
            }
        })
    });
    kept_for_ever(scenario(name, body))
}

async fn proved(lab: &ScriptedLab, page: (Ends, Ends), neighbour: Ends) -> Verdict {
    lab.reply("is it sabotaged", Reply::After("systemctl stop web"));
    let page = lab.attempt(sensitive("page", page.0, page.1));
    let neighbour = lab.attempt(sensitive("neighbour", neighbour, passes));
    proof(page, &SABOTEUR, neighbour, &lab.evidence).await
}

const RED: &str = "the saboteur turns it red";
const SPARED: &str = "the saboteur spares its neighbour";

#[rstest::rstest]
// Under the saboteur, and without it; the neighbour under the saboteur; the verdict, and what it says.
#[case::proved(fails, passes, passes, "passed", &[])]
#[case::it_stays_green(passes, passes, passes, "failed", &[RED, "saw passed"])]
#[case::it_fails_elsewhere(fails_elsewhere, passes, passes, "failed", &[RED, "the name resolves"])]
#[case::it_waits_in_vain(waits_in_vain, passes, passes, "failed", &[RED, "timed out waiting for the lease"])]
#[case::it_is_always_skipped(is_skipped, is_skipped, passes, "skipped", &["no resolver"])]
#[case::it_is_skipped_because_of_the_saboteur(is_skipped, passes, passes, "failed", &[RED, "skipped"])]
#[case::the_lab_fails(lab_fails, passes, passes, "infrastructure", &["no answer"])]
#[case::the_neighbour_fails(fails, passes, fails_elsewhere, "failed", &[SPARED, "tests::neighbour to pass"])]
#[case::the_neighbour_waits_in_vain(fails, passes, waits_in_vain, "failed", &[SPARED, "the lease"])]
#[case::the_neighbour_is_skipped(fails, passes, is_skipped, "failed", &[SPARED, "skipped"])]
#[case::the_lab_fails_the_neighbour(fails, passes, lab_fails, "infrastructure", &["no answer"])]
#[tokio::test(start_paused = true)]
async fn a_proof_is_a_failure_where_it_was_said_and_a_neighbour_that_passes(
    #[case] sabotaged: Ends,
    #[case] plain: Ends,
    #[case] neighbour: Ends,
    #[case] word: &str,
    #[case] says: &[&str],
) {
    let lab = ScriptedLab::new().await;
    let verdict = proved(&lab, (sabotaged, plain), neighbour).await;
    assert_eq!(verdict.word(), word, "{verdict:?}");
    let said = match &verdict {
        Verdict::Failed(failure) => format!("{}: {failure}", failure.assertion),
        other => words(other),
    };
    for part in says {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(lab.running(), 0);
    // One is enough to know that a proof fails.
    let spared = lab.evidence.join("spared").exists();
    assert_eq!(
        spared,
        sabotaged().is_err_and(|broken| broken.to_string().starts_with("the page is"))
    );
}

#[rstest::rstest]
#[case::it_passes_otherwise(passes, "failed", RED)]
#[case::it_fails_as_it_should(fails, "passed", "")]
#[tokio::test(start_paused = true)]
async fn a_host_that_only_became_unwell_proves_nothing(
    #[case] ends: Ends,
    #[case] word: &str,
    #[case] says: &str,
) {
    let lab = ScriptedLab::new().await;
    lab.fails("web.service");
    let verdict = proved(&lab, (ends, passes), passes).await;
    assert_eq!(verdict.word(), word, "{verdict:?}");
    assert!(words(&verdict).contains(says), "{verdict:?}");
}
