//! The text of numbers that Rhai's types can not hold, or would write in another way.
//!
//! A number that is read from JSON as a float carries a tag: where its text stands. It keeps the tag
//! wherever the script moves it, into a variable, an array or a map, and loses it where something is
//! calculated. What is written asks here, and gets the text if the value still is what the text says.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use rhai::Dynamic;

use super::doc::Doc;
use super::number;

/// One engine's numbers, of one call.
#[derive(Debug, Default)]
pub(crate) struct Digits {
    /// The document of the message: of its numbers only the place is kept.
    message: RefCell<Option<Rc<Doc>>>,
    /// The texts of other documents' numbers, which may be gone before they are written.
    texts: RefCell<Texts>,
}

#[derive(Debug, Default)]
struct Texts {
    all: Vec<Rc<[u8]>>,
    /// From 1, so that 0 is no text.
    by_text: HashMap<Rc<[u8]>, i32>,
    /// So many belong to constants, which outlive the call.
    lasting: usize,
}

/// Where a document's numbers are found again.
#[derive(Debug, Default)]
pub(super) enum Home {
    /// Nowhere: they are written as Rhai has them.
    #[default]
    None,
    /// In the message.
    Message,
    Texts(Rc<Digits>),
}

impl Home {
    /// The tag of the number `text` at `index` of the tape.
    #[inline]
    pub(super) fn tag(&self, index: u32, text: &[u8]) -> i32 {
        match self {
            Self::None => 0,
            // A message is shorter than 2 GiB, and so is its tape.
            Self::Message => -1 - index as i32,
            Self::Texts(digits) => digits.texts.borrow_mut().tag(text),
        }
    }
}

impl Texts {
    fn tag(&mut self, text: &[u8]) -> i32 {
        if number::is_as_written(text) {
            return 0;
        }
        if let Some(tag) = self.by_text.get(text) {
            return *tag;
        }
        let Ok(tag) = i32::try_from(self.all.len() + 1) else {
            return 0;
        };
        let text: Rc<[u8]> = text.into();
        self.all.push(Rc::clone(&text));
        self.by_text.insert(text, tag);
        tag
    }
}

impl Digits {
    /// The message of this call is `doc`.
    pub(crate) fn enter(&self, doc: &Rc<Doc>) {
        *self.message.borrow_mut() = Some(Rc::clone(doc));
    }

    /// What was read until now is kept: a file's top level has run, and made constants of it.
    pub(crate) fn settle(&self) {
        let mut texts = self.texts.borrow_mut();
        texts.lasting = texts.all.len();
    }

    /// Forgets the call.
    #[inline]
    pub(crate) fn leave(&self) {
        *self.message.borrow_mut() = None;
        let mut texts = self.texts.borrow_mut();
        let lasting = texts.lasting;
        if texts.all.len() > lasting {
            texts.all.truncate(lasting);
            texts.by_text.retain(|_, tag| *tag as usize <= lasting);
        }
    }

    /// Appends the text of `value`, which is `number`, if it came from JSON and still is what it was.
    pub(super) fn write(&self, value: &Dynamic, number: f64, out: &mut Vec<u8>) -> bool {
        // The tag of the value itself, which a closure may share.
        let tag = value.read_lock::<Dynamic>().map_or(0, |value| value.tag());
        if tag == 0 {
            return false;
        }
        let mut put = |text: &[u8]| {
            let same = !text.is_empty() && number::float(text).to_bits() == number.to_bits();
            if same {
                out.extend_from_slice(text);
            }
            same
        };
        match usize::try_from(tag) {
            Ok(tag) => {
                let texts = self.texts.borrow();
                texts.all.get(tag - 1).is_some_and(|text| put(text))
            }
            Err(_) => {
                let message = self.message.borrow();
                let number = |doc: &Rc<Doc>| put(doc.number(tag.unsigned_abs() - 1));
                message.as_ref().is_some_and(number)
            }
        }
    }
}
