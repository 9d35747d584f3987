//! From a request to its answer.
//!
//! Everything here that takes time or memory is bounded by what also bounds the other paths: the budget of bytes, the
//! time a body may take, the places for heavy work, the store's time. No key, body or query string reaches a log.

use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};
use muster_model::{id::IdSpace, kinds::Context, time::Micros};
use muster_store::{
    batch::BatchBuilder,
    receipt::{Outcome, Receipt},
    refused::{Refused, Way},
};

use super::{
    answer::{self, Trouble},
    bytes, cors,
    envelope::{Envelope, Form},
    key::{self, Holder},
    numbers,
    tally::{self, Tallied, Terms},
};
use crate::{
    error::ApiError,
    ingest::{
        self,
        admit::{Encoding, Wants},
        batch::Body,
        check::{Checked, Order, Refusal, Shape},
    },
    keys::{Caller, unread},
    observe::Notes,
    state::AppState,
};

/// Answers a request with calls.
pub(super) async fn receive(form: Form, State(state): State<AppState>, request: Request) -> Response {
    let origin = cors::origin(request.headers());
    let answer = answer(&state, form, request).await;
    cors::allow(state.pace.keep(answer).await, origin)
}

async fn answer(state: &AppState, form: Form, request: Request) -> Response {
    let (head, mut body) = request.into_parts();
    let known = key::of_head(state, &head);
    if let Some(Err(trouble)) = known.as_ref().map(Holder::may_send) {
        return told(state, unread(body, trouble.into_response()), known.as_ref());
    }
    let raw = match ingest::admit::take(state, &head, &mut body).await {
        Ok(raw) => raw,
        Err(error) => return told(state, unread(body, Trouble::from(error).into_response()), known.as_ref()),
    };
    let reader = Reader { state: state.clone(), form, known: known.clone(), is_named: key::is_named(&head) };
    let sent_at = sent_at(&head);
    let (read, _reservation) = match ingest::read(state, raw, move |bytes| Ok(reader.read(bytes, sent_at))).await {
        Ok(read) => read,
        Err(error) => return told(state, Trouble::from(error).into_response(), known.as_ref()),
    };
    let (holder, tallied) = read;
    let response = match tallied {
        Ok(tallied) => store(state, tallied).await.unwrap_or_else(Trouble::into_response),
        Err(trouble) => trouble.into_response(),
    };
    told(state, response, holder.as_ref())
}

/// Reads bodies of one request.
struct Reader {
    state: AppState,
    form: Form,
    known: Option<Holder>,
    is_named: bool,
}

impl Reader {
    /// Finds whose body it is, and reads it if they may send.
    fn read(self, body: &[u8], sent_at: Option<Micros>) -> (Option<Holder>, Result<Tallied, Trouble>) {
        let Reader { state, form, known, is_named } = self;
        let escaped = bytes::escape(body);
        let mended;
        let body = match Body::read(&escaped) {
            Ok(body) => body,
            Err(malformed) => {
                mended = numbers::mended(&escaped);
                match mended.as_deref().map(Body::read) {
                    Some(Ok(body)) => body,
                    // The place of the fault is that in the body as it came.
                    Some(Err(_)) | None => return (known, Err(ApiError::Malformed(malformed).into())),
                }
            }
        };
        let envelope = match Envelope::read(body.text(), form) {
            Ok(envelope) => envelope,
            Err(trouble) => return (known, Err(trouble)),
        };
        let holder = match known {
            Some(holder) => holder,
            None => match key::of_body(&state, &envelope) {
                Some(holder) => holder,
                None => {
                    state.metrics.unrecognised.inc();
                    let named = is_named || envelope.write_key().is_some();
                    return (None, Err(if named { Trouble::UnknownKey } else { Trouble::NoKey }));
                }
            },
        };
        let tallied = holder.may_send().and_then(|()| {
            let escaped = matches!(escaped, std::borrow::Cow::Owned(_));
            let context = context(&state, &holder.key.workspace.name);
            let organization_trait = &state.settings.organization_trait;
            let came_at = context.received_at;
            let terms = Terms { form, context, key: &holder.key, organization_trait, sent_at, came_at, escaped };
            tally::tally(&envelope, &terms)
        });
        (Some(holder), tallied)
    }
}

