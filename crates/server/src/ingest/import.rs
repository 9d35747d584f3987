//! Messages that were received before, by this server or another: each keeps the time of receipt that it had.
//!
//! An element is a message as a batch has it, what an export makes of one, `{"receivedAt":…,"message":{…}}`, or a call of
//! the Segment spec from an archive, `{"receivedAt":…,"call":{…}}`. Everything else is as for any batch, so that importing twice stores nothing twice; kinds that only come from writing a record are
//! taken too. Only operators and keys with the scope `admin` may say when something was received.

use axum::{
    Extension,
    extract::{Request, State},
    http::Method,
    response::{IntoResponse, Response},
};
use muster_model::{
    draft::Draft,
    id::Identity,
    json,
    kind::Kind,
    kinds::{self, Context},
    limits::{FUTURE_MICROS_MAX, IMPORT_MESSAGES_MAX},
    message::{CONTENT_UNKNOWN, Message},
    rejection::{Code, Rejection},
    time::Micros,
};
use muster_store::{batch::BatchBuilder, receipt::Receipt, refused::Way};
use serde_json::json as example;

use super::{
    admit::{self, PREFER, Raw, Wants},
    batch::Element,
    check::{self, Order, Shape, check_element},
    finish,
    journal::Journaled,
    read, reply,
};
use crate::{
    error::ApiError,
    imports::told::Told,
    keys::{Caller, unread},
    openapi::{Words, named, schema},
    resources::query::Query,
    router::{Access, Route},
    segment,
    state::AppState,
};

const PATH: &str = "/admin/v1/import";

/// The route of this file.
pub(super) fn route() -> Route {
    let about = "An array of up to 1000 messages, each as it is sent or as an export has it: `{\"receivedAt\":\"…\",\"message\":\
                 {…}}`. A message keeps the time of receipt that is given; without one it is received now. Valid messages are \
                 stored even when others are refused; what is there already is not stored again. A call of the Segment \
                 spec from an archive comes as `{\"receivedAt\":\"…\",\"call\":{…}}`.";
    let message = example!({"type": "track", "event": "opened", "userId": "32", "messageId": "m-1", "timestamp": "2018-05-15T12:31:12.123Z"});
    let one = example!([{"receivedAt": "2018-05-15T12:31:12.500000Z", "message": message}]);
    let words = Told::words(Words::new("Import and export", "Imports messages", about))
        .query("workspace", "For the local operator: the workspace to import into.", schema::text())
        .query("dryRun", "Only say what would become of the messages.", schema::one_of(&["false", "true"]))
        .header("Prefer", PREFER, schema::text())
        .body("JSON, compressed or not.", true, schema::list_of(schema::any_object(), IMPORT_MESSAGES_MAX), one)
        .answer(200, "Everything is stored, or was stored before.", named("Success"))
        .answer(400, "Something was refused, or the body could not be read.", named("IngestError"))
        .answer(404, "There is no such import.", named("Error"));
    Route::new(Method::POST, PATH, Access::Keys, receive, words)
}

async fn receive(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    request: Request,
) -> Result<Response, Response> {
    let (head, mut body) = request.into_parts();
    let key_id = caller.key_id();
    let taken = async {
        let parameters = Query::of(&head.uri);
        let workspace = caller.workspace(&state, &parameters)?;
        let only_checked = parameters.word("dryRun", &[("false", false), ("true", true)])?;
        let told = if only_checked { None } else { Told::of(&state, workspace.id, &parameters).await? };
        Ok((workspace, told, only_checked, admit::take(&state, &head, &mut body).await?))
    };
    let taken = taken.await;
    let (workspace, told, only_checked, raw) = taken.map_err(|error: ApiError| unread(body, error.into_response()))?;
    let mut order = Order::of(&state, &workspace, key_id, Shape::Batch);
    order.told = told;
    order.wants = Wants::of(&head.headers);
    if only_checked {
        return only_check(&state, raw, order).await.map_err(IntoResponse::into_response);
    }
    let organization_trait = state.settings.organization_trait.clone();
    Ok(finish(&state, raw, move |text| check::check_import(text, order, &organization_trait)).await)
}

/// Says what would become of the messages; whether they are there already is not looked up.
async fn only_check(state: &AppState, raw: Raw, order: Order) -> Result<Response, ApiError> {
    let organization_trait = state.settings.organization_trait.clone();
    let check = move |text: &_| check::check_import(text, order, &organization_trait);
    let (mut checked, _reservation) = read(state, raw, check).await?;
    checked.batch = BatchBuilder::new(checked.order.workspace, 0).build();
    Ok(reply::reply(state, &Journaled { checked, receipt: Receipt::default(), accepted: 0 }))
}

