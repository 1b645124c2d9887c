//! "Stop now", said once and heard by everybody who holds the other end.

use tokio::sync::watch;

/// The end that says it.
#[derive(Debug)]
pub struct Interrupter(watch::Sender<bool>);

/// The end that hears it. Clones hear the same.
#[derive(Debug, Clone)]
pub struct Interrupt(watch::Receiver<bool>);

/// Both ends.
#[must_use]
pub fn interrupt() -> (Interrupter, Interrupt) {
    let (sender, receiver) = watch::channel(false);
    (Interrupter(sender), Interrupt(receiver))
}

impl Interrupter {
    /// Says it; saying it again changes nothing.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }
}

impl Interrupt {
    /// One that is never raised.
    #[must_use]
    pub fn never() -> Self {
        interrupt().1
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it was said; never, if nobody is left who could.
    pub async fn raised(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|raised| *raised).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
