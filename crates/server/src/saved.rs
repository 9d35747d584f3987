//! Views of tables and queries under names: what is kept, and who may keep, rename and remove it.
//!
//! Whoever may read a workspace may keep questions about it, and change and remove those that it kept itself; those of
//! others change and remove only holders of the scope `admin`. Nothing of a customer changes by that, and nobody sees
//! more by it: a view that is opened is a table as whoever opens it may see it, and a query that is opened is not run. How
//! much one holder may keep is bounded, so that none fills the place of all.

use muster_store::{
    credentials::{Scopes, Workspace},
    error::AdminError,
    saved::{NewSaved, Saved, SavedChange, SavedKind, unknown},
};

use crate::{error::ApiError, resources::query::Query, state::AppState, ui};

/// Parameters that belong to one page and not to a view.
const OF_A_PAGE: [&str; 2] = ["from", "limit"];

/// Who keeps or changes something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By {
    /// The number of the key or the member; 0 for the operator.
    pub number: u64,
    pub scopes: Scopes,
}

impl By {
    /// Whether this is whoever kept it, or may change what others kept.
    pub(crate) fn may_change(self, saved: &Saved) -> bool {
        self.scopes.contains(Scopes::ADMIN) || saved.saved_by == self.number
    }
}

/// The path of a page about a kind.
pub(crate) fn path(kind: SavedKind) -> &'static str {
    match kind {
        SavedKind::Accounts => "/accounts",
        SavedKind::Users => "/users",
        SavedKind::Organizations => "/organizations",
        SavedKind::Query => "/sql",
    }
}

/// The page on which one is opened.
pub(crate) fn address(saved: &Saved) -> String {
    match saved.kind {
        SavedKind::Query => format!("/sql?saved={}", saved.id),
        SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations if saved.text.is_empty() => {
            path(saved.kind).to_owned()
        }
        SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations => {
            format!("{}?{}", path(saved.kind), saved.text)
        }
    }
}

/// A text as it is kept: a statement as it is, parameters of an address in one spelling and without those of one page.
pub(crate) fn kept_text(kind: SavedKind, text: &str) -> String {
    match kind {
        SavedKind::Query => text.replace("\r\n", "\n"),
        SavedKind::Accounts | SavedKind::Users | SavedKind::Organizations => {
            let parameters = Query::of_text(text.trim_start_matches('?'));
            let kept: Vec<(&str, &str)> = parameters.pairs().filter(|(name, _)| !OF_A_PAGE.contains(name)).collect();
            ui::address("", &kept).trim_start_matches('?').to_owned()
        }
    }
}

/// What a workspace keeps, of one kind or of all.
pub(crate) fn all(state: &AppState, workspace: &Workspace, kind: Option<SavedKind>) -> Vec<Saved> {
    let mut saved = state.store.saved(workspace.id);
    saved.retain(|one| kind.is_none_or(|kind| one.kind == kind));
    saved
}

/// Keeps one more.
pub(crate) async fn keep(
    state: &AppState,
    workspace: &Workspace,
    by: By,
    (kind, name, text): (SavedKind, &str, &str),
) -> Result<Saved, ApiError> {
    let (name, text) = (name.trim().to_owned(), kept_text(kind, text));
    no_empty_query(kind, &text)?;
    let new = NewSaved { kind, name, text, saved_by: by.number, saved_at: state.clock.now() };
    state.store.save(workspace.id, new).await.map_err(ApiError::Admin)
}

/// Gives one another name or text.
pub(crate) async fn change(
    state: &AppState,
    workspace: &Workspace,
    by: By,
    id: &str,
    (name, text): (Option<&str>, Option<&str>),
) -> Result<Saved, ApiError> {
    let known = changeable(state, workspace, by, id)?;
    if let Some(text) = text {
        no_empty_query(known.kind, text)?;
    }
    let change = SavedChange {
        name: name.map(|name| name.trim().to_owned()),
        text: text.map(|text| kept_text(known.kind, text)),
    };
    state.store.change_saved(workspace.id, known.id, change).await.map_err(ApiError::Admin)
}

/// Keeps one no longer.
pub(crate) async fn remove(state: &AppState, workspace: &Workspace, by: By, id: &str) -> Result<Saved, ApiError> {
    let known = changeable(state, workspace, by, id)?;
    state.store.remove_saved(workspace.id, known.id).await.map_err(ApiError::Admin)
}

fn no_empty_query(kind: SavedKind, text: &str) -> Result<(), ApiError> {
    if kind == SavedKind::Query && text.trim().is_empty() {
        return Err(ApiError::Admin(AdminError::Invalid(
            "a query that is kept holds a statement; this one is empty".to_owned(),
        )));
    }
    Ok(())
}

/// The one with an id.
pub(crate) fn find(state: &AppState, workspace: &Workspace, id: &str) -> Result<Saved, ApiError> {
    let number = id.parse::<u64>().ok();
    let found = state.store.saved(workspace.id).into_iter().find(|one| Some(one.id) == number);
    found.ok_or_else(|| ApiError::Admin(unknown()))
}

fn changeable(state: &AppState, workspace: &Workspace, by: By, id: &str) -> Result<Saved, ApiError> {
    let known = find(state, workspace, id)?;
    if by.may_change(&known) { Ok(known) } else { Err(ApiError::MissingScope { needs: Scopes::ADMIN, has: by.scopes }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_kept_in_one_spelling_and_leads_nowhere_else() {
        for (text, kept) in [
            ("?sortBy=mrr&from=abc&order=desc&limit=5", "sortBy=mrr&order=desc"),
            ("trait.plan=a+b&x=", "trait.plan=a%20b"),
            ("", ""),
            ("?", ""),
            ("x=\r\nLocation: //evil.example#y", "x=%0D%0ALocation%3A%20%2F%2Fevil.example%23y"),
            ("//evil.example?a=b", "%2F%2Fevil.example%3Fa=b"),
        ] {
            assert_eq!(kept_text(SavedKind::Accounts, text), kept, "{text:?}");
        }
        assert_eq!(kept_text(SavedKind::Query, "select 1\r\n-- ?"), "select 1\n-- ?");
    }
}
