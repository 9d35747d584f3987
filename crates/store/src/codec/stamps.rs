//! Stamps, spans, parents and tallies: what several kinds of record keep in the same form.

use muster_model::{
    id::{Identity, RecordId},
    nps::Tally,
    profile::{Parent, Span},
    register::{Register, Stamp},
    time::Micros,
};

use super::bytes::{Input, Malformed, Output};

pub(super) fn put_stamp(out: &mut Vec<u8>, stamp: Stamp) {
    out.put_i64(stamp.at.0);
    out.put_u128(stamp.by.0);
}

pub(super) fn take_stamp(input: &mut Input<'_>) -> Result<Stamp, Malformed> {
    Ok(Stamp { at: Micros(input.i64()?), by: Identity(input.u128()?) })
}

pub(super) fn put_span(out: &mut Vec<u8>, span: Span) {
    out.put_option(span.bounds(), |out, (first, last)| {
        out.put_i64(first.0);
        out.put_i64(last.0);
    });
}

pub(super) fn take_span(input: &mut Input<'_>) -> Result<Span, Malformed> {
    input.option(|input| Ok((Micros(input.i64()?), Micros(input.i64()?)))).map(Span::from_bounds)
}

/// A parent that was stated, or the statement that there is none.
pub(super) fn put_parent(out: &mut Vec<u8>, parent: &Option<Register<Option<Parent>>>) {
    out.put_option(parent.as_ref(), |out, register| {
        put_stamp(out, register.stamp());
        out.put_option(register.value().as_ref(), put_named);
    });
}

pub(super) fn put_named(out: &mut Vec<u8>, parent: &Parent) {
    out.put_u128(parent.id.0);
    out.put_text(&parent.external_id);
}

pub(super) fn take_parent(input: &mut Input<'_>) -> Result<Option<Register<Option<Parent>>>, Malformed> {
    input.option(|input| Ok(Register::new(take_stamp(input)?, input.option(take_named)?)))
}

pub(super) fn take_named(input: &mut Input<'_>) -> Result<Parent, Malformed> {
    Ok(Parent { id: RecordId(input.u128()?), external_id: input.text()?.into() })
}

pub(super) fn put_tally(out: &mut Vec<u8>, tally: Tally) {
    out.put_u32(tally.detractors);
    out.put_u32(tally.passives);
    out.put_u32(tally.promoters);
}

pub(super) fn take_tally(input: &mut Input<'_>) -> Result<Tally, Malformed> {
    Ok(Tally { detractors: input.u32()?, passives: input.u32()?, promoters: input.u32()? })
}
