//! The table as CSV, to its end.
//!
//! Written page by page while the browser takes it, so that a list of any length costs the memory of one page. The first
//! column is the record's external id.

use std::io;

use axum::{body::Body, extract::State, http::Uri, response::Response};
use bytes::Bytes;
use futures_util::stream;
use muster_model::kind::RecordKind;

use super::{
    super::{
        answer::{PageError, as_file},
        session::Session,
    },
    Found,
    columns::{self, Column},
    filters, found, plural,
};
use crate::{error::ApiError, resources::query::Query, state::AppState};

/// Rows that are read at one time.
const PAGE_ROWS: &str = "100";

/// What is left to write.
struct Rest {
    kind: RecordKind,
    state: AppState,
    session: Session,
    parameters: Query,
    columns: Vec<Column>,
    /// The page that comes next.
    page: Option<Found>,
    begun: bool,
}

/// Answers the whole table.
pub(in super::super) async fn show(
    kind: RecordKind,
    State(state): State<AppState>,
    session: Session,
    uri: Uri,
) -> Result<Response, PageError> {
    let parameters = filters::asked(Query::of(&uri));
    let columns = columns::chosen(kind, &state, session.workspace(), &parameters).await?;
    let first = found(kind, &state, session.workspace(), &parameters, Some(PAGE_ROWS)).await?;
    let rest = Rest { kind, state, session, parameters, columns, page: Some(first), begun: false };
    let mut response = Response::new(Body::from_stream(stream::try_unfold(rest, next)));
    let name = format!("{}.csv", plural(kind).to_lowercase());
    as_file(&mut response, "text/csv; charset=utf-8", &name);
    Ok(response)
}

/// The next page's rows. An answer that fails in the middle is cut off, so that nobody takes it for the whole.
async fn next(mut rest: Rest) -> Result<Option<(Bytes, Rest)>, io::Error> {
    let Some(page) = rest.page.take() else { return Ok(None) };
    let rows = written(&rest, &page)?;
    rest.begun = true;
    if let Some(from) = &page.next {
        let parameters = rest.parameters.and("from", from);
        let read = found(rest.kind, &rest.state, rest.session.workspace(), &parameters, Some(PAGE_ROWS)).await;
        rest.page = Some(read.map_err(|error: ApiError| {
            error.log();
            io::Error::other("a page could not be read")
        })?);
    }
    Ok(Some((rows, rest)))
}

/// A cell that no spreadsheet works out: text of customers that begins as a formula does is set off by an apostrophe, numbers
/// stay numbers.
fn harmless(cell: String) -> String {
    let begins = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if begins && cell.parse::<f64>().is_err() { format!("'{cell}") } else { cell }
}

fn written(rest: &Rest, page: &Found) -> Result<Bytes, io::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    if !rest.begun {
        let labels = rest.columns.iter().map(Column::label);
        writer.write_record(std::iter::once("externalId".to_owned()).chain(labels).map(harmless))?;
    }
    for record in &page.records {
        let cells = rest.columns.iter().map(|column| column.plain(record));
        let cells = std::iter::once(record.profile().external_id.to_string()).chain(cells);
        writer.write_record(cells.map(harmless))?;
    }
    let bytes = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Bytes::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+49 40 123", "'+49 40 123"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("-12.5", "-12.5"),
            ("+7", "+7"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(harmless(cell.to_owned()), written);
        }
    }
}
