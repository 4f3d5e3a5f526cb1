//! LuaJIT through mlua: the message is one userdata whose fields are read where they are asked for;
//! its JSON is then parsed by serde_json and becomes Lua tables, as a whole.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, Lua, Table, UserData, UserDataFields, Value};
use serde_json::{Map, Number, Value as Json};

use crate::Call;
use crate::cases::{self, Case};

struct Message;

impl UserData for Message {
    fn add_fields<F: UserDataFields<Self>>(fields: &mut F) {
        fields.add_field_method_get("topic", |_, _| Ok(cases::TOPIC));
        fields.add_field_method_get("partition", |_, _| Ok(cases::PARTITION));
        fields.add_field_method_get("offset", |_, _| Ok(cases::OFFSET));
        fields.add_field_method_get("key", |_, _| Ok(cases::KEY));
        fields.add_field_method_get("json", |lua, _| {
            let json = serde_json::from_str(cases::RECORD).map_err(mlua::Error::external)?;
            to_lua(lua, json)
        });
    }
}

struct LuaJit {
    handle: Function,
    message: mlua::AnyUserData,
    out: Rc<RefCell<Option<Vec<u8>>>>,
    _lua: Lua,
}

pub fn handler(case: &Case) -> Box<dyn Call> {
    let text = format!("function handle(msg) {} end", case.lua);
    Box::new(build(&text).expect("a handler that compiles"))
}

fn build(text: &str) -> mlua::Result<LuaJit> {
    let lua = Lua::new();
    let out = Rc::new(RefCell::new(None));
    let emitted = Rc::clone(&out);
    let emit = lua.create_function(move |_, (_topic, value): (String, Value)| {
        let bytes = match value {
            Value::String(text) => text.as_bytes().to_vec(),
            other => serde_json::to_vec(&to_json(&other)?).map_err(mlua::Error::external)?,
        };
        *emitted.borrow_mut() = Some(bytes);
        Ok(())
    })?;
    lua.globals().set("emit", emit)?;
    lua.load(text).exec()?;
    Ok(LuaJit {
        handle: lua.globals().get("handle")?,
        message: lua.create_userdata(Message)?,
        out,
        _lua: lua,
    })
}

fn to_lua(lua: &Lua, json: Json) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Boolean(flag),
        Json::Number(number) => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(elements) => {
            let table = lua.create_table_with_capacity(elements.len(), 0)?;
            for element in elements {
                table.raw_push(to_lua(lua, element)?)?;
            }
            Value::Table(table)
        }
        Json::Object(members) => {
            let table = lua.create_table_with_capacity(0, members.len())?;
            for (name, member) in members {
                table.raw_set(name, to_lua(lua, member)?)?;
            }
            Value::Table(table)
        }
    })
}

fn to_json(value: &Value) -> mlua::Result<Json> {
    Ok(match value {
        Value::Boolean(flag) => (*flag).into(),
        Value::Integer(number) => (*number).into(),
        Value::Number(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::String(text) => text.to_str()?.to_owned().into(),
        Value::Table(table) => table_to_json(table)?,
        _ => Json::Null,
    })
}

fn table_to_json(table: &Table) -> mlua::Result<Json> {
    if table.raw_len() > 0 {
        let elements = table.sequence_values::<Value>();
        let elements: mlua::Result<Vec<Json>> = elements.map(|value| to_json(&value?)).collect();
        return Ok(elements?.into());
    }
    let mut members = Map::new();
    for pair in table.pairs::<String, Value>() {
        let (name, value) = pair?;
        members.insert(name, to_json(&value)?);
    }
    Ok(members.into())
}

impl Call for LuaJit {
    fn call(&mut self) {
        *self.out.borrow_mut() = None;
        let done: mlua::Result<()> = self.handle.call(&self.message);
        done.expect("a handler that returns");
    }

    fn emitted(&self) -> Option<Vec<u8>> {
        self.out.borrow().clone()
    }
}
