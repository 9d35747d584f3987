//! What a custom object instance message needs and changes.

use std::borrow::Cow;

use super::fields::{Fields, name};
use crate::{
    change::{Ledger, describe, named_profile},
    kind::RecordKind,
    message::{Message, Named},
    profile::{Body, Parent},
    register::merge_option,
    rejection::{Code, Rejection},
};

/// `externalId` and `customObjectId` are required, and `accountId` or `organizationId`.
pub(super) fn check<'a>(mut fields: Fields<'_, 'a>) -> Result<Message<'a>, Rejection> {
    fields.external_id = fields.require(|fields| &mut fields.external_id, "externalId")?;
    fields.custom_object_id = fields.require(|fields| &mut fields.custom_object_id, "customObjectId")?;
    if !fields.names_subject() {
        return Err(Rejection::new(
            Code::InstanceNeedsParent,
            "/accountId",
            "a custom object instance needs accountId or organizationId; send the record it belongs to",
        ));
    }
    let name: Option<Cow<'a, str>> = match fields.draft.name {
        Some(raw) => name("name", raw, Code::InvalidName)?,
        None => None,
    };
    fields.into_message(name)
}

/// States the instance's traits, name and parents.
pub(crate) fn apply<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let (Some(named), Some(object)) = (&message.instance, &message.custom_object) else { return Ok(()) };
    let stamp = message.stamp();
    let profile = named_profile(ledger, RecordKind::Instance, named, message)?;
    describe(profile, message);
    let Body::Instance(instance) = &mut profile.body else { return Ok(()) };
    instance.custom_object = Some(object.id);
    if let Some(name) = &message.name {
        merge_option(&mut instance.name, stamp, || name.as_ref().into());
    }
    let parent = |named: &Named<'_>| Parent { id: named.id, external_id: named.external_id.as_ref().into() };
    if let Some(account) = &message.account {
        merge_option(&mut instance.account, stamp, || Some(parent(account)));
    }
    if let Some(organization) = &message.organization {
        merge_option(&mut instance.organization, stamp, || Some(parent(organization)));
    }
    let child = (RecordKind::Instance, named.id);
    ledger.relate((RecordKind::CustomObject, object.id), child);
    if let Some(account) = &message.account {
        ledger.relate((RecordKind::Account, account.id), child);
    }
    if let Some(organization) = &message.organization {
        ledger.relate((RecordKind::Organization, organization.id), child);
    }
    Ok(())
}

/// States that the instance belongs to no account, or to no organization: whichever is named.
pub(super) fn leave<L: Ledger>(ledger: &mut L, message: &Message<'_>) -> Result<(), L::Error> {
    let (Some(named), Some(object)) = (&message.instance, &message.custom_object) else { return Ok(()) };
    let stamp = message.stamp();
    let profile = named_profile(ledger, RecordKind::Instance, named, message)?;
    let Body::Instance(instance) = &mut profile.body else { return Ok(()) };
    instance.custom_object = Some(object.id);
    if message.account.is_some() {
        merge_option(&mut instance.account, stamp, || None);
    }
    if message.organization.is_some() {
        merge_option(&mut instance.organization, stamp, || None);
    }
    ledger.relate((RecordKind::CustomObject, object.id), (RecordKind::Instance, named.id));
    Ok(())
}
