//! The time of a network, which stands still while the network is frozen.

use std::time::Duration;

use tokio::time::Instant;

/// Time since a network was opened.
#[derive(Debug)]
pub(crate) struct Clock {
    /// When it would have shown 0, had it never stopped.
    begin: Instant,
    stopped: Option<Duration>,
}

impl Clock {
    pub(crate) fn start(now: Instant) -> Self {
        Self {
            begin: now,
            stopped: None,
        }
    }

    pub(crate) fn now(&self, now: Instant) -> Duration {
        self.stopped.unwrap_or(now - self.begin)
    }

    pub(crate) fn stop(&mut self, now: Instant) {
        self.stopped = Some(self.now(now));
    }

    pub(crate) fn go(&mut self, now: Instant) {
        if let Some(stopped) = self.stopped.take() {
            self.begin = now.checked_sub(stopped).unwrap_or(now);
        }
    }

    /// When it shows `time`, unless it is stopped before.
    pub(crate) fn instant(&self, time: Duration) -> Instant {
        self.begin + time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_it_is_stopped() {
        let second = Duration::from_secs(1);
        let begin = Instant::now();
        let mut clock = Clock::start(begin);
        assert_eq!(clock.now(begin + second), second);
        clock.stop(begin + 2 * second);
        clock.stop(begin + 3 * second);
        assert_eq!(clock.now(begin + 9 * second), 2 * second);
        clock.go(begin + 10 * second);
        clock.go(begin + 11 * second);
        assert_eq!(clock.now(begin + 11 * second), 3 * second);
        assert_eq!(clock.instant(4 * second), begin + 12 * second);
    }
}