/// A message or a call that was taken out of its envelope, if it came in one.
pub(super) struct Opened<'a> {
    element: Element<'a>,
    context: Context,
    /// When the envelope says that it was received, and which identity it had, as it stands there.
    received_at: Option<&'a str>,
    id: Option<&'a str>,
    /// It is a call of the Segment spec.
    is_call: bool,
}

impl<'a> Opened<'a> {
    pub fn of(element: Element<'a>, context: &Context) -> Opened<'a> {
        let member =
            |name: &str| element.draft.unknown.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value);
        // With bytes that are no UTF-8 it is refused as it came, so that it is kept byte for byte.
        let is_envelope = element.draft.kind.is_none() && element.masked_at.is_none();
        let inside = member("message").map(|text| (text, false)).or(member("call").map(|text| (text, true)));
        let Some((inside, is_call)) = inside.filter(|_| is_envelope) else {
            return Opened { element, context: *context, received_at: None, id: None, is_call: false };
        };
        let received_at = member("receivedAt").filter(|text| *text != "null");
        let id = member("id").filter(|text| *text != "null");
        let mut context = *context;
        if let Some(at) = received_at.and_then(instant).filter(|at| is_past(*at, &context)) {
            context.received_at = at;
        }
        let mut draft = Draft::from_text(inside, context.limits.message_depth_max);
        draft.taken_before = true;
        let element = Element { draft, original: inside.as_bytes(), masked_at: None };
        Opened { element, context, received_at, id, is_call }
    }

    /// The way in which it comes when it is sent again.
    pub fn way(&self) -> Way {
        if self.is_call { Way::Segment } else { Way::Batch }
    }

    /// What is set aside when it is refused.
    pub fn original(&self) -> &'a [u8] {
        self.element.original
    }

    /// When it was received.
    pub fn received_at(&self) -> Micros {
        self.context.received_at
    }

    /// Applies the rules; `each` gets what it becomes when all of it is good.
    pub fn check(
        &self,
        now: &Context,
        organization_trait: &str,
        mut each: impl FnMut(&Message<'_>),
    ) -> Result<(), Rejection> {
        if let Some(text) = self.received_at {
            let refuse = |says: &str| Err(Rejection::new(Code::InvalidTimestamp, "/receivedAt", says.to_owned()));
            match instant(text) {
                None => return refuse("receivedAt must be ISO 8601 text, such as 2018-05-15T12:31:12.123Z"),
                Some(at) if !is_past(at, now) => return refuse("receivedAt is later than now"),
                Some(_) => {}
            }
        }
        if self.is_call {
            return segment::check_past(self.element.draft.text, &self.context, organization_trait, each);
        }
        each(&self.message()?);
        Ok(())
    }

    fn message(&self) -> Result<Message<'a>, Rejection> {
        let stated = self.element.draft.kind.and_then(json::string_value).and_then(Result::ok);
        // Senders do not send these kinds; an export has them.
        let written = stated.and_then(|name| Kind::from_name(&name)).filter(|kind| !Kind::SENT.contains(kind));
        let mut message = match written {
            Some(kind) if self.element.masked_at.is_none() => kinds::check(kind, &self.element.draft, &self.context)?,
            Some(_) | None => check_element(None, &self.element, &self.context)?,
        };
        match self.id.map(identity) {
            None => {}
            Some(None) => {
                let says = "id must be the 32 hexadecimal digits that an export gives; leave it out otherwise";
                return Err(Rejection::new(Code::InvalidId, "/id", says.to_owned()));
            }
            // It was made from another form; what that one said in full is not known any more.
            Some(Some(identity)) if identity != message.identity => {
                (message.identity, message.content) = (identity, CONTENT_UNKNOWN);
            }
            Some(Some(_)) => {}
        }
        Ok(message)
    }
}

fn identity(raw: &str) -> Option<Identity> {
    let text = json::string_value(raw)?.ok()?;
    let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(&text, 16).ok().filter(|_| digits).map(Identity)
}

fn instant(raw: &str) -> Option<Micros> {
    Micros::parse(&json::string_value(raw)?.ok()?)
}

fn is_past(at: Micros, now: &Context) -> bool {
    at <= now.received_at.plus_micros(FUTURE_MICROS_MAX)
}
