//! What librdkafka says, without the secrets that it was given.
//!
//! [`hide`] is told every secret on its way into a client's settings; [`masked`] stands before every log
//! line and error text. librdkafka's debug lines and its errors may quote settings.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::config::MASK;

/// Of the whole process, also those that a reload has replaced: lines about them may still come.
static SECRETS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A shorter one is part of many a word, and no secret.
const SHORTEST: usize = 4;

/// A piece of a secret of several, such as a line of a key.
const SHORTEST_PIECE: usize = 8;

/// From now on this is masked, and each word of it: an error may quote it from some place on.
pub(super) fn hide(secret: &str) {
    let mut secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    let pieces = secret.split_whitespace();
    let pieces = pieces.filter(|piece| piece.len() >= SHORTEST_PIECE);
    let whole = Some(secret).filter(|secret| secret.len() >= SHORTEST);
    for text in pieces.chain(whole) {
        if !secrets.contains(text) {
            secrets.insert(text.to_owned());
        }
    }
}

/// The text with every secret in it masked.
pub(super) fn masked(text: &str) -> Cow<'_, str> {
    let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
    // A longer one first, of which another may be a part.
    let mut found: Vec<&String> = secrets
        .iter()
        .filter(|secret| text.contains(*secret))
        .collect();
    found.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let mut masked = Cow::Borrowed(text);
    for secret in found {
        masked = Cow::Owned(masked.replace(secret, MASK));
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secrets are masked wherever they stand, the longer ones whole; other texts are as they were.
    #[test]
    fn secrets_are_masked() {
        hide("s3cret-of-masked");
        hide("s3cret-of-masked-and-longer");
        hide("of");
        let text = "a=s3cret-of-masked b=s3cret-of-masked-and-longer, one of two";
        assert_eq!(masked(text), format!("a={MASK} b={MASK}, one of two"));
        assert!(matches!(masked("nothing of it"), Cow::Borrowed(_)));
        hide("principal=somebody secret_claim=of-masked");
        let quoted = masked("unrecognized, beginning at: secret_claim=of-masked");
        assert_eq!(quoted, format!("unrecognized, beginning at: {MASK}"));
    }
}
