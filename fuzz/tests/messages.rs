//! Checking messages and reading records: what is accepted survives its byte form, what is no record is no panic.

use bytes::Bytes;
use muster_fuzz::fuzz;
use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder, Entry, decode_refused},
    record,
};

fn context() -> Context {
    Context { ids: IdSpace::new("fuzz"), received_at: Micros(1_800_000_000_000_000), limits: MessageLimits::default() }
}

#[test]
fn what_is_accepted_survives_its_byte_form() {
    let tried = fuzz("messages", &[], |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        // The walk is only ever given what was validated as JSON before, and of bounded depth.
        if serde_json::from_str::<serde_json::Value>(text).is_err() {
            return;
        }
        let draft = Draft::from_text(text, 64);
        let Ok(message) = check_typed(&draft, &context()) else { return };
        let mut bytes = Vec::new();
        record::encode(&message, &mut bytes);
        let again = record::decode(&bytes).expect("a record that was just written");
        let mut twice = Vec::new();
        record::encode(&again, &mut twice);
        assert_eq!(bytes, twice);
        let head = record::peek(&bytes).expect("a record that was just written");
        assert_eq!((head.identity, head.received_at), (message.identity, message.received_at));
    });
    println!("{tried} messages");
}

#[test]
fn what_is_no_record_is_no_panic() {
    let mut builder = BatchBuilder::new(WorkspaceId(1), 0);
    let texts = [
        r#"{"type":"track","event":"e","userId":"u","messageId":"m","timestamp":"2024-01-01T00:00:00Z","properties":{"a":[1,{}]}}"#,
        r#"{"type":"user","userId":7,"accountId":"a","organizationId":"o","traits":{"plan":"e","x.y":null},"other":[true],"messageId":"m"}"#,
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"c","accountId":"a","name":"n","messageId":"m"}"#,
        r#"{"type":"unlink","userId":"u","accountId":"a","timestamp":"2024-01-01"}"#,
    ];
    let mut seeds = Vec::new();
    for text in texts {
        let message =
            check_typed(&Draft::from_text(text, 64), &context()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let mut bytes = Vec::new();
        record::encode(&message, &mut bytes);
        seeds.push(bytes);
        builder.message(&message);
    }
    seeds.push(builder.build().bytes().to_vec());
    let tried = fuzz("records", &seeds, |input| {
        let _ = record::peek(input);
        if let Ok(message) = record::decode(input) {
            let mut bytes = Vec::new();
            record::encode(&message, &mut bytes);
        }
        let _ = decode_refused(input);
        let _ = muster_embedded::codec::profile::decode(input);
        if let Ok(batch) = Batch::from_bytes(WorkspaceId(1), Bytes::copy_from_slice(input)) {
            for entry in batch.entries() {
                match entry {
                    Entry::Message(bytes) => drop(record::decode(bytes)),
                    Entry::Refused(bytes) => drop(decode_refused(bytes)),
                    _ => {}
                }
            }
        }
    });
    println!("{tried} records");
}
