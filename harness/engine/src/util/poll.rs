//! The one place that waits for a state: with a limit, and with a memory of what was seen last.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use crate::util::error::{Result, Timeout};

/// A future that can be sent between threads and owns what it uses.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What one look at the state found.
#[derive(Debug)]
pub enum Seen<T> {
    /// The state that was waited for.
    Ready(T),
    /// Something else: the text goes into the timeout's message.
    NotYet(String),
}

/// Looks again and again until the state is there.
///
/// The pauses grow from 2 ms to `pace`, so that what is nearly there is seen at once and what
/// takes long is not disturbed by the looking. A look that hangs is cut off by the limit, too.
///
/// # Errors
/// [`Timeout`] after `limit`; whatever `look` returns as an error ends the wait at once.
pub async fn until<T, F>(
    what: &str,
    limit: Duration,
    pace: Duration,
    mut look: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<Seen<T>>>,
{
    let begin = Instant::now();
    let mut pause = Duration::from_millis(2).min(pace);
    let mut last = String::from("nothing yet");
    let wait = async {
        loop {
            match look().await? {
                Seen::Ready(value) => return Ok(value),
                Seen::NotYet(seen) => last = seen,
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(pace);
        }
    };
    match tokio::time::timeout(limit, wait).await {
        Ok(result) => result,
        Err(_) => Err(Timeout {
            what: what.to_owned(),
            waited: Duration::from_millis(millis(begin.elapsed().max(limit))),
            last,
        }
        .into()),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::util::error::Error;

    const PACE: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn returns_what_became_ready() {
        let looks = Cell::new(0);
        let value = until("a third look", Duration::from_secs(1), PACE, || async {
            looks.set(looks.get() + 1);
            Ok(if looks.get() == 3 {
                Seen::Ready(looks.get())
            } else {
                Seen::NotYet(format!("look {}", looks.get()))
            })
        })
        .await
        .expect("the third look is ready");
        assert_eq!(value, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_names_what_and_the_last_thing_seen() {
        let error = until::<(), _>("the lease", Duration::from_secs(2), PACE, || async {
            Ok(Seen::NotYet("169.254.7.9".into()))
        })
        .await
        .expect_err("never ready");
        let text = error.to_string();
        assert!(text.contains("the lease"), "{text}");
        assert!(text.contains("169.254.7.9"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_cut_off() {
        let error = until::<(), _>(
            "an answer",
            Duration::from_secs(2),
            PACE,
            std::future::pending::<Result<Seen<()>>>,
        )
        .await
        .expect_err("never ready");
        assert!(matches!(error, Error::Timeout(_)), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_ends_the_wait_at_once() {
        let error = until::<(), _>("anything", Duration::from_secs(2), PACE, || async {
            Err(Error::Agent("gone".into()))
        })
        .await
        .expect_err("the look failed");
        assert!(matches!(error, Error::Agent(_)), "{error}");
    }
}
