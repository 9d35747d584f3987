//! Rows of messages, column by column.
//!
//! What a scan hands out: plain columns in plain memory, used again for every batch, so that a scan of millions of rows
//! allocates for a few thousand. Knows nothing of where the rows come from.

use muster_model::{
    kind::Kind,
    message::{Message, Named},
    time::Micros,
};

/// A column of text that a scan can be asked for. Every row also has its number, kind and times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Column {
    Organization,
    Account,
    User,
    /// External id of a custom object instance or of an NPS response.
    External,
    /// The custom object, or the one that an instance belongs to.
    CustomObject,
    /// Name of a track.
    Event,
    /// Name of a custom object instance.
    Name,
    MessageId,
    /// A JSON object as sent.
    Properties,
    Traits,
    /// The whole message as JSON, as [`Message::as_sent`] writes it.
    Sent,
    /// The identity in hexadecimal digits, where it does not follow from the message as JSON: a message that was made
    /// from another form has one of its own. Nothing for all others.
    Identity,
}

impl Column {
    /// Every column.
    pub const ALL: [Column; 12] = [
        Column::Organization,
        Column::Account,
        Column::User,
        Column::External,
        Column::CustomObject,
        Column::Event,
        Column::Name,
        Column::MessageId,
        Column::Properties,
        Column::Traits,
        Column::Sent,
        Column::Identity,
    ];
}

/// Texts of one column, one after the other; some may be missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: String,
    /// Where each text ends, and whether there is one.
    ends: Vec<(usize, bool)>,
}

impl Texts {
    /// Adds a text, or that there is none.
    pub fn push(&mut self, text: Option<&str>) {
        if let Some(text) = text {
            self.bytes.push_str(text);
        }
        self.ends.push((self.bytes.len(), text.is_some()));
    }

    /// The text of a row, if it has one.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<&str> {
        let (end, there) = *self.ends.get(row)?;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before].0);
        there.then(|| &self.bytes[start..end])
    }

    /// Bytes of all texts together.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Where a track belongs, by the senders' own ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whereabouts<'a> {
    pub user: Option<&'a str>,
    pub account: Option<&'a str>,
    pub organization: Option<&'a str>,
}

impl<'a> Whereabouts<'a> {
    /// What a message names itself.
    #[must_use]
    pub fn named_in(message: &'a Message<'_>) -> Whereabouts<'a> {
        Whereabouts {
            user: name_of(&message.user),
            account: name_of(&message.account),
            organization: name_of(&message.organization),
        }
    }
}

/// Rows of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowBatch {
    /// A number for each row: the same in every scan of one moment, different from every other row's, below 2^47.
    pub numbers: Vec<u64>,
    pub kinds: Vec<Kind>,
    pub timestamps: Vec<Micros>,
    pub received_at: Vec<Micros>,
    texts: [Texts; Column::ALL.len()],
}

impl RowBatch {
    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Takes all rows out; keeps the memory.
    pub fn clear(&mut self) {
        self.numbers.clear();
        self.kinds.clear();
        self.timestamps.clear();
        self.received_at.clear();
        self.texts.iter_mut().for_each(Texts::clear);
    }

    /// A column's texts; empty when it was not asked for.
    #[must_use]
    pub fn column(&self, column: Column) -> &Texts {
        &self.texts[column as usize]
    }

    /// A column to add texts to.
    pub fn column_mut(&mut self, column: Column) -> &mut Texts {
        &mut self.texts[column as usize]
    }

    /// The text of a row in a column.
    #[must_use]
    pub fn text(&self, column: Column, row: usize) -> Option<&str> {
        self.column(column).get(row)
    }

    /// Adds a message with the columns that are wanted of it. `place` is whom it belongs to, which may be others than it
    /// names.
    pub fn push(&mut self, number: u64, message: &Message<'_>, place: Whereabouts<'_>, columns: &[Column]) {
        self.numbers.push(number);
        self.kinds.push(message.kind);
        self.timestamps.push(message.timestamp);
        self.received_at.push(message.received_at);
        let track = message.kind == Kind::Track;
        for column in columns {
            let out = &mut self.texts[*column as usize];
            match column {
                Column::Organization => out.push(place.organization),
                Column::Account => out.push(place.account),
                Column::User => out.push(place.user),
                Column::External => out.push(name_of(&message.instance).or(name_of(&message.response))),
                Column::CustomObject => out.push(name_of(&message.custom_object)),
                Column::Event => out.push(message.name.as_deref().filter(|_| track)),
                Column::Name => out.push(message.name.as_deref().filter(|_| !track)),
                Column::MessageId => out.push(message.message_id.as_deref()),
                Column::Properties => out.push(Some(message.data).filter(|data| track && !data.is_empty())),
                Column::Traits => out.push(Some(message.data).filter(|data| !track && !data.is_empty())),
                Column::Sent => out.push(Some(&message.as_sent())),
                Column::Identity => out.push(identity_of_its_own(message).as_deref()),
            }
        }
    }
}

/// The identity of a message that has a `messageId` and yet another identity than follows from it and the ids.
#[must_use]
pub fn identity_of_its_own(message: &Message<'_>) -> Option<String> {
    let derived = message.derived_identity();
    derived.filter(|derived| *derived != message.identity).map(|_| message.identity.to_string())
}

/// The sender's own id of a record that a message names.
#[must_use]
pub fn name_of<'m>(named: &'m Option<Named<'_>>) -> Option<&'m str> {
    named.as_ref().map(|named| named.external_id.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_not_a_missing_one() {
        let mut texts = Texts::default();
        for text in [Some("ab"), None, Some(""), Some("ü")] {
            texts.push(text);
        }
        let read: Vec<Option<&str>> = (0..5).map(|row| texts.get(row)).collect();
        assert_eq!(read, [Some("ab"), None, Some(""), Some("ü"), None]);
        assert_eq!(texts.text_bytes(), 4);
    }
}
