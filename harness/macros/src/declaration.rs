//! What stands above a scenario's function, read and found sound.

use proc_macro2::{Span, TokenStream};
use syn::{
    Attribute, Error, Expr, ExprLit, FnArg, Ident, ItemFn, Lit, LitInt, LitStr, Meta, Result,
    Token, Type, bracketed, parenthesized,
    parse::{Parse, ParseStream, Parser},
    punctuated::Punctuated,
    token::Paren,
};

use crate::saboteur::SaboteurSyntax;

/// A scenario as it is written.
pub(crate) struct Declaration {
    pub(crate) arguments: Arguments,
    /// The lines of the doc comment.
    pub(crate) claim: Vec<LitStr>,
    pub(crate) saboteurs: Vec<SaboteurSyntax>,
    pub(crate) expects: Vec<Expects>,
    /// The type of the second parameter, where there are cases.
    pub(crate) case_type: Option<Type>,
}

/// What stands in the parentheses of `#[scenario(..)]`.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) on: Option<Ident>,
    /// Name and layer of each machine, where there are several.
    pub(crate) machines: Vec<(Ident, Ident)>,
    pub(crate) limit: Option<LitInt>,
    pub(crate) per_iteration: Option<LitInt>,
    pub(crate) needs: Vec<Ident>,
    pub(crate) wants: Vec<Ident>,
    pub(crate) brings: Vec<LitStr>,
    pub(crate) disk: Option<Ident>,
    pub(crate) soak: bool,
    pub(crate) cases: Vec<Ident>,
    /// Those of the cases that only soak runs have.
    pub(crate) soak_cases: Vec<Ident>,
    pub(crate) area: Option<LitStr>,
}

/// `#[expects(KIND("subject") in "machine", because = "reason")]`.
pub(crate) struct Expects {
    pub(crate) kind: Ident,
    pub(crate) subject: LitStr,
    pub(crate) machine: Option<LitStr>,
    pub(crate) because: LitStr,
}

/// The arguments that have a value behind `=`.
const VALUES: [&str; 8] = [
    "on",
    "limit",
    "per_iteration",
    "needs",
    "wants",
    "brings",
    "disk",
    "area",
];

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut read = Self::default();
        let mut seen: Vec<Ident> = vec![];
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            if seen.contains(&key) {
                return Err(Error::new(key.span(), format!("`{key}` is given twice")));
            }
            if VALUES.iter().any(|known| key == known) {
                input.parse::<Token![=]>()?;
            }
            match key.to_string().as_str() {
                "on" => read.on = Some(input.parse()?),
                "limit" => read.limit = Some(input.parse()?),
                "per_iteration" => read.per_iteration = Some(input.parse()?),
                "needs" => read.needs = names(input)?,
                "wants" => read.wants = names(input)?,
                "brings" => read.brings = names(input)?,
                "disk" => read.disk = Some(input.parse()?),
                "area" => read.area = Some(input.parse()?),
                "soak" => read.soak = true,
                "machines" => read.machines = machines(&key, input)?,
                "cases" => {
                    let inner;
                    parenthesized!(inner in input);
                    read.cases(&inner)?;
                    if read.cases.len() < 2 {
                        return Err(Error::new(key.span(), "one case is none: name two or more"));
                    }
                }
                _ => {
                    let known = VALUES.join(" = .., ");
                    let why = format!(
                        "a scenario has no `{key}`; there are {known} = .., machines(..), cases(..) and soak"
                    );
                    return Err(Error::new(key.span(), why));
                }
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        match read.soak_cases.first().filter(|_| read.soak) {
            None => Ok(read),
            Some(case) => {
                let why =
                    "`soak` is said of the scenario already: leave it out there or among its cases";
                Err(Error::new(case.span(), why))
            }
        }
    }
}

