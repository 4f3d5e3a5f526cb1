//! The results as JUnit XML, in the form that CI systems read.

use std::io;
use std::path::Path;
use std::time::Duration;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::{FileReport, Report};
use crate::diagnostic::{Diagnostic, shown_path};
use crate::script::testing::Tested;

/// Writes the results to `file`.
///
/// # Errors
/// What the file system says.
pub(super) fn write(file: &Path, report: &Report) -> io::Result<()> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let tests = report.files.iter().map(|file| file.tested.len()).sum();
    let failures = report.files.iter().map(failures).sum();
    let errors = report.files.iter().filter(|file| !file.mistakes.is_empty());
    let errors = errors.count();
    let took = report.files.iter().map(FileReport::took).sum();
    xml.create_element("testsuites")
        .with_attribute(("name", "deliveryd test"))
        .with_attributes(numbers(tests, failures, errors, took).each())
        .write_inner_content(|xml| {
            for file in &report.files {
                suite(xml, file)?;
            }
            Ok(())
        })?;
    std::fs::write(file, xml.into_inner())
}

type Xml = Writer<Vec<u8>>;

/// The attributes that suites have.
struct Numbers([(&'static str, String); 4]);

impl Numbers {
    fn each(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

fn numbers(tests: usize, failures: usize, errors: usize, took: Duration) -> Numbers {
    Numbers([
        ("tests", (tests + errors).to_string()),
        ("failures", failures.to_string()),
        ("errors", errors.to_string()),
        ("time", seconds(took)),
    ])
}

fn failures(file: &FileReport) -> usize {
    let failed = file.tested.iter().filter(|tested| !tested.passed());
    failed.count()
}

fn suite(xml: &mut Xml, file: &FileReport) -> io::Result<()> {
    let name = shown_path(&file.file);
    let errors = usize::from(!file.mistakes.is_empty());
    let numbers = numbers(file.tested.len(), failures(file), errors, file.took());
    xml.create_element("testsuite")
        .with_attribute(("name", name.as_str()))
        .with_attributes(numbers.each())
        .write_inner_content(|xml| {
            if errors > 0 {
                let case = xml.create_element("testcase");
                let case = case.with_attributes([
                    ("name", "the file compiles"),
                    ("classname", name.as_str()),
                    ("time", "0.000"),
                ]);
                case.write_inner_content(|xml| why(xml, "error", &file.mistakes))?;
            }
            for tested in &file.tested {
                case(xml, &name, tested)?;
            }
            Ok(())
        })?;
    Ok(())
}

fn case(xml: &mut Xml, file: &str, tested: &Tested) -> io::Result<()> {
    let took = seconds(tested.took);
    let case = xml.create_element("testcase").with_attributes([
        ("name", tested.name.as_str()),
        ("classname", file),
        ("time", took.as_str()),
    ]);
    if tested.passed() && tested.printed.is_empty() {
        case.write_empty()?;
        return Ok(());
    }
    case.write_inner_content(|xml| {
        if !tested.passed() {
            why(xml, "failure", &tested.failure)?;
        }
        if !tested.printed.is_empty() {
            let printed = allowed(&tested.printed.join("\n"));
            xml.create_element("system-out")
                .write_text_content(BytesText::new(&printed))?;
        }
        Ok(())
    })?;
    Ok(())
}

fn why(xml: &mut Xml, element: &str, mistakes: &[Diagnostic]) -> io::Result<()> {
    let message = mistakes.first().map_or("", |first| first.message.as_str());
    let texts: Vec<String> = mistakes.iter().map(Diagnostic::render).collect();
    let (message, text) = (allowed(message), allowed(&texts.join("\n\n")));
    xml.create_element(element)
        .with_attribute(("message", message.as_str()))
        .write_text_content(BytesText::new(&text))?;
    Ok(())
}

/// XML 1.0 has no way to write most control characters, not even escaped.
fn allowed(text: &str) -> String {
    let fits = |letter: char| {
        matches!(letter, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            || letter >= '\u{10000}'
    };
    let letters = text.chars();
    letters
        .map(|letter| if fits(letter) { letter } else { '\u{fffd}' })
        .collect()
}

fn seconds(time: Duration) -> String {
    format!("{:.6}", time.as_secs_f64())
}
