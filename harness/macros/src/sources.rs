//! The functions of the crate that is compiled, to follow a scenario into the helpers that it calls.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use quote::ToTokens as _;
use syn::{ImplItem, Item, TraitItem};

use crate::assertions::Mentions;

/// Where cargo finds the targets of a package.
const FOLDERS: [&str; 4] = ["src", "tests", "examples", "benches"];

/// A function, by its name.
#[derive(Debug)]
struct Function {
    name: String,
    /// The index of its file.
    file: usize,
    mentions: Mentions,
}

/// All functions and methods of a package.
#[derive(Debug, Default)]
pub(crate) struct PackageFunctions {
    functions: Vec<Function>,
}

impl PackageFunctions {
    /// Those of the package in `root`. A file that can't be parsed says nothing: the compiler will.
    pub(crate) fn of(root: &Path) -> io::Result<Self> {
        let mut files = vec![];
        for folder in FOLDERS.map(|folder| root.join(folder)) {
            if folder.is_dir() {
                find(&folder, &mut files)?;
            }
        }
        let mut sources = Self::default();
        for (index, file) in files.iter().enumerate() {
            if let Ok(file) = syn::parse_file(&fs::read_to_string(file)?) {
                sources.add(index, file.items);
            }
        }
        Ok(sources)
    }

    fn add(&mut self, file: usize, items: Vec<Item>) {
        for item in items {
            match item {
                Item::Fn(it) => self.put(file, &it.sig, &it.block),
                Item::Impl(it) => {
                    for item in it.items {
                        if let ImplItem::Fn(it) = item {
                            self.put(file, &it.sig, &it.block);
                        }
                    }
                }
                Item::Trait(it) => {
                    for item in it.items {
                        if let TraitItem::Fn(it) = item {
                            if let Some(block) = &it.default {
                                self.put(file, &it.sig, block);
                            }
                        }
                    }
                }
                Item::Mod(it) => self.add(file, it.content.map(|it| it.1).unwrap_or_default()),
                _ => {}
            }
        }
    }

    fn put(&mut self, file: usize, signature: &syn::Signature, block: &syn::Block) {
        self.functions.push(Function {
            name: signature.ident.to_string(),
            file,
            mentions: Mentions::of(block.to_token_stream()),
        });
    }

    /// The names of all assertions that `body`, which is that of the function `name`, can reach by calls.
    ///
    /// Calls are followed by the name alone, and into the caller's own file where that has a function of the name. It
    /// may so find too many, and never too few.
    pub(crate) fn reachable(&self, name: &str, body: &Mentions) -> BTreeSet<String> {
        let mut found = body.asserted.clone();
        let mut seen = BTreeSet::new();
        let mut homes = self.functions.iter().filter(|it| it.name == name);
        let home = match (homes.next(), homes.next()) {
            (Some(only), None) => Some(only.file),
            _ => None,
        };
        let mut open = vec![(home, body)];
        while let Some((file, mentions)) = open.pop() {
            for (callee, texts) in &mentions.calls {
                for (index, function) in self.called(file, callee) {
                    if function.mentions.forwards {
                        found.extend(texts.iter().cloned());
                    }
                    if seen.insert(index) {
                        found.extend(function.mentions.asserted.iter().cloned());
                        open.push((Some(function.file), &function.mentions));
                    }
                }
            }
        }
        found
    }

    fn called(&self, file: Option<usize>, name: &str) -> Vec<(usize, &Function)> {
        let functions = self.functions.iter().enumerate();
        let all: Vec<_> = functions.filter(|(_, it)| it.name == name).collect();
        let near = |it: &(usize, &Function)| Some(it.1.file) == file;
        if all.iter().any(near) {
            return all.into_iter().filter(near).collect();
        }
        all
    }
}

fn find(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            find(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    Ok(())
}
