//! Scenarios that differ in one word: `{case}` in a scenario with `case = [...]`.

use toml::Spanned;

use super::{
    check::{Checker, Result},
    raw::{RawScenario, RawStep, RawText},
};

/// What each case's word stands in place of.
const PLACE: &str = "{case}";

impl Checker<'_> {
    /// A scenario for each case of `scenario`, or itself if it has none.
    pub(super) fn cases(
        &self,
        scenario: Spanned<RawScenario>,
    ) -> Result<Vec<Spanned<RawScenario>>> {
        let raw = scenario.get_ref();
        if raw.case.is_empty() {
            return Ok(vec![scenario]);
        }
        if !raw.name.get_ref().contains(PLACE) {
            return self.wrong(
                raw.name.span(),
                format!("the cases of {} would have one name", raw.name.get_ref()),
                format!("write {PLACE} where their names differ, such as page::{PLACE}_is_served"),
            );
        }
        for case in &raw.case {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if case.get_ref().is_empty() || !case.get_ref().chars().all(plain) {
                return self.wrong(
                    case.span(),
                    format!("{:?} is no word of a name", case.get_ref()),
                    "write cases with letters, digits, `_` and `-`",
                );
            }
        }
        let of = |case: &Spanned<String>| {
            let mut one = scenario.clone();
            fill(one.get_mut(), case.get_ref());
            // Its own, for the steps that it shares with others.
            one.get_mut().case = vec![case.clone()];
            one
        };
        Ok(raw.case.iter().map(of).collect())
    }
}

fn fill(scenario: &mut RawScenario, case: &str) {
    word(&mut scenario.name, case);
    word(&mut scenario.claim, case);
    for step in &mut scenario.step {
        fill_step(step.get_mut(), case);
    }
    for saboteur in &mut scenario.saboteur {
        let saboteur = saboteur.get_mut();
        for text in [&mut saboteur.on, &mut saboteur.script]
            .into_iter()
            .flatten()
        {
            word(text, case);
        }
        word(&mut saboteur.fails, case);
        word(&mut saboteur.spares, case);
    }
}

/// Fills in what a step says; shared steps are filled in where they are taken.
pub(super) fn fill_step(step: &mut RawStep, case: &str) {
    for text in step.texts() {
        word(text, case);
    }
    let flags = step.flags.iter_mut().flat_map(|flags| flags.get_mut());
    for text in flags.chain(step.env.values_mut()) {
        word(text, case);
    }
    for text in [&mut step.stdout, &mut step.stderr].into_iter().flatten() {
        let RawText {
            equals,
            contains,
            lacks,
            matches,
        } = text.get_mut();
        for text in [equals, contains, lacks, matches].into_iter().flatten() {
            word(text, case);
        }
    }
}

fn word(text: &mut Spanned<String>, case: &str) {
    let filled = text.get_ref().replace(PLACE, case);
    *text.get_mut() = filled;
}
