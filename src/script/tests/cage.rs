//! The limits that `tests/hostile` does not reach: time, panics, and what is allowed up to a limit.

use std::time::Instant;

use super::*;
use crate::script::memory;

fn limited(statements: &str, limits: Limits, timeout: Duration) -> Handler {
    let settings = Settings {
        limits,
        timeout,
        ..settings()
    };
    handler_with(&format!("fn handle(msg) {{ {statements} }}"), settings)
}

/// A call that takes too long ends soon after its time, wherever it is, and `try` does not help.
#[test]
fn time_ends_a_call() {
    let limits = Limits {
        operations: u64::MAX,
        ..Limits::default()
    };
    for script in [
        "loop { try { loop {} } catch {} }",
        "[1].map(|x| { loop {} })",
    ] {
        let mut handler = limited(script, limits, Duration::from_millis(20));
        let begun = Instant::now();
        let failure = failed(handler.handle(&record("{}"), 1));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
        assert_eq!(failure.reason, "the call took longer than 20ms");
    }
}

/// What closures do counts like everything else.
#[test]
fn closures_share_the_budget_of_the_call() {
    let limits = Limits {
        operations: 3_000,
        ..Limits::default()
    };
    let script = "for i in 0..10 { [0].map(|x| { for j in 0..100 { x += j; } x }); }";
    let mut handler = limited(script, limits, Duration::from_secs(60));
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(failure.reason, "the call made more than 3000 operations");
}

/// The budget is a call's: a handler never runs out over many messages.
#[test]
fn each_call_has_its_own_budget() {
    let limits = Limits {
        operations: 3_000,
        ..Limits::default()
    };
    let mut handler = limited("for i in 0..500 { i; }", limits, Duration::from_secs(60));
    for _ in 0..50 {
        done(handler.handle(&record("{}"), 1));
    }
}

/// Memory is limited where no single value is large.
#[test]
fn memory_is_limited() {
    let limits = Limits {
        memory: 512 << 10,
        ..Limits::default()
    };
    let script =
        "let a = []; for i in 0..9000 { a.push(`a string of some length, number ${i}, kept`); }";
    let mut handler = limited(script, limits, Duration::from_secs(60));
    let failure = failed(handler.handle(&record("{}"), 1));
    assert_eq!(
        failure.reason,
        "the call used more than 524288 bytes of memory"
    );
    let mut handler = limited(
        script,
        Limits {
            array: 10_000,
            string: 1 << 20,
            memory: 64 << 20,
            ..limits
        },
        Duration::from_secs(60),
    );
    done(handler.handle(&record("{}"), 1));
}

/// Runs `test` on a thread with the stack that scripts have.
fn on_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(crate::script::STACK_SIZE);
    thread.spawn(test).unwrap().join().unwrap();
}

