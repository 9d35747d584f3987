//! A destination as it is shown to people; programs get what the server answers.

use serde_json::Value;

/// The list for people.
pub fn table(destinations: &[Value]) -> String {
    let heading = ["name", "kind", "state", "pending", "lag", "dead letters", "to"].map(str::to_owned).to_vec();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |one: &Value| {
        let state = match one["reason"].as_str() {
            Some(reason) => format!("{} ({reason})", text(&one["state"])),
            None => text(&one["state"]),
        };
        let lag = format!("{} s", one["lagSeconds"]);
        let (pending, letters) = (text(&one["pending"]), text(&one["deadLetters"]));
        vec![text(&one["name"]), text(&one["kind"]), state, pending, lag, letters, text(&one["url"])]
    };
    let rows: Vec<Vec<String>> = std::iter::once(heading).chain(destinations.iter().map(row)).collect();
    crate::output::table(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_why_nothing_goes() {
        let one = json!({"name": "crm", "kind": "vitally", "state": "blocked", "reason": "answered 401", "pending": 7,
                         "lagSeconds": 3, "deadLetters": 0, "url": "https://api.vitally.io"});
        let shown = table(&[one]);
        assert!(shown.contains("blocked (answered 401)") && shown.contains("3 s"), "{shown}");
    }
}
