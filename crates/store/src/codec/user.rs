//! What only users have.

use muster_model::{
    association::{Associations, Link},
    id::RecordId,
    nps::{Answer, Answers},
    profile::User,
    time::Micros,
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
    put_answers(out, body.nps);
    out.put_flag(body.seen_stale);
    out.put_flag(body.loose_stale);
    out.put_flag(body.tied);
}

/// Of a layout without what came with anonymous ids, none were tied.
pub fn decode(input: &mut Input<'_>, with_ties: bool) -> Result<User, Malformed> {
    let mut user = User {
        accounts: take_associations(input)?,
        organizations: take_associations(input)?,
        seen: take_span(input)?,
        seen_loose: take_span(input)?,
        nps: take_answers(input)?,
        ..User::default()
    };
    if with_ties {
        user.seen_stale = input.flag()?;
        user.loose_stale = input.flag()?;
        user.tied = input.flag()?;
    }
    Ok(user)
}

fn put_answers(out: &mut Vec<u8>, answers: Answers) {
    out.put_flag(answers.heard);
    out.put_option(answers.last, |out, last| {
        out.put_i64(last.responded_at.0);
        out.put_u128(last.response.0);
        out.put_u8(last.score);
    });
}

fn take_answers(input: &mut Input<'_>) -> Result<Answers, Malformed> {
    let heard = input.flag()?;
    let last = input.option(|input| {
        let responded_at = Micros(input.i64()?);
        Ok(Answer { responded_at, response: RecordId(input.u128()?), score: input.u8()? })
    })?;
    Ok(Answers { heard, last })
}

pub(super) fn put_associations(out: &mut Vec<u8>, associations: &Associations) {
    out.put_u32(associations.links().len() as u32);
    for link in associations.links() {
        out.put_u128(link.parent.0);
        out.put_text(&link.external_id);
        put_stamp(out, link.linked);
        put_stamp(out, link.unlinked);
    }
}

pub(super) fn take_associations(input: &mut Input<'_>) -> Result<Associations, Malformed> {
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
