//! What one call of a handler wants done: messages to emit, user metrics to count.

use std::ops::Range;
use std::sync::Arc;

/// The effects of one call, in one buffer that the next call uses again.
///
/// They leave only when the call has returned well; [`Effects::clear`] discards them.
#[derive(Debug, Default)]
pub struct Effects {
    bytes: Vec<u8>,
    /// Those of earlier calls after those of this one: the next emit to the same topic then takes over its
    /// name, instead of counting another reader of it.
    slots: Vec<EmitSlot>,
    /// How many are of this call.
    emits: usize,
    headers: Vec<(Range<u32>, Option<Range<u32>>)>,
    /// `count(name, n)`, in order.
    pub counts: Vec<(Arc<str>, u64)>,
    /// `observe(name, x)`, in order.
    pub observations: Vec<(Arc<str>, f64)>,
}

#[derive(Debug)]
struct EmitSlot {
    topic: Arc<str>,
    partition: Option<i32>,
    timestamp: Option<i64>,
    key: Option<Range<u32>>,
    value: Option<Range<u32>>,
    headers: Range<u32>,
}

/// One message to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Emit<'a> {
    effects: &'a Effects,
    slot: &'a EmitSlot,
}

impl<'a> Emit<'a> {
    pub fn topic(&self) -> &'a Arc<str> {
        &self.slot.topic
    }
    /// `None`: the key decides.
    pub fn partition(&self) -> Option<i32> {
        self.slot.partition
    }
    /// Milliseconds since the epoch; `None`: now.
    pub fn timestamp(&self) -> Option<i64> {
        self.slot.timestamp
    }
    pub fn key(&self) -> Option<&'a [u8]> {
        self.slot.key.clone().map(|range| self.effects.slice(range))
    }
    /// `None` is a tombstone.
    pub fn value(&self) -> Option<&'a [u8]> {
        self.slot
            .value
            .clone()
            .map(|range| self.effects.slice(range))
    }
    /// Header names and values, names possibly repeated.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, Option<&'a [u8]>)> + use<'a> {
        let effects = self.effects;
        let range = self.slot.headers.start as usize..self.slot.headers.end as usize;
        effects.headers[range].iter().map(move |(name, value)| {
            let name = std::str::from_utf8(effects.slice(name.clone())).unwrap_or_default();
            (name, value.clone().map(|range| effects.slice(range)))
        })
    }
}

impl Effects {
    /// Discards everything and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        // A name that nobody else has is freed now, not in the middle of a later call.
        let mut used = self.slots.iter().take(self.emits);
        if used.any(|slot| Arc::strong_count(&slot.topic) == 1) {
            self.slots.clear();
        }
        self.emits = 0;
        self.headers.clear();
        self.counts.clear();
        self.observations.clear();
    }

    /// The emits in the order in which the handler made them.
    pub fn emits(&self) -> impl ExactSizeIterator<Item = Emit<'_>> {
        let slots = self.slots.get(..self.emits).unwrap_or_default();
        slots.iter().map(|slot| Emit {
            effects: self,
            slot,
        })
    }

    /// Whether the call emitted nothing.
    pub fn no_emits(&self) -> bool {
        self.emits == 0
    }

    /// Bytes of keys, values and headers held.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Begins an emit to `topic`; nothing is kept until [`EmitBuilder::finish`].
    pub fn emit(&mut self, topic: &Arc<str>) -> EmitBuilder<'_> {
        let headers = self.headers.len() as u32;
        let bytes_before = self.bytes.len();
        match self.slots.get_mut(self.emits) {
            Some(slot) => {
                if !Arc::ptr_eq(&slot.topic, topic) {
                    slot.topic = Arc::clone(topic);
                }
                slot.partition = None;
                slot.timestamp = None;
                slot.key = None;
                slot.value = None;
                slot.headers = headers..headers;
            }
            None => self.slots.push(EmitSlot {
                topic: Arc::clone(topic),
                partition: None,
                timestamp: None,
                key: None,
                value: None,
                headers: headers..headers,
            }),
        }
        EmitBuilder {
            effects: self,
            bytes_before,
            headers_before: headers as usize,
            finished: false,
        }
    }

    fn slice(&self, range: Range<u32>) -> &[u8] {
        &self.bytes[range.start as usize..range.end as usize]
    }
}

/// An emit in the making, after those of the effects; dropped unfinished, it leaves nothing behind.
#[must_use]
pub struct EmitBuilder<'a> {
    effects: &'a mut Effects,
    bytes_before: usize,
    headers_before: usize,
    finished: bool,
}

impl EmitBuilder<'_> {
    pub fn key(&mut self, key: &[u8]) {
        self.key_with(|bytes| bytes.extend_from_slice(key));
    }
    pub fn value(&mut self, value: &[u8]) {
        self.value_with(|bytes| bytes.extend_from_slice(value));
    }
    /// Writes the key in place, such as JSON from a serialiser.
    pub fn key_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let key = self.write(write);
        self.set(|slot| slot.key = Some(key));
    }
    /// Writes the value in place, such as JSON from a serialiser.
    pub fn value_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let value = self.write(write);
        self.set(|slot| slot.value = Some(value));
    }
    pub fn header(&mut self, name: &str, value: Option<&[u8]>) {
        let name = self.write(|bytes| bytes.extend_from_slice(name.as_bytes()));
        let value = value.map(|value| self.write(|bytes| bytes.extend_from_slice(value)));
        self.effects.headers.push((name, value));
        self.set(|slot| slot.headers.end += 1);
    }
    pub fn partition(&mut self, partition: i32) {
        self.set(|slot| slot.partition = Some(partition));
    }
    /// Milliseconds since the epoch.
    pub fn timestamp(&mut self, timestamp: i64) {
        self.set(|slot| slot.timestamp = Some(timestamp));
    }
    /// Keeps the emit.
    pub fn finish(mut self) {
        self.finished = true;
        self.effects.emits += 1;
    }

    fn set(&mut self, set: impl FnOnce(&mut EmitSlot)) {
        if let Some(slot) = self.effects.slots.get_mut(self.effects.emits) {
            set(slot);
        }
    }

    fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Range<u32> {
        let start = self.effects.bytes.len() as u32;
        write(&mut self.effects.bytes);
        start..self.effects.bytes.len() as u32
    }
}

impl Drop for EmitBuilder<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.effects.bytes.truncate(self.bytes_before);
            self.effects.headers.truncate(self.headers_before);
        }
    }
}
