//! One Kafka message as deliveryd holds it.

use std::ops::Range;
use std::sync::Arc;

/// A message that was read from Kafka, copied into one buffer that is used again for later ones.
///
/// It is a copy because librdkafka keeps a whole fetched batch alive for each message that is held.
#[derive(Debug, Clone)]
pub struct Record {
    pub topic: Arc<str>,
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970-01-01T00:00:00Z, where the message has a time.
    pub timestamp: Option<i64>,
    bytes: Vec<u8>,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Vec<(Range<u32>, Option<Range<u32>>)>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            topic: Arc::from(""),
            partition: 0,
            offset: 0,
            timestamp: None,
            bytes: Vec::new(),
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }
}

impl Record {
    /// Empties key, value and headers, and keeps their memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.key = None;
        self.value = None;
        self.headers.clear();
    }

    /// Sets the key; `None` is Kafka's null.
    pub fn set_key(&mut self, key: Option<&[u8]>) {
        self.key = key.map(|bytes| self.push(bytes));
    }

    /// Sets the value; `None` is a tombstone.
    pub fn set_value(&mut self, value: Option<&[u8]>) {
        self.value = value.map(|bytes| self.push(bytes));
    }

    /// Adds a header; names may repeat.
    pub fn add_header(&mut self, name: &str, value: Option<&[u8]>) {
        let name = self.push(name.as_bytes());
        let value = value.map(|bytes| self.push(bytes));
        self.headers.push((name, value));
    }

    pub fn key(&self) -> Option<&[u8]> {
        self.key.clone().map(|range| self.slice(range))
    }

    pub fn value(&self) -> Option<&[u8]> {
        self.value.clone().map(|range| self.slice(range))
    }

    /// The headers in the order in which they were written.
    pub fn headers(&self) -> impl DoubleEndedIterator<Item = (&str, Option<&[u8]>)> {
        self.headers.iter().map(|(name, value)| {
            // Only `add_header` writes names, and it takes a `&str`.
            let name = std::str::from_utf8(self.slice(name.clone())).unwrap_or_default();
            (name, value.clone().map(|range| self.slice(range)))
        })
    }

    /// Bytes that this record holds in memory, for the member's budget.
    pub fn size(&self) -> usize {
        self.bytes.capacity() + size_of::<Self>()
    }

    fn push(&mut self, bytes: &[u8]) -> Range<u32> {
        // Kafka's sizes are 32-bit signed (protocol type INT32), so a message fits.
        let start = self.bytes.len() as u32;
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len() as u32
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}
