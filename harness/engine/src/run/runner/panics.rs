//! Keeps what a panicking body said and where, which a joined task no longer tells.

use std::{
    any::Any,
    backtrace::Backtrace,
    future::Future,
    panic::PanicHookInfo,
    sync::{Arc, Mutex, Once, PoisonError},
};

/// What is known of one panic.
#[derive(Debug, Clone)]
pub(super) struct Caught {
    /// The text, and where the source says it happened.
    pub(super) text: String,
    /// The backtrace; a notice that it is disabled unless `RUST_BACKTRACE` asks for it.
    pub(super) backtrace: String,
}

/// Where the panic of one task is left.
#[derive(Debug, Clone, Default)]
pub(super) struct PanicSlot(Arc<Mutex<Option<Caught>>>);

tokio::task_local! {
    static SLOT: PanicSlot;
}

impl PanicSlot {
    /// Runs `body`; a panic in it is left here instead of being printed.
    pub(super) fn watch<F: Future>(&self, body: F) -> impl Future<Output = F::Output> + use<F> {
        SLOT.scope(self.clone(), body)
    }

    /// The panic, if there was one; else what its payload tells.
    pub(super) fn take(&self, payload: &(dyn Any + Send)) -> Caught {
        let caught = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        caught.unwrap_or_else(|| Caught {
            text: text_of(payload),
            backtrace: String::new(),
        })
    }
}

/// Puts the hook in front of the one that is there; panics outside jobs go on to that one.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if SLOT.try_with(|slot| keep(slot, info)).is_err() {
                before(info);
            }
        }));
    });
}

fn keep(slot: &PanicSlot, info: &PanicHookInfo<'_>) {
    let location = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    *slot.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Caught {
        text: format!("{} (at {location})", text_of(info.payload())),
        backtrace: Backtrace::capture().to_string(),
    });
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without text".into())
}
