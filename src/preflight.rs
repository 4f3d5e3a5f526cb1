//! Everything that can be known to be wrong before anything is started, created or changed.
//!
//! [`check`] loads the configuration and, in the same go, has the Kafka room look at each client
//! property and the script room compile each handler, so that all mistakes come at once.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{
    self, Brokers, Config, Failed, HandlerKind, Invocation, Limits, Loaded, Outside,
    PropertyMistake, PropertyPart, PropertyScope, PropertyValue,
};
use crate::diagnostic::{Diagnostic, Place, shown_path};
use crate::kafka;
use crate::member::try_handler;
use crate::producer::try_generator;
use crate::script::{Kind, Program, STACK_SIZE};

/// A configuration that passed every check, with its handlers compiled.
#[derive(Debug, Clone)]
pub struct Checked {
    pub config: Config,
    pub programs: Programs,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
}

/// The compiled handlers of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Programs(BTreeMap<(PathBuf, HandlerKind), Arc<Program>>);

impl Programs {
    /// The program of a group's handler.
    pub fn consumer(&self, file: &Path) -> Option<Arc<Program>> {
        self.get(file, HandlerKind::Consumer)
    }

    /// The program of a producer's generator.
    pub fn producer(&self, file: &Path) -> Option<Arc<Program>> {
        self.get(file, HandlerKind::Producer)
    }

    /// Takes `program` for what `file` is as this kind.
    pub fn insert(&mut self, file: &Path, kind: HandlerKind, program: Arc<Program>) {
        self.0.insert((file.to_owned(), kind), program);
    }

    fn get(&self, file: &Path, kind: HandlerKind) -> Option<Arc<Program>> {
        self.0.get(&(file.to_owned(), kind)).cloned()
    }
}

/// Loads and checks a whole configuration.
///
/// # Errors
/// Every mistake in it, its properties and its handlers.
pub fn check(invocation: &Invocation) -> Result<Checked, Failed> {
    // Scripts are compiled and tried with the stack that they will run with.
    std::thread::scope(|scope| {
        let checking = std::thread::Builder::new()
            .name("preflight".to_owned())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, || check_here(invocation));
        match checking.map(|thread| thread.join()) {
            Ok(Ok(checked)) => checked,
            Ok(Err(panic)) => Err(broken(&crate::panic_text(&*panic))),
            Err(error) => Err(broken(&format!("no thread for the check: {error}"))),
        }
    })
}

/// A fault of deliveryd's own while it checked.
pub fn broken(why: &str) -> Failed {
    Failed {
        mistakes: vec![Diagnostic {
            message: format!("the check itself failed: {why}"),
            place: Place::Nowhere,
            label: String::new(),
            hints: Vec::new(),
        }],
        warnings: Vec::new(),
    }
}

fn check_here(invocation: &Invocation) -> Result<Checked, Failed> {
    let compiler = Compiler::default();
    let Loaded {
        config,
        mut warnings,
        ..
    } = config::load(invocation, &compiler)?;
    let programs = Programs(compiler.programs.into_inner());
    let mut mistakes = try_clients(&config);
    mistakes.extend(try_scripts(&config, &programs));
    if !mistakes.is_empty() {
        return Err(Failed { mistakes, warnings });
    }
    warnings.extend(script_warnings(&config, &programs));
    Ok(Checked {
        config,
        programs,
        warnings,
    })
}

