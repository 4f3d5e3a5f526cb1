//! Generators and their random values.

use super::*;

fn generator(text: &str, seed: Option<u64>) -> Generator {
    let settings = Settings { seed, ..settings() };
    Generator::new(&program(text, Kind::Producer), settings, "Delivery").unwrap()
}

fn generated(generator: &mut Generator, n: u64) -> (Option<String>, Option<String>) {
    done(generator.generate(n));
    let (topic, key, value) = emitted(generator.effects()).remove(0);
    assert_eq!(topic, "Delivery");
    (key, value)
}

/// A map with `value` spells the message out; anything else is the value.
#[test]
fn a_generator_returns_a_message_or_a_value() {
    let text = r#"fn generate(n) { switch n {
        0 => #{key: `d-${n}`, value: #{id: n}, headers: #{h: "1"}, partition: 1},
        1 => "plain", 2 => #{a: 1}, _ => () } }"#;
    let mut generator = generator(text, None);
    assert_eq!(
        generated(&mut generator, 0),
        (Some("d-0".into()), Some(r#"{"id":0}"#.into()))
    );
    let emit = generator.effects().emits().next().unwrap();
    assert_eq!((emit.partition(), emit.headers().count()), (Some(1), 1));
    assert_eq!(generated(&mut generator, 1), (None, Some("plain".into())));
    assert_eq!(
        generated(&mut generator, 2),
        (None, Some(r#"{"a":1}"#.into()))
    );
    assert_eq!(generated(&mut generator, 3), (None, None));
}

const RANDOM: &str = r#"fn generate(n) {
    let l = [1, 2, 3, 4, 5]; l.shuffle();
    [rand(), rand(0..10), rand(3..=4), rand(5, 6), rand_float(), rand_float(1.0, 2.0), rand_bool(),
     rand_bool(0.5), rand_alpha_numeric(8), l, l.sample(), l.sample(2), uuid()] }"#;

/// The same seed gives the same messages, another seed others.
#[test]
fn a_seed_makes_messages_repeatable() {
    let run = |seed| -> Vec<_> {
        let mut generator = generator(RANDOM, seed);
        (0..5).map(|n| generated(&mut generator, n).1).collect()
    };
    assert_eq!(run(Some(42)), run(Some(42)));
    assert_ne!(run(Some(42)), run(Some(43)));
    assert_ne!(run(None), run(None));
}

/// Random values keep to what was asked for.
#[test]
fn random_values_keep_to_their_ranges() {
    let mut generator = generator(RANDOM, Some(1));
    for n in 0..200 {
        let (_, value) = generated(&mut generator, n);
        let v: serde_json::Value = serde_json::from_str(&value.unwrap()).unwrap();
        assert!((0..10).contains(&v[1].as_i64().unwrap()));
        assert!((3..=4).contains(&v[2].as_i64().unwrap()));
        assert!((5..=6).contains(&v[3].as_i64().unwrap()));
        assert!((0.0..1.0).contains(&v[4].as_f64().unwrap()));
        assert!((1.0..=2.0).contains(&v[5].as_f64().unwrap()));
        assert_eq!(v[8].as_str().unwrap().len(), 8);
        let mut shuffled: Vec<i64> = v[9]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|n| n.as_i64())
            .collect();
        shuffled.sort_unstable();
        assert_eq!(shuffled, [1, 2, 3, 4, 5]);
        assert_eq!(v[11].as_array().unwrap().len(), 2);
    }
}

/// A wrong message says what is wrong with it.
#[test]
fn a_wrong_message_fails() {
    let mut generator = generator("fn generate(n) { #{value: 1, keys: 2} }", None);
    assert_eq!(
        failed(generator.generate(0)).reason,
        "a message to emit has no field `keys`"
    );
    assert!(generator.effects().no_emits());
}

/// A generator sees `params` and its constants in every function, closure and module.
#[test]
fn constants_are_seen_everywhere_in_a_generator() {
    let folder = folder(&[
        (
            "handler.rhai",
            r#"import "lib/price" as price;
            const CITIES = ["Lyon"];
            fn city() { global::CITIES[0] }
            fn generate(n) { [n].map(|n| `${city()} ${price::of(n)} ${params.currency}`)[0] }"#,
        ),
        (
            "lib/price.rhai",
            "const UNIT = 2; fn of(n) { (n + 1) * global::UNIT * params.factor }",
        ),
    ]);
    let program = Arc::new(load(folder.path(), Kind::Producer).unwrap());
    let mut settings = settings();
    settings.params.insert("currency".into(), "EUR".into());
    settings.params.insert("factor".into(), 10.into());
    let mut generator = Generator::new(&program, settings, "Delivery").unwrap();
    for (n, expected) in [(0, "Lyon 20 EUR"), (1, "Lyon 40 EUR")] {
        assert_eq!(generated(&mut generator, n).1.as_deref(), Some(expected));
    }
}
