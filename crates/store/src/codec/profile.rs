//! A profile: what every kind has, then what only its kind has.

use muster_model::{
    id::RecordId,
    kind::RecordKind,
    profile::{Body, Profile},
    register::Stamp,
    time::Micros,
    traits::Traits,
};

use super::{
    account, anonymous,
    bytes::{Input, Malformed, Output},
    custom_object_instance, nps_response, organization,
    stamps::{put_stamp, take_stamp},
    user,
};

/// The version of this layout, and the one before, which knew no anonymous ids.
pub const VERSION: u8 = 2;
const WITHOUT_ANONYMOUS: u8 = 1;

/// Appends a profile.
pub fn encode(profile: &Profile, out: &mut Vec<u8>) {
    out.put_u8(VERSION);
    out.put_u8(profile.kind() as u8);
    out.put_u128(profile.id.0);
    out.put_text(&profile.external_id);
    out.put_i64(profile.created_at.0);
    out.put_i64(profile.updated_at.0);
    out.put_flag(profile.stated);
    out.put_i64(profile.first_known.0);
    out.put_u32(profile.traits.registers().len() as u32);
    for (key, stamp, value) in profile.traits.registers() {
        out.put_text(key);
        put_stamp(out, stamp);
        out.put_option(value, |out, value| out.put_text(value));
    }
    match &profile.body {
        Body::Organization(body) => organization::encode(body, out),
        Body::Account(body) => account::encode(body, out),
        Body::User(body) => user::encode(body, out),
        Body::Instance(body) => custom_object_instance::encode(body, out),
        Body::CustomObject => {}
        Body::NpsResponse(body) => nps_response::encode(body, out),
        Body::Anonymous(body) => anonymous::encode(body, out),
    }
}

/// Bytes that a trait takes besides its key and its value, at least.
const TRAIT_BYTES: usize = 29;

fn take_traits(input: &mut Input<'_>) -> Result<Traits, Malformed> {
    let count = input.count(TRAIT_BYTES)?;
    // What room they need is known once they were passed over; that is cheaper than growing.
    let mut ahead = *input;
    for _ in 0..count {
        take_trait(&mut ahead)?;
    }
    let mut traits = Traits::with_capacity(count, input.left() - ahead.left() - count * TRAIT_BYTES);
    for _ in 0..count {
        let (stamp, key, value) = take_trait(input)?;
        traits.state(stamp, key, value.unwrap_or("null"));
    }
    Ok(traits)
}

fn take_trait<'a>(input: &mut Input<'a>) -> Result<(Stamp, &'a str, Option<&'a str>), Malformed> {
    let key = input.text()?;
    Ok((take_stamp(input)?, key, input.option(|input| input.text())?))
}

/// Reads what a profile begins with: its version, what it is, and what senders call it.
fn take_head<'a>(input: &mut Input<'a>) -> Result<(u8, RecordKind, RecordId, &'a str), Malformed> {
    let version = input.u8()?;
    if !matches!(version, WITHOUT_ANONYMOUS | VERSION) {
        return Err(Malformed);
    }
    let kind = RecordKind::from_number(input.u8()?).ok_or(Malformed)?;
    Ok((version, kind, RecordId(input.u128()?), input.text()?))
}

/// Reads what senders call a record, and nothing else of it.
pub fn name(bytes: &[u8]) -> Result<Box<str>, Malformed> {
    let (_, _, _, external_id) = take_head(&mut Input::new(bytes))?;
    Ok(external_id.into())
}

/// Reads a profile.
pub fn decode(bytes: &[u8]) -> Result<Profile, Malformed> {
    let mut input = Input::new(bytes);
    let (version, kind, id, external_id) = take_head(&mut input)?;
    let created_at = Micros(input.i64()?);
    let updated_at = Micros(input.i64()?);
    let stated = input.flag()?;
    let first_known = Micros(input.i64()?);
    let traits = take_traits(&mut input)?;
    let body = match kind {
        RecordKind::Organization => Body::Organization(organization::decode(&mut input)?),
        RecordKind::Account => Body::Account(account::decode(&mut input)?),
        RecordKind::User => Body::User(user::decode(&mut input, version != WITHOUT_ANONYMOUS)?),
        RecordKind::Instance => Body::Instance(custom_object_instance::decode(&mut input)?),
        RecordKind::CustomObject => Body::CustomObject,
        RecordKind::NpsResponse => Body::NpsResponse(nps_response::decode(&mut input)?),
        RecordKind::Anonymous => Body::Anonymous(anonymous::decode(&mut input)?),
    };
    input.end()?;
    let external_id = external_id.into();
    Ok(Profile { id, external_id, created_at, updated_at, stated, first_known, traits, body })
}

