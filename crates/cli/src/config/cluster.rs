//! Where a cluster's parts are, and what this node does in it.

use std::collections::BTreeMap;

use super::{origin::SettingsError, values::Values};

/// A cluster, where one is set.
#[derive(Clone, PartialEq, Eq)]
pub struct Cluster {
    pub state_url: String,
    pub journal_url: String,
    /// Empty where the history stays in PostgreSQL.
    pub history_url: String,
    /// What the bucket's service needs besides, beyond the environment of this process.
    pub environment: BTreeMap<String, String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roles {
    pub intake: bool,
    pub apply: bool,
    pub console: bool,
}

impl Roles {
    /// All of them.
    pub const ALL: Roles = Roles { intake: true, apply: true, console: true };

    /// Reads names with commas between.
    fn parse(text: &str) -> Option<Roles> {
        let mut roles = Roles { intake: false, apply: false, console: false };
        for name in text.split(',').map(str::trim) {
            match name {
                "intake" => roles.intake = true,
                "apply" => roles.apply = true,
                "console" => roles.console = true,
                _ => return None,
            }
        }
        Some(roles)
    }
}

/// Reads which cluster a node belongs to, if to any, and what it does there.
pub fn read(values: &Values) -> Result<(Option<Cluster>, Roles), SettingsError> {
    const ROLE: &str = "cluster.role";
    let roles = Roles::parse(values.text(ROLE));
    let roles =
        roles.ok_or_else(|| values.refuse(ROLE, "must be some of intake, apply and console, with commas between"))?;
    let (state_url, journal_url) = (values.text("cluster.state_url"), values.text("cluster.journal_url"));
    let history_url = values.text("cluster.history_url");
    let cluster = match (state_url.is_empty(), journal_url.is_empty()) {
        (true, true) if !history_url.is_empty() => {
            let says = "the setting cluster.history_url needs a cluster: set cluster.state_url and cluster.journal_url";
            return Err(SettingsError(says.to_owned()));
        }
        (true, true) if roles != Roles::ALL => {
            return Err(values
                .refuse(ROLE, "needs a cluster: set cluster.state_url and cluster.journal_url, or leave all roles"));
        }
        (true, true) => None,
        (false, false) => Some(Cluster {
            state_url: state_url.to_owned(),
            journal_url: journal_url.to_owned(),
            history_url: history_url.to_owned(),
            environment: BTreeMap::new(),
        }),
        // A URL may hold a password, so it is not repeated.
        _ => {
            let says = "the settings cluster.state_url and cluster.journal_url go together; set both, or neither";
            return Err(SettingsError(says.to_owned()));
        }
    };
    Ok((cluster, roles))
}

/// What names of secrets among what is asked have in them.
const SECRETS: [&str; 5] = ["password", "secret", "token", "key", "credential"];

/// A URL without the secrets in it: that before the host, and what is a secret by its name among what is asked.
pub fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, asked) = rest.split_once('?').unwrap_or((rest, ""));
    let place = match place.rsplit_once('@') {
        Some((credentials, place)) => format!("{}:…@{place}", credentials.split(':').next().unwrap_or_default()),
        None => place.to_owned(),
    };
    let shown = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRETS.iter().any(|secret| name.to_ascii_lowercase().contains(secret)) => {
            format!("{name}=…")
        }
        _ => pair.to_owned(),
    };
    let asked: Vec<String> = asked.split('&').filter(|pair| !pair.is_empty()).map(shown).collect();
    let mark = if asked.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{mark}{}", asked.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_named() {
        assert_eq!(Roles::parse("intake, apply,console"), Some(Roles::ALL));
        assert_eq!(Roles::parse("apply"), Some(Roles { intake: false, apply: true, console: false }));
        assert_eq!((Roles::parse(""), Roles::parse("all")), (None, None));
    }

    #[test]
    fn secrets_are_left_out() {
        for (url, shown) in [
            ("postgres://u:p@ss@h:5/d", "postgres://u:…@h:5/d"),
            ("nats://h:1,g:2?replicas=3", "nats://h:1,g:2?replicas=3"),
            ("postgres://h/d?user=u&password=p@x", "postgres://h/d?user=u&password=…"),
            ("s3://b/p?region=eu&aws_secret_access_key=x", "s3://b/p?region=eu&aws_secret_access_key=…"),
            ("", ""),
        ] {
            assert_eq!(without_secret(url), shown);
        }
    }
}
