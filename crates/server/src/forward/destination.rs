//! What a destination is: where, in which form, which messages, how fast.
//!
//! Kept with its follower as JSON of this file's own, secret included; what is shown is written elsewhere.

use std::time::Duration;

use muster_model::{kind::Kind, message::Message};
use muster_store::follow::Start;
use serde::{Deserialize, Serialize};

use super::secret::Secret;

/// The version of the form in which destinations are kept.
const VERSION: u8 = 1;
/// Bytes of an address.
const URL_BYTES_MAX: usize = 2_000;
/// Names or ids in one filter, and bytes of each.
pub const FILTER_MAX: usize = 1_000;
const FILTER_BYTES_MAX: usize = 256;
/// Messages a second: what is sent by default, and at the most.
pub const RATE_DEFAULT: u32 = 1_000;
pub const RATE_MAX: u32 = 100_000;
/// Seconds that a request may take: by default, and at the most.
pub const TIMEOUT_DEFAULT: u32 = 30;
pub const TIMEOUT_MAX: u32 = 300;
const VITALLY: &str = "https://api.vitally.io";
const SEGMENT: &str = "https://api.segment.io";

/// In which form messages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationKind {
    /// Vitally's Analytics API, which another Muster speaks too: batches.
    Vitally,
    /// Any endpoint of the Segment spec: batches.
    Segment,
    /// A signed request for each message.
    Webhook,
}

impl DestinationKind {
    pub const ALL: [DestinationKind; 3] =
        [DestinationKind::Vitally, DestinationKind::Segment, DestinationKind::Webhook];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DestinationKind::Vitally => "vitally",
            DestinationKind::Segment => "segment",
            DestinationKind::Webhook => "webhook",
        }
    }

    /// The kind of a name; the sentence says which there are.
    pub fn parse(text: &str) -> Result<DestinationKind, String> {
        let found = DestinationKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| "must be vitally, segment or webhook".to_owned())
    }
}

/// Who decides about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Whoever calls the API.
    Api,
    /// The settings file; the API may only hold it up and let it go on.
    File,
}

impl Origin {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Api => "api",
            Origin::File => "file",
        }
    }
}

/// A destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    pub kind: DestinationKind,
    /// Where requests go; for batches what stands in front of the path of the API.
    pub url: String,
    pub secret: Secret,
    /// Kinds of message that go; all when empty.
    pub types: Vec<Kind>,
    /// Names of events that go; all when empty. Messages that are no events are not concerned.
    pub events: Vec<String>,
    /// Accounts of which a message must name one; all messages when empty.
    pub accounts: Vec<String>,
    pub messages_per_second: u32,
    pub timeout_seconds: u32,
    pub paused: bool,
    pub origin: Origin,
}

/// What a destination is made of, as it is asked for: checked by [`Destination::new`].
#[derive(Clone, Default)]
pub struct Wanted {
    pub kind: String,
    pub url: Option<String>,
    pub secret: Option<String>,
    pub types: Vec<String>,
    pub events: Vec<String>,
    pub accounts: Vec<String>,
    pub messages_per_second: Option<u32>,
    pub timeout_seconds: Option<u32>,
    pub paused: bool,
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// A rule that a destination breaks: the field, and what it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub field: &'static str,
    pub says: String,
}

