//! What an answer means for the messages it answers.
//!
//! The rule: what may be taken later is sent again, for ever; what will never be taken is a dead letter; and what no
//! message is to blame for, such as a key that is not known, holds up the destination and makes no letters.

use std::time::Duration;

use serde_json::Value;

use super::{destination::DestinationKind, post::Answer};

/// The longest wait that a destination may ask for.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// Characters of an answer that are repeated in a reason.
const QUOTED_MAX: usize = 200;

/// What becomes of the messages of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Judged {
    /// All are taken.
    Taken,
    /// These will never be; the others are taken, or are to be sent again without these.
    Some {
        refused: Vec<(usize, String)>,
        others_taken: bool,
    },
    /// The request will never be taken as it is.
    Whole(String),
    Held(Hold),
}

/// Why nothing can be sent for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// It may work again by itself; the destination may have said when.
    Later { says: String, wait: Option<Duration> },
    /// Somebody has to do something, there or here.
    Blocked { says: String },
    /// The thread was told something.
    Told,
}

/// Judges an answer, or that there was none.
pub(super) fn judge(kind: DestinationKind, answer: &Result<Answer, String>) -> Judged {
    let answer = match answer {
        Ok(answer) => answer,
        Err(says) => return Judged::Held(Hold::Later { says: says.clone(), wait: None }),
    };
    let says = || format!("answered {}{}", answer.status, quoted(&answer.body));
    match answer.status {
        200..=299 => Judged::Taken,
        400 | 413 | 422 => match (kind, answer.status) {
            (DestinationKind::Vitally, 400) => some(&answer.body).unwrap_or_else(|| Judged::Whole(says())),
            _ => Judged::Whole(says()),
        },
        408 | 425 | 429 | 500..=599 => {
            Judged::Held(Hold::Later { says: says(), wait: answer.retry_after.map(|wait| wait.min(WAIT_MAX)) })
        }
        _ => Judged::Held(Hold::Blocked { says: says() }),
    }
}

/// Single messages that were refused, as `docs/api.md` has them: by `index`, or by the first part of `instancePath`.
fn some(body: &str) -> Option<Judged> {
    let body: Value = serde_json::from_str(body).ok()?;
    let error = &body["error"];
    let mut refused = Vec::new();
    for one in error["errors"].as_array()? {
        let path = one["instancePath"].as_str();
        let of_path = || path?.trim_start_matches('/').split('/').next()?.parse().ok();
        let place = one["index"].as_u64().and_then(|place| usize::try_from(place).ok()).or_else(of_path)?;
        let code = one["code"].as_str().map(|code| format!("{code}: ")).unwrap_or_default();
        let says = one["message"].as_str().unwrap_or("refused");
        refused.push((place, format!("{code}{}", cut(says))));
    }
    refused.sort_by_key(|(place, _)| *place);
    refused.dedup_by_key(|(place, _)| *place);
    (!refused.is_empty()).then(|| Judged::Some { refused, others_taken: error["stored"].is_u64() })
}

fn quoted(body: &str) -> String {
    let body = body.trim();
    if body.is_empty() { String::new() } else { format!(": {}", cut(body)) }
}

fn cut(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(QUOTED_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Judged {
        let answer = Answer { status, body: body.to_owned(), ..Answer::default() };
        judge(DestinationKind::Vitally, &Ok(answer))
    }

    #[test]
    fn statuses_are_told_apart() {
        assert_eq!(answered(200, ""), Judged::Taken);
        assert_eq!(answered(202, "whatever"), Judged::Taken);
        assert_eq!(answered(413, ""), Judged::Whole("answered 413".to_owned()));
        assert_eq!(answered(400, "no\n"), Judged::Whole("answered 400: no".to_owned()));
        for status in [429, 500, 503, 408] {
            assert!(matches!(answered(status, ""), Judged::Held(Hold::Later { .. })), "{status}");
        }
        for status in [301, 401, 403, 404, 405, 410, 415] {
            assert!(matches!(answered(status, ""), Judged::Held(Hold::Blocked { .. })), "{status}");
        }
        let nothing = judge(DestinationKind::Webhook, &Err("no connection".to_owned()));
        assert_eq!(nothing, Judged::Held(Hold::Later { says: "no connection".to_owned(), wait: None }));
        let later = Answer { status: 429, retry_after: Some(WAIT_MAX * 9), ..Answer::default() };
        let Judged::Held(Hold::Later { wait, .. }) = judge(DestinationKind::Segment, &Ok(later)) else { panic!() };
        assert_eq!(wait, Some(WAIT_MAX));
    }

    #[test]
    fn single_messages_are_found_in_both_forms() {
        let ours = r#"{"error":{"message":"1 of 3","stored":2,"errors":[{"index":1,"code":"user_needs_parent","instancePath":"/1/accountId","message":"send it"}]}}"#;
        let refused = vec![(1, "user_needs_parent: send it".to_owned())];
        assert_eq!(answered(400, ours), Judged::Some { refused, others_taken: true });
        let theirs = r#"{"error":{"errors":[{"instancePath":"/2/timestamp","message":"b"},{"instancePath":"/0","message":"a"},{"instancePath":"/2/x","message":"c"}]}}"#;
        let refused = vec![(0, "a".to_owned()), (2, "b".to_owned())];
        assert_eq!(answered(400, theirs), Judged::Some { refused, others_taken: false });
        let of_nothing = r#"{"error":{"errors":[{"instancePath":"","message":"not an array"}]}}"#;
        assert!(matches!(answered(400, of_nothing), Judged::Whole(_)));
    }
}
