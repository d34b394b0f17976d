//! `#[derive(Document)]`.
//!
//! A derive cannot add attributes to the type on which it is written. So the traits are derived on a *shadow*: a copy
//! of the type with all attributes in place, which serde knows as `remote`. The type itself forwards to its shadow.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Data, DeriveInput, Error, Expr, ExprLit, Field, Lit, Result, Type};

/// Returns the implementations for the type; beside an error those that it would have without our attributes, for each use of a type
/// without them would be a further error, and the one that counts is lost among these.
pub(crate) fn expanded(input: DeriveInput) -> TokenStream {
    derive(input.clone()).unwrap_or_else(|error| {
        let error = error.into_compile_error();
        let bare = derive(without_rules(input)).unwrap_or_default();
        quote!(#error #bare)
    })
}

/// Returns the type with nothing said about it and its fields.
fn without_rules(mut input: DeriveInput) -> DeriveInput {
    let bare = |fields: &mut syn::Fields| fields.iter_mut().for_each(|field| field.attrs.clear());
    input.attrs.clear();
    match &mut input.data {
        Data::Struct(data) => bare(&mut data.fields),
        Data::Enum(data) => data.variants.iter_mut().for_each(|variant| {
            variant.attrs.clear();
            bare(&mut variant.fields);
        }),
        Data::Union(_) => {}
    }
    input
}

/// Returns the implementations for the type.
fn derive(input: DeriveInput) -> Result<TokenStream> {
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a document has one schema, so it cannot have type parameters",
        ));
    }
    let name = input.ident.clone();
    let shadow = format_ident!("{name}Shadow");
    let (shadow_item, defaults) = shadow_of(input, &shadow)?;
    let name_text = name.to_string();
    Ok(quote! {
        const _: () = {
            #(#defaults)*

            #[allow(dead_code, reason = "the shadow is there for its traits alone")]
            #[derive(::steward_sdk::serde::Serialize, ::steward_sdk::serde::Deserialize, ::steward_sdk::schemars::JsonSchema)]
            #[serde(crate = "::steward_sdk::serde", remote = #name_text)]
            #[schemars(crate = "::steward_sdk::schemars")]
            #shadow_item

            #[automatically_derived]
            impl ::steward_sdk::serde::Serialize for #name {
                fn serialize<S: ::steward_sdk::serde::Serializer>(&self, to: S) -> ::core::result::Result<S::Ok, S::Error> {
                    #shadow::serialize(self, to)
                }
            }

            #[automatically_derived]
            impl<'de> ::steward_sdk::serde::Deserialize<'de> for #name {
                fn deserialize<D: ::steward_sdk::serde::Deserializer<'de>>(from: D) -> ::core::result::Result<Self, D::Error> {
                    #shadow::deserialize(from)
                }
            }

            #[automatically_derived]
            impl ::steward_sdk::schemars::JsonSchema for #name {
                fn schema_name() -> ::std::borrow::Cow<'static, str> {
                    #name_text.into()
                }

                fn schema_id() -> ::std::borrow::Cow<'static, str> {
                    ::core::concat!(::core::module_path!(), "::", #name_text).into()
                }

                fn json_schema(generator: &mut ::steward_sdk::schemars::SchemaGenerator) -> ::steward_sdk::schemars::Schema {
                    <#shadow as ::steward_sdk::schemars::JsonSchema>::json_schema(generator)
                }
            }

            #[automatically_derived]
            impl ::steward_sdk::Document for #name {
                fn shape() -> &'static ::steward_sdk::Shape {
                    static SHAPE: ::std::sync::OnceLock<::steward_sdk::Shape> = ::std::sync::OnceLock::new();
                    SHAPE.get_or_init(::steward_sdk::Shape::of::<#name>)
                }
            }
        };
    })
}

