//! Whether a layer can be made: a question with a verdict, for what was deployed or loaded may be to
//! blame, or the lab.

use std::sync::Arc;

use crate::{
    layer::saved::Layer,
    run::repeat,
    verdict::{ScenarioError, Verdict},
};

/// A layer, or the verdict that stands for every scenario that would start from it.
pub(super) type LayerResult = Result<Arc<Layer>, Verdict>;

/// What `make` comes to in up to `attempts`.
///
/// An assertion that did not hold (the tool failed, the rules were refused) is a finding only if it
/// does not hold each time; if another attempt succeeds, it is flaky. A wait that was in vain is none:
/// the lab may have been slow.
pub(super) async fn retried<T>(
    attempts: u32,
    mut make: impl AsyncFnMut() -> Result<T, ScenarioError>,
) -> Result<T, Verdict> {
    let mut verdicts = vec![];
    for _ in 0..attempts.max(1) {
        match make().await {
            Ok(layer) if verdicts.is_empty() => return Ok(layer),
            Ok(_) => {
                verdicts.push(Verdict::Passed);
                break;
            }
            Err(broken @ ScenarioError::TimedOut(_)) => return Err(broken.into_infrastructure()),
            Err(broken) => verdicts.push(broken.into_verdict()),
        }
        if matches!(verdicts.last(), Some(Verdict::Infrastructure { .. })) {
            break;
        }
    }
    Err(repeat::together(&verdicts))
}

#[cfg(test)]
mod tests {
    use crate::{Error, util::error::Timeout, verdict::Failure};

    use super::*;

    fn broken(letter: char) -> Result<(), ScenarioError> {
        match letter {
            'p' => Ok(()),
            'f' => Err(ScenarioError::Failed(Failure {
                assertion: "deploying the layer".into(),
                expected: "exit status 0".into(),
                seen: "exit status 1".into(),
                hop: None,
                lines: vec![],
            })),
            't' => Err(ScenarioError::TimedOut(Timeout {
                what: "the guest agent".into(),
                waited: std::time::Duration::from_secs(1),
                last: "nothing".into(),
            })),
            'i' => Err(ScenarioError::Infrastructure(Error::Machine(
                "no space".into(),
            ))),
            other => panic!("nothing is meant by {other}"),
        }
    }

    #[rstest::rstest]
    #[case("p", 3, None, 1)]
    #[case("fff", 3, Some("failed"), 3)]
    #[case("f", 1, Some("failed"), 1)]
    #[case("fp", 3, Some("flaky"), 2)]
    #[case("t", 3, Some("infrastructure"), 1)]
    #[case("ft", 3, Some("infrastructure"), 2)]
    #[case("fi", 3, Some("infrastructure"), 2)]
    #[tokio::test]
    async fn what_attempts_come_to(
        #[case] letters: &str,
        #[case] attempts: u32,
        #[case] word: Option<&str>,
        #[case] made_in: usize,
    ) {
        let mut left = letters.chars();
        let retried = retried(attempts, async || {
            broken(left.next().expect("no more than needed"))
        })
        .await;
        assert_eq!(retried.err().as_ref().map(Verdict::word), word);
        assert_eq!(letters.len() - left.count(), made_in);
    }
}
