//! What only users have.

use muster_model::{
    association::{Associations, Link},
    id::RecordId,
    profile::User,
};

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_span, put_stamp, take_span, take_stamp},
};

pub fn encode(body: &User, out: &mut Vec<u8>) {
    put_associations(out, &body.accounts);
    put_associations(out, &body.organizations);
    put_span(out, body.seen);
    put_span(out, body.seen_loose);
}

pub fn decode(input: &mut Input<'_>) -> Result<User, Malformed> {
    Ok(User {
        accounts: take_associations(input)?,
        organizations: take_associations(input)?,
        seen: take_span(input)?,
        seen_loose: take_span(input)?,
    })
}

fn put_associations(out: &mut Vec<u8>, associations: &Associations) {
    out.put_u32(associations.links().len() as u32);
    for link in associations.links() {
        out.put_u128(link.parent.0);
        out.put_text(&link.external_id);
        put_stamp(out, link.linked);
        put_stamp(out, link.unlinked);
    }
}

fn take_associations(input: &mut Input<'_>) -> Result<Associations, Malformed> {
    let count = input.count(68)?;
    let mut links = Vec::with_capacity(count);
    for _ in 0..count {
        links.push(Link {
            parent: RecordId(input.u128()?),
            external_id: input.text()?.into(),
            linked: take_stamp(input)?,
            unlinked: take_stamp(input)?,
        });
    }
    Ok(Associations::from_links(links))
}
