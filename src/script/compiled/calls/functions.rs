//! The functions of a program's files, as compiled code calls them.
//!
//! A call knows its function by a number. Functions are compiled once something calls them, and after
//! it, so that they may call each other. What Rhai does around a call is in `invoke`.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

use rhai::{
    AST, ASTFlags, ASTNode, EncapsulatedEnviron, Expr, FnAccess, FnCallExpr, FnPtr,
    GlobalRuntimeState, ImmutableString, Module, RhaiFunc, ScriptFuncDef, Shared, Stmt,
};

use crate::script::body;
use crate::script::compiled::statements::Block;

/// See the module.
#[derive(Default)]
pub(crate) struct Functions {
    files: Vec<File>,
    /// All names that functions have.
    names: BTreeSet<String>,
    /// Names that one file gives to a function and another asks for too. Rhai remembers one answer to
    /// each question, whoever asked it first, so these are left to it.
    ambiguous: BTreeSet<String>,
    /// What two files call different imports: Rhai looks at those of whoever calls, too.
    ambiguous_imports: BTreeSet<String>,
    called: RefCell<Vec<Rc<Function>>>,
}

/// A file of the program; the handler's own is the first.
struct File {
    /// As Rhai names it in errors.
    source: Option<ImmutableString>,
    functions: Shared<Module>,
    /// Until all is compiled.
    bodies: RefCell<Vec<Statements>>,
    /// The constants at its top.
    constants: BTreeSet<String>,
    /// What it calls its imports, and which files they are.
    imports: Vec<(String, Option<usize>)>,
    /// Where its functions run when another file calls them; known once one has.
    environ: OnceCell<Shared<EncapsulatedEnviron>>,
}

/// A function's definition and its statements.
type Statements = (Shared<ScriptFuncDef>, Rc<[Stmt]>);

/// A function that compiled code calls.
pub(crate) struct Function {
    pub definition: Shared<ScriptFuncDef>,
    pub file: usize,
    pub source: Option<ImmutableString>,
    /// `None` where it is left to the interpreter.
    pub body: OnceCell<Option<Block>>,
}

impl Functions {
    /// Those of these files, by the path of their `import`; the handler's own comes first.
    pub(crate) fn new(files: &[(String, AST)]) -> Self {
        let number = |path: &str| files.iter().position(|(import, _)| import == path);
        let mut all = Self {
            files: files
                .iter()
                .map(|(_, ast)| File::new(ast, number))
                .collect(),
            ..Self::default()
        };
        let defined: Vec<BTreeSet<&str>> = all.files.iter().map(File::defined).collect();
        let asked: Vec<Asked> = files.iter().map(|(_, ast)| Asked::of(ast)).collect();
        let mut ambiguous = BTreeSet::new();
        for (file, names) in defined.iter().enumerate() {
            let others = (0..files.len()).filter(|other| *other != file);
            for other in others {
                let shared = names
                    .iter()
                    .filter(|name| defined[other].contains(**name) || asked[other].has(name));
                ambiguous.extend(shared.map(|name| (*name).to_owned()));
            }
        }
        let names = defined
            .iter()
            .flatten()
            .map(|name| (*name).to_owned())
            .collect();
        drop(defined);
        all.names = names;
        all.ambiguous = ambiguous;
        all.ambiguous_imports = ambiguous_imports(&all.files);
        all
    }

    /// Whether any file has a function of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether Rhai might remember the answer to one file's question for another's.
    pub(super) fn are_ambiguous(&self) -> bool {
        !self.ambiguous.is_empty()
    }

    /// Whether `variable` is `global::NAME`, a constant at the top of this file.
    pub(crate) fn is_constant(&self, file: usize, variable: &Expr) -> bool {
        let Expr::Variable(variable, None, _) = variable else {
            return false;
        };
        let [root] = &*variable.2.path else {
            return false;
        };
        // An import of that name hides them.
        let hidden = |file: &File| file.imports.iter().any(|(name, _)| name == "global");
        if self.files.iter().any(hidden) {
            return false;
        }
        let file = self.files.get(file);
        root.name == "global" && file.is_some_and(|file| file.constants.contains(&*variable.1))
    }

    /// The statements of a function of this file.
    pub(crate) fn statements(
        &self,
        file: usize,
        definition: &Shared<ScriptFuncDef>,
    ) -> Option<Rc<[Stmt]>> {
        self.files.get(file)?.statements(definition)
    }

