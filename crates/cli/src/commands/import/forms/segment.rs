//! Archives of Segment and RudderStack: one call a line, as the libraries send them, with what was added on receipt.
//!
//! A call goes on as it stands; the server gives it its meaning, the same as to one that a library sends.

use super::{line, record::Record};

/// The line of a call.
pub fn line(text: &str) -> Result<Vec<String>, String> {
    let record = Record::read(text).ok_or("it is no JSON object")?;
    if record.raw("type").is_none() {
        return Err("it has no type; a line of such an archive is a call, {\"type\":\"track\",…}".to_owned());
    }
    let received_at = record.instant("receivedAt").or_else(|| record.instant("received_at"));
    Ok(vec![line::call_as_it_is(text, received_at)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_keeps_its_receipt() {
        let call = r#"{"type":"track","event":"e","receivedAt":"2020-01-01T00:00:01Z"}"#;
        let expected = format!(r#"{{"receivedAt":"2020-01-01T00:00:01.000000Z","call":{call}}}"#);
        assert_eq!(line(call).unwrap(), [expected]);
        assert_eq!(line(r#"{"type":"page"}"#).unwrap(), [r#"{"call":{"type":"page"}}"#]);
        assert!(line(r#"{"event":"e"}"#).unwrap_err().contains("type"));
    }
}
