//! The arguments of `#[service(…)]`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{Error, Expr, Ident, ItemImpl, LitInt, LitStr, Result, Token, parenthesized};

use crate::document::last_segment;

/// Options of a service that names none: what a document needs to be safe.
const OPTIONS_DEFAULT: [&str; 3] = ["PERSISTENCE", "REPLICATION", "OWNER_SELECTION"];

const OPTIONS: [&str; 8] = [
    "PERSISTENCE",
    "REPLICATION",
    "OWNER_SELECTION",
    "IDEMPOTENT_POST",
    "STRICT_UPDATE_CHECKING",
    "IMMUTABLE",
    "STATELESS",
    "INSTRUMENTATION",
];

/// What the author said about the service as a whole.
#[derive(Default)]
pub(super) struct Arguments {
    pub(super) name: String,
    pub(super) factory: String,
    pub(super) version: Option<Expr>,
    pub(super) kind: Option<Expr>,
    pub(super) docs: Option<String>,
    pub(super) options: Vec<String>,
    pub(super) state_version: Option<LitInt>,
    pub(super) retention: Option<LitInt>,
    pub(super) task: bool,
    pub(super) eager_start: bool,
    pub(super) merge_patch: bool,
    pub(super) no_put: bool,
    pub(super) outbound: Vec<LitStr>,
    pub(super) index: Option<Vec<(LitStr, String)>>,
    pub(super) limits: Vec<(String, LitInt)>,
    pub(super) per_call: bool,
}

impl Arguments {
    pub(super) fn parse(tokens: TokenStream, item: &ItemImpl) -> Result<Arguments> {
        let mut arguments = Arguments::default();
        let parser = syn::meta::parser(|meta| arguments.argument(&meta));
        parser.parse2(tokens)?;
        if arguments.factory.is_empty() {
            let span = proc_macro2::Span::call_site();
            return Err(Error::new(span, "say where the service lives: #[service(factory = \"/core/counters\")]"));
        }
        if arguments.name.is_empty() {
            let state = last_segment(&item.self_ty);
            let state = state.ok_or_else(|| Error::new_spanned(&item.self_ty, "a service needs a named type"))?;
            arguments.name = kebab(&state.to_string());
        }
        if arguments.docs.is_none() {
            arguments.docs = docs_of(item);
        }
        if arguments.options.is_empty() {
            arguments.options = OPTIONS_DEFAULT.map(str::to_owned).to_vec();
        }
        Ok(arguments)
    }

    pub(super) fn stateless(&self) -> bool {
        self.options.iter().any(|option| option == "STATELESS")
    }

    fn argument(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        match word.as_str() {
            "factory" => self.factory = path_of(meta)?,
            "name" => self.name = meta.value()?.parse::<LitStr>()?.value(),
            "version" => self.version = Some(meta.value()?.parse()?),
            "kind" => self.kind = Some(meta.value()?.parse()?),
            "docs" => self.docs = Some(meta.value()?.parse::<LitStr>()?.value()),
            "options" => self.options = options_of(meta)?,
            "state_version" => self.state_version = Some(meta.value()?.parse()?),
            "retention" => self.retention = Some(meta.value()?.parse()?),
            "task" => self.task = true,
            "per_call" => self.per_call = true,
            "start" => self.eager_start = is_eager(meta)?,
            "patch" => {
                self.merge_patch =
                    is(meta, "merge", "the host knows one way to patch by itself: \"merge\" (RFC 7396)")?;
            }
            "put" => {
                self.no_put =
                    is(meta, "none", "PUT is decided on by create, by a put handler, or by nobody: \"none\"")?;
            }
            "outbound" => {
                let inner;
                parenthesized!(inner in meta.input);
                self.outbound =
                    inner.parse_terminated(<LitStr as syn::parse::Parse>::parse, Token![,])?.into_iter().collect();
            }
            "index" => self.index = Some(index_of(meta)?),
            "limits" => self.limits = limits_of(meta)?,
            _ => {
                let known = "factory, name, version, kind, docs, options, state_version, retention, task, start, patch, put, outbound, \
                             index, limits or per_call";
                return Err(meta.error(format!("a service takes {known}")));
            }
        }
        Ok(())
    }
}

fn path_of(meta: &ParseNestedMeta<'_>) -> Result<String> {
    let path: LitStr = meta.value()?.parse()?;
    let text = path.value();
    if text.starts_with('/') && text.len() > 1 && !text.ends_with('/') {
        return Ok(text);
    }
    Err(Error::new_spanned(path, "a factory is a path such as \"/core/counters\""))
}

/// Returns true for the one word that an argument takes.
fn is(meta: &ParseNestedMeta<'_>, word: &str, otherwise: &str) -> Result<bool> {
    let how: LitStr = meta.value()?.parse()?;
    if how.value() == word { Ok(true) } else { Err(Error::new_spanned(how, otherwise)) }
}

fn is_eager(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    let when: LitStr = meta.value()?.parse()?;
    match when.value().as_str() {
        "eager" => Ok(true),
        "lazy" => Ok(false),
        _ => Err(Error::new_spanned(
            when,
            "documents start \"lazy\" (before their first handler) or \"eager\" (all at once)",
        )),
    }
}

fn options_of(meta: &ParseNestedMeta<'_>) -> Result<Vec<String>> {
    let mut options = Vec::new();
    meta.parse_nested_meta(|option| {
        let name = option.path.to_token_stream().to_string().to_ascii_uppercase();
        if name == "PERIODIC_MAINTENANCE" {
            return Err(option.error("the option comes with a method marked #[every(\"1h\")]"));
        }
        if !OPTIONS.contains(&name.as_str()) {
            return Err(option.error(format!("an option is one of {}", OPTIONS.join(", ").to_ascii_lowercase())));
        }
        options.push(name);
        Ok(())
    })?;
    Ok(options)
}

fn index_of(meta: &ParseNestedMeta<'_>) -> Result<Vec<(LitStr, String)>> {
    let inner;
    parenthesized!(inner in meta.input);
    let mut fields = Vec::new();
    while !inner.is_empty() {
        let path: LitStr = inner.parse()?;
        inner.parse::<Token![=]>()?;
        let kind: Ident = inner.parse()?;
        if !["string", "number", "boolean"].iter().any(|known| kind == known) {
            return Err(Error::new_spanned(kind, "an indexed field is a string, number or boolean"));
        }
        fields.push((path, kind.to_string()));
        if !inner.is_empty() {
            inner.parse::<Token![,]>()?;
        }
    }
    Ok(fields)
}

fn limits_of(meta: &ParseNestedMeta<'_>) -> Result<Vec<(String, LitInt)>> {
    let mut limits = Vec::new();
    meta.parse_nested_meta(|limit| {
        let field = match limit.path.get_ident().map(ToString::to_string).as_deref() {
            Some("deadline_millis") => "deadlineMillis",
            Some("memory_bytes") => "memoryBytes",
            Some("document_bytes") => "documentBytes",
            Some(_) | None => return Err(limit.error("a limit is deadline_millis, memory_bytes or document_bytes")),
        };
        limits.push((field.to_owned(), limit.value()?.parse()?));
        Ok(())
    })?;
    Ok(limits)
}

/// Returns `example-task` for `ExampleTask`.
fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

/// Returns the doc comment of the `impl`, if it has one.
fn docs_of(item: &ItemImpl) -> Option<String> {
    let mut lines = Vec::new();
    for attribute in item.attrs.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let syn::Meta::NameValue(pair) = &attribute.meta
            && let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    if lines.is_empty() { None } else { Some(lines.join("\n")) }
}
