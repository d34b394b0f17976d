//! The instances of one module, and how a call gets one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::runtime::{Handle, RuntimeFlavor};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower, TypedFunc};

use super::limits::Limits;
use super::pace::Pace;
use super::state::State;
use super::{CallLimits, Instance};
use crate::engine::{Engine, Needs};
use crate::error::CallError;
use crate::exports::Exports;
use crate::imports::Imports;

/// Instances that wait for a call, the one used last on top: its memory is most likely in the processor's cache.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Stack>);

/// Boxed, because an instance changes hands twice a call: a pointer is quicker than its tables of functions.
type Stack = Vec<Box<Instance>>;

impl Idle {
    fn take(&self) -> Option<Box<Instance>> {
        self.lock().pop()
    }

    /// Keeps the instance, unless `count_max` are kept already.
    fn put(&self, instance: Box<Instance>, count_max: usize) {
        let mut idle = self.lock();
        if idle.len() < count_max {
            idle.push(instance);
        }
    }

    /// Drops all of them.
    pub(crate) fn clear(&self) {
        let dropped = std::mem::take(&mut *self.lock());
        // Returning memory to the system takes a while: not under the lock.
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Stack> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many instances of a module there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Instances made so far.
    pub made: u64,
    /// Instances that wait for a call.
    pub idle: usize,
}

/// What a pool makes instances from.
#[derive(Clone)]
pub(crate) struct Mould {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) needs: Needs,
}

/// The instances of one module.
pub(crate) struct Pool {
    mould: Mould,
    limits: CallLimits,
    reuse: bool,
    idle: Arc<Idle>,
    made: AtomicU64,
    pace: Pace,
}

impl Pool {
    /// Makes an empty pool; `reuse` says whether an instance may serve more than one call.
    pub(crate) fn new(mould: Mould, limits: CallLimits, reuse: bool) -> Pool {
        let idle = Arc::new(Idle::default());
        mould.engine.watch(&idle);
        Pool { mould, limits, reuse, idle, made: AtomicU64::new(0), pace: Pace::unknown() }
    }

    /// Returns true if guests have to be called on a fibre.
    pub(crate) fn waits(&self) -> bool {
        match self.mould.needs {
            Needs::Nothing => false,
            Needs::Waiting | Needs::Wasi => true,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { made: self.made.load(Ordering::Relaxed), idle: self.idle.lock().len() }
    }

    /// Calls the function that `pick` finds, in the way that suits the module.
    pub(crate) async fn call<P, R>(
        &self,
        host: &Arc<dyn Imports>,
        pick: impl FnOnce(&mut Instance) -> Result<TypedFunc<P, R>, CallError> + Send,
        arguments: P,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Send,
        R: ComponentNamedList + Lift + Send + 'static,
    {
        if self.waits() {
            // Boxed, so that callers do not carry the room of a fibre's call through every call that needs none.
            return Box::pin(self.on_fibre(host, pick, arguments)).await;
        }
        let begun = Instant::now();
        let result = if self.pace.is_slow() && may_block_in_place() {
            tokio::task::block_in_place(|| self.on_thread(host, pick, arguments))
        } else {
            self.on_thread(host, pick, arguments)
        };
        self.pace.observe(begun.elapsed());
        result
    }

    /// Calls on this thread.
    pub(crate) fn on_thread<P, R>(
        &self,
        host: &Arc<dyn Imports>,
        pick: impl FnOnce(&mut Instance) -> Result<TypedFunc<P, R>, CallError>,
        arguments: P,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let mut instance = match self.idle.take() {
            Some(mut instance) => {
                self.limits.begin(&mut instance.store, host, self.limits.deadline_ticks);
                instance
            }
            None => match self.create_on_thread(host) {
                Err(CallError::Overloaded { .. }) => {
                    self.mould.engine.shed();
                    self.create_on_thread(host)?
                }
                other => other?,
            },
        };
        let function = pick(&mut instance)?;
        match function.call(&mut instance.store, arguments) {
            Ok(result) => {
                self.give_back(instance);
                Ok(result)
            }
            Err(error) => Err(self.limits.blame(&error, &instance.store)),
        }
    }

    /// Calls on a fibre.
    pub(crate) async fn on_fibre<P, R>(
        &self,
        host: &Arc<dyn Imports>,
        pick: impl FnOnce(&mut Instance) -> Result<TypedFunc<P, R>, CallError> + Send,
        arguments: P,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Send,
        R: ComponentNamedList + Lift + Send + 'static,
    {
        let run = async {
            let mut instance = match self.idle.take() {
                Some(mut instance) => {
                    self.limits.begin(&mut instance.store, host, YIELD_TICKS);
                    instance
                }
                None => match self.create_on_fibre(host).await {
                    Err(CallError::Overloaded { .. }) => {
                        self.mould.engine.shed();
                        self.create_on_fibre(host).await?
                    }
                    other => other?,
                },
            };
            let function = pick(&mut instance)?;
            match function.call_async(&mut instance.store, arguments).await {
                Ok(result) => {
                    self.give_back(instance);
                    Ok(result)
                }
                Err(error) => Err(self.limits.blame(&error, &instance.store)),
            }
        };
        let in_time = tokio::time::timeout(self.limits.deadline, run).await;
        in_time.unwrap_or_else(|_| Err(self.limits.deadline_passed()))
    }

    fn create_on_thread(&self, host: &Arc<dyn Imports>) -> Result<Box<Instance>, CallError> {
        let mut store = self.store();
        self.limits.begin(&mut store, host, self.limits.deadline_ticks);
        let made = self.mould.pre.instantiate(&mut store);
        self.finish(made, store)
    }

    async fn create_on_fibre(&self, host: &Arc<dyn Imports>) -> Result<Box<Instance>, CallError> {
        let mut store = self.store();
        store.epoch_deadline_async_yield_and_update(YIELD_TICKS);
        self.limits.begin(&mut store, host, YIELD_TICKS);
        let made = self.mould.pre.instantiate_async(&mut store).await;
        self.finish(made, store)
    }

    fn store(&self) -> Store<State> {
        let Mould { engine, needs, .. } = &self.mould;
        let limits = Limits::new(self.limits.memory_bytes, engine.config.table_elements_max);
        let state = State::new(limits, engine.config.lines_max, *needs == Needs::Wasi);
        let mut store = Store::new(&engine.wasm, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(self.limits.output_bytes);
        store
    }

    fn finish(
        &self,
        made: wasmtime::Result<wasmtime::component::Instance>,
        store: Store<State>,
    ) -> Result<Box<Instance>, CallError> {
        match made {
            Ok(instance) => {
                self.made.fetch_add(1, Ordering::Relaxed);
                Ok(Box::new(Instance::new(store, instance, Arc::clone(&self.mould.exports))))
            }
            Err(error) => Err(self.limits.blame(&error, &store)),
        }
    }

    /// Keeps the instance for the next call, or retires it.
    fn give_back(&self, mut instance: Box<Instance>) {
        let config = &self.mould.engine.config;
        instance.calls += 1;
        let state = instance.store.data_mut();
        state.end();
        let grown = state.limits.grown_bytes() > config.growth_bytes_max;
        if self.reuse && !grown && instance.calls < config.calls_per_instance_max {
            self.idle.put(instance, config.idle_instances_max);
        }
    }
}

/// Deadline ticks between two moments at which a fibre gives way.
const YIELD_TICKS: u64 = 1;

/// Returns true on a thread of a runtime that has others to carry on with meanwhile.
fn may_block_in_place() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
