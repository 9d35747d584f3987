//! Who did something, as pages call them: keys and members by their names.
//!
//! Of those who are gone it is said that they are; a key is never taken for a member, nor the other way round.

use std::collections::HashMap;

use muster_store::{
    credentials::{Key, Workspace},
    team::{Member, is_number, number},
};

use crate::state::AppState;

/// What whoever does something in a workspace is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    by_number: HashMap<u64, String>,
    /// Those who send or change something: keys, and members who sign in.
    acting: Vec<String>,
}

impl Names {
    /// Those of a workspace, revoked keys included.
    pub(super) fn of(state: &AppState, workspace: &Workspace) -> Names {
        let keys = state.store.keys();
        let keys = keys.iter().filter(|key| key.workspace.id == workspace.id).map(|key| (key.id, of_key(key)));
        let team = state.store.team(workspace.id);
        let mut acting: Vec<String> = keys.clone().map(|(_, name)| name).collect();
        acting.extend(team.iter().filter(|member| member.sign_in.is_some()).map(of_member));
        acting.sort_unstable();
        acting.dedup();
        Names {
            by_number: keys.chain(team.iter().map(|member| (number(member.id), of_member(member)))).collect(),
            acting,
        }
    }

    /// The names to choose among.
    pub(super) fn acting(self) -> Vec<String> {
        self.acting
    }

    /// Whether a number is known here.
    pub(super) fn knows(&self, number: u64) -> bool {
        self.by_number.contains_key(&number)
    }

    /// What the one with a number is called.
    pub(super) fn name(&self, number: u64) -> String {
        match self.by_number.get(&number) {
            Some(name) => name.clone(),
            None if number == 0 => "no key".to_owned(),
            None if is_number(number) => "a former member".to_owned(),
            None => format!("key {number}"),
        }
    }
}

fn of_key(key: &std::sync::Arc<Key>) -> String {
    if key.name.is_empty() { format!("key {}", key.id) } else { key.name.clone() }
}

fn of_member(member: &Member) -> String {
    if member.name.is_empty() { member.email.clone() } else { member.name.clone() }
}
