//! A member's name, or any text, to be found in a JSON text: compared eight bytes at a time.

use std::borrow::Cow;

use super::escape::unescape;
use super::tape::{ESCAPED, Node};

/// See the module.
#[derive(Clone)]
pub(crate) struct Name<'a> {
    text: Cow<'a, [u8]>,
    /// The first eight bytes, as far as there are so many.
    head: u64,
    /// Which bits of eight bytes these are.
    mask: u64,
}

impl<'a> Name<'a> {
    #[inline(always)]
    pub(super) fn of(text: &'a str) -> Self {
        let text = text.as_bytes();
        let number = |four: &[u8; 4]| u64::from(u32::from_le_bytes(*four));
        let ends = text.first_chunk().zip(text.last_chunk());
        let (head, mask) = match (text.first_chunk(), ends, text.len()) {
            (Some(eight), ..) => (u64::from_le_bytes(*eight), u64::MAX),
            // The two may have bytes in common.
            (_, Some((first, last)), len) => (
                number(first) | number(last) << (8 * (len - 4)),
                (1 << (8 * len)) - 1,
            ),
            (_, _, len) => (
                (text.iter().rev()).fold(0, |head, byte| head << 8 | u64::from(*byte)),
                (1 << (8 * len)) - 1,
            ),
        };
        Self {
            text: Cow::Borrowed(text),
            head,
            mask,
        }
    }

    /// The same with a text of its own.
    pub(crate) fn owned(text: &str) -> Name<'static> {
        let Name { text, head, mask } = Name::of(text);
        Name {
            text: Cow::Owned(text.into_owned()),
            head,
            mask,
        }
    }

    /// Whether the string or name at `node` of the text `bytes` is this.
    #[inline(always)]
    pub(super) fn is_at(&self, node: &Node, bytes: &[u8]) -> bool {
        // The length first, which tells most names apart.
        if node.len as usize != self.text.len() {
            return node.len == ESCAPED && is_escaped_text(bytes, node, &self.text);
        }
        // By bytes, so that no characters are looked for. Behind the text are zeros enough.
        let inside = bytes.get(node.start as usize + 1..).unwrap_or_default();
        let Some(eight) = inside.first_chunk() else {
            return false;
        };
        (u64::from_le_bytes(*eight) ^ self.head) & self.mask == 0
            && (self.text.len() <= 8 || inside.starts_with(&self.text))
    }
}

#[cold]
fn is_escaped_text(bytes: &[u8], node: &Node, text: &[u8]) -> bool {
    bytes
        .get(node.start as usize + 1..node.end.wrapping_sub(1) as usize)
        .and_then(|inside| std::str::from_utf8(inside).ok())
        .is_some_and(|inside| unescape(inside).as_bytes() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::doc::Doc;
    use super::*;

    proptest! {
        /// A name is the text of a node if both are the same text, escaped or not.
        #[test]
        fn the_same_texts_are_the_same(one in "[abé\n]{0,20}", other in "[abé\n]{0,20}", cut in 0_usize..20) {
            let doc = Doc::of_text(serde_json::to_string(&one).unwrap(), None).unwrap();
            let start: String = one.chars().take(cut).collect();
            for name in [&one, &other, &start] {
                prop_assert_eq!(doc.is_text(doc.node(0), name), one == *name);
                let name_of_member = Name::owned(name);
                let object = serde_json::json!({ one.clone(): 1 }).to_string();
                let object = Doc::of_text(object, None).unwrap();
                prop_assert_eq!(object.find_name(0, &name_of_member).is_some(), one == *name);
            }
        }
    }
}
