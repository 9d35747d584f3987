//! Writing instances of a custom object.

use std::borrow::Cow;

use axum::{extract::State, response::Response};
use muster_model::{
    id::IdSpace,
    kind::{Kind, RecordKind},
    profile::{Instance, Parent, Profile},
};

use super::{
    super::{
        custom_objects,
        instances::{PathIds, find, shown},
        records::PathId,
    },
    body::Write,
    fed::{self, Fed},
    form::{Form, Said},
    reference,
    statement::{Statements, Traits, random_text},
};
use crate::{
    error::ApiError,
    state::AppState,
    violation::Violation,
    wire::custom_object_instance::{self as wire, ARCHIVED_AT},
};

const KIND: RecordKind = RecordKind::Instance;
/// Fields of the record that a body may hold and that change nothing.
const UNCHANGING: [&str; 8] = [
    "id",
    "createdAt",
    "updatedAt",
    "customObjectId",
    "customer",
    "organization",
    "createdByVitallyUserId",
    "ownedByVitallyUserId",
];

/// What a body says.
struct Wish<'a> {
    name: Said<Cow<'a, str>>,
    account: Said<Cow<'a, str>>,
    organization: Said<Cow<'a, str>>,
    traits: Traits<'a>,
}

/// What a message is to say about a parent.
enum Parentage {
    /// The parent, by its external id.
    In(String),
    /// That the instance leaves this one.
    Out(String),
    /// Nothing: there is none, and none was asked for.
    Nowhere,
}

/// Creates an instance, or updates the one with this external id.
pub(in crate::resources) async fn create(
    State(state): State<AppState>,
    PathId(object): PathId,
    write: Write,
) -> Result<Response, ApiError> {
    let object = custom_objects::find(&state, &write.key.workspace, &object).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    let external_id = form.id("externalId");
    let external_id = match external_id {
        Some(id) => id,
        None => Cow::Owned(random_text()?),
    };
    let id = IdSpace::new(&write.key.workspace.name).instance(&object.id.to_string(), &external_id);
    let known = state.store.profile(write.key.workspace.id, KIND, id).await.map_err(ApiError::Read)?;
    let wish = Wish::read(&mut form, known.as_deref());
    form.close()?;
    carry_out(&state, &write, (&object, &external_id), known.as_deref(), &wish).await
}

/// Updates an instance.
pub(in crate::resources) async fn update(
    State(state): State<AppState>,
    ids: PathIds,
    write: Write,
) -> Result<Response, ApiError> {
    let object = custom_objects::find(&state, &write.key.workspace, &ids.object).await?;
    let profile = find(&state, &write.key.workspace, &object, &ids.instance).await?;
    let members = write.members()?;
    let mut form = Form::new(&members);
    form.same_external_id(&profile.external_id);
    let wish = Wish::read(&mut form, Some(&profile));
    form.close()?;
    carry_out(&state, &write, (&object, &profile.external_id), Some(&profile), &wish).await
}

impl<'a> Wish<'a> {
    fn read(form: &mut Form<'_, 'a>, known: Option<&Profile>) -> Wish<'a> {
        form.unchanging(&UNCHANGING);
        let shown = known.and_then(wire::name);
        let name = match form.text("name") {
            Said::Some(name) if shown.as_ref() == Some(&name) => Said::Nothing,
            name => name,
        };
        let account = form.id_or_null("customerId");
        let organization = form.id_or_null("organizationId");
        let mut traits = Traits::of(form.object("traits"));
        let fed = Fed(known.map(|known| &known.traits));
        fed.put(&mut traits, ARCHIVED_AT, fed::Shape::Instant, form.instant(ARCHIVED_AT));
        Wish { name, account, organization, traits }
    }
}

async fn carry_out(
    state: &AppState,
    write: &Write,
    (object, external_id): (&Profile, &str),
    known: Option<&Profile>,
    wish: &Wish<'_>,
) -> Result<Response, ApiError> {
    let workspace = &write.key.workspace;
    let instance = known.and_then(Profile::as_instance);
    let parentage = async |kind, path: &str, said: &Said<Cow<'_, str>>, stands: Option<&Parent>| {
        Ok::<_, ApiError>(match (said, stands) {
            (Said::Some(text), _) => {
                Parentage::In(reference::resolve(state, workspace, kind, path, text).await?.external_id)
            }
            (Said::Nothing, Some(parent)) => Parentage::In(parent.external_id.as_ref().to_owned()),
            (Said::None, Some(parent)) => Parentage::Out(parent.external_id.as_ref().to_owned()),
            (Said::Nothing | Said::None, None) => Parentage::Nowhere,
        })
    };
    let stands = instance.and_then(Instance::account);
    let account = parentage(RecordKind::Account, "/customerId", &wish.account, stands).await?;
    let stands = instance.and_then(Instance::organization);
    let organization = parentage(RecordKind::Organization, "/organizationId", &wish.organization, stands).await?;
    let mut named = vec![("externalId", Some(external_id)), ("customObjectId", Some(object.external_id.as_ref()))];
    let itself = named.clone();
    for (field, parentage) in [("accountId", &account), ("organizationId", &organization)] {
        if let Parentage::In(id) = parentage {
            named.push((field, Some(id)));
        }
    }
    if named.len() == itself.len() {
        return Err(ApiError::Invalid(vec![Violation::required("customerId"), Violation::required("organizationId")]));
    }
    let name = if let Said::Some(name) = &wish.name { Some(name.as_ref()) } else { None };
    let mut statements = Statements::new(state, &write.key)?;
    statements.add(Kind::CustomObjectInstance, &named, name, Some(&wish.traits))?;
    for (field, parentage) in [("accountId", &account), ("organizationId", &organization)] {
        if let Parentage::Out(id) = parentage {
            let named: Vec<_> = itself.iter().copied().chain([(field, Some(id.as_str()))]).collect();
            statements.add(Kind::Leave, &named, None, None)?;
        }
    }
    let id = statements.ids().instance(&object.id.to_string(), external_id);
    statements.append().await?;
    let profile = super::written(state, write, KIND, id).await?;
    match write.may_read() {
        true => shown(state, workspace, profile).await,
        false => Ok(super::acknowledged(&profile)),
    }
}
