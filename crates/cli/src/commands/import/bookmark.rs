//! By what an import that was cut short goes on where it was.
//!
//! The server keeps a bookmark with the place up to which everything was acknowledged. Of what can be read again it is a
//! digest of every piece before that place: whoever begins again reads up to there, sends nothing of it, and goes on only if
//! it was the same. Of pages of another server it is the page to go on with ([`Page`]); nothing before it is asked for again.
//!
//! [`Page`]: crate::commands::import::bookmark::Page

use std::{cell::RefCell, rc::Rc};

use muster_store::import::note::BOOKMARK_BYTES_MAX;
use xxhash_rust::xxh3::Xxh3;

use super::known::Known;
use crate::{
    commands::send::{sending::Read, split::Piece},
    exit::{Exit, Failure},
};

/// A digest of pieces, one after the other.
#[derive(Default)]
pub struct Prefix(Box<Xxh3>);

impl Prefix {
    /// Takes in a piece, as it is sent or refused.
    pub fn take(&mut self, piece: &Piece) {
        self.0.update(&(piece.text.len() as u64).to_le_bytes());
        self.0.update(&piece.text);
        self.0.update(&[u8::from(piece.broken.is_some())]);
    }

    /// Its text.
    fn text(&self) -> String {
        format!("{:032x}", self.number())
    }

    /// Its number.
    pub fn number(&self) -> u128 {
        self.0.digest128()
    }
}

/// A page of another server, and the collection that it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub collection: String,
    /// What the server calls the page; empty for the first one.
    pub from: String,
}

impl Page {
    /// Reads a bookmark.
    pub fn parse(text: &str) -> Option<Page> {
        let (collection, from) = text.split_once(' ')?;
        Some(Page { collection: collection.to_owned(), from: from.to_owned() })
    }

    fn text(&self) -> Option<String> {
        let text = format!("{} {}", self.collection, self.from);
        Some(text).filter(|text| text.len() <= BOOKMARK_BYTES_MAX)
    }
}

/// The page that comes next, told by whoever fetches them; nothing while one is handed out.
pub type NextPage = Rc<RefCell<Option<Page>>>;

/// What makes the bookmarks of an import.
pub enum Bookmarks {
    Digests(Prefix),
    /// What is told of the piece that was read last, and what was told of the last one that was taken in.
    Pages(NextPage, Option<Page>),
}

impl Bookmarks {
    /// Takes in a piece that was just read; whether nothing behind it is to be in the same part.
    pub fn take(&mut self, piece: &Piece) -> bool {
        match self {
            Bookmarks::Digests(prefix) => {
                prefix.take(piece);
                false
            }
            Bookmarks::Pages(next, here) => {
                here.clone_from(&next.borrow());
                here.is_some()
            }
        }
    }

    /// The bookmark of the place behind what was read. Without one nothing can go on from here.
    pub fn here(&self) -> Option<String> {
        match self {
            Bookmarks::Digests(prefix) => Some(prefix.text()),
            Bookmarks::Pages(_, here) => here.as_ref().and_then(Page::text),
        }
    }
}

/// Reads up to the place from which an import goes on, and makes sure that it is what was read before. `each` is told how
/// far each piece brought the progress.
pub fn go_past(
    pieces: &mut impl Iterator<Item = Read>,
    known: &Known,
    mut each: impl FnMut(u64),
) -> anyhow::Result<Prefix> {
    let mut prefix = Prefix::default();
    for _ in 0..known.position {
        let Some((piece, read)) = pieces.next() else { return Err(another(known, "ends")) };
        each(read);
        prefix.take(&piece?);
    }
    // Imports that began with an earlier version have none.
    match &known.bookmark {
        Some(bookmark) if *bookmark != prefix.text() => Err(another(known, "is another")),
        _ => Ok(prefix),
    }
}

fn another(known: &Known, how: &str) -> anyhow::Error {
    let Known { id, position, .. } = known;
    let says = format!(
        "what is read now {how} before message {position}, up to which import {id} had come, though it begins the same; \
         nothing was sent. With --again it is imported from its beginning, as a new import"
    );
    Failure::error(Exit::Failure, says)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::send::split::Place;

    fn pieces(texts: &[&str]) -> impl Iterator<Item = Read> {
        let piece = |text: &str| Piece {
            place: Place::default(),
            text: text.as_bytes().to_vec(),
            cut: false,
            broken: None,
            original: None,
        };
        texts.iter().map(|text| (Ok(piece(text)), text.len() as u64)).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn only_the_same_is_gone_on_with() {
        let mut read = Prefix::default();
        pieces(&["one", "two"]).for_each(|(piece, _)| read.take(&piece.unwrap()));
        let known =
            |bookmark| Known { id: 7, position: 2, refused_bytes: 0, is_untouched: false, started_at: None, bookmark };
        let check = |texts: &[&str], expected: Result<Option<&str>, &str>| {
            let (mut pieces, mut bytes) = (pieces(texts), 0);
            let gone = go_past(&mut pieces, &known(Some(read.text())), |read| bytes += read);
            match expected {
                Ok(next) => {
                    assert_eq!(gone.unwrap().text(), read.text());
                    assert_eq!((bytes, pieces.next().map(|(piece, _)| piece.unwrap().text)), (6, next.map(Into::into)));
                }
                Err(says) => assert!(gone.err().unwrap().to_string().contains(says), "{texts:?}"),
            }
        };
        check(&["one", "two", "three"], Ok(Some("three")));
        check(&["one", "two"], Ok(None));
        check(&["one", "tvo", "three"], Err("is another before message 2"));
        check(&["onet", "wo", "three"], Err("is another"));
        check(&["one"], Err("ends before"));
        assert!(go_past(&mut pieces(&["x", "y"]), &known(None), |_| ()).is_ok());
    }

    #[test]
    fn pages_read_back() {
        for from in ["", "a page", "eyJ9"] {
            let page = Page { collection: "users".to_owned(), from: from.to_owned() };
            assert_eq!(page.text().and_then(|text| Page::parse(&text)), Some(page));
        }
        let long = Page { collection: "users".to_owned(), from: "x".repeat(BOOKMARK_BYTES_MAX) };
        assert_eq!((long.text(), Page::parse("users")), (None, None));
    }
}
