//! The messages that every function is called with: JSON of all kinds at its edges, and none.

use super::*;

/// Values at the edges of what JSON, strings and numbers can be.
const VALUES: &[&[u8]] = &[
    br#"{"id":9007199254740993,"status":"delivered","city":"Rotterdam","weight_kg":12.5,"items":[{"sku":"a-1","qty":2,"price":9.99},{"sku":"b-22","qty":1,"price":24.5}],"note":"leave at a door","n":7,"ok":true}"#,
    br#"{"status":"open","weight_kg":250,"items":[],"note":"","n":-1,"ok":false,"a":{"b":{"c":[1,[2,{"d":null}]]}},"x":null}"#,
    br#"{"status":"d\u00e9\ud83d\ude00\n\"","city":"\u0041","weight_kg":1e300,"items":[1,"two",3.0,null,true,[],{}],"note":"a  b ","n":9223372036854775807,"a":{"b":1.50}}"#,
    br#"{"n":-9223372036854775808,"weight_kg":-0.0,"id":12345678901234567890123,"status":5,"city":null,"items":{"qty":1},"note":3,"ok":"true","a":[]}"#,
    br#"{"n":1.0,"weight_kg":100,"status":"","city":"","items":[[1,2],[3]],"note":"x","a":{},"n":2,"x":0.1,"default":1,"len":4,"tag":9}"#,
    br#"{}"#,
    br#"[1,2.5,"three",{"n":4},null]"#,
    br#""just text""#,
    WIDE,
    b"42",
    b"1.10",
    b"null",
    b"{\"n\":1",
    b"\xff\xfe",
    b"",
];

/// So many members that looking for one is charged.
const WIDE: &[u8] = br#"{"n":3,"m0":0,"m1":1,"m2":2,"m3":3,"m4":4,"m5":5,"m6":6,"m7":7,"m8":8,"m9":9,"m10":10,"m11":11,"m12":12,"m13":13,"m14":14,"m15":15,"m16":16,"m17":17,"m18":18,"m19":19,"m20":20,"m21":21,"m22":22,"m23":23,"m24":24,"m25":25,"m26":26,"m27":27,"m28":28,"m29":29,"m30":30,"m31":31,"m32":32,"m33":33,"m34":34,"m35":35,"m36":36,"m37":37,"m38":38,"m39":39,"m40":40,"m41":41,"m42":42,"m43":43,"m44":44,"m45":45,"m46":46,"m47":47,"m48":48,"m49":49,"m50":50,"m51":51,"m52":52,"m53":53,"m54":54,"m55":55,"m56":56,"m57":57,"m58":58,"m59":59,"m60":60,"m61":61,"m62":62,"m63":63,"m64":64,"m65":65,"m66":66,"m67":67,"m68":68,"m69":69,"note":"of many members","items":[{"qty":2,"price":1.5,"sku":"w"}],"a":{"b":[1]},"status":"wide","city":"C","weight_kg":1.5}"#;

/// A message of each value, and a tombstone.
pub(super) fn all() -> Vec<Rc<Record>> {
    let values = VALUES.iter().map(|value| Some(*value)).chain([None]);
    let keys: [Option<&[u8]>; 4] = [Some(b"d-17"), None, Some(b"\xff"), Some(b"")];
    let of = |(at, value): (usize, Option<&[u8]>)| {
        let headers: &[(&str, &[u8])] = match at % 3 {
            0 => &[("via", b"a"), ("via", b"b"), ("traceparent", b"00-1")],
            _ => &[],
        };
        record_of(keys[at % keys.len()], value, headers)
    };
    values.enumerate().map(of).collect()
}

/// A few that take most ways.
pub(super) fn some() -> Vec<Rc<Record>> {
    let all = all();
    [0, 1, 2, 3, 4, 6, 8, 15]
        .into_iter()
        .map(|at| Rc::clone(&all[at]))
        .collect()
}
