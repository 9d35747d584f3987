//! What only accounts have.

use muster_model::profile::Account;

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_parent, put_span, put_tally, take_parent, take_span, take_tally},
};

pub fn encode(body: &Account, out: &mut Vec<u8>) {
    put_parent(out, &body.organization);
    out.put_u32(body.users_count);
    put_span(out, body.seen);
    out.put_flag(body.seen_stale);
    put_span(out, body.seen_named);
    put_tally(out, body.nps);
}

pub fn decode(input: &mut Input<'_>) -> Result<Account, Malformed> {
    Ok(Account {
        organization: take_parent(input)?,
        users_count: input.u32()?,
        seen: take_span(input)?,
        seen_stale: input.flag()?,
        seen_named: take_span(input)?,
        nps: take_tally(input)?,
    })
}
