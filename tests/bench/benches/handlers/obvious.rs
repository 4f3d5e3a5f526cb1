//! Rhai as its book shows it: a map for the message, `parse_json` into maps, `call_fn`.

use std::cell::RefCell;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, NativeCallContext, Scope};

use crate::Call;
use crate::cases::{self, Case};

struct Obvious {
    engine: Engine,
    ast: AST,
    out: Rc<RefCell<Option<Vec<u8>>>>,
}

pub fn handler(case: &Case) -> Box<dyn Call> {
    let out = Rc::new(RefCell::new(None));
    let mut engine = Engine::new();
    let emitted = Rc::clone(&out);
    engine.register_fn("emit", move |_topic: &str, value: Dynamic| {
        *emitted.borrow_mut() = Some(bytes(&value));
    });
    engine.register_fn(
        "parse_json",
        |context: NativeCallContext, text: &str| -> Result<Map, Box<EvalAltResult>> {
            context.engine().parse_json(text, true)
        },
    );
    let text = format!("fn handle(msg) {{ {} }}", case.obvious);
    let ast = engine.compile(text).expect("a handler that compiles");
    Box::new(Obvious { engine, ast, out })
}

fn bytes(value: &Dynamic) -> Vec<u8> {
    match value.read_lock::<Map>() {
        Some(map) => rhai::format_map_as_json(&map).into_bytes(),
        None => value.to_string().into_bytes(),
    }
}

impl Call for Obvious {
    fn call(&mut self) {
        *self.out.borrow_mut() = None;
        let message = Map::from([
            ("topic".into(), cases::TOPIC.into()),
            ("partition".into(), i64::from(cases::PARTITION).into()),
            ("offset".into(), cases::OFFSET.into()),
            ("key".into(), cases::KEY.into()),
            ("value".into(), cases::RECORD.into()),
        ]);
        let result: Result<Dynamic, _> =
            (self.engine).call_fn(&mut Scope::new(), &self.ast, "handle", (message,));
        drop(result.expect("a handler that returns"));
    }

    fn emitted(&self) -> Option<Vec<u8>> {
        self.out.borrow().clone()
    }
}
