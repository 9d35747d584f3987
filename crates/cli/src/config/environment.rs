//! The names of settings in the environment, and the variables that are no settings.
//!
//! A setting's variable is its full name in capitals behind `MUSTER_`, with two underscores between the levels. Any
//! other variable that starts so is an error: a misspelt setting must not be ignored in silence.

use super::known::nearest;

const PREFIX: &str = "MUSTER_";

/// Names the settings file, as `--config` does.
pub const CONFIG: &str = "MUSTER_CONFIG";
/// The token of the key that the first start makes; a secret.
pub const BOOTSTRAP_TOKEN: &str = "MUSTER_BOOTSTRAP_TOKEN";
/// The token that `muster send` and `muster bench` use, as `--token` does; a secret.
pub const TOKEN: &str = "MUSTER_TOKEN";
/// The token of another server that `muster import --from-vitally` fetches from, as `--from-token` does; a secret.
pub const FROM_TOKEN: &str = "MUSTER_FROM_TOKEN";
/// The server that `muster send` talks to, as `--url` does.
pub const URL: &str = "MUSTER_URL";

/// The authority of that server's certificate, as `--ca` says it.
pub const CA: &str = "MUSTER_CA";

/// Every variable that is no setting.
pub const OTHERS: [&str; 6] = [CONFIG, BOOTSTRAP_TOKEN, TOKEN, FROM_TOKEN, URL, CA];

/// What tests and scripts of this repository are told begins like this; the program has nothing to do with it.
const OF_DEVELOPERS: [&str; 2] = ["MUSTER_TEST_", "MUSTER_SERVERS_"];

/// The value of a variable that is set and not empty.
pub fn given(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable claims to be ours.
pub fn is_ours(variable: &str) -> bool {
    variable.starts_with(PREFIX) && !OF_DEVELOPERS.iter().any(|prefix| variable.starts_with(prefix))
}

/// The variable of a setting.
pub fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.replace('.', "__").to_uppercase())
}

/// What to tell someone who set a variable that does not exist.
pub fn unknown<'a>(variable: &str, names: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<String> = names.map(variable_of).chain(OTHERS.map(str::to_owned)).collect();
    // Compared in the form of settings, so that the sections count as they do in a file.
    let spell = |variable: &str| variable.trim_start_matches(PREFIX).to_lowercase().replace("__", ".");
    let spelt: Vec<String> = known.iter().map(|variable| spell(variable)).collect();
    let wrong = spell(variable);
    let best = nearest(&wrong, spelt.iter().map(String::as_str));
    let meant = best.and_then(|best| spelt.iter().position(|name| name == best)).map(|at| known[at].as_str());
    let hint = meant.map_or_else(String::new, |meant| format!("; the nearest is {meant}"));
    format!("the environment variable {variable} is no setting{hint}. `muster config` lists all of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_spell_the_levels() {
        assert_eq!(variable_of("listen"), "MUSTER_LISTEN");
        assert_eq!(variable_of("checkpoint.rows_max"), "MUSTER_CHECKPOINT__ROWS_MAX");
    }

    #[test]
    fn what_tests_are_told_is_no_setting() {
        assert!(is_ours("MUSTER_LISTN") && is_ours("MUSTER_TEST"));
        assert!(!is_ours("MUSTER_TEST_NATS_URL") && !is_ours("MUSTER_SERVERS_DIR") && !is_ours("PATH"));
    }

    #[test]
    fn a_misspelt_variable_names_the_nearest() {
        let names = ["listen", "checkpoint.rows_max", "limits.requests_per_minute"];
        let check = |wrong: &str, meant: &str| {
            let says = unknown(wrong, names.into_iter());
            assert!(says.contains(&format!("the nearest is {meant}.")), "{says}");
        };
        check("MUSTER_CHECKPOINT_ROWS_MAX", "MUSTER_CHECKPOINT__ROWS_MAX");
        check("MUSTER_LISTEN_ADDRESS", "MUSTER_LISTEN");
        check("MUSTER_BOOTSTRAP_TOKE", "MUSTER_BOOTSTRAP_TOKEN");
        check("MUSTER_REQUESTS_PER_MINUTE", "MUSTER_LIMITS__REQUESTS_PER_MINUTE");
    }
}
