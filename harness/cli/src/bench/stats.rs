//! Samples and what is said of them.

use std::collections::BTreeMap;

/// Samples by the name of what was measured.
pub(crate) type Samples = BTreeMap<String, Vec<f64>>;

/// Median and spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stats {
    pub(crate) n: usize,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

/// Those of `samples`; none if there are none.
pub(crate) fn stats(samples: &[f64]) -> Option<Stats> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (*sorted.first()?, *sorted.last()?);
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    Some(Stats {
        n: sorted.len(),
        median: f64::midpoint(low, high),
        min,
        max,
    })
}

/// How many times the cold path takes as long as `name`. The cold path to a container that answers is a
/// boot and a first deploy; for the suite it is the suite without layers.
pub(crate) fn ratio(samples: &Samples, name: &str) -> Option<f64> {
    let median = |name: &str| Some(stats(samples.get(name)?)?.median);
    let cold = match name {
        "memory" | "bulk" | "bulk-recorded" | "recording" => return None,
        // They have nothing to do with a host.
        _ if name.starts_with("switch-") => return None,
        "suite-cold" | "suite-warm" => median("suite-cold")?,
        _ => median("boot-running")? + median("deploy-first")?,
    };
    Some(cold / median(name)?).filter(|ratio| ratio.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread() {
        assert_eq!(stats(&[]), None);
        let odd = stats(&[3.0, 1.0, 2.0]).expect("samples");
        assert_eq!((odd.n, odd.median, odd.min, odd.max), (3, 2.0, 1.0, 3.0));
        let even = stats(&[4.0, 1.0, 2.0, 3.0]).expect("samples");
        assert!((even.median - 2.5).abs() < 1e-9);
    }

    #[test]
    fn the_cold_path_is_a_boot_and_a_deploy_of_the_same_run() {
        let mut samples = Samples::from([("clone".into(), vec![100.0])]);
        assert_eq!(ratio(&samples, "clone"), None);
        samples.insert("boot-running".into(), vec![7000.0]);
        samples.insert("deploy-first".into(), vec![3000.0]);
        assert_eq!(ratio(&samples, "clone"), Some(100.0));
        assert_eq!(ratio(&samples, "memory"), None);
        samples.insert("recording".into(), vec![2.0]);
        assert_eq!(ratio(&samples, "recording"), None);
        samples.insert("switch-delay".into(), vec![20.0]);
        assert_eq!(ratio(&samples, "switch-delay"), None);
    }
}
