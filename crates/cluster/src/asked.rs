//! What stands behind the question mark of a URL. Knows no names, and never shows a value.

use url::form_urlencoded;

/// The pairs of it: name, value, and both as they stand there. A plus is one, as in a path.
pub fn pairs(asked: &str) -> impl Iterator<Item = (&str, String, &str)> {
    asked.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = format!("value={}", value.replace('+', "%2B"));
        let value = form_urlencoded::parse(plain.as_bytes()).next().map(|(_, value)| value.into_owned());
        (name, value.unwrap_or_default(), pair)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_were_meant() {
        let read: Vec<_> = pairs("a=%2Fno%2Fca+1.pem&&b&c=x=y").map(|(name, value, _)| (name, value)).collect();
        let meant = [("a", "/no/ca+1.pem"), ("b", ""), ("c", "x=y")].map(|(name, value)| (name, value.to_owned()));
        assert_eq!(read, meant);
    }
}
