//! Destinations of the settings file: a table `[[destinations]]` each.
//!
//! The names of the members are those of the API in the file's own spelling. A secret may lie in a file of its own.
//! What the values may be is judged where destinations are made.

use muster_server::forward::{Configured, Wanted};
use toml::{Table, Value};

const SECTION: &str = "destinations";
/// Bytes of a file that holds a secret.
const SECRET_BYTES_MAX: u64 = 4_096;

/// Takes the destinations out of a settings file. The sentence says what is wrong with which of them.
pub fn read(file: &mut Table) -> Result<Vec<Configured>, String> {
    let tables = match file.remove(SECTION) {
        None => return Ok(Vec::new()),
        Some(Value::Array(tables)) => tables,
        Some(_) => return Err(format!("{SECTION} must be written as [[{SECTION}]], once for each")),
    };
    let mut configured = Vec::new();
    for (nth, table) in tables.into_iter().enumerate() {
        let wrong = |says: String| format!("{SECTION}[{nth}]: {says}");
        let Value::Table(table) = table else { return Err(wrong("must be a table".to_owned())) };
        configured.push(one(table).map_err(wrong)?);
    }
    Ok(configured)
}

fn one(table: Table) -> Result<Configured, String> {
    let mut one = Configured { workspace: "default".to_owned(), ..Configured::default() };
    let mut secret_file = None;
    let Wanted { kind, url, secret, types, events, accounts, messages_per_second, timeout_seconds, .. } =
        &mut one.wanted;
    for (name, value) in table {
        match name.as_str() {
            "workspace" => one.workspace = text(&name, value)?,
            "name" => one.name = text(&name, value)?,
            "from" => one.from = Some(text(&name, value)?),
            "kind" => *kind = text(&name, value)?,
            "url" => *url = Some(text(&name, value)?),
            "secret" => *secret = Some(text(&name, value)?),
            "secret_file" => secret_file = Some(text(&name, value)?),
            "types" => *types = texts(&name, value)?,
            "events" => *events = texts(&name, value)?,
            "accounts" => *accounts = texts(&name, value)?,
            "messages_per_second" => *messages_per_second = Some(number(&name, &value)?),
            "timeout_seconds" => *timeout_seconds = Some(number(&name, &value)?),
            _ => return Err(format!("{name} is no member of a destination")),
        }
    }
    if one.name.is_empty() || kind.is_empty() {
        return Err("name and kind are needed".to_owned());
    }
    if let Some(path) = secret_file {
        let length = std::fs::metadata(&path).map(|about| about.len());
        let read = |_| std::fs::read_to_string(&path);
        let held = length.and_then(read).map_err(|error| format!("the secret_file {path} cannot be read: {error}"))?;
        if held.len() as u64 > SECRET_BYTES_MAX || secret.is_some() {
            return Err(format!("secret_file must be given alone, and hold at most {SECRET_BYTES_MAX} bytes"));
        }
        *secret = Some(held.trim().to_owned());
    }
    // One that is made at every start would be another one each time.
    if secret.is_none() {
        return Err("secret or secret_file is needed".to_owned());
    }
    Ok(one)
}

fn text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("{name} must be a text in quotes")),
    }
}

fn texts(name: &str, value: Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(values) => values.into_iter().map(|value| text(name, value)).collect(),
        _ => Err(format!("{name} must be a list of texts in brackets")),
    }
}

fn number(name: &str, value: &Value) -> Result<u32, String> {
    let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("{name} must be a whole number without quotes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Configured>, String> {
        read(&mut text.parse().unwrap())
    }

    #[test]
    fn destinations_are_read_and_what_is_wrong_is_named() {
        let read = read_text(
            "listen = \"x\"\n[[destinations]]\nname = \"crm\"\nkind = \"vitally\"\nsecret = \"s\"\ntypes = [\"user\"]\n\
             [[destinations]]\nname = \"hooks\"\nkind = \"webhook\"\nurl = \"https://x\"\nsecret = \"whsec_\"\nworkspace = \"w\"\n",
        );
        let read = read.unwrap();
        let names: Vec<_> = read.iter().map(|one| (one.workspace.as_str(), one.name.as_str())).collect();
        assert_eq!(names, [("default", "crm"), ("w", "hooks")]);
        assert_eq!(read[0].wanted.types, ["user"]);
        assert!(!format!("{read:?}").contains("whsec"), "secrets print nothing");
        let check = |text: &str, wanted: &str| {
            let says = read_text(text).err().unwrap();
            assert!(says.contains(wanted), "{wanted:?} is missing in: {says}");
        };
        check("destinations = 5", "[[destinations]]");
        check("[[destinations]]\nkind = \"vitally\"", "destinations[0]: name and kind");
        check("[[destinations]]\nname = \"a\"\nkind = \"vitally\"", "secret or secret_file");
        check("[[destinations]]\ncolour = \"a\"", "colour is no member");
        check("[[destinations]]\nname = 7", "name must be a text");
        check("[[destinations]]\ntypes = \"user\"", "types must be a list");
        check("[[destinations]]\nmessages_per_second = -1", "messages_per_second must be a whole number");
        check(
            "[[destinations]]\nname = \"a\"\nkind = \"b\"\nsecret_file = \"/nowhere/x\"",
            "/nowhere/x cannot be read",
        );
    }
}
