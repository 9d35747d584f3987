//! What only organizations have.

use muster_model::profile::Organization;

use super::bytes::{Input, Malformed, Output};

pub fn encode(body: &Organization, out: &mut Vec<u8>) {
    out.put_u32(body.accounts_count);
}

pub fn decode(input: &mut Input<'_>) -> Result<Organization, Malformed> {
    Ok(Organization { accounts_count: input.u32()? })
}
