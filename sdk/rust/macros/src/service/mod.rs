//! `#[service(…)] impl State { … }`: reads the arguments and the methods first, then writes the component.

mod arguments;
mod expand;
mod method;

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, ImplItem, ItemImpl, Result};

use arguments::Arguments;
use method::Method;

/// Returns what [`service`] does; beside an error the `impl` alone, so that the methods are there and the error is not lost among those
/// of everything that calls them.
pub(crate) fn expanded(arguments: TokenStream, item: ItemImpl) -> TokenStream {
    service(arguments, item.clone()).unwrap_or_else(|error| {
        let (error, item) = (error.into_compile_error(), method::without_attributes(item));
        quote!(#error #item)
    })
}

/// Returns the `impl` without our attributes, and the component beside it.
fn service(arguments: TokenStream, mut item: ItemImpl) -> Result<TokenStream> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_an_error_the_methods_are_there_without_our_attributes() {
        let wrong: ItemImpl = syn::parse_quote! {
            impl Kettle {
                #[patch] #[post] #[cold] fn heat(&mut self, #[field(minimum = 1)] by: u32) -> Result { Ok(()) }
                fn litres(&self) -> u32 { 1 }
            }
        };
        let written = expanded(quote!(factory = "/core/kettles"), wrong).to_string();
        assert_eq!(written.matches("compile_error").count(), 1, "{written}");
        assert!(written.contains("# [cold] fn heat (& mut self , by : u32)"), "{written}");
        assert!(written.contains("fn litres"), "{written}");
    }
}
