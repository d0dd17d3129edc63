//! The engine of one run: shared packages, every limit set, no clock, no `eval`, primitives that go to the host.
//! It must never offer a script a way to the machine that does not pass `dispatch`.

use std::any::TypeId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once, OnceLock};

use rhai::packages::{Package, StandardPackage};
use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FnNamespace, FuncRegistration, ImmutableString, Map, Module, NativeCallContext,
    OptimizationLevel, RhaiFunc, Shared,
};

use super::api::{self, Effect, Primitive};
use super::bundle::Bundle;
use super::resolver::BundleResolver;
use super::{Call, Host, Site, fail, panicked, value};
use crate::error::{Failure, Result};
use crate::text;

/// What primitives find in the call's tag.
#[derive(Clone)]
pub(super) struct RunContext {
    pub(super) host: Arc<Host>,
    pub(super) stop: Arc<AtomicBool>,
}

/// An engine for `bundle`. Costs microseconds: the packages are shared.
pub(super) fn build(bundle: &Bundle, stop: Arc<AtomicBool>) -> Engine {
    static STANDARD: OnceLock<Shared<Module>> = OnceLock::new();
    static OURS: OnceLock<Ours> = OnceLock::new();
    static NAMES: Once = Once::new();
    // Names of closures hold a hash; with a fixed seed a text that shows one is the same when a run is replayed.
    NAMES.call_once(|| {
        // Fails only where a seed is set already, and nobody else sets one.
        let _ = rhai::config::hashing::set_hashing_seed(Some([0x7265, 0x6c65, 0x766f, 1]));
    });
    let mut engine = Engine::new_raw();
    engine.register_global_module(STANDARD.get_or_init(|| StandardPackage::new().as_shared_module()).clone());
    // Registered last, so that its `sleep`, `timestamp`, `print` and `debug` are found before the standard ones.
    let ours = OURS.get_or_init(Ours::new);
    engine.register_global_module(ours.global.clone());
    for (name, module) in &ours.namespaces {
        engine.register_static_module(*name, module.clone());
    }
    engine.set_module_resolver(BundleResolver::new(bundle.clone()));
    engine.set_optimization_level(OptimizationLevel::None);
    engine.set_strict_variables(true);
    engine.set_fail_on_invalid_map_property(true);
    engine.disable_symbol("eval");
    // Scripts orchestrate: these bounds are far above what they need and far below what hurts a till. Call and expression
    // depth fit the thread's stack in a debug build too.
    engine.set_max_operations(50_000_000);
    engine.set_max_call_levels(32);
    engine.set_max_expr_depths(64, 32);
    engine.set_max_string_size(1 << 20);
    engine.set_max_array_size(10_000);
    engine.set_max_map_size(1_000);
    engine.set_max_modules(64);
    engine.set_max_variables(500);
    engine.set_max_functions(500);
    engine.on_progress(move |_| stop.load(Ordering::Relaxed).then(|| Dynamic::from(fail::interrupted())));
    engine
}

