//! What only custom object instances have.

use muster_model::{id::RecordId, profile::Instance, register::Register};

use super::{
    bytes::{Input, Malformed, Output},
    stamps::{put_parent, put_stamp, take_parent, take_stamp},
};

pub fn encode(body: &Instance, out: &mut Vec<u8>) {
    out.put_option(body.custom_object, |out, id| out.put_u128(id.0));
    out.put_option(body.name.as_ref(), |out, register| {
        put_stamp(out, register.stamp());
        out.put_text(register.value());
    });
    put_parent(out, &body.account);
    put_parent(out, &body.organization);
}

pub fn decode(input: &mut Input<'_>) -> Result<Instance, Malformed> {
    Ok(Instance {
        custom_object: input.option(Input::u128)?.map(RecordId),
        name: input.option(|input| Ok(Register::new(take_stamp(input)?, input.text()?.into())))?,
        account: take_parent(input)?,
        organization: take_parent(input)?,
    })
}
