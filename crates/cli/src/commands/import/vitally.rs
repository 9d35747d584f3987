//! What a server with Vitally's REST API has: organizations, accounts, users and NPS responses, page by page.
//!
//! A record becomes one message that states it as it is now, as of its last update and received when it was created; a
//! user one for each of its parents. What the same API does not give, events and the past, cannot be had from it. Pages
//! are asked for one after the other, and a server that says it is busy is waited for. Fetching that was cut short goes on with
//! a page; parents that were on pages before it are then looked up one by one, when something names them.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow, bail};
use muster_model::time::Micros;
use serde_json::value::RawValue;

use super::{
    bookmark::{NextPage, Page},
    forms::line::Line,
};
use crate::{
    client::{Answer, CallError, Client},
    commands::{
        reach::target,
        send::{
            sending,
            split::{Piece, Place},
        },
    },
    exit::{Exit, Failure},
    output::Progress,
};

/// The paths of what is fetched, parents first.
const COLLECTIONS: [&str; 4] = ["organizations", "accounts", "users", "npsResponses"];
/// What stands in a bookmark for a collection when all pages of all of them were fetched.
const NONE_LEFT: &str = "none";
const PAGE_RECORDS: u32 = 100;
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_MAX: Duration = Duration::from_secs(120);
/// Fields of a record that say something which is no trait; what they say shows otherwise.
const NAMED_TRAITS: [&str; 2] = ["name", "email"];

/// Fetches all records.
pub struct Fetched<'a> {
    client: Client,
    patience: Duration,
    progress: &'a Progress,
    /// The collection of the page that is fetched next, and what the server calls that page.
    collection: usize,
    from: String,
    next: NextPage,
    waiting: VecDeque<Piece>,
    /// External ids of organizations and accounts, by the ids of that server.
    known: HashMap<String, String>,
    /// There are some that were not fetched by this.
    looks_up: bool,
    count: u64,
    /// A failure was told.
    ended: bool,
}

impl<'a> Fetched<'a> {
    /// Nothing is fetched yet.
    pub fn new(client: Client, patience: Duration, progress: &'a Progress) -> Fetched<'a> {
        Fetched {
            client,
            patience,
            progress,
            collection: 0,
            from: String::new(),
            next: NextPage::default(),
            waiting: VecDeque::new(),
            known: HashMap::new(),
            looks_up: false,
            count: 0,
            ended: false,
        }
    }

    /// The same from a page on, before which there were so many pieces.
    pub fn going_on(self, page: Page, count: u64) -> Fetched<'a> {
        let collection = COLLECTIONS.iter().position(|name| *name == page.collection).unwrap_or(COLLECTIONS.len());
        Fetched { collection, from: page.from, looks_up: true, count, ..self }
    }

    /// The page that is fetched next, whenever all before it was handed out.
    pub fn next_page(&self) -> NextPage {
        Rc::clone(&self.next)
    }

    fn page(&self) -> Page {
        let collection = COLLECTIONS.get(self.collection).copied().unwrap_or(NONE_LEFT);
        Page { collection: collection.to_owned(), from: self.from.clone() }
    }

    /// Fetches the next page; false when there is none.
    fn fetch(&mut self) -> anyhow::Result<bool> {
        let Some(name) = COLLECTIONS.get(self.collection) else { return Ok(false) };
        let mut parameters =
            vec![("limit", PAGE_RECORDS.to_string()), ("sortBy", "createdAt".to_owned()), ("from", self.from.clone())];
        if *name == "accounts" {
            parameters.push(("status", "activeOrChurned".to_owned()));
        }
        let answer = self.ask(&target(&format!("/resources/{name}"), &parameters))?;
        let answer = answer.with_context(|| {
            format!("the server answers that there is no /resources/{name}; give its address without a path, as its API has it")
        })?;
        let page: Members = serde_json::from_str(&answer).with_context(|| format!("a page of {name} is not JSON"))?;
        let records = list(&page, "results");
        for whole in records.with_context(|| format!("a page of {name} has no results"))? {
            let members = serde_json::from_str(whole.get());
            let members = members.with_context(|| format!("a page of {name} has a record that is none"))?;
            self.take(name, &Record { whole: whole.get(), members })?;
        }
        match text(&page, "next").filter(|next| !next.is_empty()) {
            Some(next) => self.from = next,
            None => {
                self.collection += 1;
                self.from.clear();
            }
        }
        Ok(true)
    }

