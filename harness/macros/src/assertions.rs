//! The assertions that a function makes: the names that it gives to `expect("..")`, and what it hands to others who may.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::Lit;

/// What the tokens of a function say of assertions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Mentions {
    /// The names in `expect("..")`.
    pub(crate) asserted: BTreeSet<String>,
    /// Whom it calls, by the last part of their path, each with the texts that it hands over.
    pub(crate) calls: BTreeMap<String, BTreeSet<String>>,
    /// Whether it gives `expect` a name that it was handed itself.
    pub(crate) forwards: bool,
}

impl Mentions {
    /// Those of `tokens`. Tokens and not expressions, because the arguments of macros count, too.
    pub(crate) fn of(tokens: TokenStream) -> Self {
        let mut mentions = Self::default();
        mentions.scan(tokens);
        mentions
    }

    fn scan(&mut self, tokens: TokenStream) {
        let (mut name, mut is_method, mut dot) = (None, false, false);
        for token in tokens {
            match token {
                TokenTree::Group(group) => {
                    if let Some(name) = name.take() {
                        self.call(name, is_method, &group);
                    }
                    self.scan(group.stream());
                }
                TokenTree::Ident(ident) => {
                    is_method = dot;
                    name = Some(ident.to_string());
                }
                other => {
                    dot = matches!(&other, TokenTree::Punct(punct) if punct.as_char() == '.');
                    name = None;
                    continue;
                }
            }
            dot = false;
        }
    }

    fn call(&mut self, name: String, is_method: bool, arguments: &Group) {
        let texts = arguments
            .stream()
            .into_iter()
            .filter_map(|token| text(&token));
        // Not the method of options and results.
        if name != "expect" {
            self.calls.entry(name).or_default().extend(texts);
        } else if !is_method {
            let texts: Vec<String> = texts.collect();
            self.forwards |= texts.is_empty();
            self.asserted.extend(texts);
        }
    }
}

fn text(token: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = token else {
        return None;
    };
    match Lit::new(literal.clone()) {
        Lit::Str(text) => Some(text.value()),
        _ => None,
    }
}
