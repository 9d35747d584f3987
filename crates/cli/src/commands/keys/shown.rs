//! A key as it is shown, with its token only when it was just made.
//!
//! The same members as the server's own answers have, so that a program sees no difference between the two ways.

use muster_server::keys::Token;
use muster_store::credentials::{Key, Scopes};
use serde::{Deserialize, Serialize};

/// A key.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownKey {
    pub id: u64,
    pub workspace: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: String,
    pub revoked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

impl ShownKey {
    /// A key of a store; with its token when it was just made.
    pub fn of(key: &Key, token: Option<&Token>) -> ShownKey {
        ShownKey {
            id: key.id,
            workspace: key.workspace.name.clone(),
            name: key.name.clone(),
            scopes: scope_names(key.scopes),
            created_at: key.created_at.to_millis_text(),
            revoked_at: key.revoked_at.map(muster_model::time::Micros::to_millis_text),
            token: token.map(|token| token.reveal().to_owned()),
        }
    }

    /// A row of the list.
    pub fn row(&self) -> Vec<String> {
        let state = match &self.revoked_at {
            Some(at) => format!("revoked {at}"),
            None => "active".to_owned(),
        };
        vec![
            self.id.to_string(),
            self.workspace.clone(),
            self.scopes.join(","),
            self.created_at.clone(),
            state,
            self.name.clone(),
        ]
    }
}

/// The names of scopes, in their usual order.
pub fn scope_names(scopes: Scopes) -> Vec<String> {
    scopes.to_string().split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The list for people.
pub fn table(keys: &[ShownKey]) -> String {
    let heading = ["id", "workspace", "scopes", "made", "state", "name"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(keys.iter().map(ShownKey::row)).collect();
    crate::output::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_answer_is_read_and_shown_the_same() {
        let text = r#"{"id":3,"workspace":"default","name":"app","scopes":["write","read"],
            "createdAt":"2026-01-01T00:00:00.000Z","revokedAt":null,"token":"mk_x"}"#;
        let key: ShownKey = serde_json::from_str(text).unwrap();
        assert_eq!(key.row(), ["3", "default", "write,read", "2026-01-01T00:00:00.000Z", "active", "app"]);
        let again: ShownKey = serde_json::from_str(&serde_json::to_string(&key).unwrap()).unwrap();
        assert_eq!(again, key);
        assert_eq!(scope_names(Scopes::ALL), ["write", "read", "admin"]);
    }

    #[test]
    fn a_list_never_shows_a_token() {
        let key = ShownKey {
            id: 1,
            workspace: "w".to_owned(),
            name: String::new(),
            scopes: vec![],
            created_at: String::new(),
            revoked_at: Some("x".to_owned()),
            token: Some("mk_secret".to_owned()),
        };
        assert!(!table(&[key]).contains("mk_secret"));
    }
}
