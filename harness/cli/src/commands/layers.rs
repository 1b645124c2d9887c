//! `spawnlab layers`.

use std::{fmt::Write as _, time::SystemTime};

use serde_json::{Value, json};
use spawnlab::layer::{
    clean::{Which, clean},
    list::{Listed, list},
};

use crate::output::human;
use crate::{
    args::{CleanArgs, LayersArgs, LayersCommand},
    output::{error::Trouble, exit::Exit, print},
};
use spawnlab::run::session;

/// Lists or cleans.
pub(crate) fn layers(args: &LayersArgs) -> Result<Exit, Trouble> {
    let trouble = |error| Trouble::infrastructure("layers", error);
    let cache = session::cache().map_err(trouble)?;
    let layers = list(cache.root()).map_err(trouble)?;
    let Some(LayersCommand::Clean(wanted)) = &args.command else {
        let all: Vec<Value> = layers.iter().map(object).collect();
        print::stdout(&if args.json {
            format!("{:#}\n", Value::from(all))
        } else {
            table(&layers, SystemTime::now())
        })?;
        return Ok(Exit::AsExpected);
    };
    let which = which(wanted, &layers)?;
    let cleaned = clean(cache.root(), &which).map_err(trouble)?;
    let removed: Vec<Value> = cleaned.removed.iter().map(object).collect();
    let left = cleaned.left.iter().map(|(layer, why)| {
        let mut object = object(layer);
        object["why"] = json!(why);
        object
    });
    print::stdout(&if args.json {
        let left: Vec<Value> = left.collect();
        format!("{:#}\n", json!({ "removed": removed, "left": left }))
    } else {
        let mut text = String::new();
        for layer in &cleaned.removed {
            let _ = writeln!(text, "removed  {}", line(layer));
        }
        for (layer, why) in &cleaned.left {
            let _ = writeln!(text, "left     {}: {why}", line(layer));
        }
        if text.is_empty() {
            text = "no layers are kept\n".into();
        }
        text
    })?;
    // Whoever names a layer wants that one gone.
    let refused = cleaned
        .left
        .iter()
        .find(|(layer, _)| matches!(&which, Which::Keys(keys) if keys.contains(&layer.key)));
    match refused {
        Some((layer, why)) => Err(Trouble::infrastructure(
            format!("layer {}", short(layer)),
            format!("it was not removed: {why}"),
        )
        .hint("a layer in use can be removed once the run that uses it has ended")),
        None => Ok(Exit::AsExpected),
    }
}

fn which(args: &CleanArgs, layers: &[Listed]) -> Result<Which, Trouble> {
    if args.all {
        return Ok(Which::All);
    }
    if let Some(age) = args.older_than {
        return Ok(Which::Unused(age.into()));
    }
    let Some(wanted) = &args.layer else {
        return Ok(Which::BeyondBounds);
    };
    let hint = "`spawnlab layers` shows names and keys";
    let keys = |means: &dyn Fn(&Listed) -> bool| -> Vec<String> {
        let found = layers.iter().filter(|layer| means(layer));
        found.map(|layer| layer.key.clone()).collect()
    };
    let named = keys(&|layer| layer.name() == wanted);
    if !named.is_empty() {
        return Ok(Which::Keys(named));
    }
    let keyed = keys(&|layer| !wanted.is_empty() && layer.key.starts_with(wanted.as_str()));
    match keyed.len() {
        0 => Err(Trouble::nothing("layer", format!("none is called {wanted}")).hint(hint)),
        1 => Ok(Which::Keys(keyed)),
        many => Err(Trouble::usage("layer", format!("{many} keys begin with {wanted}")).hint(hint)),
    }
}

fn short(layer: &Listed) -> &str {
    layer.key.get(..12).unwrap_or(&layer.key)
}

fn line(layer: &Listed) -> String {
    let (name, size) = (layer.name(), human::bytes(layer.bytes));
    format!("{name} {} ({size})", short(layer))
}

