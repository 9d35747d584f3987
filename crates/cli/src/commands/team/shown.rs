//! A member as it is shown: the same members as the server's own answers have.

use muster_store::team::Member;
use serde::{Deserialize, Serialize};

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownMember {
    pub id: String,
    pub name: String,
    pub email: String,
    pub license_status: String,
}

impl ShownMember {
    /// A member of a store.
    pub fn of(member: &Member) -> ShownMember {
        ShownMember {
            id: member.id.to_string(),
            name: member.name.clone(),
            email: member.email.clone(),
            license_status: "active".to_owned(),
        }
    }

    /// Whether this is the one that an id or an address on the command line means.
    pub fn is(&self, who: &str) -> bool {
        self.id == who.to_lowercase() || self.email.to_lowercase() == who.to_lowercase()
    }
}

/// The list for people.
pub fn table(members: &[ShownMember]) -> String {
    let heading = ["id", "email", "name"].map(str::to_owned).to_vec();
    let row = |member: &ShownMember| vec![member.id.clone(), member.email.clone(), member.name.clone()];
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(members.iter().map(row)).collect();
    crate::output::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_answer_is_read_and_a_member_found() {
        let text = r#"{"id":"00000000-0000-8000-8000-00000000000a","name":"Ada","email":"Ada@example.com","licenseStatus":"active"}"#;
        let member: ShownMember = serde_json::from_str(text).unwrap();
        assert!(member.is("ada@EXAMPLE.com") && member.is("00000000-0000-8000-8000-00000000000A"));
        assert!(!member.is("Ada"));
        assert_eq!(serde_json::to_string(&member).unwrap(), text);
    }
}
