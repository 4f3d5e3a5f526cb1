//! The configuration: its types, its layers, its checks, and where each value stands.
//!
//! [`load`] reads a file, environment variables and `--set`s into a checked [`Config`], or says
//! everything that is wrong with them at once. `settings` is the list of what can be set; the
//! rest follows from it. Nothing here knows Kafka's clients or Rhai: what only they can judge is
//! asked through [`Outside`].

mod checks;
mod control;
mod env;
mod format;
mod layers;
mod load;
mod names;
mod places;
mod reader;
pub mod rehearsal;
mod report;
mod schema;
mod secrets;
mod settings;
mod show;
#[cfg(test)]
mod tests;
mod types;
mod value;

pub use control::{control_directories, control_socket, named_control};
pub use load::{
    Failed, HandlerKind, Invocation, Loaded, Outside, Permissive, PropertyMistake, PropertyPart,
    PropertyScope, load,
};
pub use names::{Named, suggest};
pub use rehearsal::{Rehearsal, Stage};
pub use schema::schema;
pub use secrets::MASK;
pub use show::Effective;
pub use types::*;
