//! README.md is held to the truth: its configurations load, its handlers run, its commands are taken,
//! its outputs are what a run prints.
//!
//! A block's info string says how it is checked:
//!
//! | block | it is |
//! | --- | --- |
//! | `toml` | a whole configuration |
//! | `toml part` | a part, laid over config/default.toml; `part defaults`: and equal to the defaults |
//! | `toml wrong` | config/wrong.toml, which a `console` block checks |
//! | `rhai` | a whole handler or generator, compiled and called; `rhai PATH`: a module or a test file |
//! | `rhai part` | the body of a handler |
//! | `rhai wrong` | handlers/wrong.rhai, which a `console` block checks |
//! | `sh` | commands, one a line; `sh service`: run on a machine with systemd, by tests/systemd.rs |
//! | `console` | a command that is run, and exactly what it prints |
//! | `text tour`, `text kafka` | lines that the tour prints on the embedded broker, on Kafka |
//! | `text failure` | what the handler in it prints |
//! | `text tests` | what the page's test file prints of the page's handler with a mistake in it |
//! | `text status` | what `deliveryd status` prints of a group that is paused and falls behind |
//! | `text said` | messages whose words are in the source |
//! | `text` | the picture |

mod support;

#[path = "readme/commands.rs"]
mod commands;
#[path = "readme/configs.rs"]
mod configs;
#[path = "readme/handlers.rs"]
mod handlers;
#[path = "readme/page.rs"]
mod page;
#[path = "readme/said.rs"]
mod said;
#[path = "readme/steering.rs"]
mod steering;
#[path = "readme/tests.rs"]
mod tests;
#[path = "readme/tour.rs"]
mod tour;

use std::collections::BTreeSet;
use std::fs;

use deliveryd::cli::Exit;
use page::{Page, spans};
use said::Texts;
use support::run_dir::repository;

/// No block escapes the checks by a kind that nobody knows.
#[test]
fn every_block_is_of_a_kind_that_is_checked() {
    for block in Page::read().blocks {
        let known = match (block.kind.as_str(), block.tag.as_str()) {
            ("toml", "" | "part" | "part defaults" | "wrong") => true,
            ("rhai", tag) => matches!(tag, "" | "part" | "wrong") || tag.ends_with(".rhai"),
            ("sh" | "console", "") | ("sh", "service") => true,
            ("text", "tour" | "kafka" | "failure" | "tests" | "said" | "status") => true,
            ("text", "") => block.text.contains('┌'),
            _ => false,
        };
        assert!(
            known,
            "line {}: ```{} {}",
            block.line, block.kind, block.tag
        );
    }
}

/// Every link leads to a file or a heading.
#[test]
fn links_lead_somewhere() {
    let page = Page::read();
    let anchors = page.anchors();
    for link in page.links() {
        let there = match link.strip_prefix("https://") {
            Some(_) => true,
            None if link.starts_with('#') => anchors.iter().any(|anchor| anchor == link),
            None => repository().join(link).exists(),
        };
        assert!(there, "{link} leads nowhere; headings are {anchors:?}");
    }
}

/// A message that troubleshooting quotes is one that deliveryd has.
#[test]
fn quoted_messages_are_in_the_source() {
    let texts = Texts::of_source();
    for block in Page::read().blocks("text", "said") {
        for line in block.text.lines() {
            let strange = texts.strange_words(line);
            assert!(
                strange.is_empty(),
                "nothing in src says {strange:?} of: {line}"
            );
        }
    }
}

/// The headers of dead letters are all there, and no others.
#[test]
fn dead_letter_headers_are_those_of_the_source() {
    let source = repository().join("src/delivery/provenance.rs");
    let source = fs::read_to_string(source).unwrap_or_else(|error| panic!("{error}"));
    let sent: BTreeSet<&str> = source
        .split('"')
        .filter(|text| text.starts_with("deliveryd-") && !text.contains(' '))
        .collect();
    let page = Page::read();
    let rows = page.rows(&["header", "what it holds"]);
    let told: BTreeSet<&str> = rows.iter().flat_map(|row| spans(&row[0])).collect();
    assert_eq!(told, sent);
}

/// The exit codes are those of the command line.
#[test]
fn exit_codes_are_those_of_the_command_line() {
    let codes =
        [Exit::Done, Exit::Failed, Exit::Usage, Exit::Config].map(|exit| exit.code().to_string());
    let rows = Page::read().rows(&["exit code", "meaning"]);
    let told: Vec<&String> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(told, codes.iter().collect::<Vec<_>>());
}
