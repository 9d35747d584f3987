//! Messages as columns, as they are written. Which messages, and in which order, is the business of whoever fills them.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{BooleanBuilder, FixedSizeBinaryBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder},
};
use arrow_schema::ArrowError;
use muster_model::{kind::Kind, message::Message};

use super::schema::{self, Layout};

/// Rows handed to the writer at a time.
pub const BATCH_ROWS: usize = 8 * 1024;

/// Rows being put together.
pub struct Columns {
    kind: StringBuilder,
    timestamp: TimestampMicrosecondBuilder,
    received_at: TimestampMicrosecondBuilder,
    timestamp_given: BooleanBuilder,
    /// From [`schema::ATTRIBUTED_ACCOUNT_ID`] to [`schema::OTHER`].
    texts: [StringBuilder; TEXTS],
    identity: FixedSizeBinaryBuilder,
    arrived: Option<Int64Builder>,
    layout: Layout,
}

const TEXTS: usize = schema::OTHER - schema::ATTRIBUTED_ACCOUNT_ID + 1;

impl Columns {
    /// Room for so many.
    pub fn new(rows: usize, layout: Layout) -> Self {
        Columns {
            kind: StringBuilder::with_capacity(rows, rows * 8),
            timestamp: TimestampMicrosecondBuilder::with_capacity(rows),
            received_at: TimestampMicrosecondBuilder::with_capacity(rows),
            timestamp_given: BooleanBuilder::with_capacity(rows),
            texts: std::array::from_fn(|_| StringBuilder::with_capacity(rows, rows * 8)),
            identity: FixedSizeBinaryBuilder::with_capacity(rows, 16),
            arrived: (layout == Layout::Numbered).then(|| Int64Builder::with_capacity(rows)),
            layout,
        }
    }

    /// Adds a message, filed under an account; with its number of arrival where the layout has that.
    pub fn push(
        &mut self,
        message: &Message<'_>,
        account: Option<&str>,
        arrived: Option<u64>,
    ) -> Result<(), ArrowError> {
        let track = message.kind == Kind::Track;
        let data = Some(message.data).filter(|data| !data.is_empty());
        let name = message.name.as_deref();
        self.kind.append_value(message.kind.as_str());
        self.timestamp.append_value(message.timestamp.0);
        self.received_at.append_value(message.received_at.0);
        self.timestamp_given.append_value(message.timestamp_given);
        let texts: [Option<&str>; TEXTS] = [
            account,
            message.organization.as_ref().map(|named| named.external_id.as_ref()),
            message.account.as_ref().map(|named| named.external_id.as_ref()),
            message.user.as_ref().map(|named| named.external_id.as_ref()),
            external(message),
            message.custom_object.as_ref().map(|named| named.external_id.as_ref()),
            name.filter(|_| track),
            name.filter(|_| !track),
            message.message_id.as_deref(),
            data.filter(|_| track),
            data.filter(|_| !track),
            Some(message.rest.as_ref()).filter(|rest| !rest.is_empty()),
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        // With a messageId the identity follows from the other columns, in nearly all messages.
        match message.derived_identity() == Some(message.identity) {
            true => self.identity.append_null(),
            false => self.identity.append_value(message.identity.0.to_be_bytes())?,
        }
        if let Some(numbers) = &mut self.arrived {
            numbers.append_option(arrived.and_then(|arrived| i64::try_from(arrived).ok()));
        }
        Ok(())
    }

    /// The rows.
    pub fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(self.kind.finish()),
            Arc::new(self.timestamp.finish().with_timezone("UTC")),
            Arc::new(self.received_at.finish().with_timezone("UTC")),
            Arc::new(self.timestamp_given.finish()),
        ];
        columns.extend(self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.identity.finish()));
        columns.extend(self.arrived.as_mut().map(|numbers| Arc::new(numbers.finish()) as ArrayRef));
        RecordBatch::try_new(self.layout.written().clone(), columns)
    }
}

/// What else a message names: an instance, an NPS response or someone anonymous; the kind says which.
fn external<'m>(message: &'m Message<'_>) -> Option<&'m str> {
    let named = message.instance.as_ref().or(message.response.as_ref()).or(message.anonymous.as_ref());
    named.map(|named| named.external_id.as_ref())
}
