//! What a text means in each case: `{case}` is the case's name, `{one|other}` has a part for each case.

/// `text` for the case with this `index`. Other braces stay as they are, and so does everything where there are no
/// `cases`.
///
/// # Errors
/// A part in braces has not as many alternatives as there are cases.
pub(crate) fn fill_in(text: &str, cases: &[String], index: usize) -> Result<String, String> {
    let Some(name) = cases.get(index) else {
        return Ok(text.to_owned());
    };
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        let Some((inner, after)) = behind.split_once('}') else {
            filled.push('{');
            rest = behind;
            continue;
        };
        let parts: Vec<&str> = inner.split('|').collect();
        if inner == "case" {
            filled.push_str(name);
        } else if parts.len() == cases.len() {
            filled.push_str(without_line_ends(parts[index]));
        } else if parts.len() == 1 {
            filled.push_str(&format!("{{{inner}}}"));
        } else {
            return Err(format!(
                "{{{inner}}} has {} parts for {} cases",
                parts.len(),
                cases.len()
            ));
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// `part` without the line breaks around it, so that parts can stand on lines of their own.
fn without_line_ends(part: &str) -> &str {
    let inner = part.trim();
    let start = part.len() - part.trim_start().len();
    let (before, after) = (&part[..start], &part[start + inner.len()..]);
    let from = if before.contains('\n') { start } else { 0 };
    let to = if after.contains('\n') {
        start + inner.len()
    } else {
        part.len()
    };
    &part[from..to]
}

/// The variant of an enum that is called as `case` is: `own_rules` is `OwnRules`.
pub(crate) fn variant(case: &str) -> String {
    let words = case.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().into_iter().flat_map(char::to_uppercase);
        first.chain(letters).collect::<String>()
    });
    words.collect()
}
