//! Proposing what the columns of a table mean, by their names and what is in them.
//!
//! The proposal is a mapping that can be used as it stands or be corrected first; beside it stand the messages that it
//! makes of the first rows. Nothing is imported.

use std::{collections::BTreeSet, fmt::Write};

use anyhow::bail;
use serde_json::Value;

use super::{
    forms::{made::Origin, mapping::Mapping, mapping::REASON, record},
    sources::{Source, Sources},
};
use crate::output;

/// Rows that are looked at, and whose messages are shown.
const ROWS_MAX: usize = 1_000;
const SHOWN_MAX: usize = 3;
const EXAMPLE_LETTERS_MAX: usize = 40;

const ORGANIZATION: [&str; 5] = ["organizationid", "organisationid", "orgid", "organization", "org"];
const ACCOUNT: [&str; 11] = [
    "accountid",
    "companyid",
    "customerid",
    "clientid",
    "tenantid",
    "groupid",
    "workspaceid",
    "account",
    "company",
    "customer",
    "tenant",
];
const USER: [&str; 9] =
    ["userid", "memberid", "personid", "contactid", "distinctid", "uid", "user", "member", "contact"];
const EVENT: [&str; 6] = ["event", "eventname", "eventtype", "action", "activity", "activityname"];
const MESSAGE: [&str; 5] = ["messageid", "eventid", "insertid", "uuid", "id"];
const RECEIVED: [&str; 4] = ["receivedat", "loadedat", "ingestedat", "insertedat"];
const TIMESTAMP: [&str; 11] = [
    "timestamp",
    "eventtime",
    "occurredat",
    "happenedat",
    "time",
    "ts",
    "datetime",
    "date",
    "updatedat",
    "modifiedat",
    "createdat",
];

/// A column and what was seen in it.
struct Column {
    name: String,
    filled: usize,
    /// Different values, up to the number of rows looked at.
    values: BTreeSet<String>,
    example: String,
    times: usize,
}

/// Prints a mapping for the files, and what it makes of their first rows.
pub fn run(sources: Vec<Source>) -> anyhow::Result<()> {
    let files: Vec<String> = sources.iter().map(|source| source.file_name().to_owned()).collect();
    let file = files.first().cloned().unwrap_or_default();
    let (mut rows, mut places) = (Vec::new(), Vec::new());
    for (piece, _) in Sources::new(sources, true).take(ROWS_MAX) {
        let piece = piece?;
        if piece.broken.is_none() {
            rows.push(String::from_utf8_lossy(&piece.text).into_owned());
            places.push(piece.place);
        }
    }
    let columns = columns(&rows);
    if columns.is_empty() {
        bail!("there are no rows to look at");
    }
    let proposal = propose(&columns, rows.len(), &file)?;
    output::data(&proposal)?;
    let mapping = Mapping::read(&proposal)?;
    output::talk("\nThe first rows become:");
    for (row, place) in rows.iter().zip(places).take(SHOWN_MAX) {
        let file = files.get(place.source as usize).map_or("", String::as_str);
        match mapping.lines(row, Origin { file, line: place.line, is_of_table: false }) {
            Ok(lines) => lines.iter().for_each(|line| output::talk(line)),
            Err(says) => output::talk(&format!("{row}: {says}")),
        }
    }
    output::talk("\nKeep the mapping in a file, correct it there, and import with --map FILE; --dry-run tries it out.");
    Ok(())
}

fn columns(rows: &[String]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for row in rows {
        let Ok(Value::Object(cells)) = serde_json::from_str(row) else { continue };
        for (name, cell) in cells {
            if name == REASON {
                continue;
            }
            let place = columns.iter().position(|column| column.name == name).unwrap_or_else(|| {
                let fresh = Column { name, filled: 0, values: BTreeSet::new(), example: String::new(), times: 0 };
                columns.push(fresh);
                columns.len() - 1
            });
            let column = &mut columns[place];
            let text = cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
            if cell.is_null() || text.trim().is_empty() {
                continue;
            }
            column.filled += 1;
            column.times += usize::from(record::of_text(&text).is_some());
            if column.example.is_empty() {
                column.example = text.chars().filter(|letter| !letter.is_control()).take(EXAMPLE_LETTERS_MAX).collect();
            }
            column.values.insert(text);
        }
    }
    columns
}