/// Returns the shadow and the functions that its defaults call.
fn shadow_of(mut input: DeriveInput, shadow: &syn::Ident) -> Result<(DeriveInput, Vec<TokenStream>)> {
    let all_default = says_all_default(&input.attrs)?;
    keep_known(&mut input.attrs);
    let mut defaults = Vec::new();
    match &mut input.data {
        Data::Struct(data) => {
            if !says(&input.attrs, "rename_all") {
                input.attrs.push(syn::parse_quote!(#[serde(rename_all = "camelCase")]));
            }
            for field in &mut data.fields {
                shadow_field(field, all_default, &mut defaults)?;
            }
        }
        Data::Enum(data) => {
            for variant in &mut data.variants {
                keep_known(&mut variant.attrs);
                for field in &mut variant.fields {
                    shadow_field(field, false, &mut defaults)?;
                }
            }
        }
        Data::Union(data) => return Err(Error::new(data.union_token.span, "a union has no JSON form, use an enum")),
    }
    input.ident = shadow.clone();
    input.vis = syn::Visibility::Inherited;
    Ok((input, defaults))
}

fn shadow_field(field: &mut Field, all_default: bool, defaults: &mut Vec<TokenStream>) -> Result<()> {
    let said = Said::parse(&field.attrs)?;
    keep_known(&mut field.attrs);
    let optional = last_segment(&field.ty).is_some_and(|name| name == "Option");
    if let Some(value) = said.default_value {
        let function = format_ident!("default_{}", defaults.len());
        let (text, ty) = (function.to_string(), &field.ty);
        let value = if is_text(&value) { quote!(::core::convert::From::from(#value)) } else { quote!(#value) };
        defaults.push(quote!(fn #function() -> #ty { #value }));
        field.attrs.push(syn::parse_quote!(#[serde(default = #text)]));
    } else if (said.default || all_default || optional) && !says(&field.attrs, "default") {
        field.attrs.push(syn::parse_quote!(#[serde(default)]));
    }
    if optional && !says(&field.attrs, "skip_serializing_if") {
        field.attrs.push(syn::parse_quote!(#[serde(skip_serializing_if = "::core::option::Option::is_none")]));
    }
    for (keyword, bounds) in [("range", [said.minimum, said.maximum]), ("length", [said.min_length, said.max_length])] {
        let keyword = format_ident!("{keyword}");
        let sides = ["min", "max"].iter().zip(bounds).filter_map(|(side, bound)| {
            let side = format_ident!("{side}");
            bound.map(|bound| quote!(#side = #bound))
        });
        let sides: Vec<TokenStream> = sides.collect();
        if !sides.is_empty() {
            field.attrs.push(syn::parse_quote!(#[schemars(#keyword(#(#sides),*))]));
        }
    }
    Ok(())
}

/// What the `#[document(…)]` of a field says.
#[derive(Default)]
struct Said {
    default: bool,
    default_value: Option<Expr>,
    minimum: Option<Expr>,
    maximum: Option<Expr>,
    min_length: Option<Expr>,
    max_length: Option<Expr>,
}

impl Said {
    fn parse(attributes: &[Attribute]) -> Result<Said> {
        let mut said = Said::default();
        if let Some(other) = attributes.iter().find(|attribute| attribute.path().is_ident("field")) {
            let told = "`#[field(…)]` marks an argument of a handler; for a field of a document write `#[document(…)]`";
            return Err(Error::new_spanned(other, told));
        }
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("document")) {
            attribute.parse_nested_meta(|meta| {
                let word = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                if word == "default" && !meta.input.peek(syn::Token![=]) {
                    said.default = true;
                    return Ok(());
                }
                let place = match word.as_str() {
                    "default" => &mut said.default_value,
                    "minimum" => &mut said.minimum,
                    "maximum" => &mut said.maximum,
                    "min_length" => &mut said.min_length,
                    "max_length" => &mut said.max_length,
                    _ => {
                        let known = "default, minimum, maximum, min_length or max_length";
                        return Err(meta.error(format!("a field of a document takes {known}")));
                    }
                };
                *place = Some(meta.value()?.parse()?);
                Ok(())
            })?;
        }
        Ok(said)
    }
}

fn says_all_default(attributes: &[Attribute]) -> Result<bool> {
    let mut found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("document")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("default") {
                found = true;
                return Ok(());
            }
            Err(meta.error("a document takes `default`: every field has the default of its type"))
        })?;
    }
    Ok(found)
}

/// Drops the attributes that mean nothing to the traits of the shadow.
fn keep_known(attributes: &mut Vec<Attribute>) {
    attributes
        .retain(|attribute| ["serde", "schemars", "doc", "cfg"].iter().any(|known| attribute.path().is_ident(known)));
}

/// Returns true if one of serde's attributes uses the word.
fn says(attributes: &[Attribute], word: &str) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("serde")).any(|attribute| {
        let mut found = false;
        // An attribute that serde would refuse is left for serde to complain about.
        let _ = attribute.parse_nested_meta(|meta| {
            found |= meta.path.is_ident(word);
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<Expr>()?;
            }
            Ok(())
        });
        found
    })
}

fn is_text(value: &Expr) -> bool {
    matches!(value, Expr::Lit(ExprLit { lit: Lit::Str(_), .. }))
}

/// Returns the last name of a type's path: `Option` of `std::option::Option<u8>`.
pub(crate) fn last_segment(ty: &Type) -> Option<&syn::Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_an_error_the_type_is_a_document() {
        let wrong: [DeriveInput; 3] = [
            syn::parse_quote!(
                struct Kettle {
                    #[field(default)]
                    litres: u32,
                }
            ),
            syn::parse_quote!(
                struct Kettle {
                    #[document(least = 1)]
                    litres: u32,
                }
            ),
            syn::parse_quote!(
                #[document(minimum = 1)]
                enum Kettle {
                    #[serde(rename = "on")]
                    On,
                }
            ),
        ];
        for input in wrong {
            let written = expanded(input).to_string();
            assert_eq!(written.matches("compile_error").count(), 1, "{written}");
            assert!(written.contains("steward_sdk :: Document for Kettle"), "{written}");
        }
    }
}
