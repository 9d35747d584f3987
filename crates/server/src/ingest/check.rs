//! Applying the rules to each message and building what the journal takes.
//!
//! Good messages are encoded into the batch as they are found; bad ones become entries to set aside, with the reason
//! their sender is given. In an atomic request one bad message leaves an empty batch. Nothing here waits or reads a
//! clock.

use axum::body::Bytes;
use muster_model::{
    id::{IdSpace, Identity, WorkspaceId},
    kind::Kind,
    kinds::{self, Context},
    limits::{BATCH_MESSAGES_MAX, IMPORT_MESSAGES_MAX},
    message::Message,
    rejection::{Code, Rejection},
    time::Micros,
};
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::Workspace,
    refused::{Refused, RefusedId, Way},
};

use super::{
    admit::{Admitted, Wants},
    batch::{Body, Element},
    import::Opened,
};
use crate::{error::ApiError, imports::told::Told, state::AppState};

/// What a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One message of the kind that the path says.
    One(Kind),
    /// One message that states its own kind.
    OneTyped,
    /// An array of messages that state their own kinds.
    Batch,
}

impl Shape {
    /// The way its messages come.
    fn way(self) -> Way {
        self.kind().map_or(Way::Batch, Way::Kind)
    }

    /// The kind that the path says.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Shape::One(kind) => Some(kind),
            Shape::OneTyped | Shape::Batch => None,
        }
    }

    /// Whether the body is an array.
    pub fn is_list(self) -> bool {
        match self {
            Shape::Batch => true,
            Shape::One(_) | Shape::OneTyped => false,
        }
    }
}

/// Everything that checking needs to know besides the body.
#[derive(Clone)]
pub(crate) struct Order {
    pub shape: Shape,
    pub context: Context,
    pub workspace: WorkspaceId,
    pub key_id: u64,
    pub atomic: bool,
    pub wants: Wants,
    /// The import that they are a part of.
    pub told: Option<Told>,
    /// A message set aside that these messages replace.
    pub replaces: Option<RefusedId>,
    /// What says that it was made from a call was: it is one that was a conflict, as the store keeps it.
    pub made_before: bool,
}

impl Order {
    /// The order of a request; its time of receipt is now.
    pub fn new(state: &AppState, admitted: &Admitted, shape: Shape) -> Order {
        let order = Order::of(state, &admitted.key.workspace, admitted.key.id, shape);
        Order { atomic: admitted.atomic, wants: admitted.wants, ..order }
    }

    /// An order for a workspace that asks for nothing special; its time of receipt is now.
    pub fn of(state: &AppState, workspace: &Workspace, key_id: u64, shape: Shape) -> Order {
        Order {
            shape,
            context: Context {
                ids: IdSpace::new(&workspace.name),
                received_at: state.clock.now(),
                limits: state.settings.message,
            },
            workspace: workspace.id,
            key_id,
            atomic: false,
            wants: Wants::Success,
            told: None,
            replaces: None,
            made_before: false,
        }
    }
}

/// A body, checked.
pub(crate) struct Checked {
    pub order: Order,
    /// What the journal is asked to take; empty when an atomic request is refused.
    pub batch: Batch,
    /// What an atomic request held that was refused as a whole. Whoever watches is told of it; it is taken by nobody.
    pub withheld: Option<Batch>,
    /// Messages in the body.
    pub total: usize,
    /// Messages that were refused, in order.
    pub refusals: Vec<Refusal>,
    /// What each message is, in order; only when the sender wants to know.
    pub fates: Vec<Fate>,
}

impl Checked {
    /// Whether nothing may be stored, because the request is atomic and something in it was refused.
    pub fn is_refused_whole(&self) -> bool {
        self.order.atomic && !self.refusals.is_empty()
    }

    /// Whether the answer says the same whatever becomes of its messages, once they are durable.
    pub fn needs_no_receipt(&self) -> bool {
        self.refusals.is_empty() && self.order.wants == Wants::Success && self.order.replaces.is_none()
    }
}

/// One refused message.
pub(crate) struct Refusal {
    pub index: usize,
    pub rejection: Rejection,
}

/// What a message was found to be before the journal saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// So many messages of one element; a call may become two. The identity and content of the first.
    Messages {
        identity: Identity,
        content: u64,
        count: usize,
    },
    Refused(RefusedId),
}

