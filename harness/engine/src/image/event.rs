//! Progress of an image build.

use std::{fmt, time::Duration};

use camino::Utf8PathBuf;

/// What happens while an image is looked up or built.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageEvent {
    /// Another process builds this image; its result will be used.
    Waiting {
        /// The image's folder name.
        image: String,
    },
    /// Leftovers of a build that died were removed.
    Cleaned {
        /// What was removed.
        path: Utf8PathBuf,
    },
    /// A build begins; it takes minutes and downloads packages.
    Building {
        /// The image's folder name.
        image: String,
    },
    /// A step of the build begins.
    StepStarted {
        /// What is being done.
        step: String,
    },
    /// A step of the build ended well.
    StepFinished {
        /// What was done.
        step: String,
        /// How long it took.
        took: Duration,
    },
    /// The image is in place.
    Built {
        /// Its folder.
        dir: Utf8PathBuf,
        /// The whole build.
        took: Duration,
    },
}

impl fmt::Display for ImageEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { image } => write!(f, "waiting for another process that builds {image}"),
            Self::Cleaned { path } => {
                write!(f, "removed {path}, left by a build that did not finish")
            }
            Self::Building { image } => write!(f, "building {image}"),
            Self::StepStarted { step } => write!(f, "{step}"),
            Self::StepFinished { step, took } => write!(f, "{step}: {:.1} s", took.as_secs_f64()),
            Self::Built { dir, took } => write!(f, "built {dir} in {:.0} s", took.as_secs_f64()),
        }
    }
}
