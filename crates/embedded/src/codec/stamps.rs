//! Stamps, spans and parents: what several kinds of record keep in the same form.

use muster_model::{
    id::{Identity, RecordId},
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

pub(super) fn put_parent(out: &mut Vec<u8>, parent: &Option<Register<Parent>>) {
    out.put_option(parent.as_ref(), |out, register| {
        put_stamp(out, register.stamp());
        out.put_u128(register.value().id.0);
        out.put_text(&register.value().external_id);
    });
}

pub(super) fn take_parent(input: &mut Input<'_>) -> Result<Option<Register<Parent>>, Malformed> {
    input.option(|input| {
        let stamp = take_stamp(input)?;
        let id = RecordId(input.u128()?);
        Ok(Register::new(stamp, Parent { id, external_id: input.text()?.into() }))
    })
}
