//! What is asked, from the command line.

use std::io::{IsTerminal, Read};

use anyhow::Context;
use muster_query::{Format, Params, Request};
use serde_json::Value;

use crate::{
    args,
    exit::{Exit, Failure},
};

/// How the answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    Table,
    As(Format),
}

/// A query and how its answer is shown.
#[derive(Debug, PartialEq)]
pub struct Order {
    pub request: Request,
    pub shown: Shown,
    pub workspace: String,
}

impl Order {
    /// Reads the command line, and standard input where it says so.
    pub fn read(args: &args::Query) -> anyhow::Result<Order> {
        let sql = match args.sql.as_str() {
            "-" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("standard input is no text")?;
                text
            }
            sql => sql.to_owned(),
        };
        let shown = match args.format {
            Some(args::QueryFormat::Table) => Shown::Table,
            Some(args::QueryFormat::Json) => Shown::As(Format::Json),
            Some(args::QueryFormat::Csv) => Shown::As(Format::Csv),
            Some(args::QueryFormat::Parquet) => Shown::As(Format::Parquet),
            None if std::io::stdout().is_terminal() => Shown::Table,
            None => Shown::As(Format::Csv),
        };
        let params = params(args)?;
        Ok(Order { request: Request { sql, params }, shown, workspace: args.reach.workspace.clone() })
    }

    /// The form in which the answer is asked for.
    pub fn format(&self) -> Format {
        match self.shown {
            Shown::Table => Format::Json,
            Shown::As(format) => format,
        }
    }
}

fn params(args: &args::Query) -> anyhow::Result<Params> {
    let usage = |says: &str| Err(Failure::error(Exit::Usage, says));
    let Some(text) = &args.params else {
        let texts: Vec<Value> = args.param.iter().map(|text| Value::from(text.as_str())).collect();
        return Ok(if texts.is_empty() { Params::None } else { Params::Positional(texts) });
    };
    match serde_json::from_str(text) {
        Ok(Value::Array(values)) => Ok(Params::Positional(values)),
        Ok(Value::Object(values)) => Ok(Params::Named(values)),
        _ => usage("--params must be a JSON array, or an object for named parameters"),
    }
}
