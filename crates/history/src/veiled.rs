//! Counting in files that hold what was deleted and not removed yet.
//!
//! What a file counted of its rows when it was written counts those too. As long as it is not written anew, the rows
//! that may be shown are counted one by one. Never asked while nothing is being deleted.

use muster_model::{
    deletion::reach,
    id::IdSpace,
    kind::{Kind, RecordKind},
    limits::FUTURE_MICROS_MAX,
    time::Micros,
};
use muster_store::{deletion::Veil, error::ReadError};

use super::{
    directory::{By, Key},
    footers::Footer,
    manifest::unreadable,
    scan::{self, Filter, Texts, times},
    schema,
};

/// Whether a file may hold tracks that are hidden.
pub fn is_concerned(footer: &Footer, veil: &Veil) -> bool {
    if veil.is_empty() {
        return false;
    }
    let ways = [By::User, By::Account, By::Organization];
    let any = veil.records().flat_map(|id| ways.map(|by| (by, Key::of_record(id)))).collect();
    !scan::chunks(footer, &Filter { any: Some(any), ..Filter::default() }).ranges().is_empty()
}

/// Tells the name and the instant of each track of a file that is not hidden.
pub fn events(footer: &Footer, ids: IdSpace, veil: &Veil, mut tell: impl FnMut(&str, Micros)) -> Result<(), ReadError> {
    let columns = [
        schema::KIND,
        schema::TIMESTAMP,
        schema::RECEIVED_AT,
        schema::ORGANIZATION_ID,
        schema::ACCOUNT_ID,
        schema::USER_ID,
        schema::EXTERNAL_ID,
        schema::EVENT,
    ];
    let whole = 0..footer.segment.rows;
    scan::read(footer, &[whole], &columns, |numbers, batch| {
        let unexpected = || unreadable(&footer.segment, &"unexpected columns");
        let tracks = scan::of_kind(batch, Kind::Track).ok_or_else(unexpected)?;
        let text = |column: usize| Texts::of(batch, column).ok_or_else(unexpected);
        let names = text(schema::EVENT)?;
        let timestamps = times(batch, schema::TIMESTAMP).ok_or_else(unexpected)?;
        let receipts = times(batch, schema::RECEIVED_AT).ok_or_else(unexpected)?;
        let subjects = [
            (RecordKind::Organization, text(schema::ORGANIZATION_ID)?.ids(ids, RecordKind::Organization)),
            (RecordKind::Account, text(schema::ACCOUNT_ID)?.ids(ids, RecordKind::Account)),
            (RecordKind::User, text(schema::USER_ID)?.ids(ids, RecordKind::User)),
            (RecordKind::Anonymous, text(schema::EXTERNAL_ID)?.ids(ids, RecordKind::Anonymous)),
        ];
        for row in (0..numbers.len()).filter(|row| tracks[*row]) {
            let (timestamp, received_at) = (Micros(timestamps.value(row)), Micros(receipts.value(row)));
            let named = subjects.iter().filter_map(|(kind, ids)| Some((*kind, ids[row]?)));
            if !veil.hides_track(named, reach(timestamp, received_at)) {
                let at = timestamp.min(received_at.plus_micros(FUTURE_MICROS_MAX));
                tell(names.get(row).unwrap_or_default(), at);
            }
        }
        Ok(())
    })
}
