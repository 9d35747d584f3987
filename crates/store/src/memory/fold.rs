//! Profiles, counts and children, from all messages.
//!
//! Each property of a record is one expression over the messages that name it, and says what the contract says.
//! `seen_stale` is never set: the twin always knows.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use muster_model::{
    association::Associations,
    id::RecordId,
    kind::{Kind, RecordKind},
    kinds::fields::named,
    message::{Message, Named},
    nps::{self, Answer, Answers, Tally},
    profile::{Account, Anonymous, Body, Instance, NpsResponse, Organization, Parent, Profile, Span, User},
    register::{Register, Stamp},
    time::Micros,
    traits::Traits,
};

use super::{
    receipts::Receipts,
    statements::{Statements, parent, parent_at},
};
use crate::history::Event;

/// A record.
pub type Key = (RecordKind, RecordId);

/// What all messages of a workspace together say.
#[derive(Debug, Default)]
pub struct Folded {
    pub profiles: BTreeMap<Key, Arc<Profile>>,
    /// Records that ever named another one as their parent, by that parent.
    pub children: BTreeMap<Key, BTreeSet<Key>>,
    /// Every track with its place, newest first, ties by identity.
    pub events: Vec<Event>,
}

/// Folds messages, each given once, in any order.
pub fn fold(messages: &[Message<'_>], receipts: &Receipts) -> Folded {
    let mut naming: BTreeMap<Key, Vec<&Message<'_>>> = BTreeMap::new();
    let mut children: BTreeMap<Key, BTreeSet<Key>> = BTreeMap::new();
    for message in messages {
        for (kind, id, _) in named(message) {
            naming.entry((kind, id)).or_default().push(message);
        }
        for (parent, child) in parents(message) {
            children.entry(parent).or_default().insert(child);
        }
    }
    let facts = Facts::of(messages, &naming);
    for (response, users) in &facts.answered {
        for user in users {
            let parents = facts.statements.parents(*user).into_iter().chain([(RecordKind::User, *user)]);
            for parent in parents {
                children.entry(parent).or_default().insert((RecordKind::NpsResponse, *response));
            }
        }
    }
    for (anonymous, user) in facts.statements.ties() {
        let parents = facts.statements.parents(user).into_iter().chain([(RecordKind::User, user)]);
        for parent in parents {
            children.entry(parent).or_default().insert((RecordKind::Anonymous, anonymous));
        }
    }
    let profile = |(key, naming): (&Key, &Vec<&Message<'_>>)| (*key, Arc::new(facts.profile(*key, naming, receipts)));
    let profiles = naming.iter().map(profile).collect();
    let mut events: Vec<Event> = facts.tracks.iter().map(Placed::event).collect();
    events.sort_by_key(|event| Reverse((event.timestamp, event.identity)));
    Folded { profiles, children, events }
}

/// Who names whom as a parent in a message: an account its organization, a user and an instance both of theirs.
fn parents(message: &Message<'_>) -> Vec<(Key, Key)> {
    let child = match message.kind {
        Kind::Account => message.account.as_ref().map(|named| (RecordKind::Account, named.id)),
        Kind::User | Kind::Unlink => message.user.as_ref().map(|named| (RecordKind::User, named.id)),
        Kind::Leave if message.user.is_some() => message.user.as_ref().map(|named| (RecordKind::User, named.id)),
        Kind::CustomObjectInstance => message.instance.as_ref().map(|named| (RecordKind::Instance, named.id)),
        Kind::Organization | Kind::Track | Kind::CustomObject | Kind::NpsResponse | Kind::Leave => None,
    };
    let object = message.custom_object.as_ref().zip(message.instance.as_ref());
    let object =
        object.map(|(object, instance)| ((RecordKind::CustomObject, object.id), (RecordKind::Instance, instance.id)));
    let Some(child) = child else { return object.into_iter().collect() };
    let account = message.account.as_ref().filter(|_| message.kind != Kind::Leave);
    let account = account.map(|named| (RecordKind::Account, named.id));
    let organization = message.organization.as_ref().map(|named| (RecordKind::Organization, named.id));
    [account, organization]
        .into_iter()
        .flatten()
        .filter(|parent| *parent != child)
        .map(|parent| (parent, child))
        .chain(object)
        .collect()
}

/// What several records' profiles depend on.
struct Facts<'m> {
    statements: Statements,
    /// What was stated last of each account's organization.
    organizations: HashMap<RecordId, Register<Option<Parent>>>,
    /// How many users' links to an account stand.
    users: HashMap<RecordId, u32>,
    /// How many users belong to each organization, by any way.
    members: HashMap<RecordId, u32>,
    tracks: Vec<Placed<'m>>,
    /// Every user that a response ever named, by response.
    answered: BTreeMap<RecordId, BTreeSet<RecordId>>,
    /// The last answer of each user who gave one.
    answers: HashMap<RecordId, Answer>,
}

/// A track and where it belongs.
struct Placed<'m> {
    message: &'m Message<'m>,
    user: Option<Parent>,
    account: Option<Parent>,
    organization: Option<Parent>,
}