/// What the scripts may not mean, each once however many groups run it.
fn script_warnings(config: &Config, programs: &Programs) -> Vec<Diagnostic> {
    let groups = config.groups.values().filter_map(|group| {
        let program = programs.consumer(&group.handler)?;
        Some(warnings_of(&program, config, &group.topics))
    });
    let producers = config.producers.values().filter_map(|producer| {
        let program = programs.producer(&producer.handler)?;
        Some(warnings_of(&program, config, &[]))
    });
    let mut warnings: Vec<Diagnostic> = Vec::new();
    for warning in groups.chain(producers).flatten() {
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// What a script may not mean where `config` has it run: what it is warned of anyway, and the topics
/// that it emits to and that the configuration does not know or its group itself `reads`.
pub fn warnings_of(program: &Program, config: &Config, reads: &[String]) -> Vec<Diagnostic> {
    let known = known_topics(config);
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let mut warnings = program.warnings().to_vec();
    warnings.extend(program.topic_warnings(&known, reads));
    warnings
}

/// Every topic that the configuration names: its tables', and those that dead letters go to.
fn known_topics(config: &Config) -> BTreeSet<String> {
    let dead = config.groups.values().flat_map(|group| {
        let read = group.topics.iter();
        read.map(|topic| group.on_failure.dead_letter_topic(topic))
    });
    config.topics.keys().cloned().chain(dead).collect()
}

/// Makes the clients that members will have, without any broker: librdkafka looks at certificates, keys
/// and settings that contradict each other only then.
fn try_clients(config: &Config) -> Vec<Diagnostic> {
    let cluster = kafka::Cluster {
        servers: String::new(),
        embedded: config.kafka.brokers == Brokers::Embedded,
        properties: config.kafka.properties.clone(),
        instance: config.daemon.instance.clone(),
    };
    let mistake = |whose: &str, mistake: kafka::PropertyMistake| Diagnostic {
        message: format!("no Kafka client can be made with {whose}"),
        place: Place::Layer(shown_path(&config.file)),
        label: mistake.message,
        hints: mistake.suggestion.into_iter().collect(),
    };
    if let Err(wrong) = kafka::check_cluster(&cluster) {
        return vec![mistake("[kafka.properties]", wrong)];
    }
    // What is right for one group is right for all that differ in nothing that a client sees.
    let mut tried = Vec::new();
    let mut mistakes = Vec::new();
    for (id, group) in &config.groups {
        let sees = (
            &group.properties,
            group.protocol,
            group.guarantee,
            group.buffer,
        );
        if tried.contains(&sees) {
            continue;
        }
        tried.push(sees);
        if let Err(wrong) = kafka::check_client(&cluster, id, group) {
            mistakes.push(mistake(&format!("the properties of group `{id}`"), wrong));
        }
    }
    mistakes
}

/// Builds each script once with its constants: what its top level does with them is seen only then.
fn try_scripts(config: &Config, programs: &Programs) -> Vec<Diagnostic> {
    let groups = config.groups.iter().filter_map(|(id, group)| {
        let program = programs.consumer(&group.handler)?;
        try_handler(&program, id, group).err()
    });
    let producers = config.producers.iter().filter_map(|(name, producer)| {
        let program = programs.producer(&producer.handler)?;
        try_generator(&program, name, producer).err()
    });
    groups.chain(producers).flatten().collect()
}

/// The rooms above the configuration, as its checks see them. Keeps what it compiles.
#[derive(Debug, Default)]
pub struct Compiler {
    programs: RefCell<BTreeMap<(PathBuf, HandlerKind), Arc<Program>>>,
}

impl Outside for Compiler {
    fn property(
        &self,
        scope: PropertyScope,
        name: &str,
        value: &str,
    ) -> Result<(), PropertyMistake> {
        let scope = match scope {
            PropertyScope::Everyone => kafka::PropertyScope::Cluster,
            PropertyScope::Group => kafka::PropertyScope::Group,
        };
        // The caller masks secrets.
        let value = PropertyValue::Plain(value.to_owned());
        kafka::check_property(scope, name, &value).map_err(|mistake| PropertyMistake {
            message: mistake.message,
            suggestion: mistake.suggestion,
            part: if mistake.in_name {
                PropertyPart::Name
            } else {
                PropertyPart::Value
            },
        })
    }

    fn handler(&self, file: &Path, kind: HandlerKind, limits: &Limits) -> Vec<Diagnostic> {
        let role = match kind {
            HandlerKind::Consumer => Kind::Consumer,
            HandlerKind::Producer => Kind::Producer,
        };
        match Program::load(file, role, limits) {
            Ok(program) => {
                let key = (file.to_owned(), kind);
                self.programs.borrow_mut().insert(key, Arc::new(program));
                Vec::new()
            }
            Err(mistakes) => mistakes,
        }
    }
}
