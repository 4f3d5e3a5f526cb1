//! Thousands of random programs. `DELIVERYD_PROGRAMS=100000` makes it so many, `DELIVERYD_SEED=7` others.

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;

use super::*;
use crate::script::engine;

/// So many functions share an engine, which takes longer to build than they do to run.
const A_FILE: usize = 100;

fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap(),
        Err(_) => default,
    }
}

/// Random programs do the same, compiled and interpreted.
#[test]
fn random_programs_do_the_same() {
    let wanted = number("DELIVERYD_PROGRAMS", 2_000);
    let seed = number("DELIVERYD_SEED", 1);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4) as u64;
    let workers: Vec<_> = (0..threads)
        .map(|worker| {
            std::thread::Builder::new()
                .stack_size(crate::script::STACK_SIZE)
                .spawn(move || run(wanted.div_ceil(threads), seed * 1000 + worker))
                .unwrap()
        })
        .collect();
    let mut differences = Vec::new();
    let mut done = 0;
    for worker in workers {
        let (ran, found) = worker.join().unwrap();
        done += ran;
        differences.extend(found);
    }
    println!("{done} programs, {} differences", differences.len());
    assert!(done >= wanted);
    differences.sort_by_key(String::len);
    assert!(
        differences.is_empty(),
        "{} differences; the shortest:\n{}",
        differences.len(),
        differences[..differences.len().min(5)].join("\n\n")
    );
}

/// How many programs ran, and what differed.
fn run(wanted: u64, seed: u64) -> (u64, Vec<String>) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let parser = engine::bare(&Limits::default());
    let records = messages::some();
    let (mut done, mut differences) = (0, Vec::new());
    while done < wanted {
        let mut functions = Vec::new();
        while functions.len() < A_FILE {
            let body = grammar::body(&mut random);
            // Rhai refuses some when it parses them, such as `1 && true`.
            if parser.compile(format!("fn h(msg) {{ {body} }}")).is_ok() {
                functions.push(body);
            }
        }
        let mut text = String::from(grammar::HELPERS);
        for (at, body) in functions.iter().enumerate() {
            text.push_str(&format!("fn h{at}(msg) {{\n{body}\n}}\n"));
        }
        let mut pair = Pair::of_text(&text);
        for (at, body) in functions.iter().enumerate() {
            if let Err(difference) = pair.compare(&format!("h{at}"), &records) {
                differences.push(format!("{body}\n{difference}"));
            }
            done += 1;
        }
        if differences.len() > 20 {
            break;
        }
    }
    (done, differences)
}
