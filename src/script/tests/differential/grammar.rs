//! Random function bodies, biased to the edges of types, numbers and scopes.

mod expressions;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;

/// Functions and constants that the bodies use.
pub(super) const HELPERS: &str = r#"
const LIMIT = 100; const NAME = "limit"; const LIST = [1, 2, 3];
fn twice(x) { x + x }
fn pick(d, name) { if d == () { return "none"; } d[name] }
fn add_to(list) { list.push(1); list }
fn grow() { this += 1; }
fn deep(n) { if n <= 0 { throw "deep"; } deep(n - 1) }
fn nothing(x) {}
fn of_message(m, x) { let d = m.json; if d == () { return x; } m.offset + 1; d.n ?? x }
fn fails(x) { x.y.z }
fn many(n) { let s = 0; for i in 0..n { s += i; if i > 3 { return s; } } s }
fn calls(x) { twice(twice(x)) + many(3) }
fn both(x) { x + x }
fn both(x, y) { x + y }
fn set_a(m) { m.a = 1; m }
"#;

/// A body with its variables.
struct Body<'r> {
    random: &'r mut Xoshiro256PlusPlus,
    variables: Vec<&'static str>,
    loops: usize,
    /// What may still be generated.
    left: usize,
}

/// Statements of a function of `msg`.
pub(super) fn body(random: &mut Xoshiro256PlusPlus) -> String {
    let left = random.random_range(4..40);
    let mut body = Body {
        random,
        variables: Vec::new(),
        loops: 0,
        left,
    };
    if body.chance(70) {
        body.variables.push("d");
        let rest = body.statements(4);
        return format!("let d = msg.json; {rest}");
    }
    body.statements(4)
}

const NAMES: &[&str] = &["a", "b", "s", "d", "n", "item", "msg2"];
const FIELDS: &[&str] = &[
    "n",
    "status",
    "city",
    "weight_kg",
    "items",
    "note",
    "a",
    "x",
    "id",
    "ok",
    "missing",
    "total",
    "len",
    "tag",
];

