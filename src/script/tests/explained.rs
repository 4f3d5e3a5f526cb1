//! What `deliveryd check --explain` is told.

use super::*;

/// Of each function it is said whether it is compiled, why not, and what in it is left to the interpreter.
#[test]
fn each_function_is_explained() {
    let text = "fn price(d) { d.n * 2 }
fn handle(msg) {
    let d = msg.json;
    if d.n > 1 {
        emit(\"t\", price(d));
    }
}
fn on_start() {
    import \"lib/x\" as x;
}
";
    let folder = folder(&[("handler.rhai", text), ("lib/x.rhai", "fn y() { 1 }")]);
    let program = load(folder.path(), Kind::Consumer).unwrap();
    let explained = explain(&program, &Limits::default());
    let find = |function: &str| {
        let mut all = explained.iter();
        all.find(|one| one.function == function).unwrap().clone()
    };
    let handle = find("handle(msg)");
    assert_eq!(handle.compiled, Ok(()));
    assert_eq!(handle.left, []);
    let price = find("price(d)");
    assert_eq!(price.compiled, Ok(()));
    let start = find("on_start()");
    assert_eq!(
        start.compiled,
        Err("9:5 has `import` or `export` in a function".to_owned())
    );
    assert_eq!(find("y()").compiled, Ok(()));
}

/// Nothing of what is compiled is told to be left to the interpreter, and of what is in it only what is.
#[test]
fn what_is_compiled_is_not_left() {
    let text = "fn handle(msg) {
    let d = msg.json;
    let kind = switch d.status { \"a\" => 1, 'b' if d.n > 1 => [d.n, 2], 3..5 => #{ a: d.n }, _ => { d.x } };
    try { emit(\"t\", kind); throw 5; } catch (e) { emit(\"t\", e); throw; }
    let i = 0;
    do { i += 1; } while i < 5;
    let both = if i in [1, 5] { i ** 2 | 1 } else { i << 3 };
    both &= 5;
    for c in d.note { emit(\"t\", c); }
    for x in [both, { let y = 5; y }] { d.total = [x]; i += if x == 1 { 2 } else { 3 }; }
    for x in range(0, 10, 3) { emit(\"t\", x !in [5]); }
    msg.json.n = 5;
}";
    let folder = folder(&[("handler.rhai", text)]);
    let program = load(folder.path(), Kind::Consumer).unwrap();
    let explained = explain(&program, &Limits::default());
    let left: Vec<(usize, &str)> = explained[0]
        .left
        .iter()
        .map(|(line, _, what)| (*line, what.as_str()))
        .collect();
    assert_eq!(left, []);
}
