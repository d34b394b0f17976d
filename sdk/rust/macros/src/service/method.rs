//! The methods of a service: which of them are handlers, and which arguments each takes.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{
    Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, LitInt, LitStr, Meta, Pat, PatType, PathArguments, Result,
    Type,
};

use crate::document::last_segment;

/// The handlers that take a state and a request, by the word in their attribute.
pub(super) const ACTIONS: [&str; 9] =
    ["create", "start", "stop", "get", "post", "put", "patch", "delete", "maintenance"];

/// What a method is called for.
#[derive(Clone)]
pub(super) enum Role {
    /// A handler of [`ACTIONS`]; the bodies of some kind, or all others.
    Action { action: &'static str, kind: Option<LitStr> },
    /// Answers to effects: with one tag, or with all others.
    Reply(Option<LitStr>),
    /// States of an older version.
    Migrate(LitInt),
    /// Two states.
    Merge,
}

/// What a method takes besides its receiver.
#[derive(Clone)]
pub(super) enum Argument {
    Context,
    Answer,
    Tag,
    Body(Box<Type>),
    OptionalBody(Box<Type>),
    /// One field of the body that is made of all such arguments.
    Field(syn::Ident),
}

/// One handler.
pub(super) struct Method {
    pub(super) role: Role,
    pub(super) name: syn::Ident,
    pub(super) receiver: Receiver,
    pub(super) arguments: Vec<Argument>,
    /// Fields of a body that has no type of its own.
    pub(super) fields: Vec<TokenStream>,
    /// Microseconds between two runs.
    pub(super) every: Option<u64>,
}

/// How a method gets the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Receiver {
    None,
    Shared,
    Mutable,
}

impl Method {
    /// Reads a function and removes our attributes from it; none if it is no handler.
    pub(super) fn take(function: &mut ImplItemFn) -> Result<Option<Method>> {
        let name = function.sig.ident.clone();
        let mut every = None;
        let mut roles = Vec::new();
        let mut kept = Vec::new();
        for attribute in std::mem::take(&mut function.attrs) {
            match role_of(&attribute)? {
                Some(role) => {
                    if attribute.path().is_ident("every") {
                        every = Some(micros(&attribute.parse_args::<LitStr>()?)?);
                    }
                    roles.push(role);
                }
                None => kept.push(attribute),
            }
        }
        function.attrs = kept;
        if roles.len() > 1 {
            return Err(Error::new_spanned(&name, "a method is one handler; write a second method for the other"));
        }
        let Some(role) = roles.pop().or_else(|| role_by_name(&name.to_string())) else { return Ok(None) };
        if matches!(role, Role::Action { action: "maintenance", .. }) && every.is_none() {
            return Err(Error::new_spanned(&name, "say how often: #[every(\"1h\")]"));
        }
        let mut method =
            Method { role, name, receiver: Receiver::None, arguments: Vec::new(), fields: Vec::new(), every };
        method.read_signature(function)?;
        Ok(Some(method))
    }

    fn read_signature(&mut self, function: &mut ImplItemFn) -> Result<()> {
        for input in &mut function.sig.inputs {
            match input {
                FnArg::Receiver(receiver) if receiver.reference.is_none() => {
                    return Err(Error::new_spanned(receiver, "a handler takes `&self` or `&mut self`"));
                }
                FnArg::Receiver(receiver) if receiver.mutability.is_some() => self.receiver = Receiver::Mutable,
                FnArg::Receiver(_) => self.receiver = Receiver::Shared,
                FnArg::Typed(typed) => {
                    let argument = match field_of(typed)? {
                        Some((name, field)) => {
                            self.fields.push(field);
                            Argument::Field(name)
                        }
                        None => argument_of(&typed.ty),
                    };
                    self.arguments.push(argument);
                }
            }
        }
        if matches!(self.role, Role::Action { action: "get", .. }) && self.receiver == Receiver::Mutable {
            return Err(Error::new_spanned(&self.name, "GET changes nothing: take `&self`"));
        }
        Ok(())
    }

