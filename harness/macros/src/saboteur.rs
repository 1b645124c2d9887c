//! `#[saboteur("name", fails = "..", spares = ".." => CHANGE, ..)]`.

use syn::{
    Error, Expr, Ident, LitStr, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
};

/// A saboteur as it is written.
pub(crate) struct SaboteurSyntax {
    pub(crate) name: LitStr,
    pub(crate) fails: LitStr,
    pub(crate) spares: LitStr,
    /// The machine that it works on.
    pub(crate) on: Option<LitStr>,
    /// The only case that it is meant for.
    pub(crate) case: Option<Ident>,
    /// What it changes: expressions of the engine's type `Change`, and texts, which are scripts.
    pub(crate) changes: Vec<Expr>,
}

impl Parse for SaboteurSyntax {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name: LitStr = input.parse().map_err(|error| {
            Error::new(
                error.span(),
                "a saboteur begins with its name: \"its-name\"",
            )
        })?;
        let (mut fails, mut spares, mut case, mut on) = (None, None, None, None);
        while input.peek(Token![,]) && !input.peek2(Token![=>]) {
            input.parse::<Token![,]>()?;
            let key = input.call(Ident::parse_any).map_err(|error| {
                Error::new(error.span(), "what a saboteur does stands behind `=>`")
            })?;
            input.parse::<Token![=]>()?;
            let twice = match key.to_string().as_str() {
                "fails" => fails.replace(input.parse()?).is_some(),
                "spares" => spares.replace(input.parse()?).is_some(),
                "on" => on.replace(input.parse()?).is_some(),
                "case" => case.replace(input.parse()?).is_some(),
                _ => {
                    let why =
                        format!("a saboteur has no `{key}`: there are fails, spares, on and case");
                    return Err(Error::new(key.span(), why));
                }
            };
            if twice {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
        }
        let arrow = input.parse::<Option<Token![=>]>>()?;
        let changes = match arrow {
            Some(_) => Punctuated::<Expr, Token![,]>::parse_terminated(input)?,
            None if input.is_empty() => Punctuated::new(),
            None => return Err(input.error("expected `,` or `=>`")),
        };
        let lacks = |what: &str| {
            let why = format!("the saboteur {:?} lacks {what}", name.value());
            Error::new(name.span(), why)
        };
        if changes.is_empty() {
            return Err(lacks(
                "what it does: => and a script, or changes such as drop_in(..)",
            ));
        }
        Ok(Self {
            fails: fails.ok_or_else(|| lacks("the assertion that it breaks: fails = \"..\""))?,
            spares: spares
                .ok_or_else(|| lacks("a scenario that passes under it: spares = \"area::name\""))?,
            on,
            case,
            changes: changes.into_iter().collect(),
            name,
        })
    }
}
