//! What a declaration becomes: the function as it is, and beside it a scenario for each case, which registers itself.

use std::{env, path::Path, sync::OnceLock};

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Error, Expr, ExprLit, Ident, ItemFn, Lit, LitStr, Result, Type};

use crate::{
    assertions::Mentions,
    case::{fill_in, variant},
    declaration::{Declaration, Expects, read},
    saboteur::SaboteurSyntax,
    sources::PackageFunctions,
};

/// The function `item`, and what registers it as the scenario that its attributes declare.
pub(crate) fn scenario(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut function: ItemFn = match syn::parse2(item.clone()) {
        Ok(function) => function,
        Err(_) => {
            let why = "a scenario is an async function";
            let error = Error::new(Span::call_site(), why).to_compile_error();
            return quote! { #error #item };
        }
    };
    let declared = read(arguments, &mut function).and_then(|it| registered(&it, &function));
    match declared {
        Ok(registered) => quote! { #function #registered },
        Err(error) => {
            // The function stays, so that nothing is said of those who call it.
            let strange = |path: &syn::Path| path.is_ident("saboteur") || path.is_ident("expects");
            function.attrs.retain(|it| !strange(it.path()));
            let error = error.to_compile_error();
            quote! { #function #error }
        }
    }
}

/// The attribute `name` above what is no scenario.
pub(crate) fn misplaced(name: &str, item: TokenStream) -> TokenStream {
    let why = format!("#[{name}(..)] stands below #[scenario(..)]");
    let error = Error::new(Span::call_site(), why).to_compile_error();
    quote! { #error #item }
}

fn registered(declaration: &Declaration, function: &ItemFn) -> Result<TokenStream> {
    let cases: Vec<String> = declaration
        .arguments
        .cases
        .iter()
        .map(Ident::to_string)
        .collect();
    let mentions = Mentions::of(function.block.to_token_stream());
    let mut tokens = TokenStream::new();
    for index in declaration.indices() {
        let case = Case {
            declaration,
            function: &function.sig.ident,
            mentions: &mentions,
            cases: &cases,
            index,
        };
        tokens.extend(case.registered()?);
    }
    Ok(tokens)
}

/// One case of a declaration, or the declaration if it has none.
struct Case<'d> {
    declaration: &'d Declaration,
    function: &'d Ident,
    mentions: &'d Mentions,
    cases: &'d [String],
    index: usize,
}

impl Case<'_> {
    fn registered(&self) -> Result<TokenStream> {
        let scenario = self.scenario()?;
        let checks = self.checks()?;
        let index = self.index;
        Ok(quote! {
            #checks
            ::spawnlab::scenario::registry::__submit! {
                ::spawnlab::scenario::registry::Registered {
                    scenario: #scenario,
                    module: ::core::module_path!(),
                    position: (::core::line!(), ::core::column!(), #index),
                }
            }
        })
    }

    fn scenario(&self) -> Result<TokenStream> {
        let arguments = &self.declaration.arguments;
        let area = match &arguments.area {
            Some(area) => area.to_token_stream(),
            None => quote! { ::spawnlab::scenario::registry::area(::core::module_path!()) },
        };
        let name = self.name();
        let claim = self.claim()?;
        let machines = self.machines();
        let (needs, wants, brings) = (&arguments.needs, &arguments.wants, &arguments.brings);
        let disk = match &arguments.disk {
            Some(disk) => disk.clone(),
            None => Ident::new("Unlogged", Span::call_site()),
        };
        let expects = self.declaration.expects.iter().map(|it| self.expected(it));
        let expects = expects.collect::<Result<Vec<_>>>()?;
        let limit = seconds(arguments.limit.as_ref(), 60);
        let per_iteration = seconds(arguments.per_iteration.as_ref(), 0);
        let case = arguments.cases.get(self.index);
        let soak = arguments.soak || case.is_some_and(|it| arguments.soak_cases.contains(it));
        let saboteurs = self.saboteurs().map(|it| self.saboteur(it));
        let saboteurs = saboteurs.collect::<Result<Vec<_>>>()?;
        let call = self.call();
        Ok(quote! {
            ::spawnlab::scenario::Scenario {
                area: #area,
                name: #name,
                claim: #claim,
                machines: #machines,
                needs: &[#(::spawnlab::scenario::Guarantee::#needs),*],
                wants: &[#(::spawnlab::scenario::Feature::#wants),*],
                brings: &[#(#brings),*],
                disk: ::spawnlab::scenario::DiskLog::#disk,
                expects: &[#(#expects),*],
                limit: ::core::time::Duration::from_secs(#limit),
                per_iteration: ::core::time::Duration::from_secs(#per_iteration),
                soak: #soak,
                saboteurs: &[#(#saboteurs),*],
                body: ::spawnlab::scenario::Body::of(&|lab| ::std::boxed::Box::pin(#call)),
            }
        })
    }

    fn machines(&self) -> TokenStream {
        let arguments = &self.declaration.arguments;
        if let Some(on) = &arguments.on {
            return quote! { ::spawnlab::scenario::Base::#on.alone() };
        }
        let machines = arguments.machines.iter().map(|(name, base)| {
            let name = name.to_string();
            quote! {
                ::spawnlab::scenario::MachineBase {
                    name: #name,
                    base: ::spawnlab::scenario::Base::#base,
                }
            }
        });
        quote! { &[#(#machines),*] }
    }

    fn name(&self) -> String {
        match self.cases.get(self.index) {
            Some(case) => format!("{case}_{}", self.function),
            None => self.function.to_string(),
        }
    }

    fn claim(&self) -> Result<LitStr> {
        let lines = &self.declaration.claim;
        let text: String = lines.iter().map(|line| line.value() + "\n").collect();
        // A part in braces may go over several lines.
        self.text(&LitStr::new(&text, self.function.span()))
    }

    /// `text` for this case.
    fn text(&self, text: &LitStr) -> Result<LitStr> {
        let filled = fill_in(&text.value(), self.cases, self.index);
        let filled = filled.map_err(|why| Error::new(text.span(), why))?;
        Ok(LitStr::new(&filled, text.span()))
    }

    fn expected(&self, expects: &Expects) -> Result<TokenStream> {
        let kind = &expects.kind;
        let subject = self.text(&expects.subject)?;
        let because = self.text(&expects.because)?;
        let machine = match &expects.machine {
            Some(machine) => self.text(machine)?.to_token_stream(),
            None => quote! { ::spawnlab::scenario::registry::HOST },
        };
        Ok(quote! {
            ::spawnlab::scenario::registry::Expected {
                kind: ::spawnlab::scenario::registry::FindingKind::#kind,
                subject: #subject,
                machine: #machine,
                because: #because,
            }
        })
    }

    fn saboteurs(&self) -> impl Iterator<Item = &SaboteurSyntax> {
        let all = self.declaration.saboteurs.iter();
        all.filter(|it| self.declaration.is_meant(it, self.index))
    }

    fn saboteur(&self, saboteur: &SaboteurSyntax) -> Result<TokenStream> {
        let name = self.text(&saboteur.name)?;
        let fails = self.text(&saboteur.fails)?;
        let spares = self.text(&saboteur.spares)?;
        let on = match &saboteur.on {
            Some(on) => on.to_token_stream(),
            None => quote! { ::spawnlab::scenario::registry::HOST },
        };
        let changes = saboteur.changes.iter().map(|change| match change {
            Expr::Lit(ExprLit {
                lit: Lit::Str(text),
                ..
            }) => quote! { ::spawnlab::scenario::script(#text) },
            other => other.to_token_stream(),
        });
        Ok(quote! {
            ::spawnlab::scenario::Saboteur {
                name: #name,
                on: #on,
                changes: &[#(#changes),*],
                fails: #fails,
                spares: #spares,
            }
        })
    }

    /// The call of the function for this case.
    fn call(&self) -> TokenStream {
        let function = self.function;
        let Some(case) = self.declaration.arguments.cases.get(self.index) else {
            return quote_spanned! { function.span() => #function(lab) };
        };
        let value = match &self.declaration.case_type {
            Some(Type::Reference(_)) | None => case.to_string().to_token_stream(),
            Some(of) => {
                let variant = format_ident!("{}", variant(&case.to_string()), span = case.span());
                quote! { <#of>::#variant }
            }
        };
        quote_spanned! { function.span() => #function(lab, #value) }
    }

    /// For each saboteur whose assertion this crate does not have: whether it is one of the lab's own, which only
    /// the engine knows.
    fn checks(&self) -> Result<TokenStream> {
        let mut checks = TokenStream::new();
        for saboteur in self.saboteurs() {
            let fails = self.text(&saboteur.fails)?;
            let known = |sources: &PackageFunctions| {
                let found = sources.reachable(&self.function.to_string(), self.mentions);
                found.contains(&fails.value())
            };
            if self.mentions.asserted.contains(&fails.value()) || sources().is_none_or(known) {
                continue;
            }
            let why = unknown_assertion(
                &self.name(),
                &self.text(&saboteur.name)?.value(),
                &fails.value(),
                self.mentions,
            );
            checks.extend(quote_spanned! { fails.span() =>
                const _: () = if !::spawnlab::scenario::registry::is_assertion_of_the_lab(#fails) {
                    ::core::panic!("{}", #why)
                };
            });
        }
        Ok(checks)
    }
}

/// What is said of a saboteur that names an assertion which its scenario does not make.
pub(crate) fn unknown_assertion(
    scenario: &str,
    saboteur: &str,
    fails: &str,
    mentions: &Mentions,
) -> String {
    let own: Vec<String> = mentions
        .asserted
        .iter()
        .map(|it| format!("{it:?}"))
        .collect();
    format!(
        "{scenario}: the saboteur {saboteur:?} is to make {fails:?} fail, which neither the scenario asserts nor a \
         helper of this crate that it calls; the scenario's own assertions are {}",
        if own.is_empty() {
            "none".into()
        } else {
            own.join(", ")
        }
    )
}

fn seconds(given: Option<&syn::LitInt>, default: u64) -> TokenStream {
    match given {
        Some(given) => given.to_token_stream(),
        None => quote! { #default },
    }
}

/// The sources of the package that is compiled, which are read once; none where they can't be read.
fn sources() -> Option<&'static PackageFunctions> {
    static SOURCES: OnceLock<Option<PackageFunctions>> = OnceLock::new();
    let read = || PackageFunctions::of(Path::new(&env::var_os("CARGO_MANIFEST_DIR")?)).ok();
    SOURCES.get_or_init(read).as_ref()
}
