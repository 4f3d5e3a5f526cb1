//! What one call of a handler costs, beside the same work done in other ways, in one command:
//!
//! ```text
//! cargo bench --manifest-path tests/bench/Cargo.toml --bench handlers [--features peers]
//! ```
//!
//! Thread CPU time, so that what else the machine does hardly counts; compare within one run. Every
//! contender is first held to the same answer. `peers` adds LuaJIT and VRL. All allocate through
//! deliveryd's counting allocator, which costs a few instructions for each allocation.

mod cases;
mod clock;
#[cfg(feature = "peers")]
mod lua;
mod native;
mod obvious;
mod ours;
mod table;
#[cfg(feature = "peers")]
mod vrl;

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use cases::{CASES, Case};
use clock::ThreadTime;
use criterion::Criterion;

/// A handler in some form, with the one message that it is called with.
pub trait Call {
    /// One call, from the message's bytes to what it emits.
    fn call(&mut self);
    /// The value that the last call emitted.
    fn emitted(&self) -> Option<Vec<u8>>;
}

/// A way to run handlers.
pub struct Contender {
    /// Where criterion keeps its figures.
    pub id: &'static str,
    pub name: &'static str,
    make: fn(&Case) -> Box<dyn Call>,
}

const CONTENDERS: &[Contender] = &[
    Contender {
        id: "borrowed",
        name: "Rust, serde_json into structs that borrow, one buffer",
        make: native::borrowed,
    },
    Contender {
        id: "owned",
        name: "Rust, serde_json into structs of Strings",
        make: native::owned,
    },
    Contender {
        id: "value",
        name: "Rust, serde_json::Value",
        make: native::value,
    },
    Contender {
        id: "interpreted",
        name: "deliveryd, compile = false",
        make: ours::interpreted,
    },
    Contender {
        id: "compiled",
        name: "deliveryd",
        make: ours::compiled,
    },
    Contender {
        id: "obvious",
        name: "Rhai, parse_json into a map, call_fn",
        make: obvious::handler,
    },
    #[cfg(feature = "peers")]
    Contender {
        id: "lua",
        name: "LuaJIT (mlua), JSON made tables where it is asked for",
        make: lua::handler,
    },
    #[cfg(feature = "peers")]
    Contender {
        id: "vrl",
        name: "VRL, parse_json",
        make: vrl::handler,
    },
];

fn main() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("handlers");
    // Figures of an earlier run would stand beside those of this one.
    match std::fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            panic!("can't empty {}: {error}", directory.display())
        }
        _ => {}
    }
    let mut criterion = Criterion::default()
        .with_measurement(ThreadTime)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(60)
        .output_directory(&directory)
        .configure_from_args();
    for case in CASES {
        let mut group = criterion.benchmark_group(case.id);
        for contender in CONTENDERS {
            let mut call = (contender.make)(case);
            call.call();
            case.check(contender.name, call.emitted());
            group.bench_function(contender.id, |bencher| bencher.iter(|| call.call()));
        }
        group.finish();
    }
    criterion.final_summary();
    print!("{}", table::render(&directory));
}
