//! Questions in SQL, with the tables beside them.
//!
//! The form asks what `POST /query` would be asked, within the same bounds; a page shows the first rows, and a download
//! has all of them.

/// A table of rows, and a chart where they make one.
mod result;

use askama::Template;
use axum::{extract::State, http::request::Parts, response::Response};
use muster_query::{Format, Params, QueryError, Request as Sql, outline};
use muster_store::saved::SavedKind;

use self::result::ResultTable;
use super::{
    answer::{self, PageError, sentence},
    frame::Frame,
    link,
    posted::Posted,
    saved::Shelf,
    session::Session,
};
use crate::{
    error::ApiError,
    query::answer::{download, gather},
    resources::query::Query,
    saved,
    state::AppState,
};

/// Rows that a page shows.
const ROWS_SHOWN: u64 = 500;
/// Bytes of a statement that a page's own address may hold.
const ADDRESS_BYTES_MAX: usize = 2_000;
/// What stands in the form at first.
const EXAMPLE: &str = "select account_id, count(*) as events, count(distinct user_id) as users\nfrom events\nwhere timestamp >= \
                       date('now', '-30 days')\ngroup by account_id\norder by events desc\nlimit 20";

struct TableOutline {
    name: &'static str,
    columns: Vec<(&'static str, &'static str)>,
}

/// A statement around the place where it stops making sense.
struct Fault {
    before: String,
    at: String,
    after: String,
}

#[derive(Template)]
#[template(path = "sql.html")]
struct SqlPage {
    frame: Frame,
    shelf: Shelf,
    sql: String,
    tables: Vec<TableOutline>,
    says: String,
    fault: Option<Fault>,
    result: Option<ResultTable>,
}

impl SqlPage {
    fn new(state: &AppState, session: &Session, frame: Frame, sql: String) -> SqlPage {
        let shelf = Shelf::new(state, session, SavedKind::Query, &sql);
        let tables = outline().into_iter().map(|(name, columns)| TableOutline { name, columns }).collect();
        SqlPage { frame, shelf, sql, tables, says: String::new(), fault: None, result: None }
    }
}

fn frame(session: &Session, parts: &Parts) -> Frame {
    Frame::new(session, parts, "SQL", "/sql")
}

/// The form; a statement in the address, or one that is kept, is filled in, and not run: an address may come from anywhere.
pub(super) async fn form(State(state): State<AppState>, session: Session, parts: Parts) -> Result<Response, PageError> {
    let parameters = Query::of(&parts.uri);
    let sql = match parameters.filled("saved") {
        Some(id) => saved::find(&state, session.workspace(), id)?.text,
        None => parameters.filled("sql").unwrap_or(EXAMPLE).to_owned(),
    };
    answer::page(&SqlPage::new(&state, &session, frame(&session, &parts), sql))
}

/// What a statement answers: on the page, or as a file.
pub(super) async fn run(
    State(state): State<AppState>,
    Posted { session, fields, parts }: Posted,
) -> Result<Response, PageError> {
    let mut frame = frame(&session, &parts);
    let sql = fields.get("sql").replace("\r\n", "\n");
    if sql.len() <= ADDRESS_BYTES_MAX {
        frame.here = link::with("/sql", &[("sql", &sql)]);
    }
    let asked = Sql { sql: sql.clone(), params: Params::None };
    let mut page = SqlPage::new(&state, &session, frame, sql);
    let failed = match Format::parse(fields.get("as")) {
        Some(format) => match download(&state, session.workspace(), asked, format).await {
            Ok(mut response) => {
                answer::as_file(&mut response, format.media_type(), file_name(format));
                return Ok(response);
            }
            Err(error) => error,
        },
        None => match gather(&state, session.workspace(), asked, ROWS_SHOWN).await {
            Ok(json) => {
                page.result = Some(ResultTable::read(&json)?);
                return answer::page(&page);
            }
            Err(error) => error,
        },
    };
    if failed.status().is_server_error() {
        return Err(failed.into());
    }
    page.says = sentence(&failed.says());
    page.fault = fault(&page.sql, &failed);
    answer::html(failed.status(), &page)
}

/// The place in a statement that an error names.
fn fault(sql: &str, error: &ApiError) -> Option<Fault> {
    let ApiError::Query(QueryError::Sql { position: Some(position), .. }) = error else { return None };
    let (before, rest) = sql.split_at_checked(*position)?;
    let word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let end = match rest.chars().next() {
        Some(first) if word(first) => rest.find(|letter| !word(letter)).unwrap_or(rest.len()),
        Some(first) => first.len_utf8(),
        None => 0,
    };
    Some(Fault { before: before.to_owned(), at: rest[..end].to_owned(), after: rest[end..].to_owned() })
}

/// What a file with an answer is called.
fn file_name(format: Format) -> &'static str {
    match format {
        Format::Json => "answer.json",
        Format::Csv => "answer.csv",
        Format::Parquet => "answer.parquet",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_that_is_wrong_is_marked() {
        for (sql, position, at) in [
            ("select nope from events", Some(7), Some("nope")),
            ("select é, (", Some(11), Some("(")),
            ("select", Some(6), Some("")),
            ("select é", Some(8), None),
            ("select", Some(99), None),
            ("select", None, None),
        ] {
            let error = ApiError::Query(QueryError::Sql { message: String::new(), position });
            assert_eq!(fault(sql, &error).map(|fault| fault.at).as_deref(), at, "{sql}");
        }
    }
}
