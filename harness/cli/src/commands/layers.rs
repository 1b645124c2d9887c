//! `spawnlab layers`.

use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

use camino::Utf8PathBuf;
use serde_json::{Value, json};
use spawnlab::{
    image::Cache,
    layer::{
        clean::{Which, clean},
        list::{Listed, list},
    },
};

use crate::output::human;
use crate::{
    args::{CleanArgs, LayersArgs, LayersCommand},
    output::{error::CliError, exit::Exit, print},
};
use spawnlab::run::session;

/// Lists or cleans.
pub(crate) fn layers(args: &LayersArgs) -> Result<Exit, CliError> {
    let cli_error = |error| CliError::infrastructure("layers", error);
    let image = |error| CliError::infrastructure("programs of images", error);
    let cache = session::cache().map_err(cli_error)?;
    let layers = list(cache.root()).map_err(cli_error)?;
    let Some(LayersCommand::Clean(wanted)) = &args.command else {
        let all: Vec<Value> = layers.iter().map(object).collect();
        print::stdout(&if args.json {
            format!("{:#}\n", Value::from(all))
        } else {
            let programs = cache.programs().map_err(image)?;
            table(&layers, SystemTime::now()) + &trees(&programs)
        })?;
        return Ok(Exit::AsExpected);
    };
    let which = which(wanted, &layers)?;
    let cleaned = clean(cache.root(), &which).map_err(cli_error)?;
    let programs = clean_programs(&cache, &which).map_err(image)?;
    let removed: Vec<Value> = cleaned.removed.iter().map(object).collect();
    let left = cleaned.left.iter().map(|(layer, why)| {
        let mut object = object(layer);
        object["why"] = json!(why);
        object
    });
    print::stdout(&if args.json {
        let left: Vec<Value> = left.collect();
        let programs: Vec<_> = programs.iter().map(|(path, _)| path).collect();
        format!(
            "{:#}\n",
            json!({ "removed": removed, "left": left, "programs": programs })
        )
    } else {
        let mut text = String::new();
        for layer in &cleaned.removed {
            let _ = writeln!(text, "removed  {}", line(layer));
        }
        for (layer, why) in &cleaned.left {
            let _ = writeln!(text, "left     {}: {why}", line(layer));
        }
        for (path, size) in &programs {
            let (name, size) = (path.file_stem().unwrap_or_default(), human::bytes(*size));
            let _ = writeln!(text, "removed  programs {name} ({size})");
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
        Some((layer, why)) => Err(CliError::infrastructure(
            format!("layer {}", short(layer)),
            format!("it was not removed: {why}"),
        )
        .hint("a layer in use can be removed once the run that uses it has ended")),
        None => Ok(Exit::AsExpected),
    }
}

fn which(args: &CleanArgs, layers: &[Listed]) -> Result<Which, CliError> {
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
        0 => Err(CliError::nothing("layer", format!("none is called {wanted}")).hint(hint)),
        1 => Ok(Which::Keys(keyed)),
        many => {
            Err(CliError::usage("layer", format!("{many} keys begin with {wanted}")).hint(hint))
        }
    }
}

/// Of the programs that NixOS images are made of, those that are as old as the layers that are meant.
fn clean_programs(
    cache: &Cache,
    which: &Which,
) -> Result<Vec<(Utf8PathBuf, u64)>, spawnlab::image::ImageError> {
    match which {
        Which::All => cache.clean_programs(Some(Duration::ZERO)),
        Which::Unused(age) => cache.clean_programs(Some(*age)),
        Which::BeyondBounds => cache.clean_programs(None),
        Which::Keys(_) => Ok(vec![]),
    }
}

/// The line for the programs that NixOS images are made of; nothing where there are none.
fn trees(programs: &[(Utf8PathBuf, u64)]) -> String {
    if programs.is_empty() {
        return String::new();
    }
    let noun = if programs.len() == 1 { "tree" } else { "trees" };
    let size = human::bytes(programs.iter().map(|(_, size)| size).sum());
    let count = programs.len();
    format!("{count} {noun} of programs for NixOS images, {size}\n")
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
    fn programs_are_counted_where_there_are_any() {
        assert_eq!(trees(&[]), "");
        let tree = |name: &str| (Utf8PathBuf::from(name), 3 << 20);
        assert_eq!(
            trees(&[tree("a.tar"), tree("b.tar")]),
            "2 trees of programs for NixOS images, 6.0 MiB\n"
        );
    }

    #[test]
    fn programs_go_with_layers_of_their_age_and_not_with_named_ones() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("cache");
        let cache = Cache::at(Utf8PathBuf::try_from(root).unwrap()).unwrap();
        fs_err::create_dir(cache.root().join("programs")).unwrap();
        let tree = cache.root().join("programs/a.tar");
        fs_err::write(&tree, "").unwrap();
        let cleaned = |which| clean_programs(&cache, &which).unwrap().len();
        assert_eq!(cleaned(Which::Keys(vec!["a".into()])), 0);
        assert_eq!(cleaned(Which::BeyondBounds), 0);
        assert_eq!(cleaned(Which::Unused(Duration::from_secs(3600))), 0);
        assert!(tree.exists());
        assert_eq!(cleaned(Which::All), 1);
        assert!(!tree.exists());
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
            which(&args, &layers).map_err(|cli_error| cli_error.to_string())
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