impl Body<'_> {
    fn chance(&mut self, percent: u32) -> bool {
        self.random.random_range(0..100) < percent
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of[self.random.random_range(0..of.len())]
    }

    fn number(&mut self, below: usize) -> usize {
        self.random.random_range(0..below)
    }

    fn statements(&mut self, depth: usize) -> String {
        let variables = self.variables.len();
        let mut text = String::new();
        for _ in 0..=self.number(4) {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            text.push_str(&self.statement(depth));
            text.push('\n');
        }
        if self.chance(25) {
            text.push_str(&self.expression(depth));
        }
        self.variables.truncate(variables);
        text
    }

    fn variable(&mut self) -> String {
        match self.variables.len() {
            0 => self.literal(),
            many => {
                let at = self.number(many);
                self.variables[at].to_owned()
            }
        }
    }

    fn statement(&mut self, depth: usize) -> String {
        let less = depth.saturating_sub(1);
        let kinds = if depth == 0 { 11 } else { 25 };
        match self.number(kinds) {
            0..=2 => {
                let (name, value) = (self.one(NAMES), self.expression(less));
                self.variables.push(name);
                let word = if self.chance(12) { "const" } else { "let" };
                format!("{word} {name} = {value};")
            }
            3 => format!("{} = {};", self.variable_only(), self.expression(less)),
            4 | 5 => {
                let operator = self.one(&[
                    "+=", "-=", "*=", "/=", "%=", "+=", "+=", "**=", "|=", "&=", "^=", "<<=", ">>=",
                ]);
                format!(
                    "{} {operator} {};",
                    self.variable_only(),
                    self.expression(less)
                )
            }
            6 => {
                let field = self.one(FIELDS);
                let operator = self.one(&["=", "=", "=", "+=", "*="]);
                format!(
                    "{}.{field} {operator} {};",
                    self.variable_only(),
                    self.expression(less)
                )
            }
            7 if self.chance(60) => {
                let (one, other) = (self.one(FIELDS), self.one(FIELDS));
                let operator = self.one(&["=", "=", "+=", "-="]);
                let base = match self.chance(20) {
                    true => "msg.json".to_owned(),
                    false => self.variable_only(),
                };
                let place = match self.number(7) {
                    0 => format!("{base}.{one}.{other}"),
                    1 => format!("{base}[\"{one}\"]"),
                    2 => format!("{base}[{}]", self.expression(less)),
                    3 => format!("{base}.items[{}].{other}", self.one(&["0", "-1", "1", "8"])),
                    4 => format!("{base}.a.b"),
                    _ => format!("{base}.{one}"),
                };
                format!("{place} {operator} {};", self.expression(less))
            }
            7 => format!("emit({}, {});", self.topic(less), self.expression(less)),
            8 => {
                let (key, value) = (self.expression(less), self.expression(less));
                format!("emit({}, {key}, {value});", self.topic(less))
            }
            9 => format!("count(\"seen\", {});", self.expression(0)),
            10 => format!("{};", self.expression(less)),
            11 | 12 => {
                let (condition, then) = (self.condition(less), self.statements(less));
                match self.chance(40) {
                    true => format!(
                        "if {condition} {{ {then} }} else {{ {} }}",
                        self.statements(less)
                    ),
                    false => format!("if {condition} {{ {then} }}"),
                }
            }
            13 | 14 => self.for_loop(less),
            15 => {
                let name = self.one(&["i", "j"]);
                self.variables.push(name);
                self.loops += 1;
                let body = self.statements(less);
                self.loops -= 1;
                let bound = self.number(5);
                match self.chance(50) {
                    true => {
                        format!("let {name} = 0; while {name} < {bound} {{ {name} += 1; {body} }}")
                    }
                    false => format!(
                        "let {name} = 0; loop {{ {name} += 1; if {name} > {bound} {{ break; }} {body} }}"
                    ),
                }
            }
            16 => self.try_catch(less),
            17 => {
                let value = self.expression(less);
                match self.number(5) {
                    0 => format!("return {value};"),
                    1 => format!("throw {value};"),
                    2 => format!("reject({value});"),
                    3 => format!("retry({value});"),
                    _ if self.loops > 0 => {
                        self.one(&["break;", "continue;", "break 1;"]).to_owned()
                    }
                    _ => "return;".to_owned(),
                }
            }
            18 => self.switch(less),
            19 => {
                let (name, inner) = (self.one(NAMES), self.expression(0));
                let value = self.variable();
                self.variables.push(name);
                format!(
                    "let {name} = {value}; let f = |x| {{ {name} = x; {inner} }}; f.call({});",
                    self.expression(0)
                )
            }
            20 => format!("msg.json.{} = {};", self.one(FIELDS), self.expression(less)),
            21 => self.do_loop(less),
            22 => self.captured(less),
            23 => {
                let place = self.one(&[
                    "global::LIST[0]",
                    "global::LIST[-1]",
                    "global::LIST[9]",
                    "global::NAME[0]",
                    "global::LIMIT",
                ]);
                let operator = self.one(&["=", "+="]);
                format!("{place} {operator} {};", self.expression(less))
            }
            _ => format!("{{ {} }}", self.statements(less)),
        }
    }

    /// A constant that a closure takes along.
    fn captured(&mut self, depth: usize) -> String {
        let (name, value) = (self.one(NAMES), self.literal());
        let list = self.one(&[
            "[1, 2]",
            "[\"a\", (), [3]]",
            "msg.json.items",
            "msg.json.note.split(\" \")",
        ]);
        let method = self.one(&["map", "filter", "some", "all", "find", "reduce", "sort"]);
        let parameters = self.one(&["|x|", "|x|", "|x, y|", "|x, y, z|"]);
        self.variables.extend([name, "x"]);
        let inner = self.statements(depth);
        self.variables.pop();
        format!(
            "const {name} = {value}; let r = {list}; emit(\"t\", r.{method}({parameters} {{ emit(\"t\", {name}); {inner} }}));"
        )
    }

    fn try_catch(&mut self, depth: usize) -> String {
        let body = self.statements(depth);
        if self.chance(20) {
            return format!("try {{ {body} }} catch {{ {} }}", self.statements(depth));
        }
        self.variables.push("e");
        let caught = match self.number(6) {
            0 => "throw;".to_owned(),
            1 => "throw e;".to_owned(),
            2 => "emit(\"t\", e);".to_owned(),
            _ => self.statements(depth),
        };
        self.variables.pop();
        format!("try {{ {body} }} catch (e) {{ {caught} }}")
    }

    fn switch(&mut self, depth: usize) -> String {
        let value = self.expression(depth);
        let mut cases = String::new();
        for _ in 0..=self.number(4) {
            let mut case = self.literal();
            if self.chance(20) {
                case = self
                    .one(&["2..9", "-3..=7", "1 | 2.0 | \"a\"", "0..1000", "'a' | ()"])
                    .to_owned();
            }
            if self.chance(30) {
                case = format!("{case} if {}", self.condition(depth));
            }
            let then = self.case(depth);
            cases.push_str(&format!("{case} => {then}, "));
        }
        if self.chance(50) {
            cases.push_str(&format!("_ => {}", self.case(depth)));
        }
        format!("switch {value} {{ {cases} }}")
    }

    fn case(&mut self, depth: usize) -> String {
        match self.chance(50) {
            true => self.expression(depth),
            false => format!("{{ {} }}", self.statements(depth)),
        }
    }

    fn do_loop(&mut self, depth: usize) -> String {
        self.variables.push("i");
        self.loops += 1;
        let body = self.statements(depth);
        self.loops -= 1;
        let bound = self.number(5);
        let (word, operator) = match self.chance(50) {
            true => ("while", "<"),
            false => ("until", ">="),
        };
        format!(
            "let i = 0; do {{ i += 1; if i > 9 {{ break i; }} {body} }} {word} i {operator} {bound};"
        )
    }

    fn topic(&mut self, depth: usize) -> String {
        match self.number(6) {
            0 => self.expression(depth),
            1 => self.variable(),
            2 => "msg.topic + \".x\"".to_owned(),
            _ => "\"t\"".to_owned(),
        }
    }

    fn variable_only(&mut self) -> String {
        match self.variables.is_empty() {
            true => "msg.json.n".to_owned(),
            false => self.variable(),
        }
    }

    fn for_loop(&mut self, depth: usize) -> String {
        let over = match self.number(12) {
            0 => "0..4".to_owned(),
            1 => format!("0..={}", self.variable()),
            2 => format!("{}.items", self.variable()),
            3 => "msg.json.items".to_owned(),
            4 => format!("{}.note.split(\" \")", self.variable()),
            5 => "[1, \"b\", msg.json, 2.5, global::NAME]".to_owned(),
            6 => "global::LIST".to_owned(),
            7 => format!(
                "range({}, {}, {})",
                self.operand(0),
                self.number(9),
                self.operand(0)
            ),
            8 => format!("{}.keys()", self.variable()),
            9 => format!("{}..{}", self.operand(depth), self.number(4)),
            10 => self.expression(depth),
            _ => self.variable(),
        };
        let variables = self.variables.len();
        let name = self.one(&["i", "item", "a"]);
        let counter = self.chance(20);
        if counter {
            self.variables.push("k");
        }
        self.variables.push(name);
        self.loops += 1;
        let body = self.statements(depth);
        self.loops -= 1;
        self.variables.truncate(variables);
        match counter {
            true => format!("for ({name}, k) in {over} {{ {body} }}"),
            false => format!("for {name} in {over} {{ {body} }}"),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        match self.number(8) {
            0 => self.expression(depth),
            1 | 2 => {
                let glue = self.one(&["&&", "||"]);
                format!(
                    "{} {glue} {}",
                    self.comparison(depth),
                    self.comparison(depth)
                )
            }
            3 => format!("!({})", self.comparison(depth)),
            _ => self.comparison(depth),
        }
    }

    fn comparison(&mut self, depth: usize) -> String {
        let operator = self.one(&["==", "!=", "<", "<=", ">", ">="]);
        let less = depth.saturating_sub(1);
        format!("{} {operator} {}", self.operand(less), self.operand(less))
    }

    fn operand(&mut self, depth: usize) -> String {
        match self.number(4) {
            0 => self.expression(depth),
            1 => self.literal(),
            2 => self.variable(),
            _ => self.field(),
        }
    }
}
