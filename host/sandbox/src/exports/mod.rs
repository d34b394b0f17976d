//! What the host calls in a guest: `describe`, the handlers and `migrate`.
//!
//! Looking up an export by name and comparing its type takes longer than a small call. So exports are looked up once
//! per module ([`Exports`]), and types are compared once per instance and function ([`Functions`]).
//!
//! Left out: of `merge` only the type is checked, because nothing joins clusters yet.

mod describe;
mod handlers;
mod states;

use steward_model::service::Handler;
use wasmtime::AsContextMut;
use wasmtime::component::{Component, ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};

use crate::bindings::{HandlerArguments, HandlerResult, JsonResult, ReplyArguments, SERVICE_0_1};
use crate::error::{CallError, PrepareError};
use crate::exchange::{HANDLE, HandleFunction, INCOMING_0_2};

pub(crate) use describe::{by_itself, describe};
pub(crate) use handlers::run;
pub use handlers::{Call, Occasion};
pub(crate) use states::migrate;

type HandlerFunction = TypedFunc<HandlerArguments<'static>, HandlerResult>;
type ReplyFunction = TypedFunc<ReplyArguments<'static>, HandlerResult>;
type MigrateFunction = TypedFunc<(&'static str, u32), JsonResult>;
type DescribeFunction = TypedFunc<(), (String,)>;

/// Handlers in the order of [`Exports::indices`]; the first nine have the same type.
const HANDLERS: [Handler; 12] = [
    Handler::HandleCreate,
    Handler::HandleStart,
    Handler::HandleStop,
    Handler::HandleGet,
    Handler::HandlePost,
    Handler::HandlePut,
    Handler::HandlePatch,
    Handler::HandleDelete,
    Handler::HandleMaintenance,
    Handler::HandleReply,
    Handler::Migrate,
    Handler::Merge,
];

/// How many handlers take a document and a request and nothing else.
const PLAIN_HANDLERS: usize = 9;

/// Where the functions of one module are.
pub(crate) struct Exports {
    entry: Entry,
    indices: [Option<ComponentExportIndex>; HANDLERS.len()],
}

/// By which function a module is called that nothing is known of yet.
enum Entry {
    /// `describe`, of a service.
    Describe(ComponentExportIndex),
    /// `handle`, of an HTTP component, which describes nothing.
    Handle(ComponentExportIndex),
}

impl Exports {
    /// Finds the function of an HTTP component.
    ///
    /// # Errors
    /// [`PrepareError::NoService`] if the interface or its function is not there.
    pub(crate) fn find_http(component: &Component) -> Result<Exports, PrepareError> {
        let missing = || PrepareError::NoService { exports: vec![format!("{INCOMING_0_2} without `{HANDLE}`")] };
        let incoming = component.get_export_index(None, INCOMING_0_2).ok_or_else(missing)?;
        let handle = component.get_export_index(Some(&incoming), HANDLE).ok_or_else(missing)?;
        Ok(Exports { entry: Entry::Handle(handle), indices: [None; HANDLERS.len()] })
    }

    /// Returns the function of an HTTP component in an instance.
    ///
    /// # Errors
    /// [`wasmtime::Error`] if the module is a service, or the function has another type.
    pub(crate) fn handle(&self, store: impl AsContextMut, instance: Instance) -> wasmtime::Result<HandleFunction> {
        match &self.entry {
            Entry::Handle(handle) => instance.get_typed_func(store, handle),
            Entry::Describe(_) => wasmtime::bail!("the module is a service, and answers no request of HTTP"),
        }
    }

    /// Finds the functions of a service.
    ///
    /// # Errors
    /// [`PrepareError::NoService`] if the interface or its `describe` is not there.
    pub(crate) fn find(component: &Component) -> Result<Exports, PrepareError> {
        let missing = |what: &str| PrepareError::NoService { exports: vec![what.to_owned()] };
        let service = component.get_export_index(None, SERVICE_0_1);
        let service = service.ok_or_else(|| missing("another kind of item of that name"))?;
        let find = |name: &str| component.get_export_index(Some(&service), name);
        let describe = find("describe").ok_or_else(|| missing("an interface of that name without `describe`"))?;
        Ok(Exports { entry: Entry::Describe(describe), indices: HANDLERS.map(|handler| find(handler.as_str())) })
    }

    /// Returns true if the module exports the handler.
    pub(crate) fn has(&self, handler: Handler) -> bool {
        self.index(handler).is_some()
    }

    fn describe(&self, store: impl AsContextMut, instance: Instance) -> wasmtime::Result<DescribeFunction> {
        match &self.entry {
            Entry::Describe(describe) => instance.get_typed_func(store, describe),
            Entry::Handle(_) => wasmtime::bail!("an HTTP component describes nothing"),
        }
    }

    fn index(&self, handler: Handler) -> Option<&ComponentExportIndex> {
        self.indices[handler as usize].as_ref()
    }

    /// Compares the types of all functions with those of the world.
    ///
    /// # Errors
    /// [`PrepareError::ExportType`] names the first that differs.
    pub(crate) fn check(&self, mut store: impl AsContextMut, instance: Instance) -> Result<(), PrepareError> {
        let refused =
            |function, error: wasmtime::Error| PrepareError::ExportType { function, reason: format!("{error:#}") };
        self.describe(&mut store, instance).map_err(|error| refused("describe", error))?;
        for handler in HANDLERS {
            let Some(index) = self.index(handler) else { continue };
            let checked = match handler {
                Handler::HandleReply => {
                    instance.get_typed_func::<ReplyArguments<'_>, HandlerResult>(&mut store, index).map(drop)
                }
                Handler::Migrate => instance.get_typed_func::<(&str, u32), JsonResult>(&mut store, index).map(drop),
                Handler::Merge => instance.get_typed_func::<(&str, &str), JsonResult>(&mut store, index).map(drop),
                Handler::HandleCreate
                | Handler::HandleStart
                | Handler::HandleStop
                | Handler::HandleGet
                | Handler::HandlePost
                | Handler::HandlePut
                | Handler::HandlePatch
                | Handler::HandleDelete
                | Handler::HandleMaintenance => {
                    instance.get_typed_func::<HandlerArguments<'_>, HandlerResult>(&mut store, index).map(drop)
                }
            };
            checked.map_err(|error| refused(handler.as_str(), error))?;
        }
        Ok(())
    }
}

/// The functions of one instance that have been called already.
#[derive(Default)]
pub(crate) struct Functions {
    plain: [Option<HandlerFunction>; PLAIN_HANDLERS],
    reply: Option<ReplyFunction>,
    migrate: Option<MigrateFunction>,
}

/// Returns the function of `handler`, from `known` if it has been called before.
///
/// # Errors
/// [`CallError::MissingHandler`] if the module does not export it.
fn resolve<P, R>(
    known: &mut Option<TypedFunc<P, R>>,
    handler: Handler,
    exports: &Exports,
    instance: Instance,
    store: impl AsContextMut,
) -> Result<TypedFunc<P, R>, CallError>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    if let Some(function) = known {
        return Ok(*function);
    }
    let index = exports.index(handler).ok_or(CallError::MissingHandler { handler })?;
    let function = instance.get_typed_func(store, index).expect("types were compared when the module was prepared");
    *known = Some(function);
    Ok(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_stand_at_the_index_of_their_number() {
        for (index, handler) in HANDLERS.into_iter().enumerate() {
            assert_eq!(handler as usize, index, "{handler}");
        }
    }
}