fn context(state: &AppState, workspace_name: &str) -> Context {
    Context { ids: IdSpace::new(workspace_name), received_at: state.clock.now(), limits: state.settings.message }
}

/// What some browsers' libraries say of the time in a header.
fn sent_at(head: &Parts) -> Option<Micros> {
    head.headers.get("sentat")?.to_str().ok().and_then(Micros::parse)
}

/// Makes every group durable, one after the other. If one fails, the request does: what was stored before is known when
/// it is sent again.
async fn store(state: &AppState, tallied: Tallied) -> Result<Response, Trouble> {
    let Tallied { batches, total, refusals } = tallied;
    let mut receipt = Receipt::default();
    for batch in batches {
        receipt.outcomes.extend(ingest::journal::append_batch(state, batch).await?.outcomes);
    }
    let conflicts = receipt.count(Outcome::Conflict);
    let (stored, duplicates) = (receipt.count(Outcome::Stored), receipt.count(Outcome::Duplicate));
    let deleted = receipt.count(Outcome::Deleted);
    state.metrics.count_messages([stored, duplicates, conflicts, deleted, 0], &refusals);
    let mut response = answer::success(refusals.len() + conflicts);
    let notes = response.extensions_mut().get_or_insert_default::<Notes>();
    notes.messages = Some(total as u32);
    notes.refused = refusals.len() as u32;
    Ok(response)
}

/// Says in the answer and in the request's event whose it was.
pub(super) fn told(state: &AppState, mut response: Response, holder: Option<&Holder>) -> Response {
    if let Some(Holder { key, allowance }) = holder {
        state.limiter.tell(*allowance, response.headers_mut());
        let notes = response.extensions_mut().get_or_insert_default::<Notes>();
        notes.workspace = Some(key.workspace.id.0);
        notes.key = Some(key.id);
    }
    response
}

/// Answers a request to send a call again that was set aside, in the words of the path that asks.
pub(crate) async fn resend(state: &AppState, kept: Refused<'static>, caller: Caller, request: Request) -> Response {
    let (admitted, mut raw) = match ingest::admit::admit(state, caller, request).await {
        Ok(admitted) => admitted,
        Err(answer) => return answer,
    };
    let mut order = Order::new(state, &admitted, Shape::OneTyped);
    order.atomic = true;
    order.wants = Wants::Success;
    order.replaces = Some(kept.id);
    let came_at = kept.received_at;
    if raw.bytes.is_empty() {
        raw.bytes = kept.body.into_owned().into();
        raw.encoding = Encoding::Identity;
    }
    let organization_trait = state.settings.organization_trait.clone();
    ingest::finish(state, raw, move |bytes| {
        let escaped = bytes::escape(bytes);
        let body = Body::read(&escaped).map_err(ApiError::Malformed)?;
        let form = Form::Either;
        let (key, context) = (&admitted.key, order.context);
        let organization_trait = &organization_trait;
        let terms = Terms { form, context, key, organization_trait, sent_at: None, came_at, escaped: false };
        let mut builder = BatchBuilder::new(order.workspace, bytes.len() + 128).sent_with(order.key_id);
        // Before the messages themselves, which may be set aside under the same id again.
        builder.forget(kept.id);
        let call = tally::alone(body.text(), &terms);
        let (mut refusals, mut withheld) = (Vec::new(), None);
        if let Err(rejection) = tally::check(&call, &terms, |message| builder.message(message)) {
            builder = BatchBuilder::new(order.workspace, bytes.len() + 128).sent_with(order.key_id);
            builder.refused(&Refused::new(&rejection, Way::Segment, order.key_id, context.received_at, bytes));
            let nothing = BatchBuilder::new(order.workspace, 0);
            withheld = Some(std::mem::replace(&mut builder, nothing).build());
            refusals.push(Refusal { index: 0, rejection });
        }
        Ok(Checked { order, batch: builder.build(), withheld, total: 1, refusals, fates: Vec::new() })
    })
    .await
}
