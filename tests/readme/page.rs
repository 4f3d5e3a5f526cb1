//! The page as its parts: fenced blocks, tables, inline code, links.
//!
//! What a block's info string means is said where it is checked, in `tests/readme.rs`.

use std::fs;

use crate::support::run_dir::repository;

/// A fenced block.
#[derive(Debug)]
pub struct Block {
    /// The first word after the fence.
    pub kind: String,
    /// What follows it.
    pub tag: String,
    pub text: String,
    /// Of the fence, from 1.
    pub line: usize,
}

/// README.md.
pub struct Page {
    pub blocks: Vec<Block>,
    /// Everything outside of blocks.
    pub prose: String,
}

impl Page {
    pub fn read() -> Page {
        let file = repository().join("README.md");
        let text =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Page::parse(&text)
    }

    pub fn parse(text: &str) -> Page {
        let mut page = Page {
            blocks: Vec::new(),
            prose: String::new(),
        };
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), open.take()) {
                (Some(_), Some(block)) => page.blocks.push(block),
                (Some(info), None) => {
                    let (kind, tag) = info.split_once(' ').unwrap_or((info, ""));
                    open = Some(Block {
                        kind: kind.to_owned(),
                        tag: tag.to_owned(),
                        text: String::new(),
                        line: index + 1,
                    });
                }
                (None, Some(mut block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                    open = Some(block);
                }
                (None, None) => {
                    page.prose.push_str(line);
                    page.prose.push('\n');
                }
            }
        }
        assert!(open.is_none(), "a block is not closed: {open:?}");
        page
    }

    /// The blocks of a kind and tag; there must be some.
    pub fn blocks(&self, kind: &str, tag: &str) -> Vec<&Block> {
        let wanted = |block: &&Block| block.kind == kind && block.tag == tag;
        let found: Vec<&Block> = self.blocks.iter().filter(wanted).collect();
        assert!(!found.is_empty(), "there is no block ```{kind} {tag}");
        found
    }

    /// The rows of the tables that have this head, cell by cell; there must be some.
    pub fn rows(&self, head: &[&str]) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut inside = false;
        for line in self.prose.lines() {
            let Some(line) = line.strip_prefix("| ") else {
                inside = false;
                continue;
            };
            let line = line.trim_end().trim_end_matches('|');
            let cells: Vec<String> = line
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect();
            if cells == head {
                inside = true;
            } else if inside && !cells[0].starts_with("---") {
                rows.push(cells);
            }
        }
        assert!(!rows.is_empty(), "there is no table with the head {head:?}");
        rows
    }

    /// What stands between backticks in running text and tables.
    pub fn spans(&self) -> Vec<&str> {
        spans(&self.prose)
    }

    /// Where links lead.
    pub fn links(&self) -> Vec<&str> {
        let ends = self.prose.split("](").skip(1);
        ends.filter_map(|rest| Some(rest.split_once(')')?.0))
            .collect()
    }

    /// The anchors that its headings make.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let heading = line.trim_start_matches('#').trim().to_lowercase();
                let kept = heading
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -".contains(*c));
                format!("#{}", kept.collect::<String>().replace(' ', "-"))
            })
            .collect()
    }
}

/// What stands between backticks.
pub fn spans(text: &str) -> Vec<&str> {
    text.lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .collect()
}
