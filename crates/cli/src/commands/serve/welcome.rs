//! What a person is told at the first start: the token, something to send, how to read it back.

/// The documentation's example, one message a line.
const EXAMPLE: [&str; 4] = [
    r#"{"type":"organization","organizationId":"abcdefg","traits":{"name":"World Cup"},"messageId":"7ac1c682","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"account","accountId":"123456","organizationId":"abcdefg","traits":{"name":"Argentina"},"messageId":"7ac1c682","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"user","userId":"32","accountId":"123456","organizationId":"abcdefg","traits":{"name":"Lionel Messi"},"messageId":"7ac1c682","timestamp":"2018-05-15T12:31:12.123Z"}"#,
    r#"{"type":"track","userId":"32","event":"scored-goal","properties":{"minute":14},"messageId":"7ac1c682","timestamp":"2018-05-15T12:31:12.123Z"}"#,
];

/// The whole text; `keeps` is where everything is kept. Shown once: the token is not kept.
pub fn text(url: &str, keeps: &str, token: &str) -> String {
    let example = EXAMPLE.join(",\n");
    format!(
        "Muster is running at {url} and keeps everything {keeps}.

This is its first start, so it made a workspace named default and a key for it that may do everything.
The key's token is shown this once; only its hash is kept:

    {token}

Send an organization, an account, a user and an event:

curl {url}/analytics/v1/batch -H 'Authorization: Basic {token}' -H 'Content-Type: application/json' -d '[
{example}]'

The answer is {{\"message\":\"Success.\"}}. Read back what the user did, and who it is:

curl -H 'Authorization: Basic {token}' {url}/resources/users/32/events
curl -H 'Authorization: Basic {token}' {url}/resources/users/32

Look at it in a browser: {url}/ with this token. The API is described at {url}/docs. More keys: muster keys create --scope write --name my-app
Something to look at first: muster demo fills an empty workspace with a year of a made-up product.
"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_command_carries_the_documentations_example() {
        let text = text("http://127.0.0.1:8080", "in ./muster-data", "mk_x");
        let body = text.split_once("-d '").unwrap().1.split_once('\'').unwrap().0;
        let sent: Vec<Value> = serde_json::from_str(body).unwrap();
        let whole: Vec<Value> =
            serde_json::from_str(include_str!("../../../tests/data/documentation-example.json")).unwrap();
        assert_eq!(sent.len(), whole.len());
        for (sent, whole) in sent.iter().zip(&whole) {
            for key in ["type", "organizationId", "accountId", "userId", "event", "timestamp"] {
                assert_eq!(sent[key], whole[key], "{key}");
            }
            assert_eq!(sent["traits"]["name"], whole["traits"]["name"]);
        }
    }
}
