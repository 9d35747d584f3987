//! Filters: shown, added, removed.
//!
//! A form names a trait, a condition and a value; what the table's address holds afterwards is the API's own parameter.

use muster_model::kind::RecordKind;
use muster_store::credentials::Workspace;

use super::{super::link, addresses::Addresses, columns::name_of};
use crate::{
    error::ApiError,
    resources::{query::Query, records::find},
    state::AppState,
};

/// One filter that stands.
pub(super) struct Chip {
    pub label: String,
    /// The table without it.
    pub href: String,
}

/// The address with the filter that a form adds, if this is such a request.
pub(super) fn added(kind: RecordKind, parameters: &Query) -> Option<String> {
    let key = parameters.filled("f.key")?;
    let value = parameters.get("f.value").unwrap_or_default();
    let (name, value) = match parameters.get("f.way").unwrap_or("is") {
        "gte" => (format!("trait.{key}.gte"), value),
        "lte" => (format!("trait.{key}.lte"), value),
        "has" => (format!("trait.{key}.exists"), "true"),
        "hasnot" => (format!("trait.{key}.exists"), "false"),
        _ => (format!("trait.{key}"), value),
    };
    let addresses = Addresses::new(link::list(kind), parameters);
    Some(addresses.with_all(&[("f.key", ""), ("f.way", ""), ("f.value", ""), ("from", ""), (&name, value)]))
}

/// The parameters of a table without filters that were left empty: a form, or an address written by hand, asks nothing by them, and
/// no value is the empty text.
pub(super) fn asked(parameters: Query) -> Query {
    parameters.without(|name, value| name.starts_with("trait.") && value.is_empty())
}

/// The filters of a table, in words.
pub(super) async fn chips(
    state: &AppState,
    workspace: &Workspace,
    parameters: &Query,
    addresses: &Addresses<'_>,
) -> Result<Vec<Chip>, ApiError> {
    let mut chips = Vec::new();
    for (name, parent) in [("account", RecordKind::Account), ("organization", RecordKind::Organization)] {
        if let Some(id) = parameters.filled(name) {
            let found = find(state, workspace, parent, id).await;
            let label = found.as_deref().map_or_else(|_| id.to_owned(), name_of);
            chips.push(Chip { label: format!("{name}: {label}"), href: addresses.with(name, "") });
        }
    }
    for (name, value) in parameters.pairs().filter(|(_, value)| !value.is_empty()) {
        let Some(rest) = name.strip_prefix("trait.") else { continue };
        let label = match rest.rsplit_once('.') {
            Some((key, "gte")) => format!("{key} ≥ {value}"),
            Some((key, "lte")) => format!("{key} ≤ {value}"),
            Some((key, "exists")) if value == "true" => format!("{key} has a value"),
            Some((key, "exists")) => format!("{key} has no value"),
            _ => format!("{rest} is {value}"),
        };
        chips.push(Chip { label, href: addresses.with(name, "") });
    }
    for (name, words) in [("seenAfter", "seen since"), ("seenBefore", "not seen since")] {
        if let Some(value) = parameters.filled(name) {
            chips.push(Chip { label: format!("{words} {value}"), href: addresses.with(name, "") });
        }
    }
    Ok(chips)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_a_parameter_of_the_api() {
        for (form, address) in [
            ("f.key=plan&f.way=is&f.value=pro", "/accounts?trait.plan=pro"),
            ("f.key=mrr&f.way=gte&f.value=5&from=x", "/accounts?trait.mrr.gte=5"),
            ("f.key=a.b&f.way=hasnot&f.value=&search=z", "/accounts?search=z&trait.a.b.exists=false"),
            ("trait.plan=free&f.key=plan&f.way=is&f.value=pro", "/accounts?trait.plan=pro"),
        ] {
            assert_eq!(added(RecordKind::Account, &Query::of_text(form)).as_deref(), Some(address), "{form}");
        }
        assert_eq!(added(RecordKind::Account, &Query::of_text("f.key=&f.value=x")), None);
    }
}