impl Arguments {
    /// Takes in what stands in `cases(..)`: names, and `soak(..)` around those that only soak runs have.
    fn cases(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            let case: Ident = input.parse()?;
            if case == "soak" && input.peek(Paren) {
                let inner;
                parenthesized!(inner in input);
                let cases: Vec<Ident> = separated(&inner)?;
                self.soak_cases.extend(cases.iter().cloned());
                self.cases.extend(cases);
            } else {
                self.cases.push(case);
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

/// `machines(laptop = Host, host = Deployed)`.
fn machines(key: &Ident, input: ParseStream<'_>) -> Result<Vec<(Ident, Ident)>> {
    let inner;
    parenthesized!(inner in input);
    let machine = |input: ParseStream<'_>| {
        let name: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok((name, input.parse::<Ident>()?))
    };
    let all = inner.parse_terminated(machine, Token![,])?;
    let all: Vec<_> = all.into_iter().collect();
    if all.len() < 2 {
        let why = "one machine has no network: on = Deployed, or name two or more";
        return Err(Error::new(key.span(), why));
    }
    for (at, (name, _)) in all.iter().enumerate() {
        if all[..at].iter().any(|(other, _)| other == name) {
            return Err(Error::new(
                name.span(),
                format!("two machines are called `{name}`"),
            ));
        }
        if name.to_string().contains('_') || name.to_string().len() > 32 {
            let why = format!("`{name}` becomes a host name: letters and digits, 32 at most");
            return Err(Error::new(name.span(), why));
        }
    }
    Ok(all)
}

fn names<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let inner;
    bracketed!(inner in input);
    separated(&inner)
}

fn separated<T: Parse>(input: ParseStream<'_>) -> Result<Vec<T>> {
    let names = Punctuated::<T, Token![,]>::parse_terminated(input)?;
    Ok(names.into_iter().collect())
}

impl Parse for Expects {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let kind = input.parse()?;
        let inner;
        parenthesized!(inner in input);
        let subject = inner.parse()?;
        let machine = match input.parse::<Option<Token![in]>>()? {
            Some(_) => Some(input.parse()?),
            None => None,
        };
        let reason = |error: Error| {
            let why = "behind it comes the reason: , because = \"..\"";
            Error::new(error.span(), why)
        };
        input.parse::<Token![,]>().map_err(reason)?;
        let because: Ident = input.parse().map_err(reason)?;
        if because != "because" {
            return Err(reason(Error::new(because.span(), "")));
        }
        input.parse::<Token![=]>().map_err(reason)?;
        let because = input.parse()?;
        input.parse::<Option<Token![,]>>()?;
        Ok(Self {
            kind,
            subject,
            machine,
            because,
        })
    }
}

/// Reads what stands above `function`, and takes away what only this crate understands.
pub(crate) fn read(arguments: TokenStream, function: &mut ItemFn) -> Result<Declaration> {
    let name = &function.sig.ident;
    let arguments: Arguments = syn::parse2(arguments)?;
    if arguments.on.is_none() == arguments.machines.is_empty() {
        let why = match arguments.on {
            None => "a scenario says what it starts from: #[scenario(on = Deployed)], or on = Host",
            Some(_) => {
                "a scenario has one machine, on = .., or several, machines(..), and not both"
            }
        };
        return Err(Error::new(Span::call_site(), why));
    }
    if let (Some(disk), false) = (&arguments.disk, arguments.machines.is_empty()) {
        let why = "the disk of a lab's machine is not logged: a scenario with `disk` has one machine, on = ..";
        return Err(Error::new(disk.span(), why));
    }
    let case_type = case_type(function, &arguments.cases)?;
    let (mut claim, mut saboteurs, mut expects) = (vec![], vec![], vec![]);
    for attribute in &function.attrs {
        if attribute.path().is_ident("saboteur") {
            let inner = arguments_of(attribute)?;
            saboteurs.push(Parser::parse2(SaboteurSyntax::parse, inner)?);
        } else if attribute.path().is_ident("expects") {
            expects.push(syn::parse2(arguments_of(attribute)?)?);
        } else if let Some(line) = doc(attribute) {
            claim.push(line);
        }
    }
    if claim.iter().all(|line| line.value().trim().is_empty()) {
        let why = format!("`{name}` has no doc comment: the claim that it proves, in one sentence");
        return Err(Error::new(name.span(), why));
    }
    function.attrs.retain(|attribute| {
        let path = attribute.path();
        !path.is_ident("saboteur") && !path.is_ident("expects")
    });
    let declaration = Declaration {
        arguments,
        claim,
        saboteurs,
        expects,
        case_type,
    };
    declaration.each_saboteur_has_its_machine()?;
    declaration.each_case_can_fail(&function.sig.ident)?;
    Ok(declaration)
}