/// The modules of relevo's own functions.
struct Ours {
    global: Shared<Module>,
    namespaces: Vec<(&'static str, Shared<Module>)>,
}

type Outcome = std::result::Result<Dynamic, Box<EvalAltResult>>;

impl Ours {
    fn new() -> Self {
        let any = TypeId::of::<Dynamic>();
        let mut global = Module::new();
        let mut namespaces: Vec<(&'static str, Module)> = Vec::new();
        for primitive in api::all() {
            let module = match primitive.namespace {
                "" => &mut global,
                namespace => match namespaces.iter().position(|(name, _)| *name == namespace) {
                    Some(at) => &mut namespaces[at].1,
                    None => &mut namespaces.push_mut((namespace, Module::new())).1,
                },
            };
            for arity in primitive.arities() {
                register(module, primitive.name, &vec![any; arity], move |ctx, args| dispatch(primitive, &ctx, args));
            }
        }
        // Rhai prefers a function of the exact type to one of any type, so the standard ones are shadowed type by type.
        let numbers = [TypeId::of::<i64>(), TypeId::of::<f64>()];
        if let Some(sleep) = api::find("sleep") {
            for number in numbers {
                register(&mut global, "sleep", &[number], move |ctx, args| dispatch(sleep, &ctx, args));
            }
        }
        let texts = [TypeId::of::<()>(), TypeId::of::<bool>(), TypeId::of::<char>(), TypeId::of::<ImmutableString>()];
        let others = [TypeId::of::<Array>(), TypeId::of::<Map>(), any];
        for name in ["print", "debug"] {
            for kind in numbers.into_iter().chain(texts).chain(others) {
                register(&mut global, name, &[kind], |ctx, args| print(&ctx, args));
            }
        }
        register(&mut global, "timestamp", &[], |_, _| {
            Err(Box::new(EvalAltResult::ErrorRuntime(fail::to_map(&no_clock()), rhai::Position::NONE)))
        });
        let share = |(name, module): (_, Module)| (name, Shared::new(indexed(module)));
        Ours { global: Shared::new(indexed(global)), namespaces: namespaces.into_iter().map(share).collect() }
    }
}

fn indexed(mut module: Module) -> Module {
    module.build_index();
    module
}

fn register(
    module: &mut Module,
    name: &str,
    types: &[TypeId],
    act: impl Fn(NativeCallContext<'_>, &mut [&mut Dynamic]) -> Outcome + Send + Sync + 'static,
) {
    let func = Shared::new(move |ctx: Option<NativeCallContext<'_>>, args: &mut [&mut Dynamic]| match ctx {
        Some(ctx) => act(ctx, args),
        None => Err(fail::terminate(top_level("?"))),
    });
    FuncRegistration::new(name).with_namespace(FnNamespace::Internal).set_into_module_raw(
        module,
        types,
        RhaiFunc::Pure { func, has_context: true, is_pure: true, is_volatile: true },
    );
}

fn dispatch(primitive: &'static Primitive, ctx: &NativeCallContext<'_>, args: &mut [&mut Dynamic]) -> Outcome {
    let site = Site::new(ctx.call_source().unwrap_or_default(), ctx.call_position());
    let name = primitive.full_name();
    let result = args.iter().map(|arg| value::to_json(arg)).collect::<Result<Vec<_>>>().and_then(|args| {
        api::check::arguments(primitive, &args)?;
        match primitive.effect {
            Effect::Pure => Ok(api::pure(primitive, &args)),
            _ => call_host(ctx, Call { name, args, site: site.clone() }),
        }
    });
    result.and_then(|json| value::from_json(&json)).map_err(|failure| fail::to_script(failure, &site))
}

fn print(ctx: &NativeCallContext<'_>, args: &mut [&mut Dynamic]) -> Outcome {
    let site = Site::new(ctx.call_source().unwrap_or_default(), ctx.call_position());
    let words = args.first().map(|arg| arg.to_string()).unwrap_or_default();
    call_host(ctx, Call { name: "log::info".to_owned(), args: vec![words.into()], site: site.clone() })
        .map(|_| Dynamic::UNIT)
        .map_err(|failure| fail::to_script(failure, &site))
}

fn call_host(ctx: &NativeCallContext<'_>, call: Call) -> Result<serde_json::Value> {
    // No tag: a module is being loaded, or lint looks at it.
    let Some(run) = ctx.tag().and_then(|tag| tag.clone().try_cast::<RunContext>()) else {
        return Err(top_level(&call.name));
    };
    if run.stop.load(Ordering::SeqCst) {
        return Err(fail::interrupted());
    }
    catch_unwind(AssertUnwindSafe(|| (run.host)(&call))).unwrap_or_else(|panic| Err(panicked(&call.name, panic.as_ref())))
}

fn top_level(name: &str) -> Failure {
    Failure::invalid(
        "top_level",
        text!("{name} no puede llamarse fuera de una función", "{name} cannot be called outside a function"),
    )
    .hint(text!("muévalo a fn run(args)", "move it into fn run(args)"))
}

fn no_clock() -> Failure {
    Failure::invalid("no_clock", text!("los scripts no tienen reloj propio", "scripts have no clock of their own"))
        .hint(text!("use now()", "use now()"))
}