    /// Returns the action, if the role is one.
    pub(super) fn action(&self) -> Option<&'static str> {
        match &self.role {
            Role::Action { action, .. } => Some(action),
            Role::Reply(_) | Role::Migrate(_) | Role::Merge => None,
        }
    }

    /// Returns the type of the body, if the method takes one.
    pub(super) fn body(&self, state: &Type) -> Option<Type> {
        if !self.fields.is_empty() {
            let name = body_name(state, &self.name);
            return Some(syn::parse_quote!(#name));
        }
        self.arguments.iter().find_map(|argument| match argument {
            Argument::Body(ty) | Argument::OptionalBody(ty) => Some((**ty).clone()),
            Argument::Context | Argument::Answer | Argument::Tag | Argument::Field(_) => None,
        })
    }

    /// Returns how many bodies the method takes; all fields together are one.
    fn bodies(&self) -> usize {
        let whole = self.arguments.iter().filter(|argument| match argument {
            Argument::Body(_) | Argument::OptionalBody(_) => true,
            Argument::Context | Argument::Answer | Argument::Tag | Argument::Field(_) => false,
        });
        whole.count() + usize::from(!self.fields.is_empty())
    }
}

/// Returns the `impl` without any attribute of ours.
pub(super) fn without_attributes(mut item: ItemImpl) -> ItemImpl {
    for inner in &mut item.items {
        let ImplItem::Fn(function) = inner else { continue };
        function.attrs.retain(|attribute| matches!(role_of(attribute), Ok(None)));
        for input in &mut function.sig.inputs {
            if let FnArg::Typed(typed) = input {
                typed.attrs.retain(|attribute| !attribute.path().is_ident("field"));
            }
        }
    }
    item
}

/// Returns the name of the type that the fields of a method's body get, `CounterHandlePatchBody`.
pub(super) fn body_name(state: &Type, method: &syn::Ident) -> syn::Ident {
    let state = last_segment(state).map(ToString::to_string).unwrap_or_default();
    let words = method.to_string();
    let camel: String = words.split('_').map(capitalised).collect();
    syn::Ident::new(&format!("{state}{camel}Body"), method.span())
}

/// Returns the word with its first letter in upper case.
pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Takes `#[field]` off an argument, and returns its name and the field that it stands for.
fn field_of(typed: &mut PatType) -> Result<Option<(syn::Ident, TokenStream)>> {
    let Some(place) = typed.attrs.iter().position(|attribute| attribute.path().is_ident("field")) else {
        return Ok(None);
    };
    let attribute = typed.attrs.remove(place);
    let Pat::Ident(pattern) = &*typed.pat else {
        return Err(Error::new_spanned(&typed.pat, "a field of the body needs a name"));
    };
    let document = match attribute.meta {
        Meta::Path(_) => TokenStream::new(),
        Meta::List(list) => {
            let inner = list.tokens;
            quote!(#[document(#inner)])
        }
        Meta::NameValue(pair) => return Err(Error::new_spanned(pair, "write #[field(minimum = 1)]")),
    };
    let (name, ty) = (pattern.ident.clone(), &typed.ty);
    let field = quote!(#document #name: #ty);
    Ok(Some((name, field)))
}

/// Checks what can only be seen over all methods.
pub(super) fn check(methods: &[Method], stateless: bool) -> Result<()> {
    for (index, method) in methods.iter().enumerate() {
        if stateless && method.receiver != Receiver::None {
            return Err(Error::new_spanned(&method.name, "a stateless service has no state: leave out `self`"));
        }
        let twin = methods[..index].iter().find(|other| same(&other.role, &method.role));
        if let Some(twin) = twin {
            let advice = "tell them apart, for example with #[patch(kind = \"…\")]";
            let message = format!("`{}` and `{}` answer the same requests: {advice}", twin.name, method.name);
            return Err(Error::new_spanned(&method.name, message));
        }
        if method.action().is_some() && method.bodies() > 1 {
            let message = "a request has one body: take one argument for it, or mark its fields: #[field] by: u64";
            return Err(Error::new_spanned(&method.name, message));
        }
        if matches!(method.role, Role::Action { action: "create" | "start" | "stop" | "maintenance", .. })
            && method.bodies() > 0
        {
            let message = "this handler has no body: on creation `self` is what the client sent";
            return Err(Error::new_spanned(&method.name, message));
        }
    }
    Ok(())
}

fn same(one: &Role, other: &Role) -> bool {
    match (one, other) {
        (Role::Action { action, kind }, Role::Action { action: action2, kind: kind2 }) => {
            action == action2 && text(kind) == text(kind2)
        }
        (Role::Reply(tag), Role::Reply(tag2)) => text(tag) == text(tag2),
        (Role::Migrate(from), Role::Migrate(from2)) => from.base10_digits() == from2.base10_digits(),
        (Role::Merge, Role::Merge) => true,
        (Role::Action { .. } | Role::Reply(_) | Role::Migrate(_) | Role::Merge, _) => false,
    }
}

fn text(literal: &Option<LitStr>) -> Option<String> {
    literal.as_ref().map(LitStr::value)
}

fn role_of(attribute: &Attribute) -> Result<Option<Role>> {
    let Some(word) = attribute.path().get_ident().map(ToString::to_string) else { return Ok(None) };
    let bare = matches!(attribute.meta, syn::Meta::Path(_));
    if word == "every" {
        return Ok(Some(Role::Action { action: "maintenance", kind: None }));
    }
    if word == "maintenance" {
        return Err(Error::new_spanned(attribute, "say how often: #[every(\"1h\")]"));
    }
    if let Some(action) = ACTIONS.into_iter().find(|action| *action == word) {
        let mut kind = None;
        if !bare {
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("kind") || !["post", "put", "patch", "delete"].contains(&action) {
                    return Err(meta.error("post, put, patch and delete take `kind = \"…\"`, the others take nothing"));
                }
                kind = Some(meta.value()?.parse()?);
                Ok(())
            })?;
        }
        return Ok(Some(Role::Action { action, kind }));
    }
    match word.as_str() {
        "reply" => Ok(Some(Role::Reply(if bare { None } else { Some(attribute.parse_args()?) }))),
        "merge" => Ok(Some(Role::Merge)),
        "migrate" => {
            let mut from = None;
            attribute.parse_nested_meta(|meta| {
                if !meta.path.is_ident("from") {
                    return Err(meta.error("write #[migrate(from = 1)]"));
                }
                from = Some(meta.value()?.parse()?);
                Ok(())
            })?;
            from.map(|from| Some(Role::Migrate(from)))
                .ok_or_else(|| Error::new_spanned(attribute, "write #[migrate(from = 1)]"))
        }
        _ => Ok(None),
    }
}

fn role_by_name(name: &str) -> Option<Role> {
    if name == "merge" {
        return Some(Role::Merge);
    }
    let word = name.strip_prefix("handle_")?;
    if word == "reply" {
        return Some(Role::Reply(None));
    }
    ACTIONS.into_iter().find(|action| *action == word).map(|action| Role::Action { action, kind: None })
}

fn argument_of(ty: &Type) -> Argument {
    if let Type::Reference(reference) = ty {
        return match last_segment(&reference.elem).map(ToString::to_string).as_deref() {
            Some("Context") => Argument::Context,
            Some("Answer") => Argument::Answer,
            Some("str") => Argument::Tag,
            Some(_) | None => Argument::Body(Box::new((*reference.elem).clone())),
        };
    }
    if let Type::Path(path) = ty
        && let Some(segment) = path.path.segments.last()
        && segment.ident == "Option"
        && let PathArguments::AngleBracketed(inner) = &segment.arguments
        && let Some(syn::GenericArgument::Type(inner)) = inner.args.first()
    {
        return Argument::OptionalBody(Box::new(inner.clone()));
    }
    Argument::Body(Box::new(ty.clone()))
}

/// Returns the microseconds of `500ms`, `30s`, `5m`, `1h` or `1d`.
fn micros(text: &LitStr) -> Result<u64> {
    let wrong = || Error::new(text.span(), "a span is a number and ms, s, m, h or d, such as \"1h\"");
    let value = text.value();
    let digits = value.find(|letter: char| !letter.is_ascii_digit()).ok_or_else(wrong)?;
    let unit: u64 = match &value[digits..] {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        _ => return Err(wrong()),
    };
    let count: u64 = value[..digits].parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|span| *span > 0).ok_or_else(wrong)
}

impl Method {
    /// Returns where the method's name stands.
    pub(super) fn span(&self) -> Span {
        self.name.span()
    }
}
