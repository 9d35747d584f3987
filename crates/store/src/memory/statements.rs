//! What was said about which user belongs to what, and the rule that answers from it.
//!
//! The rule is written here once more, in the plainest form, rather than taken from [`muster_model::association`]: this
//! is the text that the other one is checked against.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use muster_model::{
    association::Link,
    id::RecordId,
    kind::{Kind, RecordKind},
    message::{Message, Named},
    profile::Parent,
    register::Stamp,
    time::Micros,
};

/// One statement about a user and a parent.
#[derive(Clone, Debug)]
pub struct Said {
    pub stamp: Stamp,
    pub parent: Parent,
    /// Whether it links or unlinks.
    pub links: bool,
}

/// Statements by user and by kind of parent; those about anonymous ids have users for parents.
#[derive(Debug, Default)]
pub struct Statements {
    by_user: HashMap<(RecordId, RecordKind), Vec<Said>>,
}

impl Statements {
    /// Every statement that the messages make.
    pub fn of(messages: &[Message<'_>]) -> Self {
        let mut statements = Statements::default();
        for message in messages {
            let Some(user) = &message.user else { continue };
            for (parents, said) in said(message) {
                statements.hear(user.id, parents, said);
            }
            if let Some((anonymous, said)) = tie(message) {
                statements.hear(anonymous, RecordKind::User, said);
            }
        }
        statements
    }

    /// What was said about a user and parents of one kind.
    pub fn about(&self, user: RecordId, parents: RecordKind) -> &[Said] {
        self.by_user.get(&(user, parents)).map_or(&[], Vec::as_slice)
    }

    /// Every parent ever named for a user, with the latest statement each way.
    pub fn links(&self, user: RecordId, parents: RecordKind) -> Vec<Link> {
        let about = self.about(user, parents);
        let named: BTreeMap<RecordId, &Parent> = about.iter().map(|said| (said.parent.id, &said.parent)).collect();
        let latest = |parent: RecordId, links: bool| {
            let said = about.iter().filter(|said| said.parent.id == parent && said.links == links);
            said.map(|said| said.stamp).max().unwrap_or(Stamp::NEVER)
        };
        let link = |parent: &Parent| Link {
            parent: parent.id,
            external_id: parent.external_id.clone(),
            linked: latest(parent.id, true),
            unlinked: latest(parent.id, false),
        };
        named.into_values().map(link).collect()
    }

    /// Every parent ever named for a user.
    pub fn parents(&self, user: RecordId) -> Vec<(RecordKind, RecordId)> {
        let kinds = [RecordKind::Account, RecordKind::Organization].into_iter();
        kinds.flat_map(|kind| self.about(user, kind).iter().map(move |said| (kind, said.parent.id))).collect()
    }

    /// Whether the latest statement about a user and a parent links.
    pub fn stands(&self, user: RecordId, (parents, parent): (RecordKind, RecordId)) -> bool {
        let about = self.about(user, parents).iter().filter(|said| said.parent.id == parent);
        about.max_by_key(|said| said.stamp).is_some_and(|said| said.links)
    }

    /// The organizations that a user belongs to: by a link of its own, or by one to an account of theirs.
    pub fn organizations_of(
        &self,
        user: RecordId,
        organization_of: impl Fn(RecordId) -> Option<RecordId>,
    ) -> BTreeSet<RecordId> {
        let standing = |parents| {
            let links = self.links(user, parents).into_iter().filter(|link| link.linked > link.unlinked);
            links.map(|link| link.parent).collect::<Vec<RecordId>>()
        };
        let through = standing(RecordKind::Account).into_iter().filter_map(organization_of);
        standing(RecordKind::Organization).into_iter().chain(through).collect()
    }

    /// Every user that anything was said about.
    pub fn users(&self) -> BTreeSet<RecordId> {
        self.by_user.keys().filter(|(_, parents)| *parents != RecordKind::User).map(|(user, _)| *user).collect()
    }

    /// Every tie: the anonymous id, and the user.
    pub fn ties(&self) -> impl Iterator<Item = (RecordId, RecordId)> {
        let of_users = self.by_user.iter().filter(|((_, parents), _)| *parents == RecordKind::User);
        of_users.flat_map(|((anonymous, _), said)| said.iter().map(|said| (*anonymous, said.parent.id)))
    }

    /// The user that an anonymous id was at an instant.
    pub fn user_at(&self, anonymous: RecordId, at: Micros) -> Option<&Parent> {
        parent_at(self.about(anonymous, RecordKind::User), at)
    }

    /// Takes in what was said about a user.
    pub fn hear(&mut self, user: RecordId, parents: RecordKind, said: Said) {
        self.by_user.entry((user, parents)).or_default().push(said);
    }

    /// How many users' links stand, by parent.
    pub fn users_by_parent(&self, parents: RecordKind) -> HashMap<RecordId, u32> {
        let mut counts = HashMap::new();
        for (user, _) in self.by_user.keys().filter(|(_, kind)| *kind == parents) {
            for link in self.links(*user, parents).iter().filter(|link| link.linked > link.unlinked) {
                *counts.entry(link.parent).or_default() += 1;
            }
        }
        counts
    }
}

/// What one message says about its user.
pub fn said(message: &Message<'_>) -> Vec<(RecordKind, Said)> {
    let say = |parents, named: &Option<Named<'_>>, links| {
        let parent = parent(named.as_ref()?);
        Some((parents, Said { stamp: message.stamp(), parent, links }))
    };
    let (account, organization) = match message.kind {
        Kind::User => (
            say(RecordKind::Account, &message.account, true),
            say(RecordKind::Organization, &message.organization, true),
        ),
        Kind::Unlink => (say(RecordKind::Account, &message.account, false), None),
        // A leave that names an instance is about the instance.
        Kind::Leave if message.instance.is_none() => {
            (None, say(RecordKind::Organization, &message.organization, false))
        }
        Kind::Organization
        | Kind::Account
        | Kind::Track
        | Kind::CustomObjectInstance
        | Kind::CustomObject
        | Kind::NpsResponse
        | Kind::Leave => (None, None),
    };
    [account, organization].into_iter().flatten().collect()
}

/// The anonymous id that a message says its user is, and that it says so.
pub fn tie(message: &Message<'_>) -> Option<(RecordId, Said)> {
    let (user, anonymous) = message.user.as_ref().zip(message.anonymous.as_ref())?;
    let said = Said { stamp: message.stamp(), parent: parent(user), links: true };
    (message.kind == Kind::User).then_some((anonymous.id, said))
}

/// A named record as a parent.
pub fn parent(named: &Named<'_>) -> Parent {
    Parent { id: named.id, external_id: named.external_id.as_ref().into() }
}

/// The parent that counts at an instant: among those whose latest statement up to then links, the one linked last; if
/// there is none, the one that was linked last of all up to then; if none was linked yet, the first one afterwards.
pub fn parent_at(about: &[Said], at: Micros) -> Option<&Parent> {
    let mut latest: BTreeMap<RecordId, &Said> = BTreeMap::new();
    for said in about.iter().filter(|said| said.stamp.at <= at) {
        let standing = latest.entry(said.parent.id).or_insert(said);
        if said.stamp > standing.stamp {
            *standing = said;
        }
    }
    let standing = latest.into_values().filter(|said| said.links).max_by_key(|said| said.stamp);
    let links = || about.iter().filter(|said| said.links);
    let ever = || links().filter(|said| said.stamp.at <= at).max_by_key(|said| said.stamp);
    let afterwards = || links().min_by_key(|said| said.stamp);
    standing.or_else(ever).or_else(afterwards).map(|said| &said.parent)
}