impl<'m> Facts<'m> {
    fn of(messages: &'m [Message<'m>], naming: &BTreeMap<Key, Vec<&'m Message<'m>>>) -> Self {
        let statements = Statements::of(messages);
        let users = statements.users_by_parent(RecordKind::Account);
        let organization = |(key, naming): (&Key, &Vec<&Message<'_>>)| {
            let about = naming.iter().filter(|_| key.0 == RecordKind::Account);
            let stated = about.filter_map(|message| match message.kind {
                Kind::Account => stated_parent(message, &message.organization),
                Kind::Leave if message.user.is_none() && message.instance.is_none() => Some((message.stamp(), None)),
                _ => None,
            });
            Some((key.1, latest(stated)?))
        };
        let organizations: HashMap<RecordId, Register<Option<Parent>>> =
            naming.iter().filter_map(organization).collect();
        let mut members = HashMap::new();
        for user in statements.users() {
            let of_account = |account| Some(organizations.get(&account)?.value().as_ref()?.id);
            for organization in statements.organizations_of(user, of_account) {
                *members.entry(organization).or_default() += 1;
            }
        }
        let (answered, answers) = answers(naming);
        let tracks = Vec::new();
        let mut facts = Facts { statements, organizations, users, members, tracks, answered, answers };
        let tracks = messages.iter().filter(|message| message.kind == Kind::Track);
        facts.tracks = tracks.map(|message| facts.place(message)).collect();
        facts
    }

    /// Where a track belongs: to the user it names, else to the one that its anonymous id was at that instant; to the account it names, else to its user's at that instant; and to that account's
    /// organization, else to the one it names, else to its user's at that instant.
    fn place(&self, message: &'m Message<'m>) -> Placed<'m> {
        let tied = || self.statements.user_at(message.anonymous.as_ref()?.id, message.ordered_at()).cloned();
        let user = message.user.as_ref().map(parent).or_else(tied);
        let of_user = |parents| {
            let about = self.statements.about(user.as_ref()?.id, parents);
            parent_at(about, message.ordered_at()).cloned()
        };
        let own = |named: &Option<Named<'_>>| named.as_ref().map(parent);
        let account = own(&message.account).or_else(|| of_user(RecordKind::Account));
        let of_account = || self.organizations.get(&account.as_ref()?.id)?.value().clone();
        let organization =
            of_account().or_else(|| own(&message.organization)).or_else(|| of_user(RecordKind::Organization));
        Placed { message, user, account, organization }
    }

    fn profile(&self, (kind, id): Key, naming: &[&Message<'_>], receipts: &Receipts) -> Profile {
        let stated: Vec<&Message<'_>> =
            naming.iter().copied().filter(|message| describes(message.kind) == Some(kind)).collect();
        let mut names =
            naming.iter().flat_map(|message| named(message)).filter(|named| (named.0, named.1) == (kind, id));
        let external_id = match kind {
            RecordKind::CustomObject => {
                let name = names.find(|(_, _, name)| RecordId::parse_hyphenated(name).is_none());
                name.map_or_else(|| id.to_string(), |(_, _, name)| name.to_owned())
            }
            _ => names.next().map_or(String::new(), |(_, _, name)| name.to_owned()),
        };
        let times = receipts.times(kind, id).expect("every message was heard when it was accepted");
        Profile {
            id,
            external_id: external_id.into(),
            created_at: times.created_at,
            updated_at: times.updated_at,
            stated: !stated.is_empty(),
            first_known: naming.iter().map(|message| message.ordered_at()).min().unwrap_or(Micros::MAX),
            traits: traits(&stated),
            body: self.body(kind, id, naming, &stated),
        }
    }

    fn body(&self, kind: RecordKind, id: RecordId, naming: &[&Message<'_>], stated: &[&Message<'_>]) -> Body {
        let tracks = || naming.iter().filter(|message| message.kind == Kind::Track);
        match kind {
            RecordKind::Organization => {
                let here = |organization: &&Register<Option<Parent>>| is(organization.value(), id);
                let accounts = self.organizations.values().filter(here);
                let users_count = self.members.get(&id).copied().unwrap_or(0);
                let nps = self.tally(|user| self.is_in_organization(user, id));
                Body::Organization(Organization { accounts_count: accounts.count() as u32, users_count, nps })
            }
            RecordKind::Account => {
                let belongs = |track: &&Placed<'_>| track.account.as_ref().is_some_and(|account| account.id == id);
                Body::Account(Account {
                    organization: self.organizations.get(&id).cloned(),
                    users_count: self.users.get(&id).copied().unwrap_or(0),
                    seen: span(self.tracks.iter().filter(belongs).map(|track| track.message)),
                    seen_stale: false,
                    seen_named: span(tracks().copied()),
                    nps: self.tally(|user| self.statements.stands(user, (RecordKind::Account, id))),
                })
            }
            RecordKind::User => Body::User(User {
                accounts: Associations::from_links(self.statements.links(id, RecordKind::Account)),
                organizations: Associations::from_links(self.statements.links(id, RecordKind::Organization)),
                seen: span(self.tracks_of(id)),
                seen_stale: false,
                seen_loose: span(self.tracks_of(id).filter(|message| message.account.is_none())),
                loose_stale: false,
                tied: self.statements.ties().any(|(_, user)| user == id),
                nps: Answers {
                    heard: self.answered.values().any(|users| users.contains(&id)),
                    last: self.answers.get(&id).copied(),
                },
            }),
            RecordKind::Instance => Body::Instance(instance(naming)),
            RecordKind::CustomObject => Body::CustomObject,
            RecordKind::NpsResponse => Body::NpsResponse(NpsResponse { user: whose(stated) }),
            RecordKind::Anonymous => Body::Anonymous(Anonymous {
                users: Associations::from_links(self.statements.links(id, RecordKind::User)),
                seen: span(tracks().copied()),
                seen_loose: span(tracks().copied().filter(|message| message.account.is_none())),
                stale: false,
            }),
        }
    }

    /// What a user did, by name or as someone anonymous.
    fn tracks_of(&self, user: RecordId) -> impl Iterator<Item = &'m Message<'m>> + Clone {
        let is = move |track: &&Placed<'_>| track.user.as_ref().is_some_and(|whose| whose.id == user);
        self.tracks.iter().filter(is).map(|track| track.message)
    }

    /// Users of a place by their last answer.
    fn tally(&self, belongs: impl Fn(RecordId) -> bool) -> Tally {
        let mut tally = Tally::default();
        for (_, answer) in self.answers.iter().filter(|(user, _)| belongs(**user)) {
            tally.count(answer.group(), true);
        }
        tally
    }

    fn is_in_organization(&self, user: RecordId, organization: RecordId) -> bool {
        let directly = self.statements.stands(user, (RecordKind::Organization, organization));
        let mut accounts = self.organizations.iter().filter(|(_, joined)| is(joined.value(), organization));
        directly || accounts.any(|(account, _)| self.statements.stands(user, (RecordKind::Account, *account)))
    }
}

