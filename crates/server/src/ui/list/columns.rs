//! What stands in each column.

use std::sync::Arc;

use muster_model::{kind::RecordKind, profile::Profile};
use muster_store::{
    catalogue::{Model, TraitType},
    credentials::Workspace,
};

use super::super::{
    link,
    shown::{self, Form, Html, Long, escaped},
};
use crate::{
    error::ApiError,
    resources::{query::Query, related::Gatherer},
    state::AppState,
    wire::{account::AccountView, organization::OrganizationView, user::UserView, value},
};

/// Columns of traits that are shown unless others are chosen.
const TRAITS_SHOWN: usize = 3;
/// Traits that tell most where there are any of these names, the first of them first.
const TELLING: [&str; 11] =
    ["plan", "status", "stage", "tier", "segment", "role", "title", "industry", "company", "region", "country"];
/// Columns of traits that one table may have.
const TRAITS_MAX: usize = 20;
/// Accounts of a user that a cell names.
const ACCOUNTS_NAMED: usize = 2;

/// A record with what belongs to it.
pub(super) struct Record {
    view: View,
    pub churned: bool,
    mrr: String,
}

enum View {
    Organization(Arc<OrganizationView>),
    Account(Arc<AccountView>, Option<Arc<OrganizationView>>),
    User(Box<UserView>),
}

impl Record {
    pub(super) fn profile(&self) -> &Profile {
        match &self.view {
            View::Organization(view) => &view.profile,
            View::Account(view, _) => &view.profile,
            View::User(view) => &view.profile,
        }
    }
}

/// Reads what belongs to a record of a table.
pub(super) async fn gather(
    gatherer: &mut Gatherer<'_>,
    profile: Arc<Profile>,
    state: &AppState,
) -> Result<Record, ApiError> {
    let names = &state.settings.trait_names;
    let churned = profile.kind() == RecordKind::Account && profile.traits.get(&names.churned_at).is_some();
    let mrr = value::number(&profile.traits, &names.mrr).map(|mrr| mrr.into_owned()).unwrap_or_default();
    let view = match profile.kind() {
        RecordKind::Organization => View::Organization(gatherer.organization(profile).await?),
        RecordKind::User => View::User(Box::new(gatherer.user(profile).await?)),
        _ => {
            let parent = profile.as_account().and_then(|account| account.parent()).map(|parent| parent.id);
            let organization = gatherer.organization_of(parent).await?;
            View::Account(gatherer.account(profile).await?, organization)
        }
    };
    Ok(Record { view, churned, mrr })
}

/// What a record is called: its name, else its e-mail address, else its id.
pub(crate) fn name_of(profile: &Profile) -> String {
    let keys: &[&str] = if profile.kind() == RecordKind::User { &["name", "email"] } else { &["name"] };
    let mut named =
        keys.iter().filter_map(|key| value::text(&profile.traits, key)).filter(|name| !name.trim().is_empty());
    named.next().map_or_else(|| profile.external_id.to_string(), |name| name.into_owned())
}

/// A column. The name is always the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Name,
    Organization,
    Email,
    Accounts,
    AccountsCount,
    Mrr,
    Users,
    LastSeen,
    LastChange,
    Trait { key: String, number: bool, sorts: bool },
}

impl Column {
    pub(super) fn label(&self) -> String {
        match self {
            Column::Name => "Name",
            Column::Organization => "Organization",
            Column::Email => "E-mail",
            Column::Accounts | Column::AccountsCount => "Accounts",
            Column::Mrr => "MRR",
            Column::Users => "Users",
            Column::LastSeen => "Last seen",
            Column::LastChange => "Last change",
            Column::Trait { key, .. } => key,
        }
        .to_owned()
    }

