//! Where tracks belong, as of the moment.
//!
//! The rules are the ingest contract's, as in [`muster_store::attribution`], arranged for millions of rows: what is
//! known of a user or an account is looked up once and kept, up to a bound, and nothing is copied to answer.

use std::sync::Arc;

use muster_model::{
    association::{Answer, Statement, resolve},
    id::RecordId,
    kind::RecordKind,
    profile::Profile,
    time::Micros,
};
use muster_store::{
    attribution::associations,
    error::ReadError,
    rows::Whereabouts,
    scan::{Wanted, among},
};
use rustc_hash::FxHashMap;

use super::Ground;

/// Records kept of each kind; when there are more, all are forgotten and looked up anew.
const KEPT_MAX: usize = 200_000;

/// The names in a track, and its instant in the order of statements.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    pub organization: Option<&'a str>,
    pub account: Option<&'a str>,
    pub user: Option<&'a str>,
    /// Whom it is about if it names no user.
    pub anonymous: Option<&'a str>,
    pub at: Micros,
}

/// Answers for many tracks.
#[derive(Default)]
pub struct Places {
    records: FxHashMap<(RecordKind, Box<str>), Option<Arc<Profile>>>,
    /// The record of each kind that was asked for last: neighbours in a file are often of the same.
    last: Vec<(RecordKind, Box<str>, Option<Arc<Profile>>)>,
    statements: FxHashMap<(RecordKind, RecordId), Arc<Vec<Statement>>>,
}

impl Places {
    /// Calls `with` with where a track belongs; unless `attributes`, with its user and the names in it.
    pub fn of<T>(
        &mut self,
        ground: &dyn Ground,
        track: Track<'_>,
        attributes: bool,
        with: impl FnOnce(Whereabouts<'_>) -> T,
    ) -> Result<T, ReadError> {
        let anonymous = match track.anonymous.filter(|_| track.user.is_none()) {
            Some(name) => self.record(ground, RecordKind::Anonymous, name)?,
            None => None,
        };
        let tied = match &anonymous {
            Some(anonymous) => self.parent_of(ground, anonymous, RecordKind::User, track.at)?,
            None => None,
        };
        let whose = track.user.or_else(|| name_in(anonymous.as_deref(), RecordKind::User, tied?));
        if !attributes {
            let Track { account, organization, .. } = track;
            return Ok(with(Whereabouts { user: whose, account, organization }));
        }
        let user = match whose {
            Some(name) if track.account.is_none() || track.organization.is_none() => {
                self.record(ground, RecordKind::User, name)?
            }
            _ => None,
        };
        let linked = match (&user, track.account) {
            (Some(user), None) => self.parent_of(ground, user, RecordKind::Account, track.at)?,
            _ => None,
        };
        let account = track.account.or_else(|| name_in(user.as_deref(), RecordKind::Account, linked?));
        let profile = match account {
            Some(name) => self.record(ground, RecordKind::Account, name)?,
            None => None,
        };
        let joined = profile.as_ref().and_then(|profile| profile.as_account()?.parent());
        let stated = joined.map(|organization| &*organization.external_id).or(track.organization);
        let loose = match (&user, stated) {
            (Some(user), None) => self.parent_of(ground, user, RecordKind::Organization, track.at)?,
            _ => None,
        };
        let organization = stated.or_else(|| name_in(user.as_deref(), RecordKind::Organization, loose?));
        Ok(with(Whereabouts { user: whose, account, organization }))
    }

    fn record(&mut self, ground: &dyn Ground, kind: RecordKind, name: &str) -> Result<Option<Arc<Profile>>, ReadError> {
        let at = self.last.iter().position(|(last, ..)| *last == kind);
        if let Some((_, _, known)) = at.map(|at| &self.last[at]).filter(|(_, last, _)| **last == *name) {
            return Ok(known.clone());
        }
        let found = self.look_up(ground, kind, name)?;
        let last = (kind, Box::from(name), found.clone());
        match at {
            Some(at) => self.last[at] = last,
            None => self.last.push(last),
        }
        Ok(found)
    }

    fn look_up(
        &mut self,
        ground: &dyn Ground,
        kind: RecordKind,
        name: &str,
    ) -> Result<Option<Arc<Profile>>, ReadError> {
        // The look-up by a borrowed name would need a key made of it; a name is short.
        let key = (kind, Box::from(name));
        if let Some(known) = self.records.get(&key) {
            return Ok(known.clone());
        }
        if self.records.len() >= KEPT_MAX {
            self.records.clear();
        }
        let found = ground.find(kind, ground.ids().record(kind, name))?;
        self.records.insert(key, found.clone());
        Ok(found)
    }

    fn parent_of(
        &mut self,
        ground: &dyn Ground,
        user: &Profile,
        parents: RecordKind,
        at: Micros,
    ) -> Result<Option<RecordId>, ReadError> {
        let Some(associations) = associations(user, parents) else { return Ok(None) };
        match associations.at(at) {
            Answer::Known(id) => Ok(id),
            Answer::NeedsStatements => {
                let key = (parents, user.id);
                if let Some(known) = self.statements.get(&key) {
                    return Ok(resolve(known, at));
                }
                if self.statements.len() >= KEPT_MAX {
                    self.statements.clear();
                }
                let found = Arc::new(ground.statements(parents, user.id)?);
                self.statements.insert(key, Arc::clone(&found));
                Ok(resolve(&found, at))
            }
        }
    }
}

fn name_in(user: Option<&Profile>, parents: RecordKind, id: RecordId) -> Option<&str> {
    let link = associations(user?, parents)?.links().iter().find(|link| link.parent == id)?;
    Some(&link.external_id)
}

/// Whether a track that belongs here is wanted.
pub fn belongs(wanted: &Wanted, place: &Whereabouts<'_>) -> bool {
    among(&wanted.accounts, place.account)
        && among(&wanted.organizations, place.organization)
        && among(&wanted.users, place.user)
}