    /// What the server has there; nothing when it says that there is nothing.
    fn ask(&self, path: &str) -> anyhow::Result<Option<String>> {
        let started = Instant::now();
        loop {
            let (why, pause) = match self.client.get(path) {
                Ok(Answer { status: 200, body, .. }) => return Ok(Some(body)),
                Ok(Answer { status: 404, .. }) => return Ok(None),
                Ok(Answer { status: status @ (429 | 502 | 503 | 504), retry_after, .. }) => {
                    (format!("the server is busy ({status})"), retry_after.unwrap_or(PAUSE).min(PAUSE_MAX))
                }
                Ok(Answer { status: 401 | 403, .. }) => {
                    let says = "the server does not take the token; give one of its API with --from-token";
                    return Err(Failure::error(Exit::Failure, says));
                }
                Ok(Answer { status, body, .. }) => {
                    bail!("the server answered {status}: {}", body.chars().take(200).collect::<String>())
                }
                Err(CallError::Unreachable(says)) => (format!("no answer from {says}"), PAUSE),
                Err(CallError::Unusable(says)) => return Err(anyhow!(says)),
            };
            if started.elapsed() + pause > self.patience {
                return Err(Failure::error(Exit::Unreachable, format!("{why}; what was fetched before is stored")));
            }
            self.progress.talk(&format!("{why}; trying again in {:.0} s", pause.as_secs_f64()));
            thread::sleep(pause);
        }
    }

    fn take(&mut self, collection: &str, record: &Record<'_>) -> anyhow::Result<()> {
        let members = &record.members;
        let Some(id) = text(members, "id") else {
            self.broken(record, "it has no id");
            return Ok(());
        };
        // Whoever has no id of its own is known by the one that the server gave.
        let external_id = &text(members, "externalId").unwrap_or_else(|| id.clone());
        self.known.insert(id.clone(), external_id.clone());
        let instant = |name| text(members, name).as_deref().and_then(Micros::parse);
        let (updated, received) = (instant("updatedAt"), instant("createdAt"));
        let begin = |kind: &str| {
            let version = updated.map_or(0, |at| at.0);
            let line = Line::message(kind).text("messageId", &format!("{collection}/{id}/{version}"));
            line.at("timestamp", updated)
        };
        match collection {
            "organizations" => {
                let line = begin("organization").text("organizationId", external_id);
                self.add(record, with_traits(line, members).received(received));
            }
            "accounts" => {
                let organization = text(members, "organizationId").map(|id| self.external("organizations", &id));
                let organization = organization.transpose()?;
                let line = begin("account").text("accountId", external_id);
                let line = line.named("organizationId", organization.as_deref());
                self.add(record, with_traits(line, members).received(received));
            }
            "users" => {
                let user = |line: Line| with_traits(line, members).received(received);
                let parents = self.parents(members)?;
                if parents.is_empty() {
                    self.add(record, user(begin("user").text("userId", external_id).raw("accountId", "null")));
                }
                for (name, parent) in parents {
                    self.add(record, user(begin("user").text("userId", external_id).text(name, &parent)));
                }
            }
            _ => {
                let Some(user) = object(members, "user").and_then(|user| text(&user, "externalId")) else {
                    self.broken(record, "it does not say whose it is");
                    return Ok(());
                };
                let said = ["score", "feedback", "respondedAt", "dismissedAt"].into_iter();
                let said = said.filter_map(|name| Some((name, given(members, name)?.to_owned())));
                let line = begin("npsresponse").text("externalId", external_id).text("userId", &user);
                self.add(record, line.object("traits", said).received(received));
            }
        }
        Ok(())
    }