#[cfg(test)]
mod tests {
    use muster_model::{
        association::{Associations, Link},
        id::Identity,
        nps::{Answer, Answers, Tally},
        profile::{Account, Anonymous, Instance, NpsResponse, Organization, Parent, Span, User},
        register::{Register, Stamp},
    };

    use super::*;

    fn stamp(at: i64) -> Stamp {
        Stamp { at: Micros(at), by: Identity(at as u128) }
    }

    fn samples() -> Vec<Profile> {
        let named = || Parent { id: RecordId(9), external_id: "p".into() };
        let parent = || Register::new(stamp(4), Some(named()));
        let nps = Tally { detractors: 1, passives: 2, promoters: 3 };
        let answer = Answer { responded_at: Micros(3), response: RecordId(8), score: 9 };
        let link = |id: u128| Link {
            parent: RecordId(id),
            external_id: "a".into(),
            linked: stamp(id as i64),
            unlinked: Stamp::NEVER,
        };
        let seen = Span::from_bounds(Some((Micros(-1), Micros(2))));
        let bodies = [
            Body::Organization(Organization { accounts_count: 3, users_count: 4, nps }),
            Body::Account(Account {
                organization: Some(parent()),
                users_count: 2,
                seen,
                seen_stale: true,
                seen_named: Span::default(),
                nps,
            }),
            Body::User(User {
                accounts: Associations::from_links(vec![link(2), link(1)]),
                organizations: Associations::default(),
                seen,
                seen_stale: true,
                seen_loose: seen,
                loose_stale: true,
                tied: true,
                nps: Answers { heard: true, last: Some(answer) },
            }),
            Body::Instance(Instance {
                custom_object: Some(RecordId(3)),
                name: Some(Register::new(stamp(1), "n".into())),
                account: Some(parent()),
                organization: Some(Register::new(stamp(5), None)),
            }),
            Body::CustomObject,
            Body::NpsResponse(NpsResponse { user: Some(Register::new(stamp(6), named())) }),
            Body::Anonymous(Anonymous {
                users: Associations::from_links(vec![link(3)]),
                seen,
                seen_loose: Span::default(),
                stale: true,
            }),
        ];
        let profile = |body| {
            let mut profile = Profile::new(RecordKind::User, RecordId(7), "ext ö", Micros(5));
            profile.body = body;
            profile.traits.state(stamp(3), "plan", "\"pro\"");
            profile.traits.state(stamp(4), "gone", "null");
            profile
        };
        bodies.into_iter().map(profile).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        for profile in samples() {
            let mut bytes = Vec::new();
            encode(&profile, &mut bytes);
            assert_eq!(decode(&bytes).as_ref(), Ok(&profile));
        }
    }

    /// As it was kept before there were anonymous ids.
    #[test]
    fn the_version_before_is_read() {
        for profile in samples().into_iter().filter(|profile| profile.as_anonymous().is_none()) {
            let mut bytes = Vec::new();
            encode(&profile, &mut bytes);
            bytes[0] = WITHOUT_ANONYMOUS;
            let mut expected = profile.clone();
            if let Body::User(user) = &mut expected.body {
                // What came with anonymous ids stands at the end.
                bytes.truncate(bytes.len() - 3);
                (user.seen_stale, user.loose_stale, user.tied) = (false, false, false);
            }
            assert_eq!(decode(&bytes).as_ref(), Ok(&expected));
        }
    }

    #[test]
    fn cut_or_flipped_bytes_never_panic() {
        for profile in samples() {
            let mut bytes = Vec::new();
            encode(&profile, &mut bytes);
            for end in 0..bytes.len() {
                assert_eq!(decode(&bytes[..end]), Err(Malformed), "cut at {end}");
            }
            for at in 0..bytes.len() {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0xff;
                let _ = decode(&damaged);
            }
        }
    }
}
