//! What is asked: the text, and values for its parameters.
//!
//! Values are JSON. A list or an object becomes its JSON text, which `json_each` reads, so that a long list needs one
//! parameter only.

use rusqlite::{Statement, types::Value};

use crate::error::QueryError;

/// Values for the parameters of a statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Params {
    #[default]
    None,
    /// For `?`, `?1` and so on.
    Positional(Vec<serde_json::Value>),
    /// For `:name`, `@name` and `$name`; the sign may be left out.
    Named(serde_json::Map<String, serde_json::Value>),
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub sql: String,
    pub params: Params,
}

impl Params {
    /// Gives every parameter of a statement its value. A value for none of them and a parameter without one are errors.
    pub(crate) fn bind(&self, statement: &mut Statement<'_>) -> Result<(), QueryError> {
        let count = statement.parameter_count();
        let failed = |error: rusqlite::Error| QueryError::Parameters(error.to_string());
        match self {
            Params::None if count == 0 => Ok(()),
            Params::None => Err(QueryError::Parameters(format!(
                "the statement has {count} parameters and params gives none; send \"params\": [...]"
            ))),
            Params::Positional(values) => {
                if values.len() != count {
                    let says = format!("the statement has {count} parameters and params gives {} values", values.len());
                    return Err(QueryError::Parameters(says));
                }
                for (at, value) in values.iter().enumerate() {
                    statement.raw_bind_parameter(at + 1, value_of(value)).map_err(failed)?;
                }
                Ok(())
            }
            Params::Named(values) => {
                let mut used = 0;
                for at in 1..=count {
                    let name = statement.parameter_name(at).map(str::to_owned);
                    let Some(name) = name else {
                        let says = format!("parameter {at} has no name; give it one, or send params as a list");
                        return Err(QueryError::Parameters(says));
                    };
                    let bare = name.trim_start_matches([':', '@', '$']);
                    let Some(value) = values.get(bare).or_else(|| values.get(&name)) else {
                        return Err(QueryError::Parameters(format!("params has no value for {name}")));
                    };
                    used += 1;
                    statement.raw_bind_parameter(at, value_of(value)).map_err(failed)?;
                }
                if used < values.len() {
                    let says = format!("params gives {} values and the statement uses {used} of them", values.len());
                    return Err(QueryError::Parameters(says));
                }
                Ok(())
            }
        }
    }
}

fn value_of(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(is) => Value::Integer(i64::from(*is)),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => number.as_f64().map_or(Value::Null, Value::Real),
        },
        serde_json::Value::String(text) => Value::Text(text.clone()),
        list_or_object => Value::Text(list_or_object.to_string()),
    }
}
