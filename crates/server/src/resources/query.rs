//! The parameters after a path's question mark.
//!
//! Unknown ones are ignored, as the contract says; of one given several times the last one counts. What a known one may
//! be is said in the error when it is something else.

use std::ops::RangeInclusive;

use axum::http::Uri;
use muster_model::time::Micros;
use percent_encoding::percent_decode_str;

use crate::error::ApiError;

/// A request's parameters, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// The parameters of a request's target.
    pub(crate) fn of(uri: &Uri) -> Query {
        uri.query().map(Query::of_text).unwrap_or_default()
    }

    /// The parameters of a text that holds nothing else, as the body of a form does.
    pub(crate) fn of_text(text: &str) -> Query {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        });
        Query { pairs: pairs.collect() }
    }

    /// The same with one parameter more, which counts in place of others of its name.
    pub(crate) fn and(&self, name: &str, value: &str) -> Query {
        let mut pairs = self.pairs.clone();
        pairs.push((name.to_owned(), value.to_owned()));
        Query { pairs }
    }

    /// Those of them that are not of this sort.
    pub(crate) fn without(mut self, is_of_sort: impl Fn(&str, &str) -> bool) -> Query {
        self.pairs.retain(|(name, value)| !is_of_sort(name, value));
        self
    }

    /// All of them, as they came.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a parameter, if it was given.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter, if it was given and is not empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Parameters whose names begin so, without that beginning; of those given several times the last one counts.
    pub(crate) fn starting_with<'q>(&'q self, beginning: &'q str) -> impl Iterator<Item = (&'q str, &'q str)> {
        let pairs = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        pairs.filter_map(move |(name, value)| Some((name.strip_prefix(beginning)?, value)))
    }

    /// `limit`, between one and `most`.
    pub(crate) fn limit(&self, most: usize) -> Result<usize, ApiError> {
        const DEFAULT: usize = 100;
        let Some(text) = self.get("limit") else { return Ok(DEFAULT) };
        let limit = text.parse().ok().filter(|limit| (1..=most).contains(limit));
        limit.ok_or_else(|| ApiError::parameter(format!("limit must be a whole number from 1 to {most}")))
    }

    /// A whole number within bounds, if it was given.
    pub(crate) fn whole(&self, name: &str, within: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        let Some(text) = self.filled(name) else { return Ok(None) };
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.map(Some).ok_or_else(|| {
            let (least, most) = within.into_inner();
            let bounds =
                if most == i64::MAX as u64 { format!(", {least} or more") } else { format!(" from {least} to {most}") };
            ApiError::parameter(format!("{name} must be a whole number{bounds}"))
        })
    }

    /// An instant, if it was given.
    pub(crate) fn instant(&self, name: &str) -> Result<Option<Micros>, ApiError> {
        let Some(text) = self.filled(name) else { return Ok(None) };
        // A plus sign that was not encoded has become a space; no instant holds one there otherwise.
        let at = Micros::parse(text).or_else(|| Micros::parse(&text.replace(' ', "+")));
        let says = || format!("{name} must be ISO 8601 text, such as 2018-05-15T12:31:12.123Z");
        at.map(Some).ok_or_else(|| ApiError::parameter(says()))
    }

    /// One of several words, the first being what an absent or empty parameter means.
    pub(crate) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T, ApiError> {
        let Some(text) = self.filled(name) else { return Ok(words[0].1) };
        let found = words.iter().find(|(word, _)| *word == text);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).filter(|word| !word.is_empty()).collect();
            ApiError::parameter(format!("{name} must be one of {}", known.join(", ")))
        })
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/x{text}").parse().unwrap())
    }

    #[test]
    fn parameters_are_decoded() {
        let query = query("?a=1&b=x%20y+z&a=2&c&=&d=%C3%A9%ff");
        assert_eq!(query.get("a"), Some("2"));
        assert_eq!(query.get("b"), Some("x y z"));
        assert_eq!((query.get("c"), query.filled("c")), (Some(""), None));
        assert_eq!(query.get("d"), Some("é\u{fffd}"));
        assert_eq!(query.get("e"), None);
    }

    #[test]
    fn limits_and_words_and_instants_are_bounded() {
        assert_eq!(query("").limit(100), Ok(100));
        assert_eq!(query("?limit=7").limit(100), Ok(7));
        for bad in ["0", "101", "-1", "", "x", "1.5"] {
            assert!(query(&format!("?limit={bad}")).limit(100).is_err(), "{bad}");
        }
        let whole = |text: &str| query(text).whole("n", 2..=9);
        assert_eq!((whole(""), whole("?n="), whole("?n=9")), (Ok(None), Ok(None), Ok(Some(9))));
        let says = |wrong: ApiError| wrong.says();
        assert_eq!(whole("?n=1").map_err(says), Err("n must be a whole number from 2 to 9".to_owned()));
        let more = query("?n=-1").whole("n", 0..=i64::MAX as u64).map_err(says);
        assert_eq!(more, Err("n must be a whole number, 0 or more".to_owned()));
        let words = [("up", 1), ("down", 2)];
        assert_eq!(query("").word("d", &words), Ok(1));
        assert_eq!(query("?d=down").word("d", &words), Ok(2));
        assert!(query("?d=left").word("d", &words).is_err());
        let maybe = [("", None), ("true", Some(true)), ("false", Some(false))];
        let wrong = query("?d=left").word("d", &maybe).map_err(says);
        assert_eq!(wrong, Err("d must be one of true, false".to_owned()));
        let at = |text: &str| query(text).instant("at").map(|at| at.map(Micros::to_millis_text));
        assert_eq!(at("?at="), Ok(None));
        assert_eq!(at("?at=2020-01-01"), Ok(Some("2020-01-01T00:00:00.000Z".to_owned())));
        assert_eq!(at("?at=2020-01-01T01:00:00+01:00"), Ok(Some("2020-01-01T00:00:00.000Z".to_owned())));
        assert!(at("?at=soon").is_err());
    }
}
