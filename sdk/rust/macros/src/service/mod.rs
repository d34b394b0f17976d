//! `#[service(…)] impl State { … }`: reads the arguments and the methods first, then writes the component.

mod arguments;
mod expand;
mod method;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ImplItem, ItemImpl, Result};

use arguments::Arguments;
use method::Method;

/// Returns the `impl` without our attributes, and the component beside it.
pub(crate) fn service(arguments: TokenStream, mut item: ItemImpl) -> Result<TokenStream> {
    if let Some((_, path, _)) = &item.trait_ {
        return Err(Error::new_spanned(path, "a service is a plain `impl`, not the `impl` of a trait"));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a service has one state, so it cannot have type parameters"));
    }
    let arguments = Arguments::parse(arguments, &item)?;
    let mut methods = Vec::new();
    for inner in &mut item.items {
        if let ImplItem::Fn(function) = inner
            && let Some(method) = Method::take(function)?
        {
            methods.push(method);
        }
    }
    method::check(&methods, arguments.stateless())?;
    if let Some(put) = methods.iter().find(|method| arguments.no_put && method.action() == Some("put")) {
        return Err(Error::new_spanned(&put.name, "the service says put = \"none\", so this is never called"));
    }
    let component = expand::component(&item, &arguments, &methods);
    Ok(quote! {
        #item
        #component
    })
}
