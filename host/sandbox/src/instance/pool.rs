//! The instances of one module, and how a call gets one.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower, TypedFunc};
use wasmtime::{Store, UpdateDeadline};

use super::idle::Idle;
use super::latency::LatencyEstimate;
use super::limits::Limits;
use super::places::Places;
use super::state::{Given, State};
use super::turn::{Track, Turn};
use super::{CallLimits, Instance};
use crate::engine::{Engine, Needs};
use crate::error::CallError;
use crate::exchange::Request;
use crate::exports::Exports;
use crate::imports::Imports;
use crate::script::{Interpreter, Sources};

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
pub(crate) struct InstanceTemplate {
    pub(crate) engine: Arc<Engine>,
    pub(crate) pre: InstancePre<State>,
    pub(crate) exports: Arc<Exports>,
    pub(crate) needs: Needs,
    /// The texts, if it is a script that runs.
    pub(crate) sources: Option<Sources>,
}

/// The instances of one module.
pub(crate) struct Pool {
    template: InstanceTemplate,
    limits: CallLimits,
    reuse: bool,
    idle: Arc<Idle>,
    made: AtomicU64,
    latency: LatencyEstimate,
    /// The instances that the module may have at work.
    instances: Places,
    /// The workers that the module may have.
    workers: Places,
}

impl Pool {
    /// Makes an empty pool; `reuse` says whether an instance may serve more than one call.
    pub(crate) fn new(template: InstanceTemplate, limits: CallLimits, reuse: bool) -> Pool {
        let idle = Arc::new(Idle::default());
        template.engine.watch(&idle);
        let (config, all) = (&template.engine.config, &template.engine.waiting);
        let share = |of: u32| (of as usize).saturating_mul(config.share_percent.into()) / 100;
        let places = |what, count| Places::new(what, count, config.queue_max, config.queue_patience, all);
        let instances = places("instances that the module may have at work", share(config.instances_max));
        let workers = places("workers that the module may have", share(config.workers_max));
        Pool {
            limits,
            reuse,
            idle,
            made: AtomicU64::new(0),
            latency: LatencyEstimate::unknown(),
            instances,
            workers,
            template,
        }
    }

    /// Returns true if guests may wait for the host in a call.
    pub(crate) fn waits(&self) -> bool {
        match self.template.needs {
            Needs::Nothing => false,
            Needs::Waiting | Needs::Wasi | Needs::Http | Needs::Script(_) => true,
        }
    }

    /// Returns true if guests answer requests of HTTP.
    pub(crate) fn is_http(&self) -> bool {
        self.template.needs == Needs::Http
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage { made: self.made.load(Ordering::Relaxed), idle: self.idle.lock().len() }
    }