    /// What the API calls an order by this, if there is one.
    pub(super) fn sort_by(&self) -> Option<String> {
        match self {
            Column::Name | Column::Organization | Column::Email | Column::Accounts => None,
            Column::AccountsCount => Some("accountsCount".to_owned()),
            Column::Mrr => Some("mrr".to_owned()),
            Column::Users => Some("usersCount".to_owned()),
            Column::LastSeen => Some("lastSeenTimestamp".to_owned()),
            Column::LastChange => Some("updatedAt".to_owned()),
            Column::Trait { key, sorts, .. } => sorts.then(|| format!("trait.{key}")),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        match self {
            Column::AccountsCount | Column::Mrr | Column::Users => true,
            Column::Trait { number, .. } => *number,
            Column::Name | Column::Organization | Column::Email | Column::Accounts => false,
            Column::LastSeen | Column::LastChange => false,
        }
    }

    /// The cell of a record, as HTML.
    pub(super) fn cell(&self, record: &Record) -> Html {
        let profile = record.profile();
        match (self, &record.view) {
            (Column::Organization, View::Account(_, Some(organization))) => linked(&organization.profile),
            (Column::Accounts, View::User(user)) => accounts(user),
            (Column::Trait { key, .. }, _) => trait_cell(profile, key),
            (Column::LastSeen, View::Account(account, _)) => shown::time_or_nothing(account.seen.last(), Form::Ago),
            (Column::LastSeen, View::User(user)) => shown::time_or_nothing(user.seen.last(), Form::Ago),
            (Column::LastChange, _) => shown::time(profile.updated_at, Form::Ago),
            (Column::Mrr, _) if !record.mrr.is_empty() => askama::filters::Safe(shown::number(&record.mrr)),
            _ => match self.plain(record) {
                text if text.is_empty() => shown::nothing(),
                text => shown::text(&text),
            },
        }
    }

    /// The cell of a record, as text for programs.
    pub(super) fn plain(&self, record: &Record) -> String {
        let profile = record.profile();
        let counts = profile.as_account().map(|account| account.users_count);
        let counts = counts.or_else(|| profile.as_organization().map(|organization| organization.users_count));
        match (self, &record.view) {
            (Column::Name, _) => name_of(profile),
            (Column::Organization, View::Account(_, Some(organization))) => name_of(&organization.profile),
            (Column::Email, _) => value::text(&profile.traits, "email").unwrap_or_default().into_owned(),
            (Column::Accounts, View::User(user)) => {
                user.accounts.iter().map(|one| name_of(&one.profile)).collect::<Vec<_>>().join("; ")
            }
            (Column::AccountsCount, View::Organization(_)) => {
                profile.as_organization().map_or(0, |organization| organization.accounts_count).to_string()
            }
            (Column::Mrr, _) => record.mrr.clone(),
            (Column::Users, _) => counts.map(|count| count.to_string()).unwrap_or_default(),
            (Column::LastSeen, View::Account(account, _)) => {
                account.seen.last().map(|at| at.to_millis_text()).unwrap_or_default()
            }
            (Column::LastSeen, View::User(user)) => user.seen.last().map(|at| at.to_millis_text()).unwrap_or_default(),
            (Column::LastChange, _) => profile.updated_at.to_millis_text(),
            (Column::Trait { key, .. }, _) => {
                let json = profile.traits.get(key).unwrap_or_default();
                value::text(&profile.traits, key).map_or_else(|| json.to_owned(), |text| text.into_owned())
            }
            _ => String::new(),
        }
    }
}

fn trait_cell(profile: &Profile, key: &str) -> Html {
    profile.traits.get(key).map_or_else(shown::nothing, |json| shown::value(json, Long::Cut))
}

/// A record's name, leading to its page.
fn linked(profile: &Profile) -> Html {
    let href = link::record(profile.kind(), &profile.external_id, profile.id);
    askama::filters::Safe(format!("<a href=\"{href}\"><bdi>{}</bdi></a>", escaped(&name_of(profile))))
}

fn accounts(user: &UserView) -> Html {
    let named: Vec<String> = user.accounts.iter().take(ACCOUNTS_NAMED).map(|one| linked(&one.profile).0).collect();
    match user.accounts.len().saturating_sub(ACCOUNTS_NAMED) {
        _ if named.is_empty() => shown::nothing(),
        0 => askama::filters::Safe(named.join(", ")),
        more => askama::filters::Safe(format!("{} and {more} more", named.join(", "))),
    }
}

/// The columns of a table: those of its kind, and the traits that were chosen or, if none were, a few that tell records
/// apart.
pub(super) async fn chosen(
    kind: RecordKind,
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
) -> Result<Vec<Column>, ApiError> {
    let mut columns = match kind {
        RecordKind::Organization => {
            vec![Column::Name, Column::Mrr, Column::AccountsCount, Column::Users, Column::LastChange]
        }
        RecordKind::User => vec![Column::Name, Column::Email, Column::Accounts, Column::LastSeen],
        _ => vec![Column::Name, Column::Organization, Column::Mrr, Column::Users, Column::LastSeen],
    };
    let model = Model { kind, object: None };
    let mut known = state.store.known_traits(workspace.id, model).await.map_err(ApiError::Read)?;
    known.sort_by(|one, other| one.key.cmp(&other.key));
    let trait_column = |key: &str| {
        let types = known.iter().find(|one| *one.key == *key).map(|one| one.types);
        let ranked = |one| matches!(one, TraitType::Number | TraitType::Instant | TraitType::String);
        Column::Trait {
            key: key.to_owned(),
            number: types.is_some_and(|types| types.shown() == TraitType::Number),
            sorts: types.is_some_and(|types| types.iter().any(ranked) && !types.are_texts()),
        }
    };
    if parameters.filled("columns").is_some() || parameters.get("column").is_some() {
        let keys = parameters.pairs().filter(|(name, key)| *name == "column" && !key.is_empty()).map(|(_, key)| key);
        columns.extend(keys.take(TRAITS_MAX).map(trait_column));
        return Ok(columns);
    }
    let own = ["name", "email", "avatar", &state.settings.trait_names.mrr, &state.settings.trait_names.churned_at];
    let mut telling: Vec<&str> = known
        .iter()
        .filter(|one| one.types.are_texts())
        .map(|one| &*one.key)
        .filter(|key| !own.contains(key))
        .collect();
    telling.sort_by_key(|key| TELLING.iter().position(|one| key.eq_ignore_ascii_case(one)).unwrap_or(TELLING.len()));
    columns.extend(telling.into_iter().take(TRAITS_SHOWN).map(trait_column));
    Ok(columns)
}
