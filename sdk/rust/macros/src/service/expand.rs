//! What the macro writes beside the `impl`: the descriptor, the dispatch from handlers to methods, the export.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{ItemImpl, LitStr, Type};

use super::arguments::Arguments;
use super::method::{ACTIONS, Argument, Method, Receiver, Role, body_name, capitalised};

/// Returns the component of a service.
pub(super) fn component(item: &ItemImpl, arguments: &Arguments, methods: &[Method]) -> TokenStream {
    let state = &item.self_ty;
    let describe = describe(state, arguments, methods);
    let handle = handle(state, arguments, methods);
    let reply = reply(state, arguments, methods);
    let bodies = methods.iter().filter(|method| !method.fields.is_empty()).map(|method| body(state, method));
    let migrate = migrate(methods);
    let merge = merge(methods);
    quote! {
        #(#bodies)*
        #[automatically_derived]
        #[allow(unreachable_patterns, unused_variables, clippy::all, reason = "written by a macro for any set of handlers")]
        impl ::steward_sdk::Guest for #state {
            #describe
            #handle
            #reply
            #migrate
            #merge
        }
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type Service = #state;
            ::steward_sdk::export!(Service);
            // Two services in a crate define it twice, and then the compiler says its name.
            #[allow(unsafe_code, reason = "the name is a sentence, which nothing else is called by")]
            #[unsafe(export_name = "A component is one service: put each other one into a crate of its own")]
            static ONE: u8 = 0;
        };
    }
}

/// Returns the type of a body whose fields stand in the method's signature.
fn body(state: &Type, method: &Method) -> TokenStream {
    let (name, fields) = (body_name(state, &method.name), &method.fields);
    quote! {
        #[derive(::steward_sdk::Document)]
        struct #name { #(#fields),* }
    }
}

/// Returns the handlers that exist, by their names in the descriptor.
fn handlers(arguments: &Arguments, methods: &[Method]) -> Vec<String> {
    let listed = |action: &str| {
        // States are typed: even without a method, creation reads the body into the type. So does a PUT, on which it decides too.
        let always = !arguments.stateless() && action == "create";
        always || methods.iter().any(|method| method.action() == Some(action))
    };
    let mut names: Vec<String> =
        ACTIONS.into_iter().filter(|action| listed(action)).map(|action| format!("handle-{action}")).collect();
    for method in methods {
        let name = match &method.role {
            Role::Reply(_) => "handle-reply",
            Role::Migrate(_) => "migrate",
            Role::Merge => "merge",
            Role::Action { .. } => continue,
        };
        if !names.iter().any(|listed| listed == name) {
            names.push(name.to_owned());
        }
    }
    names
}

