//! Imports as they are shown to people; programs get what the server answers.

use serde_json::Value;

/// The list for people.
pub fn table(imports: &[Value]) -> String {
    let heading =
        ["id", "state", "read", "stored", "there already", "refused", "begun", "by key", "undone by", "format", "name"];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let row = |one: &Value| {
        let of = one["total"].as_u64().or_else(|| one["bytesTotal"].as_u64());
        let come = if one["total"].is_null() { &one["bytes"] } else { &one["read"] };
        let is_under_way = matches!(one["state"].as_str(), Some("running" | "interrupted"));
        let share = of.zip(come.as_u64()).filter(|(of, _)| *of > 0 && is_under_way);
        let state = match share {
            Some((of, come)) => format!("{} ({} %)", text(&one["state"]), (come.min(of) * 100) / of),
            None => text(&one["state"]),
        };
        let mut cells = vec![text(&one["id"]), state];
        cells.extend(["read", "stored", "duplicates", "refused", "startedAt"].map(|name| text(&one[name])));
        let by = |name: &str| if one[name].is_null() { "-".to_owned() } else { text(&one[name]) };
        cells.extend(["keyId", "undoneBy"].map(by));
        cells.extend(["format", "name"].map(|name| text(&one[name])));
        cells
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(heading.map(str::to_owned).to_vec()).chain(imports.iter().map(row)).collect();
    crate::output::table(&rows)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_says_how_far_it_has_come() {
        let one = json!({"id": 3, "state": "running", "read": 50, "total": 200, "stored": 40, "duplicates": 9,
                         "refused": 1, "startedAt": "2026-01-01T00:00:00Z", "format": "muster", "name": "a.ndjson"});
        let other = json!({"id": 4, "state": "interrupted", "bytes": 30, "total": null, "bytesTotal": 40, "name": "b"});
        let last = json!({"id": 5, "state": "undone", "bytes": 40, "total": null, "bytesTotal": 40, "name": "c",
                          "keyId": 7, "undoneBy": 9});
        let shown = table(&[one, other, last]);
        assert!(!shown.contains("undone ("), "{shown}");
        let undone: Vec<&str> = shown.lines().last().unwrap_or_default().split_whitespace().collect();
        assert!(undone.windows(2).any(|two| two == ["7", "9"]), "{shown}");
        assert!(shown.contains("running (25 %)") && shown.contains("interrupted (75 %)"), "{shown}");
    }
}