fn is(parent: &Option<Parent>, id: RecordId) -> bool {
    parent.as_ref().is_some_and(|parent| parent.id == id)
}

/// Whom each response ever named, and what each user answered last.
fn answers(
    naming: &BTreeMap<Key, Vec<&Message<'_>>>,
) -> (BTreeMap<RecordId, BTreeSet<RecordId>>, HashMap<RecordId, Answer>) {
    let (mut answered, mut answers) = (BTreeMap::new(), HashMap::new());
    for ((_, id), about) in naming.iter().filter(|((kind, _), _)| *kind == RecordKind::NpsResponse) {
        answered.insert(*id, about.iter().filter_map(|message| message.user.as_ref()).map(|user| user.id).collect());
        let Some(user) = whose(about).map(|user| user.value().id) else { continue };
        let traits = traits(about);
        let Some(score) = traits.get(nps::SCORE).and_then(|score| score.parse().ok()).filter(|score| *score <= 10)
        else {
            continue;
        };
        let text = traits.get(nps::RESPONDED_AT).and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
        let heard = || about.iter().map(|message| message.ordered_at()).min();
        let Some(responded_at) = text.and_then(Micros::parse).or_else(heard) else { continue };
        let answer = Answer { responded_at, response: *id, score };
        let last = answers.entry(user).or_insert(answer);
        if (answer.responded_at, answer.response) > (last.responded_at, last.response) {
            *last = answer;
        }
    }
    (answered, answers)
}

