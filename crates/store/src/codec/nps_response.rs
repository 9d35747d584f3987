//! What only NPS responses have.

use muster_model::{profile::NpsResponse, register::Register};

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_named, put_stamp, take_named, take_stamp},
};

pub fn encode(body: &NpsResponse, out: &mut Vec<u8>) {
    out.put_option(body.user.as_ref(), |out, register| {
        put_stamp(out, register.stamp());
        put_named(out, register.value());
    });
}

pub fn decode(input: &mut Input<'_>) -> Result<NpsResponse, Malformed> {
    Ok(NpsResponse { user: input.option(|input| Ok(Register::new(take_stamp(input)?, take_named(input)?)))? })
}
