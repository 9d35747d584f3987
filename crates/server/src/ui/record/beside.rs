//! What stands beside a record: users, accounts, objects, answers to surveys. A few of each, and where the rest is.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::{kind::RecordKind, profile::Profile};
use muster_store::{
    credentials::Workspace,
    lists::{ListOrder, ListQuery},
};

use super::{
    super::{
        link,
        list::name_of,
        shown::{self, Form, Html},
    },
    Line,
};
use crate::{error::ApiError, resources::related::Gatherer, state::AppState, wire::value};

/// Records of one group that are shown.
const SHOWN: usize = 8;

/// Records of one kind.
pub(super) struct Group {
    pub id: &'static str,
    pub title: String,
    pub count: String,
    /// Where all of them are.
    pub all: String,
    pub lines: Vec<Line>,
    pub empty: &'static str,
}

/// Reads every group that a kind of record has.
pub(super) async fn read(
    state: &AppState,
    workspace: &Workspace,
    profile: &Arc<Profile>,
) -> Result<Vec<Group>, ApiError> {
    let reader = Reader { state, workspace, profile };
    let mut groups = Vec::new();
    match profile.kind() {
        RecordKind::Organization => {
            groups.push(reader.accounts().await?);
            groups.push(reader.users().await?);
        }
        RecordKind::User => {}
        _ => groups.push(reader.users().await?),
    }
    if profile.kind() != RecordKind::User {
        groups.extend(reader.objects().await?);
    }
    groups.extend(reader.answers().await?);
    Ok(groups)
}

struct Reader<'a> {
    state: &'a AppState,
    workspace: &'a Workspace,
    profile: &'a Arc<Profile>,
}

impl Reader<'_> {
    async fn of(&self, kind: RecordKind, order: ListOrder, limit: usize) -> Result<Vec<Arc<Profile>>, ApiError> {
        let within = Some((self.profile.kind(), self.profile.id));
        let query = ListQuery { within, limit, ..ListQuery::new(kind, order) };
        let page = self.state.store.list(self.workspace.id, query).await.map_err(ApiError::Read)?;
        Ok(page.profiles)
    }

    /// The table of all records of a kind that belong to this one.
    fn all(&self, kind: RecordKind) -> String {
        let name = if self.profile.kind() == RecordKind::Account { "account" } else { "organization" };
        link::with(
            link::list(kind),
            &[
                (name, &self.profile.external_id),
                ("status", if kind == RecordKind::Account { "activeOrChurned" } else { "" }),
            ],
        )
    }

    async fn users(&self) -> Result<Group, ApiError> {
        let users = self.of(RecordKind::User, ListOrder::LastSeen, SHOWN).await?;
        let gatherer = Gatherer::new(self.state, self.workspace.id);
        let mut lines = Vec::with_capacity(users.len());
        for user in &users {
            lines.push(line(user, shown::time_or_nothing(gatherer.seen(user).await?.last(), Form::Ago)));
        }
        let account = self.profile.as_account().map(|account| account.users_count);
        let count = account.or_else(|| self.profile.as_organization().map(|organization| organization.users_count));
        Ok(Group {
            id: "users",
            title: "Users".to_owned(),
            count: shown::count(count.unwrap_or(0).into()),
            all: self.all(RecordKind::User),
            lines,
            empty: "No user belongs to it.",
        })
    }

    async fn accounts(&self) -> Result<Group, ApiError> {
        let accounts = self.of(RecordKind::Account, ListOrder::LastSeen, SHOWN).await?;
        let mut gatherer = Gatherer::new(self.state, self.workspace.id);
        let mut lines = Vec::new();
        for account in accounts {
            let seen = gatherer.account(Arc::clone(&account)).await?.seen.last();
            lines.push(line(&account, shown::time_or_nothing(seen, Form::Ago)));
        }
        let count = self.profile.as_organization().map_or(0, |organization| organization.accounts_count);
        Ok(Group {
            id: "accounts",
            title: "Accounts".to_owned(),
            count: shown::count(count.into()),
            all: self.all(RecordKind::Account),
            lines,
            empty: "No account belongs to it.",
        })
    }

    /// Instances of custom objects, a group for each object.
    async fn objects(&self) -> Result<Vec<Group>, ApiError> {
        const READ: usize = 50;
        const GROUPS_MAX: usize = 6;
        let instances = self.of(RecordKind::Instance, ListOrder::UpdatedAt, READ).await?;
        let mut by_object: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for instance in &instances {
            let Some(part) = instance.as_instance() else { continue };
            let object = match part.custom_object {
                Some(id) => {
                    let read = self.state.store.profile(self.workspace.id, RecordKind::CustomObject, id).await;
                    read.map_err(ApiError::Read)?
                }
                None => None,
            };
            let title = object.as_deref().map_or_else(|| "Objects".to_owned(), name_of);
            let name = part.name.as_ref().map(|name| name.value().to_string());
            let label = name.unwrap_or_else(|| name_of(instance));
            let value = shown::time(instance.updated_at, Form::Ago);
            by_object.entry(title).or_default().push(Line { label, href: String::new(), value });
        }
        let group = |(at, (title, lines)): (usize, (String, Vec<Line>))| Group {
            id: ["object-0", "object-1", "object-2", "object-3", "object-4", "object-5"][at],
            title,
            count: String::new(),
            all: String::new(),
            lines: lines.into_iter().take(SHOWN).collect(),
            empty: "",
        };
        Ok(by_object.into_iter().take(GROUPS_MAX).enumerate().map(group).collect())
    }

    /// The latest answers to NPS surveys, if there are any.
    async fn answers(&self) -> Result<Option<Group>, ApiError> {
        let order = ListOrder::Trait("respondedAt".into());
        let answers = self.of(RecordKind::NpsResponse, order, SHOWN).await?;
        if answers.is_empty() {
            return Ok(None);
        }
        let lines = answers.iter().map(|answer| {
            let score = value::number(&answer.traits, "score").unwrap_or_default();
            let feedback = value::text(&answer.traits, muster_model::nps::FEEDBACK).unwrap_or_default();
            Line { label: score.into_owned(), href: String::new(), value: shown::text(&feedback) }
        });
        Ok(Some(Group {
            id: "nps",
            title: "NPS answers".to_owned(),
            count: String::new(),
            all: String::new(),
            lines: lines.collect(),
            empty: "",
        }))
    }
}

fn line(profile: &Profile, value: Html) -> Line {
    Line { label: name_of(profile), href: link::record(profile.kind(), &profile.external_id, profile.id), value }
}
