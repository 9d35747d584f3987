//! Checking messages and reading records: what is accepted survives its byte form, what is no record is no panic.

use bolero::check;
use bytes::Bytes;
use muster_fuzz::hold_to;
use muster_model::{
    draft::Draft,
    id::{IdSpace, WorkspaceId},
    kinds::{Context, check_typed},
    limits::MessageLimits,
    time::Micros,
};
use muster_store::codec;
use muster_store::{
    batch::{Batch, BatchBuilder, Entry, decode_refused},
    record,
};

fn context() -> Context {
    Context { ids: IdSpace::new("fuzz"), received_at: Micros(1_800_000_000_000_000), limits: MessageLimits::default() }
}

#[test]
fn what_is_accepted_survives_its_byte_form() {
    check!(name = "messages").for_each(|input: &[u8]| {
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
}

/// One of each form that records have, and a batch of all of them.
fn records() -> Vec<(String, Vec<u8>)> {
    let texts = [
        r#"{"type":"track","event":"e","userId":"u","messageId":"m","timestamp":"2024-01-01T00:00:00Z","properties":{"a":[1,{}]}}"#,
        r#"{"type":"user","userId":7,"accountId":"a","organizationId":"o","traits":{"plan":"e","x.y":null},"other":[true],"messageId":"m"}"#,
        r#"{"type":"customobjectinstance","externalId":"x","customObjectId":"c","accountId":"a","name":"n","messageId":"m"}"#,
        r#"{"type":"unlink","userId":"u","accountId":"a","timestamp":"2024-01-01"}"#,
    ];
    let mut builder = BatchBuilder::new(WorkspaceId(1), 0);
    let mut made = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let message =
            check_typed(&Draft::from_text(text, 64), &context()).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
        let mut bytes = Vec::new();
        record::encode(&message, &mut bytes);
        made.push((format!("written-{number}"), bytes));
        builder.message(&message);
    }
    made.push(("written-batch".to_owned(), builder.build().bytes().to_vec()));
    made
}

#[test]
fn the_corpus_holds_records_as_they_are_written() {
    records().iter().for_each(|(name, bytes)| hold_to("records", name, bytes));
}

#[test]
fn what_is_no_record_is_no_panic() {
    check!(name = "records").for_each(|input: &[u8]| {
        let _ = record::peek(input);
        if let Ok(message) = record::decode(input) {
            let mut bytes = Vec::new();
            record::encode(&message, &mut bytes);
        }
        let _ = decode_refused(input);
        let _ = codec::profile::decode(input);
        let _ = codec::deletion::decode(input);
        let _ = codec::import::decode(input);
        let _ = codec::credentials::decode_workspace(input);
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
}
