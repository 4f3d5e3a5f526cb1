//! Loading: layers → values → checks, and all mistakes at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Value};

use super::checks;
use super::control::control_socket;
use super::env::{Set, from_environment};
use super::layers::{Layer, LayerData, Origins, defaults};
use super::names::client_mistake;
use super::places::SourceFile;
use super::reader::Reader;
use super::report::Report;
use super::secrets::without_number;
use super::settings::Settings;
use super::show::Effective;
use super::types::{Config, Limits};
use crate::diagnostic::{Diagnostic, Place, Severity, shown_path, tidy, write_list};

/// What the configuration is loaded from.
#[derive(Clone)]
pub struct Invocation {
    /// The configuration file.
    pub file: PathBuf,
    /// `key=value`, as given to `--set`, in their order.
    pub sets: Vec<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
}

impl Invocation {
    /// With the environment of this process.
    pub fn from_process(file: PathBuf, sets: Vec<String>) -> Self {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let env = std::env::vars_os().map(|(name, value)| (text(name), text(value)));
        Self {
            file,
            sets,
            env: env.collect(),
        }
    }
}

/// What a handler is for, and so which function it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HandlerKind {
    /// `handle(msg)`.
    Consumer,
    /// `generate(n)`.
    Producer,
}

/// Whose clients a property is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyScope {
    /// Every client: `[kafka.properties]`.
    Everyone,
    /// A group's members.
    Group,
}

/// Why a librdkafka property can not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PropertyMistake {
    /// What is wrong, without a full stop; shown under the mark.
    pub message: String,
    /// The way out.
    pub suggestion: Option<String>,
    pub part: PropertyPart,
}

/// What of a property is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyPart {
    /// There is no such property, or it is not the user's to set.
    Name,
    Value,
}

/// What the checks ask of rooms that the configuration does not know.
pub trait Outside {
    /// Whether librdkafka knows the property and takes the value, and deliveryd leaves it to users.
    ///
    /// # Errors
    /// Why it is refused. A secret in the message is masked by the caller.
    fn property(
        &self,
        scope: PropertyScope,
        name: &str,
        value: &str,
    ) -> Result<(), PropertyMistake>;

    /// Compiles a handler, which exists, and says everything that is wrong with it.
    fn handler(&self, file: &Path, kind: HandlerKind, limits: &Limits) -> Vec<Diagnostic>;
}

/// An outside that finds nothing wrong.
pub struct Permissive;

impl Outside for Permissive {
    fn property(&self, _: PropertyScope, _: &str, _: &str) -> Result<(), PropertyMistake> {
        Ok(())
    }
    fn handler(&self, _: &Path, _: HandlerKind, _: &Limits) -> Vec<Diagnostic> {
        Vec::new()
    }
}

/// A configuration that passed every check.
pub struct Loaded {
    pub config: Config,
    /// What is allowed and probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// Every value with its layer, for `config show`.
    pub effective: Effective,
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Debug)]
pub struct Failed {
    /// At least one.
    pub mistakes: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

impl Failed {
    /// Writes all of them; `state` says how the world stands, as in `nothing was started`.
    ///
    /// # Errors
    /// What `out` says.
    pub fn write(
        &self,
        out: &mut dyn std::fmt::Write,
        state: &str,
        colour: bool,
    ) -> std::fmt::Result {
        let warnings = self
            .warnings
            .iter()
            .map(|warning| (Severity::Warning, warning));
        let mistakes = self
            .mistakes
            .iter()
            .map(|mistake| (Severity::Error, mistake));
        write_list(
            out,
            &warnings.chain(mistakes).collect::<Vec<_>>(),
            state,
            colour,
        )
    }
}

/// Loads and checks a configuration. Starts, creates and changes nothing.
///
/// # Errors
/// Every mistake at once, except that a file that can't be read or is not TOML hides the others.
pub fn load(invocation: &Invocation, outside: &dyn Outside) -> Result<Loaded, Failed> {
    let working_directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let path = tidy(&working_directory.join(&invocation.file));
    let (file, content) = read_file(&path).map_err(|mistakes| Failed {
        mistakes,
        warnings: Vec::new(),
    })?;

    let mut unnamed = Vec::new();
    let layers = layers(&path, content, invocation, &mut unnamed);
    let origins = Origins::new(file, layers, working_directory, invocation.env.clone());
    let merged = origins.merged();

    let mut reader = Reader::new(Report::new(&origins));
    unnamed
        .into_iter()
        .for_each(|mistake| reader.report.unnamed(mistake));
    let mut config: Config = reader.table(&Value::from(merged.clone()), &[]);
    config.file = path;
    leave_sizes_open(&mut config, &merged, &origins);
    checks::check(&config, &mut reader, &merged, outside);

    let (mistakes, warnings) = reader.report.into_lists();
    if mistakes.is_empty() {
        let effective = Effective::new(&config, merged, origins);
        Ok(Loaded {
            config,
            warnings,
            effective,
        })
    } else {
        Err(Failed { mistakes, warnings })
    }
}

/// A topic that others create has the size that they gave it, where the configuration says none.
fn leave_sizes_open(config: &mut Config, merged: &Dict, origins: &Origins) {
    for (name, topic) in config.topics.iter_mut().filter(|(_, topic)| !topic.create) {
        let given = |setting: &str| {
            let table = merged.get("topics")?.as_dict()?.get(name)?.as_dict()?;
            Some(origins.layer(table.get(setting)?.tag()) != Layer::Default)
        };
        topic.partitions = topic
            .partitions
            .filter(|_| given("partitions") == Some(true));
        topic.replication = topic
            .replication
            .filter(|_| given("replication") == Some(true));
    }
}

pub(super) fn read_file(path: &Path) -> Result<(SourceFile, Dict), Vec<Diagnostic>> {
    match std::fs::read(path) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => SourceFile::parse(path.to_owned(), text),
            Err(_) => Err(vec![unreadable(path, "it is not UTF-8 text".into())]),
        },
        Err(error) => {
            let mut mistake = unreadable(path, without_number(&error));
            if error.kind() == std::io::ErrorKind::NotFound {
                let hint = "`deliveryd config schema` says what may be in one";
                mistake.hints.push(hint.into());
            }
            Err(vec![mistake])
        }
    }
}