fn built_with(layer: &Listed) -> Vec<(String, String)> {
    let Some(record) = &layer.record else {
        return vec![];
    };
    let known = record.built_with.iter();
    known.chain(&record.made_of).cloned().collect()
}

fn table(layers: &[Listed], now: SystemTime) -> String {
    if layers.is_empty() {
        return "no layers are kept; a run makes them\n".into();
    }
    let ago = |time: Option<SystemTime>| {
        time.map_or_else(
            || "-".to_owned(),
            |time| human::age(now.duration_since(time).unwrap_or_default()),
        )
    };
    let mut text = format!(
        "{:<11} {:<13} {:>10} {:>7} {:>9}  {}\n",
        "NAME", "KEY", "SIZE", "AGE", "LAST USE", "IN USE"
    );
    for layer in layers {
        let _ = writeln!(
            text,
            "{:<11} {:<13} {:>10} {:>7} {:>9}  {}",
            layer.name(),
            short(layer),
            human::bytes(layer.bytes),
            ago(layer.built()),
            // A layer whose lock is gone does not say when it was used.
            ago(Some(layer.used).filter(|used| *used != SystemTime::UNIX_EPOCH)),
            if layer.in_use { "yes" } else { "no" }
        );
        for (name, value) in built_with(layer) {
            let hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
            let value = if hash { &value[..16] } else { &value };
            let _ = writeln!(text, "    {name}: {value}");
        }
    }
    let total = layers.iter().map(|layer| layer.bytes).sum();
    let noun = if layers.len() == 1 { "layer" } else { "layers" };
    let _ = writeln!(text, "{} {noun}, {}", layers.len(), human::bytes(total));
    text
}

/// Times are seconds since 1970, sizes bytes on the disk.
fn object(layer: &Listed) -> Value {
    let seconds = |time: SystemTime| {
        time.duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    };
    json!({
        "name": layer.name(),
        "key": layer.key,
        "folder": layer.dir,
        "bytes": layer.bytes,
        "built": layer.built().map(seconds),
        "used": seconds(layer.used),
        "in_use": layer.in_use,
        "parent": layer.parent(),
        "built_with": built_with(layer).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(key: &str) -> Listed {
        Listed {
            dir: format!("/cache/layers/{key}").into(),
            lock: format!("/cache/layers/{key}.lock").into(),
            key: key.into(),
            bytes: 3 << 20,
            used: SystemTime::UNIX_EPOCH,
            in_use: true,
            record: None,
        }
    }

    #[test]
    fn an_empty_cache_says_so() {
        assert_eq!(
            table(&[], SystemTime::UNIX_EPOCH),
            "no layers are kept; a run makes them\n"
        );
    }

    #[test]
    fn a_line_for_each_and_a_sum() {
        insta::assert_snapshot!(table(&[layer("0123456789abcdef")], SystemTime::UNIX_EPOCH), @r"
        NAME        KEY                 SIZE     AGE  LAST USE  IN USE
        unfinished  0123456789ab     3.0 MiB       -         -  yes
        1 layer, 3.0 MiB
        ");
    }

    #[test]
    fn a_layer_is_meant_by_name_or_by_the_beginning_of_its_key() {
        let layers = [layer("abc1"), layer("abd2")];
        let means = |wanted: &str| {
            let args = CleanArgs {
                layer: Some(wanted.into()),
                all: false,
                older_than: None,
            };
            which(&args, &layers).map_err(|trouble| trouble.to_string())
        };
        assert_eq!(means("abc"), Ok(Which::Keys(vec!["abc1".into()])));
        let Ok(Which::Keys(named)) = means("unfinished") else {
            panic!("by name");
        };
        assert_eq!(named.len(), 2);
        assert!(means("ab").is_err_and(|why| why.contains("2 keys begin")));
        assert!(means("x").is_err_and(|why| why.contains("none is called x")));
    }
}
