//! Laying the file, the environment and the flags over the built-in values.
//!
//! Guarantees that nothing is passed over: a name nobody knows, a section where a value belongs, text where a number
//! belongs, an environment variable that is not text — each is an error that names the place. Reads the settings file
//! and nothing else; the environment and the flags are handed in.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use muster_server::forward::Configured;
use toml::Table;

use super::{
    destinations, environment,
    known::{self, Value, nearest},
    origin::{Origin, SettingsError},
    values::{Given, Values},
};

/// The settings file that is used when it is there and no other is named.
const USUAL_FILE: &str = "muster.toml";

/// What the command line says about settings.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub config: Option<PathBuf>,
    pub listen: Option<String>,
    pub data_dir: Option<String>,
    pub role: Option<String>,
}

/// Everything that settings can come from, apart from the built-in file.
pub struct Sources {
    pub flags: Flags,
    pub environment: Vec<(OsString, OsString)>,
    /// Where [`USUAL_FILE`] is looked for.
    pub directory: PathBuf,
}

/// Lays all layers over one another. The destinations of the settings file come beside the values: they are no setting
/// with a default, and there may be several.
pub fn lay(sources: Sources) -> Result<(Values, Vec<Configured>), SettingsError> {
    let defaults = known::defaults();
    let given =
        |(name, value): (&String, &Value)| (name.clone(), Given { value: value.clone(), origin: Origin::Default });
    let mut layers = Layers { values: defaults.iter().map(given).collect(), defaults };
    let variables = ours(sources.environment)?;
    let mut configured = Vec::new();
    if let Some(path) = settings_file(&sources.flags, &variables, &sources.directory) {
        let text = read(&path)?;
        configured = layers.lay_file(&path, &text)?;
    }
    layers.lay_environment(&variables)?;
    for (flag, name, text) in [
        ("--listen", "listen", sources.flags.listen),
        ("--data-dir", "data_dir", sources.flags.data_dir),
        ("--role", "cluster.role", sources.flags.role),
    ] {
        if let Some(text) = text {
            layers.set(name, Value::Text(text), Origin::Flag(flag));
        }
    }
    Ok((Values::new(layers.values), configured))
}

struct Layers {
    defaults: BTreeMap<String, Value>,
    values: BTreeMap<String, Given>,
}

impl Layers {
    fn lay_file(&mut self, path: &Path, text: &str) -> Result<Vec<Configured>, SettingsError> {
        let wrong = |says: String| SettingsError(format!("the settings file {}: {says}", path.display()));
        let mut table: Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let configured = destinations::read(&mut table).map_err(wrong)?;
        for (name, value) in known::flatten(&table) {
            if value.is_table() && self.is_section(&name) {
                continue;
            }
            let like = self.defaults.get(&name).ok_or_else(|| wrong(self.unknown(&name)))?;
            let value = Value::from_toml_like(like, &value).map_err(|says| wrong(format!("{name} {says}")))?;
            self.set(&name, value, Origin::File(path.to_owned()));
        }
        Ok(configured)
    }

