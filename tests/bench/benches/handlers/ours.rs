//! deliveryd's own handler, as a member calls it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deliveryd::config::{Limits, Params};
use deliveryd::delivery::Record;
use deliveryd::script::{Caller, Handler, Kind, Outcome, Program, Settings};

use crate::Call;
use crate::cases::{self, Case};

struct Ours {
    handler: Handler,
    record: Rc<Record>,
}

/// With its functions compiled.
pub fn compiled(case: &Case) -> Box<dyn Call> {
    handler(case, true)
}

/// With its functions left to the interpreter.
pub fn interpreted(case: &Case) -> Box<dyn Call> {
    handler(case, false)
}

fn handler(case: &Case, compile: bool) -> Box<dyn Call> {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("handler.rhai");
    let text = format!("fn handle(msg) {{ {} }}", case.rhai);
    std::fs::write(&file, text).expect("a file");
    let limits = Limits::default();
    let program = Program::load(&file, Kind::Consumer, &limits);
    let program = Arc::new(program.expect("a handler that compiles"));
    let settings = Settings {
        caller: Caller {
            group: "bench".into(),
            member: "bench-1".into(),
        },
        limits,
        params: Params::default(),
        timeout: Duration::from_secs(1),
        seed: None,
        compile,
    };
    let handler = Handler::new(&program, settings).expect("a handler that starts");
    let mut record = Record::default();
    record.topic = cases::TOPIC.into();
    record.partition = cases::PARTITION;
    record.offset = cases::OFFSET;
    record.set_key(Some(cases::KEY.as_bytes()));
    record.set_value(Some(cases::RECORD.as_bytes()));
    Box::new(Ours {
        handler,
        record: Rc::new(record),
    })
}

impl Call for Ours {
    fn call(&mut self) {
        let outcome = self.handler.handle(&self.record, 1);
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    }

    fn emitted(&self) -> Option<Vec<u8>> {
        let emit = self.handler.effects().emits().last()?;
        emit.value().map(<[u8]>::to_vec)
    }
}
