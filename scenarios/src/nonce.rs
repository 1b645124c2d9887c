//! Texts that nobody else can have written.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

/// A word that was never used before: what shows it has really done what it was told.
#[must_use]
pub(crate) fn nonce() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("nonce-{:x}-{}-{count}", now.as_nanos(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::nonce;

    #[test]
    fn no_two_are_the_same() {
        assert_ne!(nonce(), nonce());
    }
}
