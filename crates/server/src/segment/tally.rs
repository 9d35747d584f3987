//! Translating and checking all calls of a body, into groups of bounded size.
//!
//! A call is taken with all its messages or set aside with none. Each group is one append; a request is answered with
//! success once all of them are durable.

use muster_model::{kinds::Context, message::Message, rejection::Rejection, time::Micros};
use muster_store::{
    batch::{Batch, BatchBuilder},
    credentials::Key,
    refused::{Refused, Way},
};

use super::{
    answer::Trouble,
    bytes,
    call::{Call, CallKind},
    clock::{self, Placed},
    envelope::{Envelope, Form},
    meaning,
};
use crate::ingest::check::Refusal;

/// Messages of one group.
const GROUP_MESSAGES_MAX: usize = 1_000;
/// Bytes of calls in one group.
const GROUP_BYTES_MAX: usize = 1024 * 1024;

/// What reading calls needs to know besides them.
pub(super) struct Terms<'a> {
    pub form: Form,
    pub context: Context,
    pub key: &'a Key,
    pub organization_trait: &'a str,
    /// When the sender sent the body, as its head says.
    pub sent_at: Option<Micros>,
    /// When it came first, from which times are counted back; later only for what was set aside meanwhile.
    pub came_at: Micros,
    /// The body held bytes that are no UTF-8, which stand in its text as escapes.
    pub escaped: bool,
}

/// The calls of a body, checked.
pub(super) struct Tallied {
    /// What the journal is asked to take.
    pub batches: Vec<Batch>,
    /// Calls in the body.
    pub total: usize,
    /// Calls that were refused, in order.
    pub refusals: Vec<Refusal>,
}

/// Translates and checks the calls of an envelope.
pub(super) fn tally(envelope: &Envelope<'_>, terms: &Terms<'_>) -> Result<Tallied, Trouble> {
    let mut tally = Tally { terms, groups: Vec::new(), open: None, refusals: Vec::new(), next: 0 };
    let total = envelope.each(|text| tally.add(text, envelope))?;
    tally.close();
    Ok(Tallied { batches: tally.groups, total, refusals: tally.refusals })
}

/// Gives one call its meaning and applies the rules. `each` gets its messages when all of them are good.
pub(super) fn check(call: &Call<'_>, terms: &Terms<'_>, each: impl FnMut(&Message<'_>)) -> Result<(), Rejection> {
    let placed = match clock::place(call, terms.sent_at, terms.came_at) {
        Placed::AtReceipt if terms.came_at != terms.context.received_at => Placed::Earlier(terms.came_at),
        placed => placed,
    };
    judge(call, &placed, &terms.context, terms.organization_trait, each)
}

/// The same for a call whose time is known.
pub(super) fn judge(
    call: &Call<'_>,
    placed: &Placed<'_>,
    context: &Context,
    organization_trait: &str,
    mut each: impl FnMut(&Message<'_>),
) -> Result<(), Rejection> {
    let statements = meaning::of(call, placed, organization_trait)?;
    let depth_max = context.limits.message_depth_max;
    let drafts: Vec<_> = statements.iter().map(|statement| statement.draft(depth_max)).collect();
    let checked = statements.iter().zip(&drafts).map(|(statement, draft)| statement.check(draft, context));
    let messages = checked.collect::<Result<Vec<_>, _>>()?;
    messages.iter().for_each(&mut each);
    Ok(())
}

/// A call that is a body of its own and states its type.
pub(super) fn alone<'t>(text: &'t str, terms: &Terms<'_>) -> Call<'t> {
    Call::read(text.trim_ascii(), None, None, terms.context.limits.message_depth_max)
}

struct Tally<'a> {
    terms: &'a Terms<'a>,
    groups: Vec<Batch>,
    open: Option<Group>,
    refusals: Vec<Refusal>,
    next: usize,
}

/// A group that takes more.
struct Group {
    builder: BatchBuilder,
    messages: usize,
    bytes: usize,
}

impl Tally<'_> {
    fn add<'t>(&mut self, text: &'t str, envelope: &Envelope<'t>) {
        let index = self.next;
        self.next += 1;
        let terms = self.terms;
        let path = match terms.form {
            Form::Call(kind) => Some(kind),
            Form::Batch | Form::Either => None,
        };
        let call = Call::read(text, path, Some(envelope), terms.context.limits.message_depth_max);
        let group = self.group();
        group.bytes += text.len();
        let checked = check(&call, terms, |message| {
            group.builder.message(message);
            group.messages += 1;
        });
        let full = group.messages >= GROUP_MESSAGES_MAX || group.bytes >= GROUP_BYTES_MAX;
        if let Err(rejection) = checked {
            let body = kept(&call, path, terms.escaped);
            let received_at = terms.context.received_at;
            group.messages += 1;
            group.builder.refused(&Refused::new(&rejection, Way::Segment, terms.key.id, received_at, &body));
            self.refusals.push(Refusal { index, rejection });
        }
        if full {
            self.close();
        }
    }

    fn group(&mut self) -> &mut Group {
        let key = self.terms.key;
        self.open.get_or_insert_with(|| {
            let builder = BatchBuilder::new(key.workspace.id, 16 * 1024).sent_with(key.id);
            Group { builder, messages: 0, bytes: 0 }
        })
    }

    fn close(&mut self) {
        if let Some(group) = self.open.take() {
            self.groups.push(group.builder.build());
        }
    }
}

/// A call as it is set aside: as it came, with the `type` that its path said and the context that its batch gave it, without which
/// it would say less when it is sent again. When it was sent is left out: it differs from one attempt to the next, of which one
/// is kept.
fn kept(call: &Call<'_>, path: Option<CallKind>, escaped: bool) -> Vec<u8> {
    let restored = |text: &str| if escaped { bytes::restore(text) } else { text.as_bytes().to_vec() };
    let Some(inside) = call.text.strip_prefix('{').filter(|_| call.is_object) else { return restored(call.text) };
    let mut added = String::new();
    if let Some(kind) = path.filter(|_| !call.states_type) {
        added.push_str(&format!("\"type\":\"{}\",", kind.as_str()));
    }
    let mut inside = inside.to_owned();
    match (call.own_context, call.context.as_deref()) {
        (None, Some(shared)) => added.push_str(&format!("\"context\":{shared},")),
        (Some(own), Some(whole)) if own != whole => {
            let at = own.as_ptr() as usize - call.text.as_ptr() as usize - 1;
            inside.replace_range(at..at + own.len(), whole);
        }
        (_, None) | (Some(_), Some(_)) => {}
    }
    if inside.trim_ascii_start() == "}" {
        added.truncate(added.len() - usize::from(added.ends_with(',')));
    }
    restored(&format!("{{{added}{inside}"))
}