    fn lay_environment(&mut self, variables: &BTreeMap<String, String>) -> Result<(), SettingsError> {
        let names: BTreeMap<String, String> =
            self.defaults.keys().map(|name| (environment::variable_of(name), name.clone())).collect();
        for (variable, text) in variables {
            if environment::OTHERS.contains(&variable.as_str()) {
                continue;
            }
            let Some(name) = names.get(variable) else {
                let says = environment::unknown(variable, self.defaults.keys().map(String::as_str));
                return Err(SettingsError(says));
            };
            let value = Value::parse_like(&self.defaults[name], text)
                .map_err(|says| SettingsError(format!("the environment variable {variable}: {says}")))?;
            self.set(name, value, Origin::Environment(variable.clone()));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: Value, origin: Origin) {
        self.values.insert(name.to_owned(), Given { value, origin });
    }

    fn is_section(&self, name: &str) -> bool {
        let section = format!("{name}.");
        self.defaults.keys().any(|known| known.starts_with(&section))
    }

    fn unknown(&self, name: &str) -> String {
        if self.is_section(name) {
            return format!("{name} is a section; write its settings below a line [{name}]");
        }
        let meant = nearest(name, self.defaults.keys().map(String::as_str));
        let hint = meant.map_or_else(String::new, |meant| format!("; the nearest is {meant}"));
        format!("there is no setting {name}{hint}. `muster config` lists all of them")
    }
}

/// The variables whose names claim to be ours, as text.
fn ours(environment: Vec<(OsString, OsString)>) -> Result<BTreeMap<String, String>, SettingsError> {
    let mut variables = BTreeMap::new();
    for (name, value) in environment {
        let name = name.to_string_lossy().into_owned();
        if environment::is_ours(&name) {
            let value = value.into_string().map_err(|_| {
                SettingsError(format!("the environment variable {name} is not valid UTF-8; set it again as text"))
            })?;
            variables.insert(name, value);
        }
    }
    Ok(variables)
}

/// The settings file to use: one that was named must exist, the usual one may.
fn settings_file(flags: &Flags, variables: &BTreeMap<String, String>, directory: &Path) -> Option<PathBuf> {
    let named = flags.config.clone().or_else(|| variables.get(environment::CONFIG).map(PathBuf::from));
    named.or_else(|| Some(directory.join(USUAL_FILE)).filter(|path| path.exists()))
}

fn read(path: &Path) -> Result<String, SettingsError> {
    fs::read_to_string(path).map_err(|error| {
        let says = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
            _ => error.to_string(),
        };
        SettingsError(format!("the settings file {} cannot be read: {says}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A directory of one test, removed at its end.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Place {
            let path = std::env::temp_dir().join(format!("muster-layers-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn sources(place: &Place, file: Option<&str>, environment: &[(&str, &str)], flags: Flags) -> Sources {
        if let Some(text) = file {
            fs::write(place.0.join(USUAL_FILE), text).unwrap();
        }
        let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Sources { flags, environment, directory: place.0.clone() }
    }

    fn refused(name: &str, file: Option<&str>, environment: &[(&str, &str)]) -> String {
        let place = Place::new(name);
        match lay(sources(&place, file, environment, Flags::default())) {
            Ok(_) => panic!("accepted {file:?} {environment:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_later_layer_wins_and_is_remembered() {
        let place = Place::new("order");
        let flags = Flags { listen: Some("127.0.0.1:4".to_owned()), ..Flags::default() };
        let file = "listen = \"127.0.0.1:2\"\ndata_dir = \"of-file\"\n[checkpoint]\nrows_max = 7\nbytes_max = 8\n";
        let environment = [
            ("MUSTER_LISTEN", "127.0.0.1:3"),
            ("MUSTER_CHECKPOINT__ROWS_MAX", "1_000"),
            ("PATH", "x"),
            ("MUSTER_TOKEN", "t"),
        ];
        let (values, _) = lay(sources(&place, Some(file), &environment, flags)).unwrap();
        let check = |name: &str, value: &str, origin: Origin| {
            let given = values.given(name);
            assert_eq!((given.value.to_string().as_str(), &given.origin), (value, &origin), "{name}");
        };
        check("listen", "127.0.0.1:4", Origin::Flag("--listen"));
        check("checkpoint.rows_max", "1000", Origin::Environment("MUSTER_CHECKPOINT__ROWS_MAX".to_owned()));
        check("checkpoint.bytes_max", "8", Origin::File(place.0.join(USUAL_FILE)));
        check("data_dir", "of-file", Origin::File(place.0.join(USUAL_FILE)));
        check("checkpoint.interval_seconds", "60", Origin::Default);
    }

    #[test]
    fn a_named_file_replaces_the_usual_one_and_must_exist() {
        let place = Place::new("named");
        let other = place.0.join("other.toml");
        fs::write(&other, "data_dir = \"of-other\"\n").unwrap();
        let flags = Flags { config: Some(other.clone()), ..Flags::default() };
        let variables = [("MUSTER_CONFIG", "/nowhere/at/all.toml")];
        let (values, _) = lay(sources(&place, Some("data_dir = \"of-usual\""), &variables, flags)).unwrap();
        assert_eq!(values.given("data_dir").origin, Origin::File(other));
        let error = lay(sources(&place, None, &variables, Flags::default())).err().unwrap().to_string();
        assert!(error.contains("/nowhere/at/all.toml") && error.contains("no such file"), "{error}");
    }

    #[test]
    fn what_nobody_knows_is_refused_with_the_nearest_name() {
        let check = |name: &str, file: Option<&str>, environment: &[(&str, &str)], wanted: &[&str]| {
            let says = refused(name, file, environment);
            for wanted in wanted {
                assert!(says.contains(wanted), "{wanted:?} is missing in: {says}");
            }
        };
        check(
            "key",
            Some("[checkpoint]\nrow_max = 1"),
            &[],
            &["muster.toml", "checkpoint.row_max", "nearest is checkpoint.rows_max"],
        );
        check("section", Some("[chekpoint]\n"), &[], &["no setting chekpoint"]);
        check("leaf", Some("checkpoint = 5"), &[], &["checkpoint is a section"]);
        check("table", Some("[listen]\nport = 5"), &[], &["listen.port"]);
        check("empty table", Some("listen = {}"), &[], &["listen"]);
        check("form", Some("[checkpoint]\nrows_max = \"many\""), &[], &["checkpoint.rows_max must be a whole number"]);
        check("negative", Some("[checkpoint]\nrows_max = -1"), &[], &["checkpoint.rows_max must not be negative"]);
        check("text", Some("listen = 8080"), &[], &["listen must be a text in quotes"]);
        check("toml", Some("listen = "), &[], &["muster.toml", "line 1"]);
        check("variable", None, &[("MUSTER_LISTN", "x")], &["MUSTER_LISTN is no setting", "nearest is MUSTER_LISTEN."]);
        check(
            "number",
            None,
            &[("MUSTER_CHECKPOINT__ROWS_MAX", "-3")],
            &["MUSTER_CHECKPOINT__ROWS_MAX", "no whole number"],
        );
        check("case", None, &[("MUSTER_listen", "x")], &["MUSTER_listen is no setting"]);
    }
}
