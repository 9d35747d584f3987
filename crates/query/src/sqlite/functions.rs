//! Functions whose built-in form takes time in the square of its input.
//!
//! A progress check cannot interrupt a single call, so `instr`, `replace` and the `trim`s are given in forms whose time
//! grows with their input. They answer what the built-in ones do; a test compares.

use std::collections::BTreeSet;

use memchr::memmem;
use rusqlite::{
    Connection, Error, Result,
    functions::{Context, FunctionFlags},
    types::{Type, Value, ValueRef},
};

/// Puts the functions in place of the built-in ones.
pub fn replace_quadratic(connection: &Connection, value_bytes_max: usize) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |context| instr(context))?;
    connection.create_scalar_function("replace", 3, flags, move |context| replace(context, value_bytes_max))?;
    for (name, start, end) in [("trim", true, true), ("ltrim", true, false), ("rtrim", false, true)] {
        connection.create_scalar_function(name, 1, flags, move |context| trim(context, start, end))?;
        connection.create_scalar_function(name, 2, flags, move |context| trim(context, start, end))?;
    }
    Ok(())
}

/// The text that a value is where a text is asked for; `None` for NULL.
fn text(context: &Context<'_>, at: usize) -> Option<Vec<u8>> {
    match context.get_raw(at) {
        ValueRef::Null => None,
        ValueRef::Integer(integer) => Some(integer.to_string().into_bytes()),
        ValueRef::Real(real) => Some(real_text(real).into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}

/// A number as SQLite writes it, near enough for looking something up in it.
fn real_text(real: f64) -> String {
    if real.is_finite() && real == real.trunc() && real.abs() < 1e15 { format!("{real:.1}") } else { real.to_string() }
}

fn instr(context: &Context<'_>) -> Result<Value> {
    let (Some(hay), Some(needle)) = (text(context, 0), text(context, 1)) else { return Ok(Value::Null) };
    let bytes = context.get_raw(0).data_type() == Type::Blob && context.get_raw(1).data_type() == Type::Blob;
    let found = memmem::find(&hay, &needle).map(|at| {
        let before = &hay[..at];
        let starts = |byte: &&u8| **byte & 0xc0 != 0x80;
        1 + if bytes { before.len() } else { before.iter().filter(starts).count() }
    });
    Ok(Value::Integer(found.unwrap_or(0) as i64))
}

fn replace(context: &Context<'_>, value_bytes_max: usize) -> Result<Value> {
    let (Some(whole), Some(wanted)) = (text(context, 0), text(context, 1)) else { return Ok(Value::Null) };
    if wanted.is_empty() {
        return into_text(whole);
    }
    let Some(instead) = text(context, 2) else { return Ok(Value::Null) };
    let mut out = Vec::with_capacity(whole.len());
    let mut copied = 0;
    for at in memmem::find_iter(&whole, &wanted) {
        out.extend_from_slice(&whole[copied..at]);
        out.extend_from_slice(&instead);
        copied = at + wanted.len();
        if out.len() > value_bytes_max {
            return Err(too_big());
        }
    }
    out.extend_from_slice(&whole[copied..]);
    into_text(out)
}

fn trim(context: &Context<'_>, start: bool, end: bool) -> Result<Value> {
    let Some(whole) = text(context, 0) else { return Ok(Value::Null) };
    let set: BTreeSet<char> = match context.len() {
        1 => BTreeSet::from([' ']),
        _ => match text(context, 1) {
            None => return Ok(Value::Null),
            Some(set) => String::from_utf8_lossy(&set).chars().collect(),
        },
    };
    let whole = String::from_utf8_lossy(&whole);
    let mut left: &str = &whole;
    if start {
        left = left.trim_start_matches(|letter| set.contains(&letter));
    }
    if end {
        left = left.trim_end_matches(|letter| set.contains(&letter));
    }
    Ok(Value::Text(left.to_owned()))
}

fn into_text(bytes: Vec<u8>) -> Result<Value> {
    Ok(Value::Text(
        String::from_utf8(bytes).unwrap_or_else(|bytes| String::from_utf8_lossy(bytes.as_bytes()).into_owned()),
    ))
}

fn too_big() -> Error {
    Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_TOOBIG), None)
}
