//! Many clones leave nothing behind. The large number is for people: `spawnlab bench --soak 300`.

use libtest_mimic::Completion;

use crate::lab::{Lab, ends_with, text};

pub(crate) fn nothing_is_left(lab: &Lab) -> Completion {
    let cache = lab.deployed();
    let image = lab.image();
    let soak = ["bench", "--soak", "12", "--at-once", "4", "--image", image];
    let output = ends_with(cache.spawnlab(&soak), 0);
    let said = text(&output.stdout);
    assert!(said.contains("12 clones, 4 at once: 0 failed"), "{said}");
    cache.nothing_runs();
    Completion::Completed
}
