//! The layers: built-in defaults, the file, environment variables, `--set`, merged by figment.
//!
//! Each variable and each `--set` is a figment provider of its own, so that figment's tags tell for
//! every value which of them it came from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider, Source};

use super::places::SourceFile;
use super::settings::{Given, Node, Setting};
use super::value::parse_toml;

/// The name of the lowest layer in figment's metadata.
const DEFAULT: &str = "default";

/// A layer as a figment provider.
pub struct LayerData {
    metadata: Metadata,
    dict: Dict,
}

impl LayerData {
    /// The configuration file's content.
    pub fn file(path: &Path, dict: Dict) -> Self {
        Self {
            metadata: Metadata::from("file", path),
            dict,
        }
    }

    /// The built-in defaults.
    pub fn defaults(dict: Dict) -> Self {
        Self {
            metadata: Metadata::named(DEFAULT),
            dict,
        }
    }

    /// One value from somewhere else: `environment variable NAME`, `--set KEY`.
    pub fn single(name: String, path: &[String], value: Value) -> Self {
        Self {
            metadata: Metadata::named(name),
            dict: nested(path, value),
        }
    }
}

impl Provider for LayerData {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

/// Which layer a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer<'a> {
    Default,
    File,
    /// Another, by its place in the order of the layers and its name.
    Named(usize, &'a str),
}

/// Where every value came from: figment's metadata, and the file's places.
pub struct Origins {
    figment: Figment,
    file: SourceFile,
    /// The names of the environment variables and `--set`s, in their order.
    others: Vec<String>,
    /// What relative paths are relative to that no file names.
    pub working_directory: PathBuf,
    /// The environment, for secrets.
    pub env: BTreeMap<String, String>,
}

impl Origins {
    /// Merges the layers, the lowest first.
    pub fn new(
        file: SourceFile,
        layers: Vec<LayerData>,
        working_directory: PathBuf,
        env: BTreeMap<String, String>,
    ) -> Self {
        let mut figment = Figment::new();
        let mut others = Vec::new();
        for layer in layers {
            if layer.metadata.source.is_none() && layer.metadata.name != DEFAULT {
                others.push(layer.metadata.name.clone().into_owned());
            }
            figment = figment.merge(layer);
        }
        Self {
            figment,
            file,
            others,
            working_directory,
            env,
        }
    }

    /// Everything merged, with figment's tags.
    pub fn merged(&self) -> Dict {
        // The providers above hold their data already and have no way to fail.
        let mut profiles = self.figment.data().unwrap_or_default();
        profiles.remove(&Profile::Default).unwrap_or_default()
    }

    pub fn file(&self) -> &SourceFile {
        &self.file
    }

    /// The layer that a value with this tag came from.
    pub fn layer(&self, tag: Tag) -> Layer<'_> {
        let Some(metadata) = self.figment.get_metadata(tag) else {
            return Layer::File;
        };
        if matches!(metadata.source, Some(Source::File(_))) {
            return Layer::File;
        }
        match self.others.iter().position(|name| *name == metadata.name) {
            Some(index) => Layer::Named(index, &self.others[index]),
            None => Layer::Default,
        }
    }

    /// The only entry that the highest layer has put into a table; figment merges tables, so those
    /// of lower layers are still in it.
    pub fn topmost<'d>(&self, dict: &'d Dict) -> Option<(&'d String, &'d Value)> {
        let rank = |value: &Value| match self.layer(value.tag()) {
            Layer::Default => 0,
            Layer::File => 1,
            Layer::Named(index, _) => 2 + index,
        };
        let highest = dict.values().map(rank).max()?;
        let mut entries = dict.iter().filter(|(_, value)| rank(value) == highest);
        entries.next().filter(|_| entries.next().is_none())
    }

    /// The folder that a relative path with this tag starts from.
    pub fn base(&self, tag: Tag) -> &Path {
        match self.layer(tag) {
            Layer::File => self.file.path.parent().unwrap_or(&self.working_directory),
            Layer::Default | Layer::Named(..) => &self.working_directory,
        }
    }
}

/// The built-in defaults of these settings, and of those in every table that `present` names.
pub fn defaults(settings: &[Setting], present: &Dict) -> Dict {
    let mut dict = Dict::new();
    for setting in settings {
        let there = match present.get(setting.key) {
            Some(Value::Dict(_, there)) => there.clone(),
            _ => Dict::new(),
        };
        let value = match (setting.format.node(), setting.given) {
            (Node::Section(inner), _) => Some(Value::from(defaults(&inner(), &there))),
            (Node::Entries(inner), _) => {
                let tables = there.iter().filter_map(|(name, table)| {
                    let table = table.as_dict()?;
                    Some((name.clone(), Value::from(defaults(&inner(), table))))
                });
                Some(Value::from(tables.collect::<Dict>()))
            }
            (_, Given::Default(text)) => parse_toml(text),
            _ => None,
        };
        dict.extend(value.map(|value| (setting.key.to_owned(), value)));
    }
    dict
}

/// A value in as many tables as the path has keys.
pub fn nested(path: &[String], value: Value) -> Dict {
    match path {
        [] => Dict::new(),
        [key] => Dict::from([(key.clone(), value)]),
        [key, rest @ ..] => Dict::from([(key.clone(), Value::from(nested(rest, value)))]),
    }
}
