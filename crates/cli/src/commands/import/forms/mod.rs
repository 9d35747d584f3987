//! Histories that others kept, each in a form of its own, turned into lines for a server.
//!
//! What can be a call of the Segment spec becomes one, so that the server gives it the meaning that such a call always
//! has. A translation looks at one record at a time and never fails for more than that one.

/// A JSON object of somebody else's, as it stands.
pub mod record;

/// A line for a server while it is written.
pub mod line;

/// Archives of calls, by Segment and RudderStack.
pub mod segment;

/// Mixpanel's exports of events and people.
pub mod mixpanel;

/// Amplitude's exports of events.
pub mod amplitude;

/// PostHog's exports of events.
pub mod posthog;

/// Rows of tables, by a mapping.
pub mod mapping;

/// Message ids for rows that have none.
pub mod made;

/// Groups that are no account, because nobody said which are.
pub mod groups;

use std::collections::VecDeque;

use groups::Groups;
use made::Origin;
use mapping::Mapping;
use record::{Record, id};

use crate::{args::ImportFormat, commands::send::split::Piece};

/// What a translation has to be told by whoever imports.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The type of group, or the property, that is the account.
    pub group: Option<String>,
    /// The types of groups that were seen, where none was named.
    pub groups: Groups,
    /// The names of the files, without their directories.
    pub files: Vec<String>,
}

/// How records that are no messages of ours are read.
pub enum Form {
    Segment,
    Mixpanel,
    Amplitude(amplitude::Told),
    PostHog,
    Rows(Mapping),
}

impl Form {
    /// The form of a product's export; none for messages of ours.
    pub fn of(format: ImportFormat) -> Option<Form> {
        match format {
            ImportFormat::Muster => None,
            ImportFormat::Segment => Some(Form::Segment),
            ImportFormat::Mixpanel => Some(Form::Mixpanel),
            ImportFormat::Amplitude => Some(Form::Amplitude(amplitude::Told::default())),
            ImportFormat::Posthog => Some(Form::PostHog),
        }
    }

    /// Whether records come as rows, in files of any kind of table.
    pub fn is_of_rows(&self) -> bool {
        matches!(self, Form::Rows(_))
    }

    /// Whether its accounts are groups, of which there are several types.
    pub fn has_groups(&self) -> bool {
        matches!(self, Form::Amplitude(_) | Form::PostHog)
    }

    /// The lines that a record becomes, or what is wrong with it.
    fn lines(&mut self, text: &str, origin: Origin<'_>, terms: &Terms) -> Result<Vec<String>, String> {
        match self {
            Form::Segment => segment::line(text),
            Form::Mixpanel => mixpanel::lines(text, terms),
            Form::Amplitude(told) => told.lines(text, terms),
            Form::PostHog => posthog::lines(text, terms),
            Form::Rows(mapping) => mapping.lines(text, origin),
        }
    }
}

/// Pieces of a file, translated if they have a form of their own.
pub struct Translated<I> {
    pieces: I,
    form: Option<Form>,
    terms: Terms,
    waiting: VecDeque<Piece>,
}

impl<I> Translated<I> {
    /// Translates what comes.
    pub fn new(pieces: I, form: Option<Form>, terms: Terms) -> Translated<I> {
        Translated { pieces, form, terms, waiting: VecDeque::new() }
    }

    fn translate(&mut self, piece: Piece) {
        let text = std::str::from_utf8(&piece.text).ok().filter(|_| piece.broken.is_none());
        let (Some(text), Some(form)) = (text, &mut self.form) else {
            self.waiting.push_back(piece);
            return;
        };
        let file = self.terms.files.get(piece.place.source as usize).map_or("", String::as_str);
        let origin = Origin { file, line: piece.place.line, is_of_table: piece.original.is_some() };
        match form.lines(text, origin, &self.terms) {
            Ok(lines) => {
                let original = piece.original.as_ref().unwrap_or(&piece.text);
                let made = lines.into_iter().map(|line| Piece {
                    place: piece.place,
                    text: line.into_bytes(),
                    cut: false,
                    broken: None,
                    original: Some(original.clone()),
                });
                self.waiting.extend(made);
            }
            Err(says) => self.waiting.push_back(Piece { broken: Some(says), ..piece }),
        }
    }
}

impl<I: Iterator<Item = crate::commands::send::sending::Read>> Iterator for Translated<I> {
    type Item = crate::commands::send::sending::Read;

    fn next(&mut self) -> Option<Self::Item> {
        let mut read = 0;
        loop {
            if let Some(piece) = self.waiting.pop_front() {
                return Some((Ok(piece), read));
            }
            let (piece, more) = self.pieces.next()?;
            read += more;
            match piece {
                Ok(piece) if self.form.is_none() => return Some((Ok(piece), read)),
                Ok(piece) => self.translate(piece),
                Err(error) => return Some((Err(error), read)),
            }
        }
    }
}

/// The group that is the account: of the type that was named, or of the only type there is.
fn group_of(groups: &str, terms: &Terms) -> Option<String> {
    let groups = Record::read(groups)?;
    match &terms.group {
        Some(name) => groups.id(name),
        None => {
            let named = groups.others(&[]).filter_map(|(kind, raw)| Some((kind, id(raw)?)));
            let all: Vec<(&str, String)> = named.collect();
            terms.groups.note(all.iter().map(|(kind, _)| *kind));
            match <[_; 1]>::try_from(all) {
                Ok([(_, only)]) => Some(only),
                Err(_) => None,
            }
        }
    }
}