fn unreadable(path: &Path, label: String) -> Diagnostic {
    Diagnostic {
        message: "the configuration can't be read".into(),
        place: Place::Layer(shown_path(path)),
        label,
        hints: Vec::new(),
    }
}

/// All layers, the lowest first.
pub(super) fn layers(
    path: &Path,
    content: Dict,
    invocation: &Invocation,
    mistakes: &mut Vec<Diagnostic>,
) -> Vec<LayerData> {
    let settings = Config::list();
    let file = LayerData::file(path, content.clone());
    let mut sets = Vec::new();
    for argument in &invocation.sets {
        match Set::parse(argument) {
            Ok(set) => sets.push(set.layer(&settings)),
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    let present = sets
        .iter()
        .fold(figment::Figment::from(&file), |merged, set| {
            merged.merge(set)
        });
    let present = figment::Provider::data(&present)
        .unwrap_or_default()
        .remove(&figment::Profile::Default)
        .unwrap_or_default();

    let mut layers = vec![
        LayerData::defaults(defaults(&settings, &present)),
        LayerData::defaults(computed(&invocation.env, &host_name())),
        file,
    ];
    let before_sets = mistakes.len();
    let variables = from_environment(&invocation.env, &settings, &present, mistakes);
    // Variables are the lower layer, so their mistakes come first.
    mistakes.rotate_left(before_sets);
    layers.extend(variables);
    layers.extend(sets);
    // The control socket's default place follows the instance, wherever that is set.
    if let Some(instance) = instance(&layers) {
        layers[COMPUTED] = LayerData::defaults(computed(&invocation.env, &instance));
    }
    layers
}

/// Which of the layers holds what is computed.
const COMPUTED: usize = 1;

/// `daemon.instance`, as the highest layer has it.
fn instance(layers: &[LayerData]) -> Option<String> {
    let merged = layers
        .iter()
        .fold(figment::Figment::new(), |merged, layer| merged.merge(layer));
    let found = merged.find_value("daemon.instance").ok()?;
    found.as_str().map(str::to_owned)
}

/// The defaults that depend on the machine and the user.
fn computed(env: &BTreeMap<String, String>, instance: &str) -> Dict {
    let control = control_socket(env, instance).display().to_string();
    let daemon = Dict::from([
        ("instance".to_owned(), Value::from(host_name())),
        ("control".to_owned(), Value::from(control)),
    ]);
    Dict::from([("daemon".to_owned(), Value::from(daemon))])
}

/// The host's name, as far as Kafka's names allow it.
pub(super) fn host_name() -> String {
    let name = gethostname::gethostname().to_string_lossy().into_owned();
    let ordinary = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let name: String = name
        .chars()
        .map(|c| if ordinary(c) { c } else { '-' })
        .take(100)
        .collect();
    match client_mistake(&name) {
        None => name,
        Some(_) => "deliveryd".into(),
    }
}
