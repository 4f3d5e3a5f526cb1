//! VRL, Vector's language: the message is its event, with the value as text; the text that the
//! program comes to is emitted.

use ::vrl::compiler::state::RuntimeState;
use ::vrl::compiler::{Context, Program, TargetValue, TimeZone};
use ::vrl::value::{ObjectMap, Secrets, Value};

use crate::Call;
use crate::cases::{self, Case};

struct Vrl {
    program: Program,
    state: RuntimeState,
    zone: TimeZone,
    out: Option<Vec<u8>>,
}

pub fn handler(case: &Case) -> Box<dyn Call> {
    let functions = ::vrl::stdlib::all();
    let compiled = match ::vrl::compiler::compile(case.vrl, &functions) {
        Ok(compiled) => compiled,
        Err(mistakes) => panic!("{}: {mistakes:?}", case.id),
    };
    Box::new(Vrl {
        program: compiled.program,
        state: RuntimeState::default(),
        zone: TimeZone::default(),
        out: None,
    })
}

impl Call for Vrl {
    fn call(&mut self) {
        let event = ObjectMap::from([
            ("topic".into(), Value::from(cases::TOPIC)),
            ("partition".into(), Value::from(i64::from(cases::PARTITION))),
            ("offset".into(), Value::from(cases::OFFSET)),
            ("key".into(), Value::from(cases::KEY)),
            ("value".into(), Value::from(cases::RECORD)),
        ]);
        let mut target = TargetValue {
            value: Value::Object(event),
            metadata: Value::Object(ObjectMap::new()),
            secrets: Secrets::default(),
        };
        self.state.clear();
        let mut context = Context::new(&mut target, &mut self.state, &self.zone);
        let resolved = self.program.resolve(&mut context);
        self.out = match resolved.expect("a program that resolves") {
            Value::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        };
    }

    fn emitted(&self) -> Option<Vec<u8>> {
        self.out.clone()
    }
}
