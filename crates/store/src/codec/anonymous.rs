//! What only anonymous ids have.

use muster_model::profile::Anonymous;

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_span, take_span},
    user::{put_associations, take_associations},
};

pub fn encode(body: &Anonymous, out: &mut Vec<u8>) {
    put_associations(out, &body.users);
    put_span(out, body.seen);
    put_span(out, body.seen_loose);
    out.put_flag(body.stale);
}

pub fn decode(input: &mut Input<'_>) -> Result<Anonymous, Malformed> {
    Ok(Anonymous {
        users: take_associations(input)?,
        seen: take_span(input)?,
        seen_loose: take_span(input)?,
        stale: input.flag()?,
    })
}
