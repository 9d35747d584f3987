//! What a form says of a destination: where, how fast, which messages.
//!
//! Names of events and ids of accounts stand one on a line, as they are; a line break within one is written as `\n`, and a
//! backslash twice, so that what is shown is what is sent back. A secret is never shown; a field that is left empty leaves it
//! as it is.

use muster_model::kind::Kind;

use super::super::posted::Fields;
use crate::forward::{DestinationKind, Wanted};

/// The fields of a form, filled in.
pub(super) struct Filled {
    pub name: String,
    pub kind: String,
    pub url: String,
    pub types: Vec<(&'static str, bool)>,
    pub events: String,
    pub accounts: String,
    pub rate: String,
    pub timeout: String,
}

impl Filled {
    /// A form for a new one.
    pub(super) fn empty() -> Filled {
        Filled::of(&Wanted::default())
    }

    /// The form that says this.
    pub(super) fn of(wanted: &Wanted) -> Filled {
        let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
        Filled {
            name: String::new(),
            kind: wanted.kind.clone(),
            url: wanted.url.clone().unwrap_or_default(),
            types: Kind::ALL.map(|kind| (kind.as_str(), wanted.types.iter().any(|name| name == kind.as_str()))).into(),
            events: lines(&wanted.events),
            accounts: lines(&wanted.accounts),
            rate: number(wanted.messages_per_second),
            timeout: number(wanted.timeout_seconds),
        }
    }

    /// The form as it was sent, so that what is wrong with it can be mended.
    pub(super) fn again(fields: &Fields) -> Filled {
        let text = |name: &str| fields.get(name).to_owned();
        Filled {
            name: text("name"),
            kind: text("kind"),
            url: text("url"),
            types: Kind::ALL.map(|kind| (kind.as_str(), is_chosen(fields, kind.as_str()))).into(),
            events: text("events"),
            accounts: text("accounts"),
            rate: text("messagesPerSecond"),
            timeout: text("timeoutSeconds"),
        }
    }
}

fn is_chosen(fields: &Fields, kind: &str) -> bool {
    !fields.get(&format!("type.{kind}")).is_empty()
}

/// What a form asks for, in place of what is known. The error names a field and says what it may be.
pub(super) fn read(fields: &Fields, known: Wanted) -> Result<Wanted, String> {
    let filled = |name: &str| Some(fields.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let number = |name: &'static str| match filled(name) {
        None => Ok(None),
        Some(text) => text.parse::<u32>().map(Some).map_err(|_| format!("{name} must be a whole number")),
    };
    let types = Kind::ALL.into_iter().map(Kind::as_str).filter(|name| is_chosen(fields, name));
    Ok(Wanted {
        url: filled("url").or_else(|| default_of(&known)),
        secret: filled("secret").or(known.secret),
        types: types.map(str::to_owned).collect(),
        events: names(fields.get("events")),
        accounts: names(fields.get("accounts")),
        messages_per_second: number("messagesPerSecond")?,
        timeout_seconds: number("timeoutSeconds")?,
        kind: known.kind,
        paused: known.paused,
    })
}

/// An empty address means the kind's own; a webhook has none, and keeps what it has.
fn default_of(known: &Wanted) -> Option<String> {
    known.url.clone().filter(|_| known.kind == DestinationKind::Webhook.as_str())
}

/// Texts as lines.
pub(super) fn lines(names: &[String]) -> String {
    let escaped = |name: &String| name.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
    names.iter().map(escaped).collect::<Vec<String>>().join("\n")
}

/// The texts of such lines.
fn names(lines: &str) -> Vec<String> {
    let lines = lines.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    lines.filter(|line| !line.trim().is_empty()).map(unescaped).collect()
}

fn unescaped(line: &str) -> String {
    let (mut name, mut letters) = (String::with_capacity(line.len()), line.chars());
    while let Some(letter) = letters.next() {
        match (letter, if letter == '\\' { letters.next() } else { None }) {
            ('\\', Some('n')) => name.push('\n'),
            ('\\', Some('r')) => name.push('\r'),
            ('\\', Some(other)) => name.push(other),
            (letter, _) => name.push(letter),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_shown() {
        let hostile = ["plain", " spaces ", "two\nlines", "c:\\new", "\\", "a\r\nb", "<b>"].map(str::to_owned);
        let shown = lines(&hostile);
        assert_eq!(shown.lines().count(), hostile.len());
        assert_eq!(names(&shown), hostile);
        assert_eq!(names(&shown.replace('\n', "\r\n")), hostile, "as browsers send it");
        assert_eq!(names("\r\n \n"), Vec::<String>::new());
    }
}