impl Destination {
    /// Checks what is asked for.
    pub fn new(wanted: Wanted, origin: Origin) -> Result<Destination, Fault> {
        let fault = |field: &'static str| move |says: String| Fault { field, says };
        let kind = DestinationKind::parse(&wanted.kind).map_err(fault("kind"))?;
        let url = match (wanted.url, kind) {
            (Some(url), _) => url,
            (None, DestinationKind::Vitally) => VITALLY.to_owned(),
            (None, DestinationKind::Segment) => SEGMENT.to_owned(),
            (None, DestinationKind::Webhook) => {
                return Err(fault("url")("a webhook needs the url that it is posted to".to_owned()));
            }
        };
        let url = check_url(&url).map_err(fault("url"))?;
        let secret = match (wanted.secret, kind) {
            (Some(text), DestinationKind::Webhook) => Secret::webhook(&text).map_err(fault("secret"))?,
            (Some(text), _) => Secret::key(&text).map_err(fault("secret"))?,
            (None, DestinationKind::Webhook) => Secret::mint_webhook(),
            (None, _) => return Err(fault("secret")("the receiver's key is needed".to_owned())),
        };
        let names = || Kind::ALL.map(Kind::as_str).join(", ");
        let types = wanted.types.iter().map(|name| Kind::from_name(name)).collect::<Option<Vec<Kind>>>();
        let types = types.ok_or_else(|| fault("types")(format!("must be of {}", names())))?;
        let events = check_filter(wanted.events).map_err(fault("events"))?;
        let accounts = check_filter(wanted.accounts).map_err(fault("accounts"))?;
        let within = |number: Option<u32>, usual: u32, most: u32| match number.unwrap_or(usual) {
            number if (1..=most).contains(&number) => Ok(number),
            _ => Err(format!("must be from 1 to {most}")),
        };
        let messages_per_second =
            within(wanted.messages_per_second, RATE_DEFAULT, RATE_MAX).map_err(fault("messagesPerSecond"))?;
        let timeout_seconds =
            within(wanted.timeout_seconds, TIMEOUT_DEFAULT, TIMEOUT_MAX).map_err(fault("timeoutSeconds"))?;
        let paused = wanted.paused;
        Ok(Destination {
            kind,
            url,
            secret,
            types,
            events,
            accounts,
            messages_per_second,
            timeout_seconds,
            paused,
            origin,
        })
    }

    /// What would make it again.
    pub(crate) fn wanted(&self) -> Wanted {
        Wanted {
            kind: self.kind.as_str().to_owned(),
            url: Some(self.url.clone()),
            secret: Some(self.secret.reveal().to_owned()),
            types: self.types.iter().map(|kind| kind.as_str().to_owned()).collect(),
            events: self.events.clone(),
            accounts: self.accounts.clone(),
            messages_per_second: Some(self.messages_per_second),
            timeout_seconds: Some(self.timeout_seconds),
            paused: self.paused,
        }
    }

    /// Whether a message is to go there, by its kind and names alone.
    pub(crate) fn takes(&self, message: &Message<'_>) -> bool {
        let of_types = self.types.is_empty() || self.types.contains(&message.kind);
        let event = message.name.as_deref().filter(|_| message.kind == Kind::Track);
        let of_events = self.events.is_empty() || event.is_none_or(|name| self.events.iter().any(|one| one == name));
        let account = message.account.as_ref().map(|named| named.external_id.as_ref());
        let of_accounts =
            self.accounts.is_empty() || account.is_some_and(|id| self.accounts.iter().any(|one| one == id));
        of_types && of_events && of_accounts
    }

    /// How long one request may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_seconds))
    }

    /// The form in which it is kept.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let kept = Kept {
            version: VERSION,
            kind: self.kind,
            url: self.url.clone(),
            secret: self.secret.reveal().to_owned(),
            types: self.types.iter().map(|kind| kind.as_str().to_owned()).collect(),
            events: self.events.clone(),
            accounts: self.accounts.clone(),
            messages_per_second: self.messages_per_second,
            timeout_seconds: self.timeout_seconds,
            paused: self.paused,
            origin: self.origin,
        };
        serde_json::to_vec(&kept).expect("texts and numbers can be written")
    }

    /// From the form in which it is kept.
    pub(crate) fn read(kept: &[u8]) -> Option<Destination> {
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        if kept.version != VERSION {
            return None;
        }
        let types = kept.types.iter().map(|name| Kind::from_name(name)).collect::<Option<Vec<Kind>>>()?;
        Some(Destination {
            kind: kept.kind,
            url: kept.url,
            secret: Secret::kept(kept.secret),
            types,
            events: kept.events,
            accounts: kept.accounts,
            messages_per_second: kept.messages_per_second,
            timeout_seconds: kept.timeout_seconds,
            paused: kept.paused,
            origin: kept.origin,
        })
    }
}

/// A destination as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    version: u8,
    kind: DestinationKind,
    url: String,
    secret: String,
    types: Vec<String>,
    events: Vec<String>,
    accounts: Vec<String>,
    messages_per_second: u32,
    timeout_seconds: u32,
    paused: bool,
    origin: Origin,
}

/// Where a follower starts, by name.
pub(crate) fn parse_start(text: &str) -> Result<Start, String> {
    match text {
        "now" => Ok(Start::Now),
        "start" => Ok(Start::Beginning),
        _ => Err("must be now, or start for everything that there is".to_owned()),
    }
}

