//! The functions that deliveryd calls: there, and with the parameters that they are given.

use rhai::ScriptFuncDef;

use super::tree::File;
use super::{at_word, counted};
use crate::diagnostic::Diagnostic;
use crate::script::program::Source;
use crate::script::{Kind, diagnose};

/// A function that deliveryd calls: name, parameters, whether it must be there.
pub(in crate::script) struct Entry {
    pub name: &'static str,
    pub parameters: &'static [&'static str],
    needed: bool,
}

const fn optional(name: &'static str, parameters: &'static [&'static str]) -> Entry {
    Entry {
        name,
        parameters,
        needed: false,
    }
}

const CONSUMER: &[Entry] = &[
    Entry {
        name: "handle",
        parameters: &["msg"],
        needed: true,
    },
    optional("on_start", &[]),
    optional("on_assign", &["partitions"]),
    optional("on_revoke", &["partitions"]),
    optional("on_stop", &[]),
    optional("on_failed", &["msg", "reason"]),
];

const PRODUCER: &[Entry] = &[Entry {
    name: "generate",
    parameters: &["n"],
    needed: true,
}];

impl Kind {
    fn other(self) -> Self {
        match self {
            Self::Consumer => Self::Producer,
            Self::Producer => Self::Consumer,
            Self::Test => Self::Test,
        }
    }
}

/// The functions that deliveryd calls in a file of this kind.
pub(in crate::script) fn of(kind: Kind) -> &'static [Entry] {
    match kind {
        Kind::Consumer => CONSUMER,
        Kind::Producer => PRODUCER,
        // What a test file must have is for `testing` to say.
        Kind::Test => &[],
    }
}

pub(super) fn check(handler: &File<'_>, kind: Kind, mistakes: &mut Vec<Diagnostic>) {
    for entry in of(kind) {
        let wanted = entry.parameters.len();
        let found: Vec<&ScriptFuncDef> = handler
            .functions()
            .filter(|function| function.name == entry.name)
            .collect();
        let right = |function: &&ScriptFuncDef| function.params.len() == wanted;
        if found.iter().any(right) {
            continue;
        }
        match found.first() {
            Some(function) => mistakes.push(wrong_parameters(handler.source, entry, function)),
            None if entry.needed => mistakes.push(missing(handler, kind, entry)),
            None => {}
        }
    }
}

fn signature(entry: &Entry) -> String {
    format!("fn {}({})", entry.name, entry.parameters.join(", "))
}

fn wrong_parameters(source: &Source, entry: &Entry, found: &ScriptFuncDef) -> Diagnostic {
    let (line, column) = find_function(&source.text, entry.name).unwrap_or((1, 1));
    let wanted = entry.parameters.len();
    let mut hints = vec![format!("write `{} {{ … }}`", signature(entry))];
    if entry.name == "handle" && found.params.len() > 1 {
        hints.push("a message's parts are fields: `msg.key`, `msg.value`, `msg.json`".into());
    }
    Diagnostic {
        message: format!(
            "`{}` takes {}, not {}",
            entry.name,
            counted(wanted, "parameter"),
            found.params.len()
        ),
        place: diagnose::place(source, line, column, entry.name.len()),
        label: format!("`{}` was expected", signature(entry)),
        hints,
    }
}

fn missing(handler: &File<'_>, kind: Kind, entry: &Entry) -> Diagnostic {
    let source = handler.source;
    let role = match kind {
        Kind::Consumer => "handler",
        Kind::Producer => "generator",
        Kind::Test => "test",
    };
    let message = format!("the {role} has no function `{}`", entry.name);
    let must = format!("a {role} is a file with `{} {{ … }}`", signature(entry));
    let names = handler.functions().map(|near| near.name.as_str());
    let mut fitting = handler.functions().filter(|function| {
        function.params.len() == entry.parameters.len() && function.this_type.is_none()
    });
    // The only function that could be it, whatever it is called.
    let only = fitting.next().filter(|_| fitting.next().is_none());
    let only = only.map(|function| function.name.as_str());
    let near = diagnose::suggestion(entry.name, names)
        .or(only)
        .filter(|near| of(kind.other()).iter().all(|other| other.name != *near))
        .and_then(|near| Some((near, find_function(&source.text, near)?)));
    if let Some((near, (line, column))) = near {
        return Diagnostic {
            message,
            place: diagnose::place(source, line, column, near.chars().count()),
            label: format!("is this meant to be `{}`?", entry.name),
            hints: vec![must],
        };
    }
    if let Some(variable) = handler.top.iter().find_map(|statement| match statement {
        rhai::Stmt::Var(declared, ..) if declared.0.name == entry.name => Some(&declared.0),
        _ => None,
    }) {
        return at_word(
            source,
            variable.pos,
            entry.name,
            message,
            "a variable, even one that holds a closure, is no function",
            vec![must],
        );
    }
    let other = of(kind.other());
    let mut hints = vec![must];
    if other.iter().any(|other| {
        other.needed
            && handler
                .functions()
                .any(|function| function.name == other.name)
    }) {
        hints.push(match kind {
            Kind::Consumer => {
                "it has a `generate`, so it is meant for a producer: `[producers.NAME]`".into()
            }
            Kind::Producer => {
                "it has a `handle`, so it is meant for a consumer: `[groups.NAME]`".into()
            }
            Kind::Test => "a test's functions begin with `test_`".into(),
        });
    }
    let line = source.text.lines().count().max(1);
    let end = source.text.lines().last().unwrap_or_default();
    Diagnostic {
        message,
        place: diagnose::place(source, line, end.chars().count() + 1, 1),
        label: "the file ends without it".into(),
        hints,
    }
}

/// Where the name in `fn name(` stands in a text; the tree does not keep that place.
pub(super) fn find_function(text: &str, name: &str) -> Option<(usize, usize)> {
    for (index, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let Some(at) = code.find("fn ") else { continue };
        let rest = code[at + 3..].trim_start();
        let rest = rest.split_once('.').map_or(
            rest,
            |(of, method)| {
                if of.contains('(') { rest } else { method }
            },
        );
        if rest
            .strip_prefix(name)
            .is_some_and(|after| after.trim_start().starts_with('('))
        {
            let column = code[..code.len() - rest.len()].chars().count() + 1;
            return Some((index + 1, column));
        }
    }
    None
}