fn describe(state: &Type, arguments: &Arguments, methods: &[Method]) -> TokenStream {
    let (name, factory) = (&arguments.name, &arguments.factory);
    let version = match &arguments.version {
        Some(version) => quote!(#version),
        None => quote!(::core::env!("CARGO_PKG_VERSION")),
    };
    let mut fields = Vec::new();
    let handlers = handlers(arguments, methods);
    fields.push(quote!(.with("handlers", ::std::vec![#(#handlers),*])));
    let mut options = arguments.options.clone();
    if let Some(every) = methods.iter().find_map(|method| method.every) {
        options.push("PERIODIC_MAINTENANCE".to_owned());
        fields.push(quote!(.with("maintenanceIntervalMicros", #every)));
    }
    fields.push(quote!(.with("options", ::std::vec![#(#options),*])));
    if let Some(kind) = &arguments.kind {
        fields.push(quote!(.with("documentKind", #kind)));
    }
    if let Some(version) = &arguments.state_version {
        fields.push(quote!(.with("stateVersion", #version)));
    }
    let reads: Vec<_> = methods
        .iter()
        .filter_map(|method| match &method.role {
            Role::Migrate(from) => Some(from),
            Role::Action { .. } | Role::Reply(_) | Role::Merge => None,
        })
        .collect();
    if !reads.is_empty() {
        fields.push(quote!(.with("readsStateVersions", ::std::vec![#(#reads),*])));
    }
    fields.extend(flags(arguments));
    if let Some(docs) = &arguments.docs {
        fields.push(quote!(.with("docs", #docs)));
    }
    if !arguments.stateless() {
        fields.push(quote!(.state::<Self>()));
    }
    fields.extend(methods.iter().filter_map(|method| action(state, method)));
    quote! {
        fn describe() -> ::std::string::String {
            ::steward_sdk::Description::new(#name, #version, #factory) #(#fields)* .finish()
        }
    }
}

/// Returns the fields of the descriptor that stand in the arguments as they are.
fn flags(arguments: &Arguments) -> Vec<TokenStream> {
    let mut fields = Vec::new();
    if let Some(retention) = &arguments.retention {
        fields.push(quote!(.with("versionRetention", #retention)));
    }
    if arguments.task {
        fields.push(quote!(.with("task", true)));
    }
    if arguments.eager_start {
        fields.push(quote!(.with("start", "eager")));
    }
    if arguments.merge_patch {
        fields.push(quote!(.with("patch", "merge")));
    }
    if arguments.no_put {
        fields.push(quote!(.with("put", "none")));
    }
    if arguments.per_call {
        fields.push(quote!(.with("isolation", "per-call")));
    }
    if !arguments.outbound.is_empty() {
        let hosts = &arguments.outbound;
        fields.push(quote!(.with("capabilities", ::steward_sdk::serde_json::json!({ "outbound": [#(#hosts),*] }))));
    }
    if let Some(index) = &arguments.index {
        let indexed = index.iter().map(|(path, kind)| quote!({ "path": #path, "type": #kind }));
        fields.push(quote!(.with("index", ::steward_sdk::serde_json::json!([#(#indexed),*]))));
    }
    if !arguments.limits.is_empty() {
        let limits = arguments.limits.iter().map(|(field, limit)| quote!(#field: #limit));
        fields.push(quote!(.with("limits", ::steward_sdk::serde_json::json!({ #(#limits),* }))));
    }
    fields
}

/// Returns the schema of a method's body for the descriptor.
fn action(state: &Type, method: &Method) -> Option<TokenStream> {
    let Role::Action { action, kind } = &method.role else { return None };
    let handler = format!("handle-{action}");
    let kind = kind.as_ref().map(LitStr::value);
    match (method.body(state), kind) {
        (Some(body), kind) => {
            let kind = kind.unwrap_or_default();
            Some(quote!(.action::<#body>(#handler, #kind)))
        }
        // A kind says what is wanted by itself.
        (None, Some(kind)) => Some(quote!(.action_without_body(#handler, #kind))),
        (None, None) => None,
    }
}

fn handle(state: &Type, arguments: &Arguments, methods: &[Method]) -> TokenStream {
    let arms = ACTIONS.into_iter().filter_map(|action| {
        let own: Vec<&Method> = methods.iter().filter(|method| method.action() == Some(action)).collect();
        let act = match (own.is_empty(), action) {
            (false, _) => by_kind(state, &own),
            (true, "create") if !arguments.stateless() => {
                quote!(::core::result::Result::Ok(::steward_sdk::Reply::state()))
            }
            (true, _) => return None,
        };
        let variant = format_ident!("{}", capitalised(action));
        Some(if arguments.stateless() {
            quote!(::steward_sdk::Handler::#variant => ::steward_sdk::run::call_stateless(
                request, &mut |ctx: &mut ::steward_sdk::Context| #act),)
        } else {
            quote!(::steward_sdk::Handler::#variant => ::steward_sdk::run::call(
                handler, &document, request, &mut |state: &mut Self, ctx: &mut ::steward_sdk::Context| #act),)
        })
    });
    quote! {
        fn handle(
            handler: ::steward_sdk::Handler,
            document: ::std::string::String,
            request: ::steward_sdk::Request,
        ) -> ::steward_sdk::Result<::steward_sdk::Outcome> {
            match handler {
                #(#arms)*
                _ => ::steward_sdk::run::missing(handler),
            }
        }
    }
}

/// Returns the choice between the methods of one action by the body's kind.
fn by_kind(state: &Type, methods: &[&Method]) -> TokenStream {
    let kinded = |method: &&&Method| matches!(&method.role, Role::Action { kind: Some(_), .. });
    let others = methods.iter().find(|method| !kinded(method)).map(|method| call(state, method));
    let mut kinds = Vec::new();
    let mut arms = Vec::new();
    for method in methods.iter().filter(kinded) {
        if let Role::Action { kind: Some(kind), .. } = &method.role {
            let call = call(state, method);
            arms.push(quote!(::core::option::Option::Some(#kind) => #call,));
            kinds.push(kind);
        }
    }
    match (arms.is_empty(), others) {
        (true, Some(call)) => call,
        (_, others) => {
            let others = others.unwrap_or_else(|| quote!(::steward_sdk::run::unknown_kind(ctx, &[#(#kinds),*])));
            quote!({
                let kind = ::steward_sdk::run::kind(ctx);
                match kind.as_deref() {
                    #(#arms)*
                    _ => #others,
                }
            })
        }
    }
}

/// Returns the call of a method, as an expression of type `Result<Reply>`.
fn call(state: &Type, method: &Method) -> TokenStream {
    let name = &method.name;
    let mut bodies = Vec::new();
    if !method.fields.is_empty() {
        let ty = body_name(state, name);
        bodies.push(quote!(let body: #ty = ::steward_sdk::run::fields(ctx)?;));
    }
    let arguments = method.arguments.iter().map(|argument| match argument {
        Argument::Context => quote!(ctx),
        Argument::Answer => quote!(&answer),
        Argument::Tag => quote!(&tag),
        Argument::Body(ty) => {
            bodies.push(quote!(let body: #ty = ::steward_sdk::run::body(ctx)?;));
            quote!(body)
        }
        Argument::OptionalBody(ty) => {
            bodies.push(quote!(let body: ::core::option::Option<#ty> = ::steward_sdk::run::optional_body(ctx)?;));
            quote!(body)
        }
        Argument::Field(field) => quote!(body.#field),
    });
    let arguments: Vec<TokenStream> = arguments.collect();
    let target = match method.receiver {
        Receiver::None => quote!(Self::#name),
        Receiver::Shared | Receiver::Mutable => quote!(state.#name),
    };
    let keeping = match method.receiver {
        Receiver::Mutable => quote!(),
        Receiver::None | Receiver::Shared => quote!(.map(::steward_sdk::Reply::keeping_state)),
    };
    quote_spanned! { method.span() =>
        {
            #(#bodies)*
            ::steward_sdk::run::IntoReply::into_reply(#target(#(#arguments),*)) #keeping
        }
    }
}

fn reply(state: &Type, arguments: &Arguments, methods: &[Method]) -> TokenStream {
    let mut arms = Vec::new();
    let mut others = quote!(::steward_sdk::run::unknown_tag(&tag));
    for method in methods {
        match &method.role {
            Role::Reply(Some(tag)) => {
                let call = call(state, method);
                arms.push(quote!(#tag => #call,));
            }
            Role::Reply(None) => others = call(state, method),
            Role::Action { .. } | Role::Migrate(_) | Role::Merge => (),
        }
    }
    if arguments.stateless() || !methods.iter().any(|method| matches!(method.role, Role::Reply(_))) {
        return quote!();
    }
    quote! {
        fn handle_reply(
            document: ::std::string::String,
            tag: ::std::string::String,
            answer: ::steward_sdk::Answer,
            request: ::steward_sdk::Request,
        ) -> ::steward_sdk::Result<::steward_sdk::Outcome> {
            ::steward_sdk::run::reply(&document, request, &mut |state: &mut Self, ctx: &mut ::steward_sdk::Context| {
                match tag.as_str() {
                    #(#arms)*
                    _ => #others,
                }
            })
        }
    }
}

fn migrate(methods: &[Method]) -> TokenStream {
    let arms: Vec<TokenStream> = methods
        .iter()
        .filter_map(|method| match &method.role {
            Role::Migrate(from) => {
                let name = &method.name;
                Some(quote!(#from => ::steward_sdk::run::migrate(&document, Self::#name),))
            }
            Role::Action { .. } | Role::Reply(_) | Role::Merge => None,
        })
        .collect();
    if arms.is_empty() {
        return quote!();
    }
    quote! {
        fn migrate(document: ::std::string::String, from_version: u32) -> ::steward_sdk::Result<::std::string::String> {
            match from_version {
                #(#arms)*
                _ => ::steward_sdk::run::unknown_version(from_version),
            }
        }
    }
}

fn merge(methods: &[Method]) -> TokenStream {
    let Some(method) = methods.iter().find(|method| matches!(method.role, Role::Merge)) else { return quote!() };
    let name = &method.name;
    quote! {
        fn merge(ours: ::std::string::String, theirs: ::std::string::String) -> ::steward_sdk::Result<::std::string::String> {
            ::steward_sdk::run::merge(&ours, &theirs, Self::#name)
        }
    }
}