    /// Calls the function that `pick` finds.
    ///
    /// # Errors
    /// [`CallError`]: what went wrong is over, and the next call is not harmed.
    ///
    /// # Panics
    /// If the call cannot end at once and is polled outside of a tokio runtime with a timer.
    pub(crate) async fn call<P, R>(
        &self,
        host: &Arc<dyn Imports>,
        pick: impl FnOnce(&mut Instance) -> Result<TypedFunc<P, R>, CallError> + Send,
        arguments: P,
    ) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let _place = self.instances.take().await?;
        let mut turn = Turn::begin(self.track(), self.limits, None);
        let mut instance = match self.idle.take() {
            Some(mut instance) => {
                self.limits.begin(&mut instance.store, host);
                instance
            }
            // Boxed, because it is rare.
            None => Box::pin(self.create(host, &mut turn)).await?,
        };
        let function = pick(&mut instance)?;
        let ran = {
            let Instance { store, interrupted, .. } = &mut *instance;
            let call = pin!(function.call_async(store, arguments));
            turn.run(call, interrupted).await
        };
        let called = match ran {
            Ok(called) => called,
            Err(stopped) => {
                // It is not used again; what it had to say until its deadline is told.
                instance.store.data_mut().end();
                return Err(stopped);
            }
        };
        match called {
            Ok(result) => {
                self.give_back(instance);
                Ok(result)
            }
            Err(error) => Err(self.limits.blame(&error, &mut instance.store)),
        }
    }

    /// Lets a fresh instance answer a request of HTTP, and returns when the guest returns.
    ///
    /// # Errors
    /// As [`Pool::call`].
    pub(crate) async fn answer(&self, asked: Request, host: &Arc<dyn Imports>) -> Result<(), CallError> {
        let Request { request, sender, silence } = asked;
        let _place = self.instances.take().await?;
        silence.begins();
        let mut turn = Turn::begin(self.track(), self.limits, Some(silence));
        let mut instance = self.create(host, &mut turn).await?;
        let prepared = instance.prepare(request, sender);
        let (function, arguments) = prepared.map_err(|error| self.limits.blame(&error, &mut instance.store))?;
        let Instance { store, interrupted, .. } = &mut *instance;
        let ran = {
            let call = pin!(function.call_async(&mut *store, arguments));
            turn.run(call, interrupted).await
        };
        match ran {
            Ok(Ok(())) => {
                store.data_mut().end();
                Ok(())
            }
            Ok(Err(error)) => Err(self.limits.blame(&error, store)),
            Err(stopped) => {
                store.data_mut().end();
                Err(stopped)
            }
        }
    }

    fn track(&self) -> Track<'_> {
        Track {
            latency: &self.latency,
            own: &self.workers,
            all: &self.template.engine.workers,
            ending: &self.template.engine.ending,
        }
    }

    async fn create(&self, host: &Arc<dyn Imports>, turn: &mut Turn<'_>) -> Result<Box<Instance>, CallError> {
        match self.instantiate(host, turn).await {
            Err(CallError::Overloaded { .. }) => {
                self.template.engine.shed();
                self.instantiate(host, turn).await
            }
            other => other,
        }
    }

    /// Makes an instance, which may run code of the guest.
    async fn instantiate(&self, host: &Arc<dyn Imports>, turn: &mut Turn<'_>) -> Result<Box<Instance>, CallError> {
        let interrupted = Arc::new(AtomicBool::new(false));
        let mut store = self.store(&interrupted);
        self.limits.begin(&mut store, host);
        let made = {
            let making = pin!(self.template.pre.instantiate_async(&mut store));
            turn.run(making, &interrupted).await?
        };
        match made {
            Ok(instance) => {
                self.made.fetch_add(1, Ordering::Relaxed);
                let exports = Arc::clone(&self.template.exports);
                Ok(Box::new(Instance::new(store, instance, exports, interrupted)))
            }
            Err(error) => Err(self.limits.blame(&error, &mut store)),
        }
    }

    fn store(&self, interrupted: &Arc<AtomicBool>) -> Store<State> {
        let InstanceTemplate { engine, needs, sources, .. } = &self.template;
        let limits = Limits::new(self.limits.memory_bytes, engine.config.table_elements_max);
        let given = match needs {
            Needs::Nothing | Needs::Waiting | Needs::Script(Interpreter::QuickJs) => Given::Nothing,
            Needs::Wasi | Needs::Http => Given::System,
            Needs::Script(Interpreter::CPython) => Given::Request,
        };
        let state = State::new(limits, engine.ticker.clock(), engine.config.lines_max, given, sources.clone());
        let mut store = Store::new(&engine.wasm, state);
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(self.limits.output_bytes);
        let interrupted = Arc::clone(interrupted);
        store.epoch_deadline_callback(move |_| {
            interrupted.store(true, Ordering::Relaxed);
            Ok(UpdateDeadline::Yield(SLICE_TICKS))
        });
        store
    }

    /// Keeps the instance for the next call, or retires it.
    fn give_back(&self, mut instance: Box<Instance>) {
        let config = &self.template.engine.config;
        instance.calls += 1;
        let state = instance.store.data_mut();
        state.end();
        let grown = state.limits.grown_bytes() > config.growth_bytes_max;
        if self.reuse && !grown && instance.calls < config.calls_per_instance_max {
            self.idle.put(instance, config.idle_instances_max);
        }
    }
}

/// Deadline ticks of a slice after the first.
const SLICE_TICKS: u64 = 1;
