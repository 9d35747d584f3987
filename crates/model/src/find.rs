//! How records are found by text: names, e-mail addresses and ids, whatever the case of their letters.
//!
//! Folding goes through upper case to lower case, letter by letter, so that `ß` meets `SS` and a final sigma any other.

use std::borrow::Cow;

use crate::{json::string_value, profile::Profile, traits::Traits};

/// Text with the case of its letters folded away.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    letters(text).collect()
}

/// Adds text with the case of its letters folded away.
fn fold_into(all: &mut String, text: &str) {
    if text.is_ascii() {
        let start = all.len();
        all.push_str(text);
        all[start..].make_ascii_lowercase();
    } else {
        all.extend(letters(text));
    }
}

fn letters(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase)
}

/// The text that a trait is shown as when it feeds a field; a number counts as its digits.
#[must_use]
pub fn text<'t>(traits: &'t Traits, key: &str) -> Option<Cow<'t, str>> {
    let json = traits.get(key)?;
    match string_value(json) {
        Some(text) => Some(text.unwrap_or_else(Cow::Owned)),
        None => json.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(Cow::Borrowed(json)),
    }
}

/// What a search looks through, folded: name, e-mail address and external id, a line each. A needle without a line
/// break is found in it exactly if it is in one of them.
#[must_use]
pub fn searchable(profile: &Profile) -> String {
    let mut all = String::with_capacity(64);
    add_searchable(profile, &mut all);
    all
}

/// Adds what a search looks through to a text.
pub fn add_searchable(profile: &Profile, all: &mut String) {
    let named = profile.as_instance().and_then(|instance| instance.name.as_ref()).map(|name| name.value().as_ref());
    for part in
        [text(&profile.traits, "name"), named.map(Cow::Borrowed), text(&profile.traits, "email")].into_iter().flatten()
    {
        fold_into(all, &part);
        all.push('\n');
    }
    fold_into(all, &profile.external_id);
}

/// A profile's e-mail address, folded and without spaces around it.
#[must_use]
pub fn email(profile: &Profile) -> Option<String> {
    let email = text(&profile.traits, "email")?;
    let email = email.trim();
    (!email.is_empty()).then(|| fold(email))
}

/// The domain of a folded e-mail address.
#[must_use]
pub fn domain(email: &str) -> Option<&str> {
    email.rsplit_once('@').map(|(_, domain)| domain).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        id::{Identity, RecordId},
        kind::RecordKind,
        register::Stamp,
        time::Micros,
    };

    #[test]
    fn letters_fold() {
        for (one, other) in [("Straße", "STRASSE"), ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"), ("ÉCOLE", "école"), ("İ", "i\u{307}")]
        {
            assert_eq!(fold(one), fold(other), "{one}");
        }
        assert_eq!(fold("Lionel Messi"), "lionel messi");
    }

    #[test]
    fn a_profile_is_found_by_its_texts() {
        let mut profile = Profile::new(RecordKind::User, RecordId(1), "U-32", Micros(0));
        let stamp = Stamp { at: Micros(1), by: Identity(1) };
        profile.traits.state(stamp, "name", "\"Lionel M\\u00e9ssi\"");
        profile.traits.state(stamp, "email", "\" Leo@Mail.Example.COM \"");
        assert_eq!(searchable(&profile), "lionel méssi\n leo@mail.example.com \nu-32");
        let email = email(&profile).unwrap();
        assert_eq!(email, "leo@mail.example.com");
        assert_eq!(domain(&email), Some("mail.example.com"));
        assert_eq!(domain("x@localhost"), Some("localhost"));
        assert_eq!((domain("nobody"), domain("nobody@")), (None, None));
    }
}