/// Depth limits may be raised as far as the config allows: calls that need more stack than there is
/// end like any other limit.
#[test]
fn the_stack_is_limited() {
    on_stack(|| {
        let limits = Limits {
            operations: u64::MAX,
            call_depth: 128,
            expression_depth: 1000,
            ..Limits::default()
        };
        let deep = format!("{}f(n + 1){}", "(1 + ".repeat(450), ")".repeat(450));
        let text = format!("fn f(n) {{ {deep} }} fn handle(msg) {{ if msg.json.deep {{ f(0) }} }}");
        let folder = folder(&[("handler.rhai", &text)]);
        let file = folder.path().join("handler.rhai");
        let program = Arc::new(Program::load(&file, Kind::Consumer, &limits).unwrap());
        let settings = Settings {
            limits,
            timeout: Duration::from_secs(60),
            ..settings()
        };
        let mut handler = Handler::new(&program, settings).unwrap();
        for _ in 0..3 {
            let failure = failed(handler.handle(&record(r#"{"deep":true}"#), 1));
            assert_eq!(
                failure.reason,
                "the functions that call each other need more stack than there is"
            );
            done(handler.handle(&record(r#"{"deep":false}"#), 1));
        }
    });
}

/// As many values as a call may hold, each inside the one before, are copied, compared by `switch`
/// and dropped.
#[test]
fn the_longest_chain_is_dropped() {
    on_stack(|| {
        let limits = Limits {
            operations: u64::MAX,
            array: usize::MAX,
            map: usize::MAX,
            memory: 1 << 30,
            ..Limits::default()
        };
        for script in [
            "let x = 0; loop { let y = x; x = || y; }",
            "let f = Fn(\"x\"); loop { f = Fn(\"x\").curry(f.take()); }",
            "let f = Fn(\"x\"); let i = 0; loop { f = Fn(\"x\").curry(f.take()); i += 1; \
             if i == 30_000 { let g = f; switch f { 1 => 2, _ => 3 } } }",
            "let d = msg.json; loop { let e = msg.json; e.a = d; d = e; }",
        ] {
            let mut handler = limited(script, limits, Duration::from_secs(60));
            let failure = failed(handler.handle(&record("{}"), 1));
            assert_eq!(
                failure.reason, "the call holds more than 131072 values at once",
                "{script}"
            );
        }
    });
}

/// Whatever names, texts, patterns and topics a script makes up: nothing of them adds up over the
/// messages.
#[test]
fn calls_leave_nothing_behind() {
    for script in [
        "for i in 0..10 { try { Fn(`f${msg.json.n}_${i}`).call(); } catch { } }",
        "throw `no ${msg.json.n}`",
        "let d = msg.json; d.x = [d.n, 1.50]; let f = |x| x + d.n; emit(`t${d.n}`, f.call(1)); print(d.n);",
        "let d = msg.json; let f = || d.n; count(`c${d.n}`); throw `${f.call()} of ${d.n}`",
        "let p = `a{${msg.json.n % 40}}`; p.regex_is_match(p); format_time(msg.json.n)",
        "parse_json(`[1.5${msg.json.n}0]`).map(|x| x)",
    ] {
        let mut handler = body(script);
        let mut call = |n: usize| {
            let json = format!(r#"{{"n":{n},"b":1.50}}"#);
            drop(handler.handle(&record(&json), 1));
        };
        (0..1_000).for_each(&mut call);
        let before = memory::held();
        (1_000..5_000).for_each(&mut call);
        let grown = memory::held() - before;
        // 10 bytes a call would be 40,000; the names that are kept go up and down by more.
        let most = if script.contains("Fn(") {
            600_000
        } else {
            20_000
        };
        assert!(grown < most, "{script}: {grown} bytes");
    }
}

/// A closure in the variable that it uses is never freed, nor the message with it. That ends the
/// handler before it ends the daemon; the memory of closures that are used otherwise comes back.
#[test]
fn what_holds_itself_does_not_add_up() {
    let limits = Limits {
        memory: 4 << 20,
        ..Limits::default()
    };
    let large = format!(r#"{{"pad":"{}"}}"#, "x".repeat(1 << 20));
    let mut handler = limited(
        "let x = [msg.json, 0]; let f = || x; x[1] = f;",
        limits,
        Duration::from_secs(60),
    );
    let mut calls = 0;
    let failure = loop {
        match handler.handle(&record(&large), 1) {
            Outcome::Done => calls += 1,
            ended => break failed(ended),
        }
        assert!(calls < 100, "80 MB are left by now");
    };
    assert!(calls > 60, "only {calls}: {}", failure.reason);
    assert!(
        failure.reason.starts_with("the calls before have left 8"),
        "{}",
        failure.reason
    );
    failed(handler.handle(&record("{}"), 1));
    let mut handler = limited(
        "let x = [msg.json]; let f = || x.len(); x.push(f.call()); [1].map(|n| x.len() + n); print(x.len());",
        limits,
        Duration::from_secs(60),
    );
    for _ in 0..200 {
        done(handler.handle(&record(&large), 1));
    }
}

/// Sorting is stable and takes numbers and booleans for an answer; an error of the comparer is the
/// script's error, and the array stays as it was.
#[test]
fn sorting_with_a_comparer() {
    let sort = "let a = [[2, 1], [1, 2], [2, 0], [1, 1], [0, 5]]; a.sort(|x, y| x[0] - y[0]); emit(\"t\", a)";
    assert_eq!(value(sort, "{}"), "[[0,5],[1,2],[1,1],[2,1],[2,0]]");
    let order = "let a = [3, 1, 2, 5, 4, 0]; emit(\"t\", a.order(|x, y| x > y)); emit(\"t\", a)";
    assert_eq!(values(order, "{}"), ["[5,4,3,2,1,0]", "[3,1,2,5,4,0]"]);
    let floats = "let d = msg.json; d.sort(|x, y| x.p - y.p); emit(\"t\", d)";
    assert_eq!(
        value(floats, r#"[{"p":2.5},{"p":1.0},{"p":2.25}]"#),
        r#"[{"p":1.0},{"p":2.25},{"p":2.5}]"#
    );
    let failure = failed(body("[2, 1].order(|x, y| ())").handle(&record("{}"), 1));
    assert_eq!(failure.reason, "the closure that compares gave ()");
    let caught =
        "let a = [2, 1]; try { a.sort(|x, y| throw \"no\"); } catch (e) { emit(\"t\", [e, a]) }";
    assert_eq!(value(caught, "{}"), "[\"no\",[2,1]]");
    let view = "let d = msg.json; d.a.sort(|x, y| y - x); emit(\"t\", d)";
    assert_eq!(value(view, r#"{"a":[1,3,2]}"#), r#"{"a":[3,2,1]}"#);
}

/// `pad`, `contains`, `index_of`, `==` and texts of arrays and maps are what Rhai's own are.
#[test]
fn bounded_functions_give_what_rhais_give() {
    for (script, result) in [
        ("let s = \"é\"; s.pad(6, \"ab\"); s", "\"éababa\""),
        (
            "let s = \"abc\"; s.pad(2, 'x'); s.pad(5, 'x'); s",
            "\"abcxx\"",
        ),
        ("let s = \"abc\"; s.pad(-1, 'x'); s", "\"abc\""),
        ("let a = [1]; a.pad(3, [2]); a", "[1,[2],[2]]"),
        (
            "let a = [1, \"x\", [2], #{a: 1}]; [a.contains([2]), a.contains(#{a: 1}), a.contains(1.0), a.contains(())]",
            "[true,true,true,false]",
        ),
        (
            "let a = [1, 2, 1, 3]; [a.index_of(1), a.index_of(1, 1), a.index_of(1, -2), a.index_of(9), a.index_of(1, 99), a.index_of(1, -99)]",
            "[0,2,2,-1,-1,0]",
        ),
        (
            "let a = [1, 2, 3]; [a.index_of(|x| x > 1), 2 in a, 9 in a]",
            "[1,true,false]",
        ),
        (
            "[[1, [2]] == [1, [2]], [1] == [2], [1] != [1, 2], #{a: [1]} == #{a: [1]}, #{a: 1} == #{b: 1}, [1] == [\"1\"]]",
            "[true,false,true,true,false,false]",
        ),
        (
            "`${[1, \"a\", 'c', 1.5, (), #{k: [true]}]}`",
            r##""[1, \"a\", 'c', 1.5, (), #{\"k\": [true]}]""##,
        ),
        (
            "let f = || 1; f = f.curry(2); let a = [1]; a.pad(2, f); a.len()",
            "2",
        ),
    ] {
        let statements = format!("let r = {{ {script} }}; emit(\"t\", to_json([r]))");
        assert_eq!(value(&statements, "{}"), format!("[{result}]"), "{script}");
    }
}

/// A panic costs its message; the next one is handled by a new engine.
#[test]
fn a_panic_is_contained() {
    let mut handler =
        body("if msg.json.bad { try { panic_on_purpose(); } catch { } } emit(\"t\", 1)");
    for _ in 0..3 {
        let failure = failed(handler.handle(&record(r#"{"bad":true}"#), 1));
        assert_eq!(
            failure.reason,
            "a function that the script called panicked: on purpose"
        );
        assert!(handler.effects().no_emits());
        done(handler.handle(&record(r#"{"bad":false}"#), 1));
        assert_eq!(emitted(handler.effects()).len(), 1);
    }
}

/// A record is free for its next use as soon as the call is over, however it ended.
#[test]
fn a_call_lets_go_of_its_record() {
    for script in [
        "let d = msg.json; d.x = d.a;",
        "throw msg.json",
        "msg.json.a.b.c",
        "reject(msg)",
        "panic_on_purpose()",
    ] {
        let mut handler = body(script);
        let mut record = record(r#"{"a":[1]}"#);
        let _ended = handler.handle(&record, 1);
        assert!(Rc::get_mut(&mut record).is_some(), "{script}");
    }
}

/// Expressions as deep as handlers need them compile in every build.
#[test]
fn ordinary_depth_is_allowed() {
    let nested = format!("emit(\"t\", {}1{})", "(1 + ".repeat(20), ")".repeat(20));
    assert_eq!(value(&nested, "{}"), "21");
    let blocks = format!(
        "{}emit(\"t\", 1);{}",
        "if true { ".repeat(10),
        "}".repeat(10)
    );
    assert_eq!(value(&blocks, "{}"), "1");
}