fn whose(stated: &[&Message<'_>]) -> Option<Register<Parent>> {
    latest(stated.iter().filter_map(|message| Some((message.stamp(), parent(message.user.as_ref()?)))))
}

fn instance(naming: &[&Message<'_>]) -> Instance {
    let names = naming.iter().filter_map(|message| Some((message.stamp(), message.name.as_deref()?.into())));
    let stated = |named: for<'n> fn(&'n Message<'_>) -> &'n Option<Named<'n>>| {
        latest(naming.iter().filter_map(|message| {
            let (stamp, parent) = stated_parent(message, named(message))?;
            Some((stamp, parent.filter(|_| message.kind == Kind::CustomObjectInstance)))
        }))
    };
    Instance {
        custom_object: naming.iter().find_map(|message| message.custom_object.as_ref()).map(|named| named.id),
        name: latest(names),
        account: stated(|message| &message.account),
        organization: stated(|message| &message.organization),
    }
}

/// The kind of record that messages of a kind describe.
pub fn describes(kind: Kind) -> Option<RecordKind> {
    match kind {
        Kind::Organization => Some(RecordKind::Organization),
        Kind::Account => Some(RecordKind::Account),
        Kind::User => Some(RecordKind::User),
        Kind::CustomObjectInstance => Some(RecordKind::Instance),
        Kind::CustomObject => Some(RecordKind::CustomObject),
        Kind::NpsResponse => Some(RecordKind::NpsResponse),
        Kind::Track | Kind::Unlink | Kind::Leave => None,
    }
}

/// Of every key the value that was stated last; `null` removes.
fn traits(stated: &[&Message<'_>]) -> Traits {
    let mut by_key: BTreeMap<&str, Vec<(Stamp, &str)>> = BTreeMap::new();
    for message in stated {
        for stated in &message.traits {
            by_key.entry(stated.key.as_ref()).or_default().push((message.stamp(), stated.value));
        }
    }
    let mut traits = Traits::default();
    for (key, values) in by_key {
        if let Some((stamp, value)) = values.into_iter().max_by_key(|(stamp, _)| *stamp) {
            traits.state(stamp, key, value);
        }
    }
    traits
}

fn stated_parent(message: &Message<'_>, named: &Option<Named<'_>>) -> Option<(Stamp, Option<Parent>)> {
    Some((message.stamp(), Some(parent(named.as_ref()?))))
}

fn latest<T>(stated: impl Iterator<Item = (Stamp, T)>) -> Option<Register<T>> {
    stated.max_by_key(|(stamp, _)| *stamp).map(|(stamp, value)| Register::new(stamp, value))
}

fn span<'m>(tracks: impl Iterator<Item = &'m Message<'m>> + Clone) -> Span {
    let instants = tracks.map(|message| message.ordered_at());
    Span::from_bounds(instants.clone().min().zip(instants.max()))
}

impl Placed<'_> {
    fn event(&self) -> Event {
        let message = self.message;
        Event {
            identity: message.identity,
            timestamp: message.timestamp,
            received_at: message.received_at,
            name: message.name.as_deref().unwrap_or_default().to_owned(),
            message_id: message.message_id.as_deref().map(str::to_owned),
            user: self.user.clone(),
            account: self.account.clone(),
            organization: self.organization.clone(),
            properties: message.data.to_owned(),
        }
    }
}
