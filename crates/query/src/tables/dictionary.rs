//! Texts by numbers.
//!
//! Millions of rows name a few thousand accounts and events; a number for each name is what is kept of a row, compared and
//! sorted. Numbers are given out in the order in which texts come, and put into the order of the texts once all have
//! come. No text at all is 0 and comes first, as `NULL` does in SQLite.

use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Bytes that a text takes in memory of its own besides those it has, roughly.
const TEXT_BYTES: usize = 32;
/// Bytes of a place in the table from texts to numbers.
const PLACE_BYTES: usize = size_of::<(Arc<str>, u32)>() + 1;

/// The numbers of some texts.
#[derive(Debug, Default)]
pub struct Dictionary {
    numbers: FxHashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
    last: u32,
    /// Bytes of the texts alone.
    bytes: usize,
}

impl Dictionary {
    /// The number of a text, which is given one if it has none yet.
    pub fn number(&mut self, text: Option<&str>) -> u32 {
        let Some(text) = text else { return 0 };
        // Neighbours in a file are often of the same account and user.
        if self.text(self.last) == Some(text) {
            return self.last;
        }
        self.last = match self.numbers.get(text) {
            Some(known) => *known,
            None => {
                let text: Arc<str> = text.into();
                self.bytes += text.len() + TEXT_BYTES;
                self.texts.push(Arc::clone(&text));
                let number = self.texts.len() as u32;
                self.numbers.insert(text, number);
                number
            }
        };
        self.last
    }

    /// The text of a number.
    pub fn text(&self, number: u32) -> Option<&str> {
        let at = (number as usize).checked_sub(1)?;
        self.texts.get(at).map(|text| &**text)
    }

    /// Bytes that it takes, roughly, and takes for being sorted: with the room that is not used yet, of which a table keeps an
    /// eighth free.
    pub fn bytes(&self) -> usize {
        let places = self.numbers.capacity() + self.numbers.capacity() / 7;
        let sorting = 2 * self.texts.len() * size_of::<u32>();
        self.bytes + places * PLACE_BYTES + self.texts.capacity() * size_of::<Arc<str>>() + sorting
    }

    /// Gives the texts new numbers, in their own order; for each old number the new one.
    pub fn sort(&mut self) -> Vec<u32> {
        let mut olds: Vec<u32> = (1..=self.texts.len() as u32).collect();
        olds.sort_unstable_by(|one, other| self.texts[*one as usize - 1].cmp(&self.texts[*other as usize - 1]));
        let mut news = vec![0; self.texts.len() + 1];
        for (at, old) in olds.iter().enumerate() {
            news[*old as usize] = at as u32 + 1;
        }
        // What is asked from here on are texts of numbers.
        self.numbers = FxHashMap::default();
        self.last = 0;
        self.texts = olds.iter().map(|old| Arc::clone(&self.texts[*old as usize - 1])).collect();
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_texts() {
        let mut dictionary = Dictionary::default();
        let texts = [Some("b"), None, Some("b"), Some("B"), Some(""), Some("ü"), None, Some("B"), Some("ba")];
        let numbers = texts.map(|text| dictionary.number(text));
        assert_eq!(numbers, [1, 0, 1, 2, 3, 4, 0, 2, 5]);
        assert_eq!(
            numbers.map(|number| dictionary.text(number).map(str::to_owned)),
            texts.map(|text| text.map(str::to_owned))
        );
        assert!(dictionary.bytes() >= 5 * (TEXT_BYTES + PLACE_BYTES + size_of::<Arc<str>>()));
        let news = dictionary.sort();
        let sorted: Vec<Option<&str>> = (0..7).map(|number| dictionary.text(number)).collect();
        assert_eq!(sorted, [None, Some(""), Some("B"), Some("b"), Some("ba"), Some("ü"), None]);
        for (number, text) in numbers.into_iter().zip(texts) {
            assert_eq!(dictionary.text(news[number as usize]), text);
        }
    }
}
