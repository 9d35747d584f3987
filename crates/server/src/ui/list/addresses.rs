//! Addresses of the same table, a little different.

use super::super::link;
use crate::resources::query::Query;

/// The parameters of a table, to be changed one by one.
pub(super) struct Addresses<'q> {
    path: String,
    parameters: &'q Query,
}

impl<'q> Addresses<'q> {
    pub(super) fn new(path: &str, parameters: &'q Query) -> Addresses<'q> {
        Addresses { path: path.to_owned(), parameters }
    }

    /// All parameters but some, with those that are filled alone.
    pub(super) fn pairs_without(&self, names: &[&str]) -> Vec<(String, String)> {
        let kept = self.parameters.pairs().filter(|(name, value)| !names.contains(name) && !value.is_empty());
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The same table without some parameters.
    pub(super) fn without(&self, names: &[&str]) -> String {
        self.with_pairs(&self.pairs_without(names))
    }

    /// The same table with one parameter changed; empty takes it away. A new page begins unless that is what is changed.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        if name == "from" { self.changed(&[(name, value)]) } else { self.with_all(&[(name, value), ("from", "")]) }
    }

    /// The same with several.
    pub(super) fn with_all(&self, changes: &[(&str, &str)]) -> String {
        self.changed(changes)
    }

    fn changed(&self, changes: &[(&str, &str)]) -> String {
        let names: Vec<&str> = changes.iter().map(|(name, _)| *name).collect();
        let mut pairs = self.pairs_without(&names);
        pairs.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.with_pairs(&pairs)
    }

    fn with_pairs(&self, pairs: &[(String, String)]) -> String {
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        link::with(&self.path, &pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_keeps_the_rest_and_begins_anew() {
        let query = Query::of_text("sortBy=mrr&from=abc&trait.plan=a%26b&column=x&column=y&empty=");
        let addresses = Addresses::new("/accounts", &query);
        let kept = "/accounts?sortBy=mrr&trait.plan=a%26b&column=x&column=y";
        assert_eq!(addresses.without(&["from"]), kept);
        assert_eq!(addresses.with("status", "churned"), format!("{kept}&status=churned"));
        assert_eq!(addresses.with("sortBy", ""), "/accounts?trait.plan=a%26b&column=x&column=y");
        assert_eq!(addresses.with("from", "next"), format!("{kept}&from=next"));
    }
}