    /// Nothing more will be compiled: gives back the memory that this takes.
    pub(crate) fn settle(&self) {
        for file in &self.files {
            file.bodies.take();
        }
    }

    /// The function that `call` means in `file`, if that is beyond doubt.
    pub(super) fn meant(&self, file: usize, call: &FnCallExpr) -> Option<usize> {
        let (file, own) = match call.is_qualified() {
            false if self.ambiguous.contains(call.name.as_str()) => return None,
            false => (file, true),
            true if call.namespace.path.len() == 1 => {
                let imports = self.files.get(file)?.imports.iter().rev();
                let root = call.namespace.path.first()?;
                if self.ambiguous_imports.contains(root.name.as_str()) {
                    return None;
                }
                let mut named = imports.filter(|(name, _)| *name == *root.name);
                (named.next()?.1?, false)
            }
            true => return None,
        };
        let functions = &self.files.get(file)?.functions;
        let definition = functions.get_script_fn(&call.name, call.args.len())?;
        if definition.this_type.is_some() || !own && definition.access == FnAccess::Private {
            return None;
        }
        Some(self.number(file, definition))
    }

    fn number(&self, file: usize, definition: &Shared<ScriptFuncDef>) -> usize {
        let mut called = self.called.borrow_mut();
        let known = called
            .iter()
            .position(|known| Shared::ptr_eq(&known.definition, definition));
        known.unwrap_or_else(|| {
            called.push(Rc::new(Function {
                definition: Shared::clone(definition),
                file,
                source: self.files.get(file).and_then(|file| file.source.clone()),
                body: OnceCell::new(),
            }));
            called.len() - 1
        })
    }

    /// A closure of the handler's own file is mentioned, and may be called. Rhai finds those of other
    /// files in another way.
    pub(crate) fn mention(&self, file: usize, closure: &FnPtr) {
        if file > 0 || !closure.is_anonymous() {
            return;
        }
        let name = closure.fn_name();
        let Some(own) = self.files.first() else {
            return;
        };
        let bodies = own.bodies.borrow();
        let mut definitions = bodies.iter().map(|(definition, _)| definition);
        if let Some(definition) = definitions.find(|definition| *definition.name == *name) {
            self.number(file, definition);
        }
    }

    /// A closure that is compiled. Which function a name means is Rhai's to say.
    pub(super) fn closure(&self, closure: &FnPtr) -> Option<Rc<Function>> {
        if !closure.is_anonymous() {
            return None;
        }
        let name = closure.fn_name();
        let called = self.called.borrow();
        let mut named = called
            .iter()
            .filter(|function| function.file == 0 && *function.definition.name == *name);
        let compiled = |function: &&Rc<Function>| matches!(function.body.get(), Some(Some(_)));
        named.next().filter(compiled).cloned()
    }

    pub(super) fn get(&self, number: usize) -> Option<Rc<Function>> {
        self.called.borrow().get(number).cloned()
    }

    /// One that something calls and that is not compiled yet.
    pub(crate) fn next(&self) -> Option<Rc<Function>> {
        let called = self.called.borrow();
        let mut open = called
            .iter()
            .filter(|function| function.body.get().is_none());
        open.next().cloned()
    }

    /// Where the functions of `file` run when another file makes this `call` of one.
    pub(super) fn environ(
        &self,
        file: usize,
        call: &FnCallExpr,
        global: &GlobalRuntimeState,
        fresh: impl FnOnce() -> GlobalRuntimeState,
    ) -> Option<Shared<EncapsulatedEnviron>> {
        let known = &self.files.get(file)?.environ;
        if let Some(environ) = known.get() {
            return Some(Shared::clone(environ));
        }
        let root = call.namespace.path.first()?;
        let module = global.get_shared_import(global.find_import(&root.name)?)?;
        // Of all its imports this one has but the module, so that no other can answer.
        let mut alone = fresh();
        alone.push_import(root.name.clone(), module);
        let (function, _) = alone.get_qualified_fn(call.hashes.native(), false)?;
        match &*function {
            RhaiFunc::Script {
                env: Some(environ), ..
            } => Some(Shared::clone(known.get_or_init(|| Shared::clone(environ)))),
            _ => None,
        }
    }

    /// Every function of every file.
    pub(crate) fn all(&self) -> Vec<(usize, Shared<ScriptFuncDef>)> {
        let mut all = Vec::new();
        for (number, file) in self.files.iter().enumerate() {
            let bodies = file.bodies.borrow();
            all.extend(
                bodies
                    .iter()
                    .map(|(definition, _)| (number, Shared::clone(definition))),
            );
        }
        all
    }
}