fn propose(columns: &[Column], rows: usize, file: &str) -> anyhow::Result<String> {
    let found =
        |names: &[&str]| names.iter().find_map(|name| columns.iter().find(|column| plain(&column.name) == *name));
    let is_unique = |column: &&Column| column.filled == rows && column.values.len() == rows;
    let (event, received) = (found(&EVENT), found(&RECEIVED));
    let (mut organization, mut account, mut user) = (found(&ORGANIZATION), found(&ACCOUNT), found(&USER));
    let mut message = found(&MESSAGE).filter(is_unique).filter(|_| event.is_some());
    if event.is_none()
        && let Some(own) = columns.iter().find(|column| plain(&column.name) == "id")
    {
        // A table of records has an id of its own; what of, the name of its file says.
        let file = plain(file.rsplit('/').next().unwrap_or(file));
        let says = |words: &[&str]| words.iter().any(|word| file.contains(word));
        let of_organizations = says(&["organi", "orgs"]);
        let of_accounts = says(&["account", "compan", "customer", "tenant"]);
        if user.is_none() && says(&["user", "contact", "member", "people", "person"]) {
            user = Some(own);
        } else if account.is_none() && of_accounts {
            account = Some(own);
        } else if organization.is_none() && of_organizations {
            organization = Some(own);
        } else if [organization, account, user].iter().all(Option::is_none) {
            account = Some(own);
        } else {
            message = Some(own).filter(is_unique);
        }
    }
    let kind = match (event, user, account, organization) {
        (Some(_), None, None, None) | (None, None, None, None) => {
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            bail!(
                "no column looks like the id of an organization, an account or a user, by its name: {}. Write a mapping by \
                 hand; docs/api.md has an example",
                names.join(", ")
            )
        }
        (Some(_), ..) => "track",
        (None, Some(_), ..) => "user",
        (None, None, Some(_), _) => "account",
        (None, None, None, Some(_)) => "organization",
    };
    let time = TIMESTAMP.iter().find_map(|name| {
        columns.iter().find(|column| plain(&column.name) == *name && column.filled > 0 && column.times == column.filled)
    });
    let made = made_of(message, time.filter(|column| column.filled == rows), kind);
    let mut text = String::from("[[message]]\n");
    let mut line = |name: &str, value: String| writeln!(text, "{name} = {value}");
    line("type", quoted(kind))?;
    let members = [
        ("organizationId", organization),
        ("accountId", account),
        ("userId", user),
        ("event", event),
        ("messageId", message),
        ("timestamp", time),
        ("receivedAt", received),
    ];
    for (name, column) in members {
        if let Some(column) = column {
            line(name, quoted(&column.name))?;
        }
    }
    if let Some(made) = made {
        line("messageId", format!("{{ made = {} }}", quoted(made)))?;
    }
    line(if kind == "track" { "properties" } else { "traits" }, quoted("rest"))?;
    text.push_str(&remark(made, message.is_some(), kind));
    told(&mut text, columns, rows)?;
    Ok(text)
}

/// What a `messageId` is to be made of where no column holds an id or a time in every row: a message needs one of the two.
fn made_of(message: Option<&Column>, time: Option<&Column>, kind: &str) -> Option<&'static str> {
    match (message, time) {
        (Some(_), _) | (None, Some(_)) => None,
        (None, None) if kind == "track" => Some("row"),
        (None, None) => Some("content"),
    }
}

/// What was seen in the columns, for whoever corrects the proposal.
fn told(text: &mut String, columns: &[Column], rows: usize) -> std::fmt::Result {
    writeln!(text, "\n# The columns, in {rows} rows:")?;
    for Column { name, filled, values, example, .. } in columns {
        writeln!(text, "# {name}: {filled} filled, {} different, such as {example}", values.len())?;
    }
    Ok(())
}

/// What is to be known of rows that hold no id or no time of their own.
fn remark(made: Option<&str>, has_message_id: bool, kind: &str) -> String {
    let lines: &[&str] = match made {
        Some("row") => &[
            "No column found holds an id of each event, and none a time in every row. So the messageId is made of the row, its line and",
            "the name of its file: the same file imported again stores nothing twice, but the same rows under another name or at other",
            "lines are events once more. A row without a time happened when it is imported. Where a column is unique to each event,",
            "name it instead.",
        ],
        Some(_) => &[
            "No column found holds the time of what each row says, and none an id of its own for that. So the messageId is made of what",
            "it says: the same again stores nothing, also when something else was said meanwhile, and a row that says something else is a new",
            "statement. One without a time counts as said when it is imported. Where a column says when a row was changed last, name it",
            "as the timestamp.",
        ],
        None if kind == "track" && !has_message_id => &[
            "No column found holds an id of each event: rows that are alike in every cell, the time included, are one event. Where they",
            "are not, add messageId = { made = \"row\" }.",
        ],
        None => &[],
    };
    lines.iter().map(|line| format!("\n# {line}")).collect::<String>() + if lines.is_empty() { "" } else { "\n" }
}

/// Letters and digits alone, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rows: &[&str], file: &str, expected: &[&str]) {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        let proposal = propose(&columns(&rows), rows.len(), file).unwrap();
        let lines: Vec<&str> = proposal.lines().skip(1).take_while(|line| !line.is_empty()).collect();
        assert_eq!(lines, expected, "{proposal}");
        Mapping::read(&proposal).unwrap();
    }

    #[test]
    fn meanings_are_read_off_names_and_values() {
        check(
            &[
                r#"{"id":"1","Event Name":"a","user_id":"7","time":"2020-01-01","x":"1"}"#,
                r#"{"id":"2","Event Name":"a","user_id":"7","time":"1577872801"}"#,
            ],
            "dump.csv",
            &[
                "type = \"track\"",
                "userId = \"user_id\"",
                "event = \"Event Name\"",
                "messageId = \"id\"",
                "timestamp = \"time\"",
                "properties = \"rest\"",
            ],
        );
        check(
            &[r#"{"id":"1","name":"a","created_at":"2020-01-01","date":"soon"}"#],
            "crm/companies-2020.csv",
            &["type = \"account\"", "accountId = \"id\"", "timestamp = \"created_at\"", "traits = \"rest\""],
        );
        check(
            &[r#"{"id":"1","company_id":"7","email":"a@b.c"}"#],
            "users.csv",
            &[
                "type = \"user\"",
                "accountId = \"company_id\"",
                "userId = \"id\"",
                "messageId = { made = \"content\" }",
                "traits = \"rest\"",
            ],
        );
        // Where one row has no time it could not be told from another.
        check(
            &[r#"{"user_id":"1","action":"a","time":"2020-01-01"}"#, r#"{"user_id":"1","action":"a","time":""}"#],
            "log.csv",
            &[
                "type = \"track\"",
                "userId = \"user_id\"",
                "event = \"action\"",
                "timestamp = \"time\"",
                "messageId = { made = \"row\" }",
                "properties = \"rest\"",
            ],
        );
        let rows = [r#"{"a":"1"}"#.to_owned()];
        assert!(propose(&columns(&rows), 1, "x").unwrap_err().to_string().contains("by its name: a"));
    }
}
