//! Writing users.
//!
//! `accountIds` and `organizationIds` are the whole of the user's links: what is not among them ends, what is new
//! begins, what stands stays as it is. All of it is one batch, so that nobody sees half of it.

use axum::{extract::State, response::Response};
use muster_model::{
    association::Associations,
    id::IdSpace,
    kind::{Kind, RecordKind},
    profile::Profile,
};

use super::{
    super::{
        records::{PathId, find},
        users::shown,
    },
    body::Write,
    fed::{self, Fed},
    form::Form,
    reference::{self, Reference},
    statement::{Statements, Traits},
};
use crate::{error::ApiError, state::AppState, wire::user::UNSUBSCRIBED};

const KIND: RecordKind = RecordKind::User;
/// Fields of the record that a body may hold and that change nothing.
const UNCHANGING: [&str; 15] = [
    "id",
    "createdAt",
    "updatedAt",
    "accounts",
    "organizations",
    "firstKnown",
    "lastSeenTimestamp",
    "lastInboundMessageTimestamp",
    "lastOutboundMessageTimestamp",
    "npsLastScore",
    "npsLastFeedback",
    "npsLastRespondedAt",
    "unsubscribedFromConversationsAt",
    "segments",
    "implied",
];

/// What a body says.
struct Wish<'a> {
    accounts: Option<Vec<std::borrow::Cow<'a, str>>>,
    organizations: Option<Vec<std::borrow::Cow<'a, str>>>,
    traits: Traits<'a>,
}

/// How a user's links to parents of one kind are to change.
#[derive(Default)]
struct Change {
    begins: Vec<String>,
    ends: Vec<String>,
}

/// Creates a user, or updates the one with this external id.
pub(in crate::resources) async fn create(State(state): State<AppState>, write: Write) -> Result<Response, ApiError> {
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.required_id("externalId");
    let id = IdSpace::new(&write.key.workspace.name).record(KIND, &external_id);
    let known = state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?;
    let wish = Wish::read(&mut form, known.as_deref());
    form.close()?;
    carry_out(&state, &write, &external_id, known.as_deref(), &wish).await
}

/// Updates a user.
pub(in crate::resources) async fn update(
    State(state): State<AppState>,
    PathId(id): PathId,
    write: Write,
) -> Result<Response, ApiError> {
    let profile = find(&state, &write.key.workspace, KIND, &id).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.same_external_id(&profile.external_id);
    let wish = Wish::read(&mut form, Some(&profile));
    form.close()?;
    carry_out(&state, &write, &profile.external_id, Some(&profile), &wish).await
}

impl<'a> Wish<'a> {
    fn read(form: &mut Form<'_, 'a>, known: Option<&Profile>) -> Wish<'a> {
        form.unchanging(&UNCHANGING);
        let fed = Fed(known.map(|known| &known.traits));
        let mut traits = Traits::of(form.object("traits"));
        form.text_traits(&mut traits, fed, &["name", "email", "avatar"]);
        fed.put(&mut traits, "createdAt", fed::Shape::Instant, form.instant("joinDate"));
        fed.put(&mut traits, "deactivatedAt", fed::Shape::Instant, form.instant("deactivatedAt"));
        let unsubscribed = form.boolean(UNSUBSCRIBED);
        fed.put(&mut traits, UNSUBSCRIBED, fed::Shape::Boolean, unsubscribed);
        let (accounts, organizations) = (form.ids("accountIds"), form.ids("organizationIds"));
        Wish { accounts, organizations, traits }
    }
}

async fn carry_out(
    state: &AppState,
    write: &Write,
    external_id: &str,
    known: Option<&Profile>,
    wish: &Wish<'_>,
) -> Result<Response, ApiError> {
    let workspace = &write.key.workspace;
    let user = known.and_then(Profile::as_user);
    let wished = async |kind, field: &str, ids: &Option<Vec<std::borrow::Cow<'_, str>>>| {
        let Some(ids) = ids else { return Ok(None) };
        let mut found = Vec::with_capacity(ids.len());
        for (nth, text) in ids.iter().enumerate() {
            found.push(reference::resolve(state, workspace, kind, &format!("/{field}/{nth}"), text).await?);
        }
        Ok::<_, ApiError>(Some(found))
    };
    let accounts = wished(RecordKind::Account, "accountIds", &wish.accounts).await?;
    let accounts = Change::of(user.map(|user| &user.accounts), accounts);
    let organizations = wished(RecordKind::Organization, "organizationIds", &wish.organizations).await?;
    let organizations = Change::of(user.map(|user| &user.organizations), organizations);
    let mut statements = Statements::new(state, &write.key)?;
    state_links(&mut statements, external_id, &wish.traits, &accounts, &organizations)?;
    let id = statements.ids().record(KIND, external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}

/// The user's own message, with the first links that begin; one more for each further link, and for each that ends.
fn state_links(
    statements: &mut Statements<'_>,
    external_id: &str,
    traits: &Traits<'_>,
    accounts: &Change,
    organizations: &Change,
) -> Result<(), ApiError> {
    let user = ("userId", Some(external_id));
    let first = |change: &Change| change.begins.first().cloned();
    let (account, organization) = (first(accounts), first(organizations));
    let named = [user, ("accountId", account.as_deref()), ("organizationId", organization.as_deref())];
    statements.add(Kind::User, &named, None, Some(traits))?;
    for id in accounts.begins.iter().skip(1) {
        statements.add(Kind::User, &[user, ("accountId", Some(id))], None, None)?;
    }
    for id in organizations.begins.iter().skip(1) {
        statements.add(Kind::User, &[user, ("organizationId", Some(id))], None, None)?;
    }
    for id in &accounts.ends {
        statements.add(Kind::Unlink, &[user, ("accountId", Some(id))], None, None)?;
    }
    for id in &organizations.ends {
        statements.add(Kind::Leave, &[user, ("organizationId", Some(id))], None, None)?;
    }
    Ok(())
}

impl Change {
    /// From the links that stand to the parents wished for; no wish changes nothing.
    fn of(links: Option<&Associations>, wished: Option<Vec<Reference>>) -> Change {
        let Some(mut wished) = wished else { return Change::default() };
        wished.sort_by_key(|reference| reference.id);
        wished.dedup_by_key(|reference| reference.id);
        let standing = links.map(Associations::standing).unwrap_or_default();
        let stands = |reference: &Reference| standing.iter().any(|link| link.parent == reference.id);
        let ends = standing.iter().filter(|link| !wished.iter().any(|reference| reference.id == link.parent));
        let ends = ends.map(|link| link.external_id.as_ref().to_owned()).collect();
        let begins = wished.iter().filter(|reference| !stands(reference));
        Change { begins: begins.map(|reference| reference.external_id.clone()).collect(), ends }
    }
}
