//! Rules that a body may break, and how a broken one is reported.
//!
//! Each is reported with the place in the body, the rule's name in JSON Schema, what the rule asks for, and a sentence;
//! in the form that validators of JSON Schema have made common, so that existing clients understand it. Never quotes a
//! value of the body.

use crate::wire::object::Object;

/// A rule that a body breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    /// JSON pointer to the value at fault; empty for the body itself.
    path: String,
    keyword: &'static str,
    param: (&'static str, Param),
    message: String,
}

/// What a rule asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Param {
    Text(String),
    Number(i64),
    /// A comparison and its bound.
    Bound(&'static str, i64),
}

impl Violation {
    /// A rule of its own.
    pub(crate) fn new(
        path: impl Into<String>,
        keyword: &'static str,
        asks: impl Into<String>,
        message: impl Into<String>,
    ) -> Violation {
        let param = (keyword, Param::Text(asks.into()));
        Violation { path: path.into(), keyword, param, message: message.into() }
    }

    /// The value has another type than this one.
    pub(crate) fn type_of(path: impl Into<String>, wanted: &'static str) -> Violation {
        let message = format!("must be {}", wanted.replace(",null", " or null"));
        let param = ("type", Param::Text(wanted.to_owned()));
        Violation { path: path.into(), keyword: "type", param, message }
    }

    /// A member is missing.
    pub(crate) fn required(name: &str) -> Violation {
        let param = ("missingProperty", Param::Text(name.to_owned()));
        let message = format!("must have required property '{name}'");
        Violation { path: String::new(), keyword: "required", param, message }
    }

    /// A member that the body may not have.
    pub(crate) fn additional(name: &str) -> Violation {
        let param = ("additionalProperty", Param::Text(name.to_owned()));
        let message = "must NOT have additional properties".to_owned();
        Violation { path: String::new(), keyword: "additionalProperties", param, message }
    }

    /// A number below the least.
    pub(crate) fn minimum(path: impl Into<String>, least: i64) -> Violation {
        let (param, message) = (("comparison", Param::Bound(">=", least)), format!("must be >= {least}"));
        Violation { path: path.into(), keyword: "minimum", param, message }
    }

    /// A number above the most.
    pub(crate) fn maximum(path: impl Into<String>, most: i64) -> Violation {
        let (param, message) = (("comparison", Param::Bound("<=", most)), format!("must be <= {most}"));
        Violation { path: path.into(), keyword: "maximum", param, message }
    }

    /// A text with nothing in it.
    pub(crate) fn empty(path: impl Into<String>) -> Violation {
        let (param, message) = (("limit", Param::Number(1)), "must NOT have fewer than 1 characters".to_owned());
        Violation { path: path.into(), keyword: "minLength", param, message }
    }

    /// A text longer than so many bytes.
    pub(crate) fn longer(path: impl Into<String>, bytes_max: usize) -> Violation {
        let limit = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        let (param, message) = (("limit", Param::Number(limit)), format!("must NOT have more than {limit} bytes"));
        Violation { path: path.into(), keyword: "maxLength", param, message }
    }

    /// A list of more than so many.
    pub(crate) fn more_items(path: impl Into<String>, most: usize) -> Violation {
        let limit = i64::try_from(most).unwrap_or(i64::MAX);
        let (param, message) = (("limit", Param::Number(limit)), format!("must NOT have more than {limit} items"));
        Violation { path: path.into(), keyword: "maxItems", param, message }
    }

    /// A text that is not in this format.
    pub(crate) fn format(path: impl Into<String>, format: &'static str) -> Violation {
        let param = ("format", Param::Text(format.to_owned()));
        Violation { path: path.into(), keyword: "format", param, message: format!("must match format \"{format}\"") }
    }

    /// The sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// Writes what is wrong with a body.
pub(crate) fn write(error: &mut Object<'_>, violations: &[Violation]) {
    error.text("message", "validation failed");
    error.list("errors", |list| {
        for violation in violations {
            list.object(|one| {
                one.text("instancePath", &violation.path);
                one.text("keyword", violation.keyword);
                one.object("params", |params| write_param(params, &violation.param));
                one.text("message", &violation.message);
            });
        }
    });
}

fn write_param(params: &mut Object<'_>, (name, param): &(&'static str, Param)) {
    match param {
        Param::Text(text) => params.text(name, text),
        Param::Number(number) => params.raw(name, &number.to_string()),
        Param::Bound(comparison, bound) => {
            params.text(name, comparison);
            params.raw("limit", &bound.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(violation: Violation, expected: &str) {
        let mut out = Vec::new();
        Object::write(&mut out, |error| write(error, &[violation]));
        let expected = format!(r#"{{"message":"validation failed","errors":[{{{expected}}}]}}"#);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn each_rule_is_reported_in_the_common_form() {
        check(
            Violation::type_of("/externalId", "string"),
            r#""instancePath":"/externalId","keyword":"type","params":{"type":"string"},"message":"must be string""#,
        );
        check(
            Violation::type_of("/name", "string,null"),
            r#""instancePath":"/name","keyword":"type","params":{"type":"string,null"},"message":"must be string or null""#,
        );
        check(
            Violation::required("externalId"),
            r#""instancePath":"","keyword":"required","params":{"missingProperty":"externalId"},"message":"must have required property 'externalId'""#,
        );
        check(
            Violation::maximum("/score", 10),
            r#""instancePath":"/score","keyword":"maximum","params":{"comparison":"<=","limit":10},"message":"must be <= 10""#,
        );
        check(
            Violation::additional("x\""),
            r#""instancePath":"","keyword":"additionalProperties","params":{"additionalProperty":"x\""},"message":"must NOT have additional properties""#,
        );
    }
}
