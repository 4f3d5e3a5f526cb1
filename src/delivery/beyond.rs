//! The list of messages finished beyond a commit's offset, as text for the commit's metadata.
//!
//! [`encode`] and [`decode`]. The form is `deliveryd1:`, the commit's own offset, and then for each range
//! `;`, the distance from the end of the one before (at first from the offset) and its length, in base 36
//! with a comma between. A length of one is left out.
//!
//! The offset is there because others copy metadata: a tool that carries a group over to another cluster,
//! such as MirrorMaker, translates the offset and keeps the text, which then speaks of other messages.
//!
//! With transactions, `@` and the transactional id of the partition's holder follow: [`with_holder`]
//! and [`holder`].

use std::ops::Range;

const MARK: &str = "deliveryd1:";

/// The broker refuses longer metadata (`offset.metadata.max.bytes`, 4096 by default).
pub const MOST_CHARACTERS: usize = 4_000;

/// The longest text of one range: two 63-bit numbers in base 36, a comma and a semicolon.
pub const LONGEST_RANGE: usize = 28;

/// So many ranges fit in any case.
pub const SAFE_RANGES: usize = (MOST_CHARACTERS - MARK.len() - LONGEST_OFFSET) / LONGEST_RANGE / 2;

/// A 63-bit number in base 36.
const LONGEST_OFFSET: usize = 13;

/// Writes the ranges, which must ascend; neighbours are joined. What does not fit is left out, which
/// is safe: it is handled again.
pub fn encode(next: i64, ranges: impl Iterator<Item = Range<i64>>) -> String {
    let mut text = String::from(MARK);
    base36(&mut text, next.unsigned_abs());
    let empty = text.len();
    let mut end = next;
    let mut ranges = ranges.peekable();
    while let Some(mut range) = ranges.next() {
        while let Some(neighbour) = ranges.next_if(|later| later.start <= range.end) {
            range.end = range.end.max(neighbour.end);
        }
        if text.len() + LONGEST_RANGE > MOST_CHARACTERS {
            break;
        }
        text.push(';');
        base36(&mut text, (range.start - end).unsigned_abs());
        if range.end - range.start > 1 {
            text.push(',');
            base36(&mut text, (range.end - range.start).unsigned_abs());
        }
        end = range.end;
    }
    if text.len() == empty {
        text.clear();
    }
    text
}

/// Reads what [`encode`] wrote for the same offset; `None` if it is somebody else's text, or about
/// another offset.
pub fn decode(metadata: &str, next: i64) -> Option<Vec<Range<i64>>> {
    let list = metadata.strip_prefix(MARK)?;
    let list = match list.split_once('@') {
        Some(("", _)) => return Some(Vec::new()),
        Some((list, _)) => list,
        None => list,
    };
    let mut parts = list.split(';');
    if i64::from_str_radix(parts.next()?, 36).ok()? != next {
        return None;
    }
    let mut end = next;
    parts
        .map(|range| {
            let (distance, length) = range.split_once(',').unwrap_or((range, "1"));
            let start = end.checked_add(i64::from_str_radix(distance, 36).ok()?)?;
            end = start.checked_add(i64::from_str_radix(length, 36).ok()?)?;
            (start >= next && end > start).then_some(start..end)
        })
        .collect()
}

/// Adds who holds the partition to what `encode` wrote. A name too long for the broker is left out.
pub fn with_holder(list: &str, holder: &str) -> String {
    let mark = if list.is_empty() { MARK } else { "" };
    if mark.len() + list.len() + 1 + holder.len() > MOST_CHARACTERS {
        return list.to_owned();
    }
    format!("{mark}{list}@{holder}")
}

/// Who holds the partition, as [`with_holder`] wrote it.
pub fn holder(metadata: &str) -> Option<&str> {
    let (_, holder) = metadata.strip_prefix(MARK)?.split_once('@')?;
    Some(holder)
}

fn base36(text: &mut String, mut number: u64) {
    let start = text.len();
    loop {
        let digit = (number % 36) as u8;
        let character = if digit < 10 {
            b'0' + digit
        } else {
            b'a' + digit - 10
        };
        text.insert(start, char::from(character));
        number /= 36;
        if number == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    // One range is what these lists hold.
    #![allow(clippy::single_range_in_vec_init)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_tools_metadata_is_left_alone() {
        for text in [
            "",
            "hello",
            "deliveryd1:",
            "deliveryd1:!",
            "deliveryd1:2s;!",
            "deliveryd1:2s;-1",
            "deliveryd1:2s;1,0",
        ] {
            assert_eq!(decode(text, 100), None, "{text:?}");
        }
    }

    /// A list that somebody copied to another offset is none: it would have messages passed over.
    #[test]
    fn a_list_copied_to_another_offset_is_none() {
        let list = encode(100, [101..103].into_iter());
        assert_eq!(list, "deliveryd1:2s;1,2");
        assert_eq!(decode(&list, 100), Some(vec![101..103]));
        assert_eq!(decode(&list, 57), None);
        assert_eq!(
            holder(&with_holder(&list, "host-group-1")),
            Some("host-group-1")
        );
    }

    /// The holder stands behind the list, and neither disturbs the other.
    #[test]
    fn a_list_can_name_the_partitions_holder() {
        let plain = with_holder("", "host-group@1-1");
        assert_eq!(holder(&plain), Some("host-group@1-1"));
        assert_eq!(decode(&plain, 7), Some(Vec::new()));
        let list = encode(10, [12..14].into_iter());
        let both = with_holder(&list, "host-group-1");
        assert_eq!(holder(&both), Some("host-group-1"));
        assert_eq!(decode(&both, 10), Some(vec![12..14]));
        assert_eq!(holder(&list), None);
        assert_eq!(holder("somebody@else"), None);
        assert_eq!(with_holder(&list, &"x".repeat(5000)), list);
    }

    #[test]
    fn neighbours_become_one_range() {
        let text = encode(10, [12..13, 13..14, 14..20].into_iter());
        assert_eq!(decode(&text, 10), Some(vec![12..20]));
    }

    #[test]
    fn a_list_too_long_is_cut_and_still_read() {
        let text = encode(0, (0..10_000).map(|n| n * 1_000_000..n * 1_000_000 + 5));
        assert!(text.len() <= MOST_CHARACTERS);
        let ranges = decode(&text, 0).expect("ours");
        assert!(ranges.len() > 300);
        assert_eq!(ranges[1], 1_000_000..1_000_005);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(next in 0i64..1 << 60, steps in prop::collection::vec((1i64..99, 1i64..99), 0..100)) {
            let mut end = next;
            let ranges: Vec<_> = steps.iter().map(|(gap, length)| {
                let range = end + gap..end + gap + length;
                end = range.end;
                range
            }).collect();
            let text = encode(next, ranges.iter().cloned());
            prop_assert_eq!(decode(&text, next).unwrap_or_default(), ranges);
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*", next in any::<i64>()) {
            decode(&text, next);
            decode(&format!("{MARK}{text}"), next);
        }
    }
}
