//! What a link does to frames, as plain data.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::error::{Error, Result};

/// A direction of the link between a machine and its switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// What the machine sends.
    Out,
    /// What the machine receives.
    In,
    /// Both of them.
    Both,
}

impl Direction {
    /// `Out`, `In`, or both.
    pub(crate) fn each(self) -> &'static [Direction] {
        match self {
            Self::Out => &[Self::Out],
            Self::In => &[Self::In],
            Self::Both => &[Self::Out, Self::In],
        }
    }

    /// `from` or `to`, for a machine's name behind it.
    pub(crate) fn preposition(self) -> &'static str {
        match self {
            Self::Out => "from",
            Self::In => "to",
            Self::Both => "from and to",
        }
    }
}

/// What one direction of a link does to frames. The default does nothing to them.
///
/// `loss`, `duplicate`, `reorder` and `corrupt` are the shares of frames that this happens to, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Impairment {
    /// Frames that are lost.
    pub loss: f64,
    /// Frames that arrive twice.
    pub duplicate: f64,
    /// Frames that are held back for `reorder_by`, so that later ones overtake them. All others keep their order.
    pub reorder: f64,
    /// How long a frame that is reordered is held back beyond its delay.
    pub reorder_by: Duration,
    /// Frames in which one bit is turned, behind the Ethernet header, so that they still reach their destination.
    pub corrupt: f64,
    /// How long a frame takes.
    pub delay: Duration,
    /// How much longer or shorter than `delay` it takes at most; all values between are as likely.
    pub jitter: Duration,
    /// Bytes of frames per second; more wait for their turn.
    pub rate: Option<u64>,
    /// Bytes that wait for their turn at most, where there is a rate. What comes then is lost.
    pub queue: u64,
}

impl Default for Impairment {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::from_millis(10),
            corrupt: 0.0,
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            rate: None,
            queue: 64 << 10,
        }
    }
}

/// The longest that a frame can be told to take.
const LONGEST: Duration = Duration::from_secs(600);

impl Impairment {
    /// Refuses what no link can do.
    ///
    /// # Errors
    /// [`Error::Given`], which names the field.
    pub fn validate(&self) -> Result<()> {
        let shares = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("corrupt", self.corrupt),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(Error::Given(format!(
                    "the impairment's {name} is {share}; it is a share of all frames, from 0 to 1"
                )));
            }
        }
        let times = [
            ("delay", self.delay),
            ("jitter", self.jitter),
            ("reorder_by", self.reorder_by),
        ];
        for (name, time) in times {
            if time > LONGEST {
                return Err(Error::Given(format!(
                    "the impairment's {name} is {} s; the longest is {} s",
                    time.as_secs_f64(),
                    LONGEST.as_secs()
                )));
            }
        }
        if self.rate == Some(0) {
            return Err(Error::Given(
                "the impairment's rate is 0 bytes/s; to let nothing pass, cut the link".into(),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Impairment { loss: 1.5, ..Impairment::default() }, "loss is 1.5")]
    #[case(Impairment { corrupt: -0.1, ..Impairment::default() }, "corrupt is -0.1")]
    #[case(Impairment { reorder: f64::NAN, ..Impairment::default() }, "reorder is NaN")]
    #[case(Impairment { jitter: Duration::MAX, ..Impairment::default() }, "jitter is")]
    #[case(Impairment { rate: Some(0), ..Impairment::default() }, "cut the link")]
    fn what_no_link_does_is_refused_by_name(#[case] impairment: Impairment, #[case] said: &str) {
        let error = impairment.validate().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }

    #[test]
    fn the_default_and_the_bounds_are_fine() {
        Impairment::default().validate().unwrap();
        let all = Impairment {
            loss: 1.0,
            duplicate: 1.0,
            delay: LONGEST,
            rate: Some(1),
            ..Impairment::default()
        };
        all.validate().unwrap();
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Impairment>(&text).unwrap(), all);
    }
}
