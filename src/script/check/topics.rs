//! The topics that a program emits to, where it names them in plain quotes.
//!
//! Which topics there are is known where the config is: [`TopicUse::warning`] is asked from there.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::line_and_column;
use super::tree::{File, Tree};
use crate::diagnostic::{Diagnostic, Place};
use crate::script::diagnose::{place_of_word, suggestion};

/// A topic that is emitted to, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct TopicUse {
    topic: String,
    place: Place,
}

impl TopicUse {
    /// What is wrong with it for a group that reads `reads`, where `known` are the config's topics.
    pub(crate) fn warning(&self, known: &BTreeSet<&str>, reads: &[String]) -> Option<Diagnostic> {
        let topic = &self.topic;
        if reads.contains(topic) {
            return Some(Diagnostic {
                message: format!("the group itself reads `{topic}`"),
                place: self.place.clone(),
                label: "an emit to it is refused when it runs".into(),
                hints: vec![
                    "a message that comes back to its own group would go round for ever; \
                     emit to another topic"
                        .into(),
                ],
            });
        }
        if known.contains(topic.as_str()) {
            return None;
        }
        let near = suggestion(topic, known.iter().copied());
        let declare = format!("declare it in the config: [topics.{}]", key(topic));
        Some(Diagnostic {
            message: format!("the config knows no topic `{topic}`"),
            place: self.place.clone(),
            label: "the message fails unless the broker has it".into(),
            hints: match near {
                Some(near) => vec![format!("did you mean `{near}`?")],
                None => vec![declare],
            },
        })
    }
}

/// A topic as TOML writes it in a table's name.
fn key(topic: &str) -> String {
    if topic.contains('.') {
        format!("\"{topic}\"")
    } else {
        topic.to_owned()
    }
}

/// Every topic that `emit` is given in plain quotes, or as a constant of its file.
pub(super) fn named(tree: &Tree<'_>) -> Vec<TopicUse> {
    let own = |file: &File<'_>| file.functions().any(|function| function.name == "emit");
    // A script's own `emit` is something else.
    if tree.files.iter().any(own) {
        return Vec::new();
    }
    let mut uses = Vec::new();
    for file in &tree.files {
        file.walk(&mut |path| {
            let (ASTNode::Stmt(Stmt::FnCall(call, _)) | ASTNode::Expr(Expr::FnCall(call, _))) =
                path[path.len() - 1]
            else {
                return;
            };
            if call.name != "emit" || call.is_qualified() {
                return;
            }
            let named = match &*call.args {
                [Expr::Map(fields, _)] => {
                    let mut fields = fields.0.iter();
                    fields
                        .find(|(name, _)| name.as_str() == "topic")
                        .and_then(|(_, value)| text(file, value))
                }
                [topic, _] | [topic, _, _] => text(file, topic),
                _ => None,
            };
            uses.extend(named.map(|(topic, position)| {
                let (line, column) = line_and_column(position);
                TopicUse {
                    topic,
                    place: place_of_word(file.source, line, column),
                }
            }));
        });
    }
    uses
}

/// A literal, or a constant of the file that is one.
fn text(file: &File<'_>, expression: &Expr) -> Option<(String, Position)> {
    match expression {
        Expr::StringConstant(text, position) => Some((text.to_string(), *position)),
        Expr::Variable(variable, _, position) => {
            let [root] = &*variable.2.path else {
                return None;
            };
            if root.as_str() != "global" {
                return None;
            }
            let mut globals = file.globals();
            let global =
                globals.find(|global| global.constant && global.name == variable.1.as_str())?;
            let (text, _) = text(file, global.value)?;
            Some((text, *position))
        }
        _ => None,
    }
}
