//! The helpers: time, identifiers, hashes, encodings, regular expressions and URLs; within the limits.

use super::*;

fn fails(statements: &str) -> String {
    failed(body(statements).handle(&record("{}"), 1)).reason
}

fn limited(statements: &str, limits: Limits) -> Handler {
    let settings = Settings {
        limits,
        ..settings()
    };
    handler_with(&format!("fn handle(msg) {{ {statements} }}"), settings)
}

/// Times are read and written in any offset and zone, before 1970 too.
#[test]
fn times_are_read_and_written() {
    for (script, expected) in [
        ("parse_time(\"1969-12-31T23:59:59.999Z\")", "-1"),
        (
            "parse_time(\"2026-11-23t12:00:00.5+05:30\")",
            "1795415400500",
        ),
        ("parse_time(\"2026-11-23\", \"%Y-%m-%d\")", "1795392000000"),
        ("parse_time(\"1795392000\", \"%s\")", "1795392000000"),
        (
            "parse_time(\"2026-07-01 12:00 +0200\", \"%Y-%m-%d %H:%M %z\")",
            "1782900000000",
        ),
        // In summer and in winter.
        (
            "parse_time(\"2026-07-01 12\", \"%Y-%m-%d %H\", \"Europe/Berlin\")",
            "1782900000000",
        ),
        (
            "format_time(1782900000000, \"%H %:z\", \"America/New_York\")",
            "06 -04:00",
        ),
        ("format_time(-1)", "1969-12-31T23:59:59.999Z"),
        ("parse_duration(\"2days 3s 4ms\")", "172803004"),
        ("format_duration(-90061001)", "-1day 1h 1m 1s 1ms"),
        ("format_duration(now() - now())", "0s"),
    ] {
        assert_eq!(
            value(&format!("emit(\"t\", {script})"), "{}"),
            expected,
            "{script}"
        );
    }
}

/// What is no time is an error that a script can catch, and says what was expected.
#[test]
fn what_is_no_time_is_said_to_be_none() {
    for (script, reason) in [
        (
            "parse_time(\"yesterday\")",
            "`yesterday` is no RFC 3339 time",
        ),
        (
            "parse_time(\"2026-11-23\")",
            "`2026-11-23` is no RFC 3339 time",
        ),
        (
            "format_time(0, \"%H\", \"Mars/Base\")",
            "there is no time zone `Mars/Base`",
        ),
        (
            "format_time(9223372036854775807)",
            "9223372036854775807 is no time: the years are -9999 to 9999",
        ),
        ("parse_duration(\"soon\")", "`soon` is no duration"),
        (
            "let f = \"%\"; f.pad(300, \"Y\"); format_time(0, f)",
            "the format is longer than 256 bytes",
        ),
    ] {
        assert_eq!(fails(script), reason, "{script}");
        let caught = format!("try {{ {script} }} catch {{ emit(\"t\", 1) }}");
        assert_eq!(value(&caught, "{}"), "1", "{script}");
    }
    assert!(fails("parse_time(\"x\", \"%Y\")").starts_with("`x` is no time of the format `%Y`"));
    assert!(fails("format_time(0, \"%!\")").starts_with("`%!` is no format for a time"));
}

/// A UUID has its version and variant; version 7 sorts by time; a seed repeats the random part.
#[test]
fn uuids_are_what_they_say() {
    let script = "emit(\"t\", uuid()); emit(\"t\", uuid_v7()); emit(\"t\", uuid())";
    let (first, again) = (values(script, "{}"), values(script, "{}"));
    for (uuid, version) in first.iter().zip([4, 7, 4]) {
        let uuid = uuid::Uuid::parse_str(uuid).unwrap();
        assert_eq!(uuid.get_version_num(), version);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }
    assert_eq!((&first[0], &first[2]), (&again[0], &again[2]));
    assert_ne!(first[0], first[2]);
    assert!(
        first[1][..13] <= again[1][..13],
        "{} {}",
        first[1],
        again[1]
    );
}

