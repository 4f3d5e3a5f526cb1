//! Random expressions.

use super::{Body, FIELDS};

const TEXTS: &[&str] = &["", "a", "delivered", "é😀", "a b  c", "x\\ny", "12"];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "7",
    "100",
    "9223372036854775807",
    "-9223372036854775807",
    "4611686018427387904",
    "64",
];
const FLOATS: &[&str] = &[
    "0.0", "1.0", "1.5", "-2.25", "1e300", "0.1", "3.0", "1e-320", "100.0",
];
const OPERATORS: &[&str] = &[
    "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "==", "!=", ">", "**", "&", "|",
    "^", "<<", ">>",
];

impl Body<'_> {
    pub(super) fn literal(&mut self) -> String {
        match self.number(12) {
            0..=3 => self.one(NUMBERS).to_owned(),
            4 | 5 => self.one(FLOATS).to_owned(),
            6..=8 => format!("\"{}\"", self.one(TEXTS)),
            9 => self.one(&["true", "false"]).to_owned(),
            10 => "()".to_owned(),
            _ => self.one(&["'a'", "'é'"]).to_owned(),
        }
    }

    pub(super) fn field(&mut self) -> String {
        let base = match self.number(4) {
            0 => "msg.json".to_owned(),
            1 => {
                let field = self.one(&[
                    "partition",
                    "offset",
                    "timestamp",
                    "key",
                    "value",
                    "topic",
                    "attempt",
                    "group",
                    "member",
                    "json",
                    "headers[\"via\"]",
                ]);
                return format!("msg.{field}");
            }
            _ => self.variable(),
        };
        let (one, other) = (self.one(FIELDS), self.one(FIELDS));
        match self.number(13) {
            8 => format!("{base}[{}]", self.variable()),
            9 => format!("{base}.items[{}].{one}", self.variable()),
            10 => format!(
                "{base}[\"items\"][{}]?.{other}",
                self.one(&["0", "-2", "1 + 0"])
            ),
            11 => format!("{base}?.[{}]", self.literal()).replace("?.[", "?["),
            0 => format!("{base}.{one}.{other}"),
            1 => format!("{base}.{one}?.{other}"),
            2 => format!("{base}[\"{one}\"]"),
            3 => format!("{base}.items[{}]", self.one(&["0", "1", "-1", "9"])),
            4 => format!("{base}.items[0].{one}"),
            5 => format!("{base}?.a?.b?.c"),
            _ => format!("{base}.{one}"),
        }
    }

    pub(super) fn expression(&mut self, depth: usize) -> String {
        if depth == 0 {
            return match self.number(3) {
                0 => self.literal(),
                1 => self.variable(),
                _ => self.field(),
            };
        }
        let less = depth - 1;
        match self.number(30) {
            0 => self.literal(),
            1 | 2 => self.variable(),
            3..=6 => self.field(),
            7..=10 => {
                let operator = self.one(OPERATORS);
                format!("({} {operator} {})", self.operand(less), self.operand(less))
            }
            11 => format!("-({})", self.operand(less)),
            12 => format!("({} ?? {})", self.field(), self.operand(less)),
            13 => format!("`<${{{}}}|${{{}}}>`", self.operand(less), self.variable()),
            14 => self.method(less),
            15 => self.call(less),
            16 => format!("[{}, {}]", self.operand(less), self.operand(less)),
            17 => format!(
                "#{{ a: {}, n: {} }}",
                self.operand(less),
                self.operand(less)
            ),
            18 => format!(
                "if {} {{ {} }} else {{ {} }}",
                self.condition(less),
                self.operand(less),
                self.operand(less)
            ),
            19 => format!("({} in {})", self.operand(less), self.operand(less)),
            20 => format!("({})", self.condition(less)),
            21 => self
                .one(&[
                    "global::LIMIT",
                    "global::NAME",
                    "global::LIST",
                    "params.currency",
                    "params.most",
                    "params",
                ])
                .to_owned(),
            22 => format!("({} ?? {} ?? 0)", self.field(), self.field()),
            23 => self.switch(less),
            24 => format!("{{ {} }}", self.statements(less)),
            25 => format!("({} !in {})", self.operand(less), self.operand(less)),
            26 => {
                let (one, other) = (self.expression(less), self.expression(less));
                format!("[[{one}], {other}, #{{ a: [{}] }}]", self.operand(less))
            }
            27 => self.literal_of_constants().to_owned(),
            _ => format!("{{ let q = {}; q }}", self.operand(less)),
        }
    }

    fn literal_of_constants(&mut self) -> &'static str {
        self.one(&[
            "[]",
            "#{}",
            "[1, [2.0, 'c'], \"d\"]",
            "#{ a: [1], b: #{ c: () } }",
            "[1, 2].len()",
        ])
    }

    fn method(&mut self, depth: usize) -> String {
        let on = self.operand(0);
        let argument = self.operand(depth.saturating_sub(1));
        match self.number(34) {
            28 => format!("[global::LIST, {argument}][0].push({argument})"),
            29 => format!("{}.push(global::LIST)", self.variable()),
            30 => format!("{}.push([global::LIST, {argument}])", self.variable()),
            31 => format!("#{{ a: global::LIST, n: {argument} }}.a.push(1)"),
            32 => format!("[{argument}, 2].map(Fn(\"both\"))"),
            33 => format!("{}[0].push({argument})", self.variable()),
            26 => format!("{}?.len().max({argument})", self.variable()),
            27 => format!("({on})?.keys()?.len().max(1)"),
            16 => format!("{}.push({argument})", self.field()),
            17 => format!("msg.json.items.push({argument})"),
            18 => format!(
                "msg.json.note.{}",
                self.one(&["to_upper()", "trim()", "make_upper()"])
            ),
            19 => format!("{}.a.b.push({argument})", self.variable()),
            20 => format!("msg.value.index_of({argument})"),
            21 => format!("{}?.contains({argument})", self.variable()),
            22 => format!("{}.set({argument}, {argument})", self.field()),
            23 => format!("{}.{}.make_upper()", self.variable(), self.one(FIELDS)),
            24 => format!("({on}).len().max({argument})"),
            25 => format!("{}.keys().len()", self.variable()),
            0 | 1 => format!("({on}).len()"),
            2 => format!("{}.len()", self.field()),
            3 => format!("{}.split(\" \")", self.field()),
            4 => format!("{}.split(\",\")", self.variable()),
            5 => format!("{}.items.len()", self.variable()),
            6 => format!("({on}).to_upper()"),
            7 => format!("{}.push({argument})", self.variable()),
            8 => format!("({on}).contains({argument})"),
            9 => format!("{}.items.map(|x| x ?? {argument})", self.variable()),
            10 => format!("{}.trim()", self.field()),
            11 => format!("{}.grow()", self.variable()),
            12 => format!("({on}).to_string()"),
            13 => format!("({on}).type_of()"),
            14 => format!("{}.items.filter(|x| x.qty > 1)", self.variable()),
            _ => format!("{}.keys()", self.variable()),
        }
    }

    fn call(&mut self, depth: usize) -> String {
        let argument = self.operand(depth.saturating_sub(1));
        match self.number(16) {
            14 => format!("both({argument})"),
            15 => format!("set_a(#{{ a: global::LIMIT, n: {argument} }})"),
            8 => format!("of_message(msg, {argument})"),
            9 => format!("fails({argument})"),
            10 => format!("many({argument})"),
            11 => format!("calls({argument})"),
            12 => format!("deep({argument})"),
            13 => format!("pick(msg.json, {argument})"),
            0 => format!("twice({argument})"),
            1 => format!("pick({argument}, \"n\")"),
            2 => format!("add_to({argument})"),
            3 => format!("deep({})", self.number(40)),
            4 => format!("nothing({argument})"),
            5 => format!("type_of({argument})"),
            6 => format!("parse_int({argument})"),
            _ => format!("to_json(#{{ v: {argument} }})"),
        }
    }
}
