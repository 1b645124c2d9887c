//! A suite as the tests of `cargo test` and `cargo nextest`.

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::{runtime::Runtime, sync::OnceCell};

use super::{Suite, environment::LabEnvironment, testing::Testing};
use crate::run::selection::Selected;

impl Suite {
    /// Runs what the command line of a test target selects, and reports it.
    #[must_use]
    pub fn main(self) -> ExitCode {
        let args = Arguments::from_args();
        let process = match Process::new(self) {
            Ok(process) => Arc::new(process),
            Err(why) => {
                eprintln!("error: {why}");
                return ExitCode::FAILURE;
            }
        };
        let mut all = process.suite.to_run();
        all.extend(process.suite.to_prove());
        let test = |&selected: &Selected| {
            let process = Arc::clone(&process);
            Trial::ignorable_test(selected.full_name(), move || process.test(selected))
                .with_ignored_flag(selected.saboteur.is_some() || selected.scenario.soak)
        };
        let trials: Vec<Trial> = all.iter().map(test).collect();
        let selected = all.iter().zip(&trials).filter(|(_, test)| {
            // Only those layers are made that something starts from.
            !args.is_filtered_out(test) && !args.is_ignored(test)
        });
        *lock(&process.selected) = selected.map(|(selected, _)| *selected).collect();
        let conclusion = libtest_mimic::run(&args, trials);
        process.finish();
        conclusion.exit_code()
    }
}

/// What all tests of this process share; nothing is opened before the first one runs.
struct Process {
    runtime: Runtime,
    suite: Suite,
    environment: LabEnvironment,
    selected: Mutex<Vec<Selected>>,
    testing: OnceCell<Result<Testing, String>>,
}

impl Process {
    fn new(suite: Suite) -> Result<Self, String> {
        if let Some(why) = suite.problem() {
            return Err(why);
        }
        Ok(Self {
            runtime: Runtime::new().map_err(|error| error.to_string())?,
            suite,
            environment: LabEnvironment::read(|name| std::env::var(name).ok())?,
            selected: Mutex::default(),
            testing: OnceCell::new(),
        })
    }

    fn test(&self, selected: Selected) -> Result<Completion, Failed> {
        self.runtime.block_on(async {
            let all = lock(&self.selected).clone();
            let testing = self
                .testing
                // What can't be opened is not tried again for every test.
                .get_or_init(async || {
                    Box::pin(Testing::open(&self.suite, &self.environment, &all)).await
                })
                .await
                .as_ref()?;
            testing.test(selected).await
        })
    }

    fn finish(&self) {
        if let Some(Ok(testing)) = self.testing.get() {
            let _in_runtime = self.runtime.enter();
            testing.finish();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
