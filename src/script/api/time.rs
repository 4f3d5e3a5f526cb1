//! Time: milliseconds since 1970, as Kafka counts, read from and written as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::TimeZone;
use rhai::{EvalAltResult, INT};

use super::Fallible;
use super::catalog::{Api, Section};
use crate::script::told::mistake;

/// A longer format is a mistake; what it writes stays far below any limit.
const LONGEST_FORMAT: usize = 256;
/// A longer text is no time.
const LONGEST_TEXT: usize = 1024;

pub(crate) fn register(api: &mut Api<'_>) {
    api.describe(
        Section::Time,
        "now",
        "The time: milliseconds since 1970-01-01 UTC, as `msg.timestamp` has them. Differences of \
         times are differences of numbers.",
        "let age = now() - msg.timestamp;    // milliseconds",
    )
    .form("now() -> int", now)
    .done();
    api.describe(
        Section::Time,
        "parse_time",
        "Reads a time: RFC 3339, or as `format` says with strftime's letters. Without an offset in \
         the format it is UTC, or the time in `zone`.",
        "parse_time(\"2026-11-23T12:00:00+01:00\")                   // → 1795431600000\n\
         parse_time(\"23.11.2026 12:00\", \"%d.%m.%Y %H:%M\")           // → 1795435200000\n\
         parse_time(\"23.11.2026 12:00\", \"%d.%m.%Y %H:%M\", \"Europe/Oslo\")    // → 1795431600000",
    )
    .form("parse_time(text: string) -> int", parse_rfc3339)
    .form(
        "parse_time(text: string, format: string) -> int",
        |text: &str, format: &str| parse(text, format, TimeZone::UTC),
    )
    .form(
        "parse_time(text: string, format: string, zone: string) -> int",
        |text: &str, format: &str, name: &str| parse(text, format, zone(name)?),
    )
    .done();
    api.describe(
        Section::Time,
        "format_time",
        "Writes a time: as RFC 3339 in UTC, or as `format` says with strftime's letters, in UTC or \
         in `zone`.",
        "format_time(1795435200000)                                // → \"2026-11-23T12:00:00Z\"\n\
         format_time(1795435200000, \"%Y-%m-%d\")                    // → \"2026-11-23\"\n\
         format_time(1795435200000, \"%H:%M %Z\", \"Europe/Oslo\")     // → \"13:00 CET\"",
    )
    .form("format_time(time: int) -> string", |time: INT| {
        Ok::<_, Box<rhai::EvalAltResult>>(timestamp(time)?.to_string())
    })
    .form(
        "format_time(time: int, format: string) -> string",
        |time: INT, format: &str| print(time, format, TimeZone::UTC),
    )
    .form(
        "format_time(time: int, format: string, zone: string) -> string",
        |time: INT, format: &str, name: &str| print(time, format, zone(name)?),
    )
    .done();
    api.describe(
        Section::Time,
        "parse_duration",
        "Reads a duration as the configuration writes it, and gives milliseconds.",
        "parse_duration(\"1h 30m\")    // → 5400000\nparse_duration(\"250ms\")     // → 250",
    )
    .form("parse_duration(text: string) -> int", parse_duration)
    .done();
    api.describe(
        Section::Time,
        "format_duration",
        "Writes milliseconds as the configuration writes a duration.",
        "format_duration(5400000)    // → \"1h 30m\"",
    )
    .form("format_duration(milliseconds: int) -> string", |ms: INT| {
        let long = humantime::format_duration(Duration::from_millis(ms.unsigned_abs()));
        format!("{}{long}", if ms < 0 { "-" } else { "" })
    })
    .done();
}

fn now() -> INT {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    INT::try_from(since.as_millis()).unwrap_or(INT::MAX)
}

fn timestamp(time: INT) -> Fallible<Timestamp> {
    let timestamp = Timestamp::from_millisecond(time);
    timestamp.map_err(|_| {
        mistake(
            format!("{time} is no time: the years are -9999 to 9999"),
            "out of range",
            ["times are milliseconds since 1970; perhaps these are nanoseconds".into()],
        )
    })
}

fn zone(name: &str) -> Fallible<TimeZone> {
    TimeZone::get(name).map_err(|_| {
        mistake(
            format!("there is no time zone `{name}`"),
            "not known",
            ["names are like \"Europe/Oslo\" or \"UTC\"".into()],
        )
    })
}

fn parse_rfc3339(text: &str) -> Fallible<INT> {
    short("time", text, LONGEST_TEXT)?;
    let time = text.trim().parse::<Timestamp>();
    let time =
        time.map_err(|_| {
            mistake(
                format!("`{text}` is no RFC 3339 time"),
                "read here",
                ["such a time is 2026-11-23T12:00:00Z; others are read by a format: `parse_time(text, \"%d.%m.%Y\")`".into()],
            )
        })?;
    Ok(time.as_millisecond())
}

fn parse(text: &str, format: &str, zone: TimeZone) -> Fallible<INT> {
    short("time", text, LONGEST_TEXT)?;
    short("format", format, LONGEST_FORMAT)?;
    let parsed = strtime::parse(format, text).map_err(|error| {
        no_time(format!(
            "`{text}` is no time of the format `{format}`: {error}"
        ))
    })?;
    if parsed.offset().is_some() || parsed.timestamp().is_some() {
        let time = parsed.to_timestamp();
        let time = time.map_err(|error| no_time(format!("`{text}` is no time: {error}")))?;
        return Ok(time.as_millisecond());
    }
    // A date alone is its midnight.
    let date = parsed.to_datetime().or_else(|_| {
        parsed
            .to_date()
            .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
    });
    let time = date.and_then(|date| date.to_zoned_datetime(zone));
    let time = time.map_err(|error| no_time(format!("`{text}` is no time: {error}")))?;
    Ok(time.timestamp().as_millisecond())
}

fn print(time: INT, format: &str, zone: TimeZone) -> Fallible<String> {
    short("format", format, LONGEST_FORMAT)?;
    let time = timestamp(time)?.to_zoned_datetime(zone);
    let text = BrokenDownTime::from(&time).to_string(format);
    text.map_err(|error| {
        mistake(
            format!("`{format}` is no format for a time: {error}"),
            "this format",
            [LETTERS.into()],
        )
    })
}

/// What a format is made of.
const LETTERS: &str =
    "a format has strftime's letters, such as \"%Y-%m-%d %H:%M:%S\"; `%z` is the offset from UTC";

fn no_time(line: String) -> Box<EvalAltResult> {
    mistake(line, "read here", [LETTERS.into()])
}

fn short(what: &str, text: &str, most: usize) -> Fallible<()> {
    if text.len() > most {
        return Err(mistake(
            format!("the {what} is longer than {most} bytes"),
            "too long",
            ["cut it first: `sub_string(start, len)`".into()],
        ));
    }
    Ok(())
}

fn parse_duration(text: &str) -> Fallible<INT> {
    short("duration", text, LONGEST_TEXT)?;
    let duration = humantime::parse_duration(text)
        .map_err(|_| no_duration(format!("`{text}` is no duration")))?;
    INT::try_from(duration.as_millis()).map_err(|_| no_duration(format!("`{text}` is too long")))
}

fn no_duration(line: String) -> Box<EvalAltResult> {
    mistake(
        line,
        "read here",
        ["durations are written \"250ms\", \"30s\" or \"1h 30m\"".into()],
    )
}
