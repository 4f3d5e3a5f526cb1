//! Fields of JSON in a row, `d.address.city`: down to the last, and back from the inside out, which is how
//! Rhai writes what has changed.

use rhai::{ASTFlags, Dynamic, Expr, ImmutableString, Position};
use smallvec::SmallVec;

use super::links;
use crate::script::compiled::expressions::pure::property;
use crate::script::compiled::run::frame::{Outcome, tick};
use crate::script::json::JsonObject;

/// A property in a chain.
pub(crate) struct Field {
    pub name: ImmutableString,
    pub at: Position,
}

/// The fields of a chain that is nothing else.
pub(crate) fn of(chain: &Expr) -> Option<Vec<Field>> {
    let mut fields = Vec::new();
    let mut parent = chain;
    while let Expr::Dot(pair, flags, _) = parent {
        if flags.intersects(ASTFlags::NEGATED) {
            return None;
        }
        let (here, next) = links::link(pair, *flags);
        let (name, at) = property(here)?;
        fields.push(Field { name, at });
        match next {
            Some(next) => parent = next,
            None => return Some(fields),
        }
    }
    None
}

/// The objects between an object and the last of some fields, from the outside in.
pub(crate) struct Between(SmallVec<[JsonObject; 2]>);

impl Between {
    /// Goes down from `object` along `fields`, all but the last; `None` where something else is there than an
    /// object of JSON.
    pub(crate) fn new(object: &JsonObject, fields: &[Field]) -> Option<Outcome<Self>> {
        let mut objects: SmallVec<[JsonObject; 2]> = SmallVec::new();
        for field in fields {
            if let Err(exit) = tick(field.at) {
                return Some(Err(exit));
            }
            let from = objects.last().unwrap_or(object);
            let inner = from.field(&field.name).try_cast::<JsonObject>()?;
            objects.push(inner);
        }
        Some(Ok(Self(objects)))
    }

    /// The object that has the last field, where `object` is the outermost.
    pub(crate) fn inmost<'a>(&'a self, object: &'a JsonObject) -> &'a JsonObject {
        self.0.last().unwrap_or(object)
    }

    /// Sets the last of `fields`, and each before it to the object that has changed.
    pub(crate) fn write_back(
        self,
        object: &mut JsonObject,
        fields: &[Field],
        mut value: Dynamic,
    ) -> Outcome<()> {
        let Some((first, inner)) = fields.split_first() else {
            return Ok(());
        };
        for (field, mut object) in inner.iter().zip(self.0).rev() {
            tick(field.at)?;
            object.set(&field.name, value);
            value = Dynamic::from(object);
        }
        tick(first.at)?;
        object.set(&first.name, value);
        Ok(())
    }
}
