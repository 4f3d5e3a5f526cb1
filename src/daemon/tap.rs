//! A tap: members show their messages, this hands them on at the rate that was asked for.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::mpsc;

use crate::control::Refusal;
use crate::control::protocol::{Content, TapWanted, Tapped, TappedMessage};
use crate::member::{CallResult, Seen, Shown, Tap};
use crate::topology::Running;

/// The rate is given to the members in this many portions a second.
const PORTIONS: u32 = 5;
/// A caller who reads nothing for so long is hung up on.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Lines on their way to the caller.
const QUEUE: usize = 64;

/// Begins to watch a group; ends when what is returned is dropped.
pub(super) async fn tap(
    running: &Running,
    wanted: &TapWanted,
) -> Result<mpsc::Receiver<Tapped>, Refusal> {
    if wanted.rate == 0 || wanted.sample == 0 {
        let why = "`rate` and `sample` are at least 1".to_owned();
        return Err(Refusal::Wrong(why));
    }
    let (tap, seen) = Tap::new(wanted.sample, wanted.values);
    let Some(members) = running.tap(&wanted.group, tap.clone()).await else {
        let groups: Vec<&str> = running.config().groups.keys().map(String::as_str).collect();
        return Err(Refusal::NotFound(format!(
            "there is no group `{}`; the groups here: {}",
            wanted.group,
            groups.join(", ")
        )));
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let begin = Tapped::Listening { members };
    tokio::spawn(relay(tap, seen, sender, wanted.rate, begin));
    Ok(receiver)
}

async fn relay(
    tap: Arc<Tap>,
    mut seen: mpsc::Receiver<Seen>,
    to: mpsc::Sender<Tapped>,
    rate: u32,
    begin: Tapped,
) {
    if to.send(begin).await.is_err() {
        return;
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1) / PORTIONS);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut ticks = 0;
    loop {
        // What is lost when the caller is slow is counted by the members: their channel is full then.
        let line = tokio::select! {
            seen = seen.recv() => match seen {
                Some(seen) => Tapped::Message(Box::new(message(seen))),
                None => return,
            },
            _ = tick.tick() => {
                tap.portion(portion(rate, ticks));
                ticks = (ticks + 1) % PORTIONS;
                match ticks {
                    // Once a second is often enough.
                    0 => match tap.take_left_out() {
                        0 => continue,
                        left_out => Tapped::LeftOut(left_out),
                    },
                    _ => continue,
                }
            }
            () = to.closed() => return,
        };
        // Who does not read for so long does not come back, and holds one of the socket's places.
        match tokio::time::timeout(LONGEST_WAIT, to.send(line)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

/// The part of the rate that belongs to this tick: together they are the rate, also where it is small.
fn portion(rate: u32, tick: u32) -> u32 {
    let (rate, place) = (u64::from(rate), u64::from(tick % PORTIONS));
    let until = |place: u64| rate * place / u64::from(PORTIONS);
    u32::try_from(until(place + 1) - until(place)).unwrap_or(u32::MAX)
}

fn message(seen: Seen) -> TappedMessage {
    let (outcome, reason) = match seen.result {
        CallResult::Done => ("done", None),
        CallResult::Failed(reason) => ("failed", Some(reason)),
        CallResult::Rejected(reason) => ("rejected", Some(reason)),
    };
    let headers = seen.headers.into_iter();
    let emits = seen.emits.into_iter();
    TappedMessage {
        member: seen.member.to_string(),
        topic: seen.topic.to_string(),
        partition: seen.partition,
        offset: seen.offset,
        timestamp: seen.timestamp,
        attempt: seen.attempt,
        key: content(seen.key),
        value: content(seen.value),
        headers: headers
            .map(|(name, value)| (name, content(value)))
            .collect(),
        outcome: outcome.to_owned(),
        reason,
        emits: emits
            .map(|(topic, count)| (topic.to_string(), count))
            .collect(),
    }
}

fn content(shown: Shown) -> Content {
    let bytes = shown.size.map(|size| size as u64);
    let Some(visible) = shown.bytes else {
        return Content {
            bytes,
            ..Content::default()
        };
    };
    let cut = shown.size.is_some_and(|size| size > visible.len());
    let (text, base64) = match String::from_utf8(visible) {
        Ok(text) => (Some(text), None),
        Err(error) => in_part(error.into_bytes(), cut),
    };
    Content {
        bytes,
        text,
        base64,
        cut,
    }
}

/// A text may be cut within a character.
fn in_part(bytes: Vec<u8>, cut: bool) -> (Option<String>, Option<String>) {
    let valid = bytes.utf8_chunks().next();
    match valid.map(|chunk| chunk.valid()) {
        Some(text) if cut && bytes.len() - text.len() < 4 => (Some(text.to_owned()), None),
        _ => (None, Some(STANDARD.encode(&bytes))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The portions of a second are the rate, neither more nor less.
    #[test]
    fn portions_add_up_to_the_rate() {
        for rate in [1, 2, 5, 7, 20, 1000, u32::MAX] {
            let all = (0..PORTIONS).map(|tick| u64::from(portion(rate, tick)));
            assert_eq!(all.sum::<u64>(), u64::from(rate));
        }
    }

    /// A text is text even when it was cut within a character; other bytes are base64.
    #[test]
    fn bytes_are_shown_as_what_they_are() {
        let shown = |bytes: &[u8], size| {
            content(Shown {
                size: Some(size),
                bytes: Some(bytes.to_vec()),
            })
        };
        assert_eq!(shown("aä".as_bytes(), 3).text.as_deref(), Some("aä"));
        let cut = shown(&"aä".as_bytes()[..2], 3);
        assert_eq!((cut.text.as_deref(), cut.cut), (Some("a"), true));
        let bytes = shown(b"\xff\xfe", 2);
        assert_eq!((bytes.text, bytes.base64.as_deref()), (None, Some("//4=")));
    }
}