impl Function {
    /// What became of it; said once.
    pub(crate) fn done(&self, body: Option<Block>) {
        self.body.get_or_init(|| body);
    }
}

impl File {
    fn new(ast: &AST, number: impl Fn(&str) -> Option<usize>) -> Self {
        let bodies = body::bodies(ast).unwrap_or_default().into_iter();
        let bodies = bodies.map(|body| (body.definition, body.statements.into()));
        let imports = ast.statements().iter().filter_map(|statement| {
            let Stmt::Import(import, _) = statement else {
                return None;
            };
            let file = match &import.0 {
                Expr::StringConstant(path, _) => number(path),
                _ => None,
            };
            Some((import.1.name.to_string(), file))
        });
        let constants = ast
            .statements()
            .iter()
            .filter_map(|statement| match statement {
                Stmt::Var(declared, flags, _) if flags.intersects(ASTFlags::CONSTANT) => {
                    Some(declared.0.name.to_string())
                }
                _ => None,
            });
        Self {
            constants: constants.collect(),
            source: ast.source().map(Into::into),
            functions: Shared::clone(ast.shared_lib()),
            bodies: RefCell::new(bodies.collect()),
            imports: imports.collect(),
            environ: OnceCell::new(),
        }
    }

    fn defined(&self) -> BTreeSet<&str> {
        let functions = self.functions.iter_script_fn_info();
        functions.map(|(_, _, name, ..)| name).collect()
    }

    fn statements(&self, definition: &Shared<ScriptFuncDef>) -> Option<Rc<[Stmt]>> {
        let bodies = self.bodies.borrow();
        let mut bodies = bodies.iter();
        let (_, statements) = bodies.find(|(known, _)| Shared::ptr_eq(known, definition))?;
        Some(Rc::clone(statements))
    }
}

fn ambiguous_imports(files: &[File]) -> BTreeSet<String> {
    let all = || files.iter().flat_map(|file| &file.imports);
    let ambiguous = all().filter(|(name, file)| {
        all().any(|(other, another)| other == name && (another != file || file.is_none()))
    });
    ambiguous.map(|(name, _)| name.clone()).collect()
}

/// The names that a file asks for functions by, with those that it may make up of its strings.
#[derive(Default)]
struct Asked {
    names: BTreeSet<String>,
    /// It makes a name of something else.
    anything: bool,
}

impl Asked {
    fn of(ast: &AST) -> Self {
        let mut asked = Self::default();
        ast.walk(&mut |path: &[ASTNode]| {
            match path.last() {
                Some(
                    ASTNode::Stmt(Stmt::FnCall(call, _))
                    | ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _)),
                ) if !call.is_qualified() => {
                    let literal = |name: &Expr| matches!(name, Expr::StringConstant(..));
                    asked.anything |= call.name == "Fn" && !call.args.iter().all(literal);
                    asked.names.insert(call.name.to_string());
                }
                Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                    asked.names.insert(text.to_string());
                }
                _ => {}
            }
            true
        });
        asked
    }

    fn has(&self, name: &str) -> bool {
        self.anything || self.names.contains(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Limits;
    use crate::script::compiled::{Source, compile};
    use crate::script::engine;

    /// What a function calls is compiled with it, closures included, and what that calls.
    #[test]
    fn what_is_called_is_compiled() {
        let limits = Limits::default();
        let text = "fn handle(msg) { helper([1].map(|x| deeper(x))) } fn helper(l) { l }
            fn deeper(x) { x + 1 } fn unused() {}";
        let ast = engine::bare(&limits).compile(text).unwrap();
        let functions = Functions::new(&[(String::new(), ast.clone())]);
        let handle = ast.shared_lib().get_script_fn("handle", 1).unwrap();
        let statements = functions.statements(0, handle).unwrap();
        let source = Source {
            parameters: &handle.params,
            message: Some(0),
            kept: None,
            statements: &statements,
            functions: &functions,
            file: 0,
            params: None,
        };
        let compiled = compile(&source, &limits).ok().unwrap();
        assert_eq!(compiled.left, []);
        let called = functions.called.borrow();
        let names: BTreeSet<&str> = called
            .iter()
            .filter(|function| matches!(function.body.get(), Some(Some(_))))
            .map(|function| function.definition.name.as_str())
            .collect();
        let closure = names.iter().find(|name| name.starts_with("anon$")).unwrap();
        assert_eq!(names, BTreeSet::from([*closure, "helper", "deeper"]));
    }
}
