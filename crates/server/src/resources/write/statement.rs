//! Making messages of what a body says, and appending them.
//!
//! Each message is written as its sender would have written it and checked by the same rules; its `messageId` is random,
//! its time the time of receipt. All messages of one request are one batch: together or not at all.

use std::borrow::Cow;

use muster_model::{
    draft::Draft,
    id::IdSpace,
    kind::Kind,
    kinds::{self, Context},
    rejection::{Code, Rejection},
};
use muster_store::{batch::BatchBuilder, credentials::Key, receipt::Outcome};
use rand::{TryRngCore, rngs::OsRng};

use super::body::Members;
use crate::{error::ApiError, ingest::journal, state::AppState, violation::Violation};

/// Members of a message's `traits`, values as text; of one key the last stands.
#[derive(Debug, Default)]
pub(crate) struct Traits<'a> {
    members: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Traits<'a> {
    /// What an object's text holds.
    pub(crate) fn of(object: Option<&'a str>) -> Traits<'a> {
        let mut traits = Traits::default();
        for (key, value) in object.and_then(Members::of).iter().flat_map(Members::iter) {
            traits.members.push((Cow::Owned(key.to_owned()), Cow::Borrowed(value)));
        }
        traits
    }

    /// States a trait whose value is JSON text, if there is one.
    pub(crate) fn put(&mut self, key: &'a str, value: Option<impl Into<Cow<'a, str>>>) {
        self.members.extend(value.map(|value| (Cow::Borrowed(key), value.into())));
    }

    /// States a trait that is a text.
    pub(crate) fn put_text(&mut self, key: &'a str, text: &str) {
        self.put(key, Some(quoted(text)));
    }

    /// What is stated of a trait, if anything is.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.members.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.as_ref())
    }

    fn text(&self) -> String {
        let mut out = String::from("{");
        for (key, value) in &self.members {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&quoted(key));
            out.push(':');
            out.push_str(value);
        }
        out.push('}');
        out
    }
}

/// The messages of one request.
pub(crate) struct Statements<'s> {
    state: &'s AppState,
    key: &'s Key,
    context: Context,
    /// What all `messageId`s of the request start with.
    stem: String,
    builder: BatchBuilder,
    count: usize,
}

impl<'s> Statements<'s> {
    /// No messages yet; they are received now.
    pub(crate) fn new(state: &'s AppState, key: &'s Key) -> Result<Self, ApiError> {
        let context = Context {
            ids: IdSpace::new(&key.workspace.name),
            received_at: state.clock.now(),
            limits: state.settings.message,
        };
        let builder = BatchBuilder::new(key.workspace.id, 512).sent_with(key.id);
        Ok(Statements { state, key, context, stem: random_text()?, builder, count: 0 })
    }

    /// Whose workspace they change.
    pub(crate) fn ids(&self) -> IdSpace {
        IdSpace::new(&self.key.workspace.name)
    }

    /// Adds a message that names these records, with traits if it describes one.
    pub(crate) fn add(
        &mut self,
        kind: Kind,
        named: &[(&str, Option<&str>)],
        name: Option<&str>,
        traits: Option<&Traits<'_>>,
    ) -> Result<(), ApiError> {
        let mut text = format!("{{\"messageId\":\"{}-{}\"", self.stem, self.count);
        for (field, id) in named {
            let value = id.map_or_else(|| "null".to_owned(), quoted);
            text.push_str(&format!(",\"{field}\":{value}"));
        }
        if let Some(name) = name {
            text.push_str(&format!(",\"name\":{}", quoted(name)));
        }
        if let Some(traits) = traits {
            text.push_str(&format!(",\"traits\":{}", traits.text()));
        }
        text.push('}');
        // Without a timestamp a message has the time of its receipt.
        let draft = Draft::from_text(&text, self.context.limits.message_depth_max);
        let message = kinds::check(kind, &draft, &self.context).map_err(|rejection| refuse(&rejection))?;
        self.builder.message(&message);
        self.count += 1;
        Ok(())
    }

    /// Appends what was added, if anything was.
    pub(crate) async fn append(self) -> Result<(), ApiError> {
        if self.count == 0 {
            return Ok(());
        }
        let receipt = journal::append_batch(self.state, self.builder.build()).await?;
        debug_assert_eq!(receipt.count(Outcome::Stored), self.count, "a random messageId is nobody else's");
        let (stored, duplicates) = (receipt.count(Outcome::Stored), receipt.count(Outcome::Duplicate));
        let (conflicts, deleted) = (receipt.count(Outcome::Conflict), receipt.count(Outcome::Deleted));
        self.state.metrics.count_messages([stored, duplicates, conflicts, deleted, 0], &[]);
        Ok(())
    }
}

/// A text that nobody can guess or repeat: 32 hexadecimal digits.
pub(crate) fn random_text() -> Result<String, ApiError> {
    let mut bytes = [0; 16];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the system has no randomness to give");
        ApiError::Internal
    })?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// Rules of messages that a form does not know: sizes, depth.
fn refuse(rejection: &Rejection) -> ApiError {
    let keyword = match rejection.code {
        Code::MessageTooLarge => "maxLength",
        Code::TooManyKeys => "maxProperties",
        _ => "message",
    };
    let path = if rejection.pointer.is_empty() { String::new() } else { rejection.pointer.clone() };
    ApiError::Invalid(vec![Violation::new(path, keyword, rejection.code.as_str(), rejection.message.clone())])
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