/// Hashes and encodings are the standard ones, of strings and of blobs.
#[test]
fn hashes_and_encodings_are_the_standard_ones() {
    for (script, expected) in [
        (
            "sha256(\"\")",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
        ("sha256(\"abc\") == sha256(\"abc\".to_blob())", "true"),
        // XXH3 of nothing is 0x2d06800538d394c2.
        ("xxh3(\"\")", "3244421341483603138"),
        ("xxh3(blob()).to_hex()", "2d06800538d394c2"),
        ("base64_encode(blob(2, 0xff))", "//8="),
        ("base64url_encode(blob(2, 0xff))", "__8"),
        ("base64_decode(\"__8=\") == blob(2, 0xff)", "true"),
        ("base64_decode(\"\").len", "0"),
        ("hex_encode(blob(2, 0x0f))", "0f0f"),
        ("hex_decode(\"0F0f\") == blob(2, 0x0f)", "true"),
    ] {
        assert_eq!(
            value(&format!("emit(\"t\", {script})"), "{}"),
            expected,
            "{script}"
        );
    }
    for (script, reason) in [
        ("sha256(1)", "`sha256` takes a string or a blob, not an int"),
        (
            "base64_encode(())",
            "`base64_encode` takes a string or a blob, not ()",
        ),
        ("hex_decode(\"0g\")", "the text is not hexadecimal"),
        ("hex_decode(\"012\")", "the text is not hexadecimal"),
        ("hex_decode(\"é\")", "the text is not hexadecimal"),
        (
            "base64_decode_text(\"__8\")",
            "the base64 text stands for bytes that are not UTF-8",
        ),
    ] {
        assert_eq!(fails(script), reason, "{script}");
    }
    assert!(fails("base64_decode(\"a*b\")").starts_with("the text is not base64: "));
}

/// Expressions find, take apart and replace; a group that took no part is `()`.
#[test]
fn expressions_find_and_replace() {
    for (script, expected) in [
        ("\"abc\".regex_find(\"x\") ?? \"none\"", "none"),
        ("\"abc\".regex_find_all(\"x\")", "[]"),
        ("\"abc\".regex_captures(\"x\") ?? \"none\"", "none"),
        (
            "\"ab\".regex_captures(\"(?<first>a)(b)|(c)\")",
            r#"{"0":"ab","2":"b","3":null,"first":"a"}"#,
        ),
        ("\"aXbX\".regex_replace_all(\"X\", \"$$\")", "a$b$"),
        (
            "\"ab\".regex_replace_all(\"(?<l>[a-z])\", \"${l}${l}-$none\")",
            "aa-bb-",
        ),
        ("\"äö\".regex_replace_all(\"\", \"|\")", "|ä|ö|"),
        ("\"Zoë\".regex_is_match(\"^\\\\p{Lu}\\\\w+$\")", "true"),
    ] {
        assert_eq!(
            value(&format!("emit(\"t\", {script})"), "{}"),
            expected,
            "{script}"
        );
    }
    assert_eq!(
        fails("\"a\".regex_find(\"(\")"),
        "`(` is no pattern: unclosed group"
    );
}

/// A handler may use more patterns than are kept; ordinary ones are never too large.
#[test]
fn any_number_of_patterns_can_be_used() {
    let script = r##"for i in 0..300 { if !`${i}`.regex_is_match(`^${i}$`) { throw i; } }
        for p in [#"^\w+@\w+\.\w+$"#, #"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}Z$"#, #"(?i)^[a-z0-9._%+-]+$"#] {
            "x".regex_is_match(p);
        }"##;
    done(body(script).handle(&record("{}"), 1));
}

/// A huge pattern is an error of the message.
#[test]
fn huge_patterns_are_refused() {
    let too_large = "the pattern is too large when compiled";
    for (script, reason) in [
        (r#""a".regex_find("a{1000000}")"#, too_large),
        (
            r#""a".regex_find("((((a{100}){100}){100}){100}){100}")"#,
            too_large,
        ),
        (r#""a".regex_find("\\w{500}")"#, too_large),
        (
            r#"let p = "a"; p.pad(5000, "b"); "a".regex_find(p)"#,
            "the pattern is longer than 4096 bytes",
        ),
    ] {
        assert_eq!(fails(script), reason, "{script}");
    }
    let deep = format!(
        "\"a\".regex_find(\"{}a{}\")",
        "(".repeat(100),
        ")".repeat(100)
    );
    let reason = fails(&deep);
    assert!(reason.contains("is no pattern: "), "{reason}");
}

/// A search that could take long ends in time, or is refused before it begins.
#[test]
fn searches_end_in_time() {
    let long = "let t = \"a\"; t.pad(1000000, \"a\"); ";
    // Each next match of this pattern looks at everything that is left of the text.
    let quadratic = format!("fn handle(msg) {{ {long} t.regex_find_all(\".*[^a]|a\") }}");
    let settings = Settings {
        timeout: Duration::from_millis(100),
        ..settings()
    };
    let failure = failed(handler_with(&quadratic, settings).handle(&record("{}"), 1));
    assert_eq!(failure.reason, "the call took longer than 100ms");
    // Where others go back and forth for ever, this takes one pass.
    let backtracking = format!("{long} t.regex_is_match(\"(a|a|aa)*(a|b)*[^a]$\")");
    done(body(&backtracking).handle(&record("{}"), 1));
    let work =
        "searching 1000000 bytes with this pattern takes more work than limits.operations allows";
    assert_eq!(
        fails(&format!("{long} t.regex_is_match(\"(a{{500}}b?){{3}}\")")),
        work
    );
}

/// What a helper gives fits the limits before it is made.
#[test]
fn results_fit_the_limits() {
    let string = "a string grew longer than 1048576 bytes";
    let array = "an array grew larger than 10000 elements";
    for (script, reason) in [
        ("t.regex_find_all(\"a\")", array),
        ("t.regex_replace_all(\"a\", t)", string),
        ("t.regex_replace_all(\"(a*)\", \"$1$1\")", string),
        ("t.base64_encode()", string),
        ("t.base64url_encode()", string),
        ("t.hex_encode()", string),
        ("t.replace(\"a\", \"/\"); t.percent_encode()", string),
        ("t.base64_decode()", array),
        ("t.hex_decode()", array),
    ] {
        let script = format!("let t = \"a\"; t.pad(1000000, \"a\"); {script}");
        assert_eq!(fails(&script), reason, "{script}");
    }
    let limits = Limits {
        array: 10,
        map: 3,
        ..Limits::default()
    };
    let array = "an array grew larger than 10 elements";
    for (script, reason) in [
        ("\"aaaaaaaaaaa\".regex_find_all(\"a\")", array),
        (
            "Url(\"http://x/?a&a&a&a&a&a&a&a&a&a&a\").query_gets(\"a\")",
            array,
        ),
        (
            "\"aaaa\".regex_captures(\"(a)(a)(a)(a)\")",
            "a map grew larger than 3 members",
        ),
    ] {
        let failure = failed(limited(script, limits).handle(&record("{}"), 1));
        assert_eq!(failure.reason, reason, "{script}");
    }
}

/// The parts of a URL are those of RFC 3986; what it does not have is `()`.
#[test]
fn urls_are_taken_apart() {
    for (script, expected) in [
        ("Url(\"mailto:a@b.org\").path", "a@b.org"),
        ("Url(\"mailto:a@b.org\").domain ?? \"none\"", "none"),
        ("Url(\"http://[::1]:80/\").domain", "[::1]"),
        ("Url(\"http://u:p@h/\").port ?? \"none\"", "none"),
        ("Url(\"http://h/?a=1+2&b=%26&c\").query_get(\"b\")", "&"),
        ("Url(\"http://h/?a=1+2&b=%26&c\").query_get(\"a\")", "1 2"),
        ("Url(\"http://h/?a=1+2&b=%26&c\").query_get(\"c\")", ""),
        ("Url(\"http://h/\").query_get(\"a\") ?? \"none\"", "none"),
        ("`${Url(\"http://h/a\")}`", "http://h/a"),
        ("percent_decode(percent_encode(\"ä/?#[]@ ~\"))", "ä/?#[]@ ~"),
        ("type_of(Url(\"http://h/\"))", "url"),
    ] {
        assert_eq!(
            value(&format!("emit(\"t\", {script})"), "{}"),
            expected,
            "{script}"
        );
    }
    assert!(fails("Url(\"not a url\")").starts_with("this is no URL: "));
    assert_eq!(
        fails("percent_decode(\"%ff\")"),
        "the text stands for bytes that are not UTF-8"
    );
}
