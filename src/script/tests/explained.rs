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
    assert_eq!(handle.left, [(5, 19, "the call of `price`".to_owned())]);
    let price = find("price(d)");
    assert_eq!(
        price.compiled,
        Err("only functions that deliveryd calls itself are compiled".to_owned())
    );
    let start = find("on_start()");
    assert_eq!(
        start.compiled,
        Err("9:5 has `import` or `export` in a function".to_owned())
    );
    assert!(find("y()").compiled.is_err());
}