    /// The accounts and organizations of a user, by the names that messages have for them.
    fn parents(&mut self, members: &Members) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut parents = Vec::new();
        for (name_of_list, name) in [("accounts", "accountId"), ("organizations", "organizationId")] {
            for parent in list(members, name_of_list).into_iter().flatten() {
                // It stands there in full or as an id.
                let parent = match serde_json::from_str::<String>(parent.get()) {
                    Ok(id) => Some(self.external(name_of_list, &id)?),
                    Err(_) => serde_json::from_str::<Members>(parent.get())
                        .ok()
                        .and_then(|record| text(&record, "externalId").or_else(|| text(&record, "id"))),
                };
                parents.extend(parent.map(|parent| (name, parent)));
            }
        }
        Ok(parents)
    }

    /// The external id of a parent; its id when nothing is known of it.
    fn external(&mut self, collection: &str, id: &str) -> anyhow::Result<String> {
        if let Some(known) = self.known.get(id) {
            return Ok(known.clone());
        }
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let answer = match self.looks_up && is_plain {
            true => self.ask(&target(&format!("/resources/{collection}/{id}"), &[]))?,
            false => None,
        };
        let record: Option<Members> = answer.and_then(|answer| serde_json::from_str(&answer).ok());
        let external = record.and_then(|record| text(&record, "externalId")).unwrap_or_else(|| id.to_owned());
        self.known.insert(id.to_owned(), external.clone());
        Ok(external)
    }

    fn add(&mut self, record: &Record<'_>, line: String) {
        self.piece(record, line, None);
    }

    fn broken(&mut self, record: &Record<'_>, says: &str) {
        self.piece(record, String::new(), Some(says.to_owned()));
    }

    fn piece(&mut self, record: &Record<'_>, line: String, broken: Option<String>) {
        let place = Place { line: self.count + 1, index: self.count, source: self.collection as u32 };
        self.count += 1;
        let original = Some(record.whole.as_bytes().to_vec());
        self.waiting.push_back(Piece { place, text: line.into_bytes(), cut: false, broken, original });
    }
}

impl Iterator for Fetched<'_> {
    type Item = sending::Read;

    fn next(&mut self) -> Option<sending::Read> {
        loop {
            if let Some(piece) = self.waiting.pop_front() {
                *self.next.borrow_mut() = self.waiting.is_empty().then(|| self.page());
                return Some((Ok(piece), 0));
            }
            if self.ended {
                return None;
            }
            match self.fetch() {
                Ok(true) => self.progress.note(COLLECTIONS.get(self.collection).copied().unwrap_or("done")),
                Ok(false) => return None,
                Err(error) => {
                    self.ended = true;
                    // Of a page all comes or nothing.
                    self.waiting.clear();
                    return Some((Err(error), 0));
                }
            }
        }
    }
}

/// Whether a page is one of these.
pub fn has(page: &Page) -> bool {
    page.collection == NONE_LEFT || COLLECTIONS.contains(&page.collection.as_str())
}

/// The names of the collections, as places in them are told.
pub fn names(url: &str) -> Vec<String> {
    COLLECTIONS.iter().map(|name| format!("{url}/resources/{name}")).collect()
}

/// Members of an object, each as the JSON that it is: a number keeps every digit.
type Members = BTreeMap<String, Box<RawValue>>;

/// A record as the server tells it.
struct Record<'p> {
    whole: &'p str,
    members: Members,
}

/// What a member says, unless it is nothing.
fn given<'r>(members: &'r Members, name: &str) -> Option<&'r str> {
    members.get(name).map(|value| value.get()).filter(|value| *value != "null")
}

fn text(members: &Members, name: &str) -> Option<String> {
    serde_json::from_str(given(members, name)?).ok()
}

fn object(members: &Members, name: &str) -> Option<Members> {
    serde_json::from_str(given(members, name)?).ok()
}

fn list(members: &Members, name: &str) -> Option<Vec<Box<RawValue>>> {
    serde_json::from_str(given(members, name)?).ok()
}

/// A line with a record's traits, and the fields that are traits here.
fn with_traits(line: Line, members: &Members) -> Line {
    let stated = object(members, "traits").unwrap_or_default();
    let fields = NAMED_TRAITS.into_iter().filter(|name| !stated.contains_key(*name));
    let fields = fields.filter_map(|name| Some((name, given(members, name)?)));
    let traits = stated.keys().filter_map(|name| Some((name.as_str(), given(&stated, name)?)));
    line.object("traits", fields.chain(traits).map(|(name, value)| (name, value.to_owned())))
}
