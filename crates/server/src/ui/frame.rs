//! What stands around every page: navigation, search, who is there.

use axum::http::{Method, request::Parts};
use muster_store::credentials::Scopes;

use super::{
    files, link,
    session::{Holder, Session},
    theme::Theme,
};

/// One line of the navigation.
pub(super) struct Link {
    /// The heading above it, where a part begins.
    pub part: &'static str,
    pub href: &'static str,
    pub label: &'static str,
    /// The path of its picture, 16 units wide and high.
    pub icon: &'static str,
    needs: Scopes,
}

const fn to(part: &'static str, href: &'static str, label: &'static str, icon: &'static str) -> Link {
    Link { part, href, label, icon, needs: Scopes::READ }
}

const fn admin(part: &'static str, href: &'static str, label: &'static str, icon: &'static str) -> Link {
    Link { needs: Scopes::ADMIN, ..to(part, href, label, icon) }
}

const LINKS: [Link; 16] = [
    to("", "/", "Overview", "M2 2.5h5v5H2zM9 2.5h5v3H9zM9 8.5h5v5H9zM2 10.5h5v3H2z"),
    to(
        "Customers",
        "/accounts",
        "Accounts",
        "M2.5 14V3.2L9 1.5V14M9 6l4.5 1.2V14M1 14h14M5 5.5h1.5M5 8.5h1.5M5 11.5h1.5",
    ),
    to("", "/users", "Users", "M8 8a2.8 2.8 0 1 0 0-5.6A2.8 2.8 0 0 0 8 8M2.5 14c.5-2.8 2.7-4.2 5.5-4.2s5 1.4 5.5 4.2"),
    to(
        "",
        "/organizations",
        "Organizations",
        "M6 2h4v3.5H6zM1.5 10.5h4V14h-4zM10.5 10.5h4V14h-4zM8 5.5V8M3.5 10.5V8h9v2.5",
    ),
    to("What happens", "/events", "Events", "M1.5 13.5h13M3.5 11V8M6.5 11V4.5M9.5 11V6.5M12.5 11V2.5"),
    to(
        "",
        "/live",
        "Live",
        "M8 8.2v-.4M5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3 13A7 7 0 0 1 3 3M13 3a7 7 0 0 1 0 10",
    ),
    to("", "/refused", "Refused", "M8 1.8 15 14H1L8 1.8ZM8 6.5v3.5M8 12v.2"),
    to("", "/sql", "SQL", "M2.5 3.5 6 8l-3.5 4.5M8 12.5h5.5"),
    admin("Administration", "/admin/keys", "Keys", "M9.8 6.2a3 3 0 1 0-.4 2.6L14.5 8.8M12.5 8.8v2M10.5 8.8v1.5"),
    admin(
        "",
        "/admin/team",
        "Team",
        "M5.5 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6M1.5 13c.3-2.4 1.9-3.6 4-3.6s3.7 1.2 4 3.6M11 7.2a1.9 1.9 0 1 0-.6-3.7M11.5 9.4c1.7.2 2.8 1.4 3 3.6",
    ),
    admin("", "/admin/imports", "Imports", "M8 2v7.5M4.8 6.5 8 9.7l3.2-3.2M2.5 10.5v3h11v-3"),
    to("", "/admin/deletions", "Deletions", "M2.5 4.5h11M6 4.5V2.5h4v2M4 4.5l.7 9h6.6l.7-9M6.7 7v4M9.3 7v4"),
    admin("", "/admin/destinations", "Destinations", "M1.5 8h9M7 4.5 10.5 8 7 11.5M13.5 2.5v11"),
    admin("", "/admin/health", "Health", "M1.5 8.5h3l2-5 3 9 2-4h3"),
    admin("", "/admin/workspace", "Workspace", "M2 6.5 8 2l6 4.5V14H2zM6.5 14v-4h3v4"),
    Link {
        needs: Scopes::OPERATOR,
        ..to("", "/admin/workspaces", "All workspaces", "M1.5 7 5 4.5 8.5 7v6h-7zM8.5 13h6V5.5L11 3 8 5M11 13v-3")
    },
];

fn here(parts: &Parts) -> String {
    if parts.method == Method::GET || parts.method == Method::HEAD {
        return parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
    }
    link::page_of(parts.uri.path())
}

/// The frame of one page.
pub(super) struct Frame {
    pub title: String,
    /// The line of the navigation that this page belongs to.
    pub at: &'static str,
    /// This page, with its parameters; of one that answers a form, a page that can be opened again.
    pub here: String,
    pub workspace: String,
    pub who: String,
    pub scopes: String,
    pub csrf: String,
    pub theme: Theme,
    /// What the search above asked for.
    pub sought: String,
    /// Whether it is a team member, who has a password to change.
    pub is_member: bool,
    may: Scopes,
}

impl Frame {
    /// The frame of the page that a request asks for.
    pub(super) fn new(session: &Session, parts: &Parts, title: impl Into<String>, at: &'static str) -> Frame {
        Frame {
            title: title.into(),
            at,
            here: here(parts),
            workspace: session.workspace().name.clone(),
            who: session.name.clone(),
            scopes: session.scopes.to_string().replace(',', ", "),
            csrf: session.csrf.clone(),
            theme: Theme::of(&parts.headers),
            sought: String::new(),
            is_member: matches!(session.holder, Holder::Member(..)),
            may: session.scopes,
        }
    }

    /// The lines of the navigation that the key may follow.
    pub(super) fn links(&self) -> impl Iterator<Item = &'static Link> {
        LINKS.iter().filter(|link| self.may.contains(link.needs))
    }

    pub(super) fn style(&self) -> String {
        files::style()
    }

    pub(super) fn script(&self) -> String {
        files::script()
    }

    pub(super) fn icon(&self) -> String {
        files::icon()
    }
}