/// Finds and checks the messages of a body.
pub(crate) fn check_body(bytes: &Bytes, order: Order) -> Result<Checked, ApiError> {
    let body = Body::read(bytes).map_err(ApiError::Malformed)?;
    let (depth_max, shape) = (order.context.limits.message_depth_max, order.shape);
    let mut tally = Tally::new(order, bytes.len());
    let total = match shape {
        Shape::One(_) | Shape::OneTyped => {
            let mut element = body.one(depth_max);
            if tally.order.made_before {
                element.draft.origin = element.draft.told_origin();
            }
            tally.add(&element);
            1
        }
        Shape::Batch => {
            body.each(depth_max, BATCH_MESSAGES_MAX, |element| tally.add(&element)).map_err(ApiError::Malformed)?
        }
    };
    Ok(tally.finish(total))
}

/// Finds and checks the messages of an array that were received before, calls of the Segment spec among them.
/// `organization_trait` marks groups that are organizations.
pub(crate) fn check_import(bytes: &Bytes, order: Order, organization_trait: &str) -> Result<Checked, ApiError> {
    let body = Body::read(bytes).map_err(ApiError::Malformed)?;
    let depth_max = order.context.limits.message_depth_max;
    let mut tally = Tally::new(order, bytes.len());
    let total = body.each(depth_max, IMPORT_MESSAGES_MAX, |element| tally.import(element, organization_trait));
    Ok(tally.finish(total.map_err(ApiError::Malformed)?))
}

/// Checks one message as its path or its own `type` says.
pub(crate) fn check_element<'a>(
    kind: Option<Kind>,
    element: &Element<'a>,
    context: &Context,
) -> Result<Message<'a>, Rejection> {
    if let Some(position) = element.masked_at {
        let message = format!("the message is not UTF-8 text at byte {position} of the body; send it encoded as UTF-8");
        return Err(Rejection::new(Code::InvalidUtf8, "", message));
    }
    match kind {
        Some(kind) => kinds::check(kind, &element.draft, context),
        None => kinds::check_typed(&element.draft, context),
    }
}

struct Tally {
    order: Order,
    builder: BatchBuilder,
    refusals: Vec<Refusal>,
    fates: Vec<Fate>,
    next: usize,
}

impl Tally {
    fn new(order: Order, body_bytes: usize) -> Tally {
        // Encoded messages are about as long as their text; a little more spares a second allocation.
        let mut builder = BatchBuilder::new(order.workspace, body_bytes + body_bytes / 4 + 128).sent_with(order.key_id);
        if let Some(id) = order.replaces {
            // Before the message itself, which may be set aside under the same id again.
            builder.forget(id);
        }
        Tally { order, builder, refusals: Vec::new(), fates: Vec::new(), next: 0 }
    }

    fn add(&mut self, element: &Element<'_>) {
        let context = self.order.context;
        let found = check_element(self.order.shape.kind(), element, &context).map(|message| {
            self.builder.message(&message);
            Fate::Messages { identity: message.identity, content: message.content, count: 1 }
        });
        self.take(found, self.order.shape.way(), element.original, context.received_at);
    }

    fn import(&mut self, element: Element<'_>, organization_trait: &str) {
        let context = self.order.context;
        let opened = Opened::of(element, &context);
        let mut fate = None;
        let found = opened.check(&context, organization_trait, |message| {
            self.builder.message(message);
            let first = Fate::Messages { identity: message.identity, content: message.content, count: 0 };
            if let Fate::Messages { count, .. } = fate.get_or_insert(first) {
                *count += 1;
            }
        });
        let found = found.map(|()| fate.expect("what is taken has a message"));
        self.take(found, opened.way(), opened.original(), opened.received_at());
    }

    fn take(&mut self, found: Result<Fate, Rejection>, way: Way, original: &[u8], received_at: Micros) {
        let index = self.next;
        self.next += 1;
        let fate = match found {
            Ok(fate) => fate,
            Err(rejection) => {
                let refused = Refused::new(&rejection, way, self.order.key_id, received_at, original);
                let id = refused.id;
                self.builder.refused(&refused);
                self.refusals.push(Refusal { index, rejection });
                Fate::Refused(id)
            }
        };
        if self.order.wants != Wants::Success {
            self.fates.push(fate);
        }
    }

    fn finish(self, total: usize) -> Checked {
        let Tally { order, mut builder, refusals, fates, .. } = self;
        if let Some(told) = &order.told {
            told.add_to(&mut builder, refusals.len());
        }
        let workspace = order.workspace;
        let mut checked = Checked { order, batch: builder.build(), withheld: None, total, refusals, fates };
        if checked.is_refused_whole() {
            let nothing = BatchBuilder::new(workspace, 0).build();
            checked.withheld = Some(std::mem::replace(&mut checked.batch, nothing));
        }
        checked
    }
}
