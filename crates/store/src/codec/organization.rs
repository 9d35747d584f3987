//! What only organizations have.

use muster_model::profile::Organization;

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_tally, take_tally},
};

pub fn encode(body: &Organization, out: &mut Vec<u8>) {
    out.put_u32(body.accounts_count);
    out.put_u32(body.users_count);
    put_tally(out, body.nps);
}

pub fn decode(input: &mut Input<'_>) -> Result<Organization, Malformed> {
    Ok(Organization { accounts_count: input.u32()?, users_count: input.u32()?, nps: take_tally(input)? })
}
