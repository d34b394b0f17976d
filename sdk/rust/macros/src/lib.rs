//! The macros of the Rust SDK. Authors use them through `steward_sdk`; its README shows every attribute.
//!
//! Both macros write code that names `::steward_sdk` and nothing else, so that a guest needs one dependency.

mod document;
mod service;

use proc_macro::TokenStream;

/// Derives `Document`: JSON in camel case, a JSON Schema, defaults, and checks that point at the field.
///
/// On a field: `default`, `default = <expression>`, `minimum`, `maximum`, `min_length`, `max_length` (characters of a
/// text, elements of a list). On the type: `default` gives every field the default of its type. Attributes of serde and
/// schemars work as usual. Fields of type `Option` may be missing and are left out when they are `None`.
#[proc_macro_derive(Document, attributes(document, field, serde, schemars))]
pub fn document(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    document::expanded(input).into()
}

/// Makes a service of a plain `impl`.
///
/// Arguments: `factory = "/path"` (needed), `name`, `version`, `kind`, `docs`, `options(…)`, `state_version = n`, `retention = n`, `task`,
/// `start = "eager"`, `patch = "merge"`, `put = "none"`, `outbound("host", …)`, `index("path" = string, …)`, `limits(deadline_millis = n, …)`, `per_call`.
///
/// Methods are handlers by their names (`handle_create`, `handle_start`, `handle_stop`, `handle_get`, `handle_post`,
/// `handle_put`, `handle_patch`, `handle_delete`, `handle_reply`, `merge`) or by an attribute: `#[patch]`,
/// `#[patch(kind = "…")]` (the same for the other actions), `#[every("1h")]`, `#[reply("tag")]`, `#[migrate(from = 1)]`.
/// They take what they need, in any order: `&self` or `&mut self`, `ctx: &mut Context`, and either a body of any type
/// that derives `Document` (or an `Option` of one), or its fields one by one: `#[field] by: Option<u64>`.
#[proc_macro_attribute]
pub fn service(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::ItemImpl);
    service::expanded(arguments.into(), item).into()
}