/// An address without a secret in it: those are seen in logs and lists.
fn check_url(url: &str) -> Result<String, String> {
    let url = url.trim().trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let authority = rest.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    if authority.is_empty() || authority.contains('@') || url.contains('#') || !plain || url.len() > URL_BYTES_MAX {
        return Err("must be http:// or https://, a host and possibly a path, without a user in it".to_owned());
    }
    Ok(url.to_owned())
}

fn check_filter(names: Vec<String>) -> Result<Vec<String>, String> {
    let fits = |name: &String| !name.is_empty() && name.len() <= FILTER_BYTES_MAX;
    if names.len() > FILTER_MAX || !names.iter().all(fits) {
        return Err(format!("must be at most {FILTER_MAX} texts of 1 to {FILTER_BYTES_MAX} bytes"));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use muster_model::{
        draft::Draft,
        id::IdSpace,
        kinds::{Context, check_typed},
        limits::MessageLimits,
        time::Micros,
    };

    use super::*;

    fn wanted(kind: &str) -> Wanted {
        Wanted { kind: kind.to_owned(), secret: Some("key".to_owned()), ..Wanted::default() }
    }

    #[test]
    fn what_cannot_be_is_named() {
        let check = |change: fn(&mut Wanted), field: &str| {
            let mut wanted = wanted("vitally");
            change(&mut wanted);
            assert_eq!(Destination::new(wanted, Origin::Api).expect_err(field).field, field);
        };
        check(|wanted| wanted.kind = "mail".to_owned(), "kind");
        check(|wanted| wanted.url = Some("ftp://x".to_owned()), "url");
        check(|wanted| wanted.url = Some("https://user:word@host".to_owned()), "url");
        check(|wanted| wanted.url = Some("https://".to_owned()), "url");
        check(|wanted| wanted.secret = None, "secret");
        check(|wanted| wanted.secret = Some("a b".to_owned()), "secret");
        check(|wanted| wanted.types = vec!["person".to_owned()], "types");
        check(|wanted| wanted.events = vec![String::new()], "events");
        check(|wanted| wanted.messages_per_second = Some(0), "messagesPerSecond");
        check(|wanted| wanted.timeout_seconds = Some(301), "timeoutSeconds");
        check(|wanted| (wanted.kind, wanted.secret) = ("webhook".to_owned(), None), "url");
    }

    #[test]
    fn what_is_kept_reads_back() {
        let url = Some("https://hooks.example.com/x?y=1".to_owned());
        let types = vec!["track".to_owned(), "npsresponse".to_owned()];
        let webhook = Wanted { url, secret: None, types, events: vec!["e".to_owned()], ..wanted("webhook") };
        let made = Destination::new(webhook, Origin::File).unwrap();
        assert_eq!(Destination::read(&made.kept()), Some(made));
        assert_eq!(Destination::read(b"{}"), None);
        let vitally = Destination::new(wanted("vitally"), Origin::Api).unwrap();
        assert_eq!((vitally.url.as_str(), vitally.messages_per_second), (VITALLY, RATE_DEFAULT));
    }

    #[test]
    fn filters_choose_by_kind_event_and_account() {
        let context = Context { ids: IdSpace::new("w"), received_at: Micros(5), limits: MessageLimits::default() };
        let check = |types: &[&str], events: &[&str], accounts: &[&str], text: &str, expected: bool| {
            let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let wanted =
                Wanted { types: texts(types), events: texts(events), accounts: texts(accounts), ..wanted("vitally") };
            let destination = Destination::new(wanted, Origin::Api).unwrap();
            let draft = Draft::from_text(text, 64);
            let message = check_typed(&draft, &context).unwrap();
            assert_eq!(destination.takes(&message), expected, "{types:?} {events:?} {accounts:?} {text}");
        };
        let track = r#"{"type":"track","event":"e","userId":"u","messageId":"1"}"#;
        let there = r#"{"type":"track","event":"e","userId":"u","accountId":"a","messageId":"1"}"#;
        let account = r#"{"type":"account","accountId":"a","messageId":"1"}"#;
        check(&[], &[], &[], track, true);
        check(&["user"], &[], &[], track, false);
        check(&["user", "track"], &["e"], &[], track, true);
        check(&[], &["other"], &[], track, false);
        check(&[], &["other"], &[], account, true);
        check(&[], &[], &["a"], track, false);
        check(&[], &[], &["a", "b"], there, true);
        check(&[], &[], &["a"], account, true);
    }
}