impl Declaration {
    /// The indices of its cases; one that has no cases is one scenario all the same.
    pub(crate) fn indices(&self) -> std::ops::Range<usize> {
        0..self.arguments.cases.len().max(1)
    }

    /// Whether `saboteur` is one of the case with this index.
    pub(crate) fn is_meant(&self, saboteur: &SaboteurSyntax, index: usize) -> bool {
        match &saboteur.case {
            None => true,
            Some(case) => self.arguments.cases.get(index) == Some(case),
        }
    }

    fn each_saboteur_has_its_machine(&self) -> Result<()> {
        let machines = &self.arguments.machines;
        for saboteur in &self.saboteurs {
            let on = saboteur.on.as_ref().map_or("host".into(), LitStr::value);
            let known = match machines.as_slice() {
                [] => on == "host",
                several => several.iter().any(|(name, _)| name == &on),
            };
            if !known {
                let span = saboteur.on.as_ref().unwrap_or(&saboteur.name).span();
                let why = format!(
                    "the scenario has no machine {on:?} for this saboteur: on = \"..\" names one"
                );
                return Err(Error::new(span, why));
            }
        }
        Ok(())
    }

    fn each_case_can_fail(&self, name: &Ident) -> Result<()> {
        let cases = &self.arguments.cases;
        for case in self.saboteurs.iter().filter_map(|it| it.case.as_ref()) {
            if !cases.contains(case) {
                let why = format!("`{name}` has no case `{case}`");
                return Err(Error::new(case.span(), why));
            }
        }
        for index in self.indices() {
            if !self.saboteurs.iter().any(|it| self.is_meant(it, index)) {
                let which = match cases.get(index) {
                    Some(case) => format!("the case `{case}` of `{name}`"),
                    None => format!("`{name}`"),
                };
                let why = format!(
                    "{which} has no saboteur, and a scenario that can't fail proves nothing: \
                     #[saboteur(\"its-name\", fails = \"an assertion\", spares = \"area::scenario\" => \"a script\")]"
                );
                return Err(Error::new(name.span(), why));
            }
        }
        Ok(())
    }
}

/// The type of a case, of a function whose signature is that of a scenario.
fn case_type(function: &ItemFn, cases: &[Ident]) -> Result<Option<Type>> {
    let signature = &function.sig;
    let form = if cases.is_empty() {
        "async fn name(lab: &Lab) -> Outcome"
    } else {
        "async fn name(lab: &Lab, case: Case) -> Outcome, for it has cases"
    };
    let parameters = if cases.is_empty() { 1 } else { 2 };
    if signature.asyncness.is_none()
        || signature.inputs.len() != parameters
        || !signature.generics.params.is_empty()
    {
        let why = format!("the function of a scenario is: {form}");
        return Err(Error::new(signature.ident.span(), why));
    }
    Ok(match signature.inputs.get(1) {
        Some(FnArg::Typed(parameter)) => Some((*parameter.ty).clone()),
        _ => None,
    })
}

fn arguments_of(attribute: &Attribute) -> Result<TokenStream> {
    Ok(attribute.meta.require_list()?.tokens.clone())
}

fn doc(attribute: &Attribute) -> Option<LitStr> {
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    match &pair.value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            ..
        }) if pair.path.is_ident("doc") => Some(text.clone()),
        _ => None,
    }
}
