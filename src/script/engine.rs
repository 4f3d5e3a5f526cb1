//! The engine of one member: Rhai with the limits set, the API registered and a program's modules
//! at hand.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rhai::packages::{Package, StandardPackage};
use rhai::{
    AST, ASTNode, Dynamic, Engine, EvalAltResult, Expr, Module, ModuleResolver, OptimizationLevel,
    Position, Scope, Shared, Stmt,
};

use super::json::{self, Doc, JsonObject};
use super::program::Program;
use super::state::State;
use super::{api, diagnose, meter};
use crate::config::{Limits, Params};
use crate::diagnostic::Diagnostic;

/// An engine with the limits of the cage and Rhai's own packages, and nothing else: what is needed
/// to compile.
pub(crate) fn bare(limits: &Limits) -> Engine {
    let mut engine = Engine::new_raw();
    StandardPackage::new().register_into_engine(&mut engine);
    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.disable_symbol("eval");
    api::order::operators(&mut engine);
    // Counted by the meter instead: Rhai forgets what closures in native calls use up.
    engine.set_max_operations(0);
    engine.set_max_call_levels(limits.call_depth);
    engine.set_max_expr_depths(limits.expression_depth, limits.expression_depth);
    engine.set_max_string_size(limits.string);
    engine.set_max_array_size(limits.array);
    engine.set_max_map_size(limits.map);
    engine
}

/// A member's engine and the handler's own syntax tree.
pub(crate) struct Built {
    pub engine: Engine,
    pub ast: AST,
    /// All files by the path of their `import`, the handler's own first.
    pub files: Vec<(String, AST)>,
    /// The constant that scripts know as `params`.
    pub params: Dynamic,
    /// Whether closures in it share variables.
    pub shares: bool,
}

/// Compiles `program` into an engine of its own; `more` registers what is not in the API.
pub(crate) fn build(
    program: &Program,
    state: &Rc<State>,
    params: &Params,
    more: impl FnOnce(&mut Engine),
) -> Result<Built, Vec<Diagnostic>> {
    let mut engine = bare(&state.limits);
    let mut mistakes = Vec::new();
    let mut modules = HashMap::new();
    let mut handler = None;
    let mut names = BTreeSet::new();
    let (mut shares, mut in_closures) = (false, false);
    for source in program.sources() {
        match engine.compile(&source.text) {
            Ok(mut ast) => {
                ast.set_source(source.shown.as_str());
                property_names(&ast, &mut names);
                shares |= shared(&ast, |_| true);
                in_closures |= shared(&ast, |name| name == "params");
                if source.import.is_empty() {
                    handler = Some(ast);
                } else {
                    modules.insert(source.import.clone(), ast);
                }
            }
            Err(error) => mistakes.push(diagnose::parse_error(source, &error)),
        }
    }
    let Some(ast) = handler.filter(|_| mistakes.is_empty()) else {
        return Err(mistakes);
    };
    let imported = modules
        .iter()
        .map(|(path, ast)| (path.clone(), ast.clone()));
    let files = std::iter::once((String::new(), ast.clone())).chain(imported);
    let files = files.collect();
    furnish(&mut engine, state);
    for name in &names {
        json::register_field(&mut engine, name);
    }
    more(&mut engine);
    let params = constant(params)?;
    if in_closures {
        in_every_closure(&mut engine, params.clone());
    }
    let mut constants = Module::new();
    constants.set_var("params", params.clone());
    engine.register_global_module(constants.into());
    engine.set_module_resolver(Snapshot {
        modules,
        ready: RefCell::default(),
        loading: RefCell::default(),
    });
    engine.on_progress(|_| (!meter::tick()).then_some(Dynamic::UNIT));
    Ok(Built {
        engine,
        files,
        ast,
        params,
        shares,
    })
}

/// Registers all that a script can call besides Rhai's own packages.
pub(crate) fn furnish(engine: &mut Engine, state: &Rc<State>) {
    json::register(engine, state.limits.string, &state.digits);
    api::register(engine, state);
    #[cfg(test)]
    engine.register_fn("panic_on_purpose", || -> () { panic!("on purpose") });
}

/// Every property that a tree mentions.
fn property_names(ast: &AST, names: &mut BTreeSet<String>) {
    ast.walk(&mut |path: &[ASTNode]| {
        if let Some(ASTNode::Expr(Expr::Property(property, _))) = path.last() {
            names.insert(property.2.to_string());
        }
        true
    });
}

/// Whether a closure in a tree takes a variable along whose name is one of these.
fn shared(ast: &AST, these: impl Fn(&str) -> bool) -> bool {
    // The walk goes on while it is told so: it ends where one is found.
    !ast.walk(&mut |path: &[ASTNode]| match path.last() {
        Some(ASTNode::Stmt(Stmt::Share(shared))) => {
            !shared.iter().any(|(variable, _)| these(&variable.name))
        }
        _ => true,
    })
}

/// Lets closures take `params` along: Rhai shares a variable with a closure only where it finds it in
/// the scope, and a constant of the engine is in none. Every look at a variable pays for this, so it
/// is done only for scripts that have such a closure.
fn in_every_closure(engine: &mut Engine, params: Dynamic) {
    #[allow(deprecated)] // "volatile": there is no other way, and Rhai's version is pinned
    engine.on_var(move |name, index, context| {
        // An index is a local variable's own.
        let ours = index == 0 && name == "params" && !context.scope().contains(name);
        Ok(ours.then(|| params.clone()))
    });
}

/// `params` as a script's constant.
fn constant(params: &Params) -> Result<Dynamic, Vec<Diagnostic>> {
    let text = serde_json::to_string(params).map_err(|error| error.to_string());
    let doc = text.and_then(|text| Doc::of_text(text, None).map_err(|error| error.to_string()));
    let doc = doc.map_err(|error| vec![diagnose::nowhere(format!("`params`: {error}"))])?;
    Ok(Dynamic::from(JsonObject::new(&Rc::new(doc), 0)).into_read_only())
}

/// The modules of one program, from the text that was read when it was loaded.
struct Snapshot {
    modules: HashMap<String, AST>,
    ready: RefCell<HashMap<String, Shared<Module>>>,
    loading: RefCell<Vec<String>>,
}

impl ModuleResolver for Snapshot {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Result<Shared<Module>, Box<EvalAltResult>> {
        if let Some(module) = self.ready.borrow().get(path) {
            return Ok(Shared::clone(module));
        }
        let Some(ast) = self.modules.get(path) else {
            return Err(EvalAltResult::ErrorModuleNotFound(path.into(), position).into());
        };
        if self.loading.borrow().iter().any(|loading| loading == path) {
            return Err(format!("`{path}` imports itself in a circle").into());
        }
        self.loading.borrow_mut().push(path.to_owned());
        let module = Module::eval_ast_as_new(Scope::new(), ast, engine);
        self.loading.borrow_mut().pop();
        let mut module = module.map_err(|error| {
            EvalAltResult::ErrorInModule(ast.source().unwrap_or(path).into(), error, position)
        })?;
        module.build_index();
        let module = Shared::new(module);
        self.ready
            .borrow_mut()
            .insert(path.to_owned(), Shared::clone(&module));
        Ok(module)
    }
}
