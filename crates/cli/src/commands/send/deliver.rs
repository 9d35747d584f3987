//! Delivering one request: waiting, trying again, reading the answer.
//!
//! A busy server (`429`, `503`, a gateway that says so) and one that does not answer are tried again, as long as the
//! patience lasts, after the time the server asks for or a growing pause. That is safe: a server stores a message once.
//! A request that is refused as a whole is halved until the message at fault stands alone. Never gives up silently.

use std::time::{Duration, Instant};

use muster_model::rejection::Code;
use serde::Deserialize;
use serde_json::Value;

use super::{
    pack::{Request, Span},
    split::Place,
};
use crate::{
    client::{Answer, CallError},
    exit::{Exit, Failure},
};

/// What a server is asked to tell: how many were there already, and which ones it did not store.
pub const EXCEPTIONS: &str = "return=minimal";
/// A batch of no messages.
pub const NOTHING: &[u8] = b"[]";
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The longest pause that a server may ask for.
const PAUSE_ASKED_MAX: Duration = Duration::from_secs(120);

/// What delivering needs of the world.
pub trait Line {
    /// Sends a batch, which is this part of everything.
    fn post(&self, body: &[u8], span: Span) -> Result<Answer, CallError>;
    /// Whether the other side keeps count of what was read, also of what could not be sent.
    fn keeps_count(&self) -> bool {
        false
    }
    /// Waits before the next try, having said why.
    fn wait(&self, pause: Duration, why: &str);
    /// The present, for measuring patience.
    fn now(&self) -> Instant;
}

/// What became of the messages of a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub stored: u64,
    /// Stored before, by this sending or an earlier one.
    pub duplicates: u64,
    /// Set aside or not taken at all, conflicts included.
    pub refused: Vec<Refusal>,
    /// Times a request was sent again.
    pub retries: u64,
}

/// A message that was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub place: Place,
    pub code: String,
    /// Where in the message, as a JSON pointer.
    pub pointer: String,
    pub reason: String,
    pub text: Vec<u8>,
}

/// Delivers all messages of a request, or says why no more can be delivered.
pub fn deliver(line: &impl Line, request: Request, patience: Duration) -> anyhow::Result<Delivery> {
    let mut delivery = Delivery::default();
    let mut waiting = vec![request];
    while let Some(request) = waiting.pop() {
        let answer = persist(line, request.body(), request.span(), patience, &mut delivery.retries)?;
        match read(&answer, &request)? {
            Verdict::Done(done) => delivery.add(done),
            Verdict::RefusedWhole { .. } if request.len() > 1 => {
                let [one, other] = request.halves();
                waiting.push(other);
                waiting.push(one);
            }
            Verdict::RefusedWhole { reason, .. } if request.len() == 0 => {
                return Err(Failure::error(Exit::Failure, format!("the server refused: {reason}")));
            }
            Verdict::RefusedWhole { code, reason } => {
                if line.keeps_count() {
                    let span = request.span();
                    let span = Span { broken: span.to - span.from, ..span };
                    persist(line, NOTHING, span, patience, &mut delivery.retries)?;
                }
                delivery.refused.push(Refusal {
                    place: request.place(0).unwrap_or_default(),
                    code,
                    pointer: String::new(),
                    reason,
                    text: request.original(0).to_vec(),
                });
            }
        }
    }
    Ok(delivery)
}

impl Delivery {
    fn add(&mut self, other: Delivery) {
        self.stored += other.stored;
        self.duplicates += other.duplicates;
        self.refused.extend(other.refused);
        self.retries += other.retries;
    }
}

/// Sends until there is an answer that another try would not change.
pub fn persist(
    line: &impl Line,
    body: &[u8],
    span: Span,
    patience: Duration,
    retries: &mut u64,
) -> anyhow::Result<Answer> {
    let started = line.now();
    for attempt in 0.. {
        let (why, asked) = match line.post(body, span) {
            Ok(answer) if matches!(answer.status, 408 | 429 | 502 | 503 | 504) => {
                (format!("the server is busy ({})", answer.status), answer.retry_after)
            }
            Ok(answer) => return Ok(answer),
            Err(CallError::Unreachable(says)) => (format!("no answer from {says}"), None),
            Err(CallError::Unusable(says)) => return Err(Failure::error(Exit::Failure, says)),
        };
        let spent = line.now().duration_since(started);
        let Some(pause) = pause(attempt, asked, patience.saturating_sub(spent)) else {
            let says = format!("{why}, for {:.1} s now; nothing more was sent", spent.as_secs_f64());
            return Err(Failure::error(Exit::Unreachable, says));
        };
        line.wait(pause, &why);
        *retries += 1;
    }
    unreachable!("attempts are not counted to their end")
}

/// How long to wait before the next try; `None` when the patience would not last.
fn pause(attempt: u32, asked: Option<Duration>, left: Duration) -> Option<Duration> {
    let growing = PAUSE_FIRST.saturating_mul(1 << attempt.min(10)).min(PAUSE_MAX);
    let pause = asked.map_or(growing, |asked| asked.min(PAUSE_ASKED_MAX).max(PAUSE_FIRST));
    (pause <= left).then_some(pause)
}

enum Verdict {
    Done(Delivery),
    RefusedWhole { code: String, reason: String },
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    results: Vec<Outcome>,
    /// How many were there already, when results are only of exceptions.
    duplicates: Option<u64>,
    #[serde(default)]
    error: Value,
}

#[derive(Deserialize)]
struct Outcome {
    index: usize,
    status: String,
}

#[derive(Deserialize)]
struct Fault {
    index: usize,
    #[serde(default)]
    code: String,
    #[serde(default, rename = "instancePath")]
    pointer: String,
    message: String,
}

fn read(answer: &Answer, request: &Request) -> anyhow::Result<Verdict> {
    let body: Option<Body> = serde_json::from_str(&answer.body).ok();
    match (answer.status, body) {
        (200, body) => Ok(Verdict::Done(count(request, &body.unwrap_or_default(), vec![]))),
        (400, Some(body)) => {
            let faults: Vec<Fault> =
                body.error.get("errors").and_then(|errors| Vec::<Fault>::deserialize(errors).ok()).unwrap_or_default();
            if faults.is_empty() {
                let reason = sentence(&body.error).unwrap_or_else(|| answer.body.clone());
                return Ok(Verdict::RefusedWhole { code: "refused".to_owned(), reason });
            }
            Ok(Verdict::Done(count(request, &body, faults)))
        }
        (413, _) => {
            let reason = "it is larger than the server takes".to_owned();
            Ok(Verdict::RefusedWhole { code: "too_large".to_owned(), reason })
        }
        (status, body) => Err(Failure::error(Exit::Failure, explain(status, &answer.body, body.as_ref()))),
    }
}

/// Counts by the server's own word for each message, or for those that are exceptions, where it gave one.
fn count(request: &Request, body: &Body, faults: Vec<Fault>) -> Delivery {
    let of = |status: &'static str| body.results.iter().filter(move |outcome| outcome.status == status);
    let refusal = |index: usize, code: String, pointer: String, reason: String| Refusal {
        place: request.place(index).unwrap_or_default(),
        code,
        pointer,
        reason,
        text: request.original(index).to_vec(),
    };
    let mut refused: Vec<(usize, Refusal)> = faults
        .into_iter()
        .map(|fault| {
            // The place within the request says nothing to whoever has the file; the place within the message does.
            let within = fault.pointer.strip_prefix(&format!("/{}", fault.index)).unwrap_or(&fault.pointer).to_owned();
            (fault.index, refusal(fault.index, fault.code, within, fault.message))
        })
        .collect();
    for outcome in of("conflict").filter(|outcome| outcome.index < request.len()) {
        let reason =
            "a message of the same identity is stored with other content; that one stands, this one was set aside";
        let code = Code::Conflict.as_str().to_owned();
        refused.push((outcome.index, refusal(outcome.index, code, String::new(), reason.to_owned())));
    }
    refused.sort_by_key(|(index, _)| *index);
    refused.dedup_by_key(|(index, _)| *index);
    let duplicates = body.duplicates.unwrap_or_else(|| of("duplicate").count() as u64);
    let stored = (request.len() as u64).saturating_sub(duplicates + refused.len() as u64);
    Delivery { stored, duplicates, refused: refused.into_iter().map(|(_, refusal)| refusal).collect(), retries: 0 }
}

/// Why an answer that is none of those expected ends everything.
pub fn explain_answer(answer: &Answer) -> anyhow::Error {
    let body: Option<Body> = serde_json::from_str(&answer.body).ok();
    Failure::error(Exit::Failure, explain(answer.status, &answer.body, body.as_ref()))
}

fn explain(status: u16, text: &str, body: Option<&Body>) -> String {
    let said = body.and_then(|body| sentence(&body.error)).unwrap_or_else(|| text.chars().take(200).collect());
    let next = match status {
        401 => "give a token with --token or MUSTER_TOKEN; `muster keys create --scope write` makes one",
        403 => "give a token with that scope; `muster keys create --scope …` makes one",
        404 | 405 => "is there a Muster server at this address?",
        300..=399 => "redirects are not followed; give the final address with --url",
        _ => "the server's log may say more",
    };
    format!("the server answered {status}: {said}\n{next}")
}

/// The sentence in an error of either form, `"…"` or `{"message": "…"}`.
fn sentence(error: &Value) -> Option<String> {
    error.as_str().or_else(|| error.get("message")?.as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::{
        super::{pack::Packer, split::Piece},
        *,
    };

    /// A line that answers by a function of the body and whose clock moves only by waiting.
    struct Scripted<F> {
        answers: RefCell<F>,
        start: Instant,
        waited: Cell<Duration>,
        pauses: RefCell<Vec<u128>>,
    }

    impl<F: FnMut(&str) -> Result<Answer, CallError>> Line for Scripted<F> {
        fn post(&self, body: &[u8], _: Span) -> Result<Answer, CallError> {
            (self.answers.borrow_mut())(std::str::from_utf8(body).unwrap())
        }

        fn wait(&self, pause: Duration, _: &str) {
            self.waited.set(self.waited.get() + pause);
            self.pauses.borrow_mut().push(pause.as_millis());
        }

        fn now(&self) -> Instant {
            self.start + self.waited.get()
        }
    }

    fn scripted<F: FnMut(&str) -> Result<Answer, CallError>>(answers: F) -> Scripted<F> {
        Scripted {
            answers: RefCell::new(answers),
            start: Instant::now(),
            waited: Cell::default(),
            pauses: RefCell::default(),
        }
    }

    fn answer(status: u16, body: &str) -> Result<Answer, CallError> {
        Ok(Answer { status, retry_after: None, location: None, body: body.to_owned() })
    }

    fn request(count: usize) -> Request {
        let mut packer = Packer::new(100);
        for at in 0..count {
            assert!(
                packer
                    .push(Piece {
                        place: Place { line: at as u64 + 10, ..Place::default() },
                        text: format!("{{\"n\":{at}}}").into_bytes(),
                        cut: false,
                        broken: None,
                        original: None,
                    })
                    .is_none()
            );
        }
        packer.finish().unwrap()
    }

    const PATIENCE: Duration = Duration::from_secs(60);

    #[test]
    fn answers_are_counted_message_by_message() {
        let line = scripted(|_| {
            answer(
                400,
                r#"{"error":{"message":"1 of 4 messages were refused","stored":2,"errors":[{"index":1,"code":"user_needs_parent",
                "instancePath":"/1/accountId","message":"send accountId"}]},"results":[{"index":0,"status":"stored"},
                {"index":1,"status":"refused"},{"index":2,"status":"duplicate"},{"index":3,"status":"conflict"}]}"#,
            )
        });
        let delivery = deliver(&line, request(4), PATIENCE).unwrap();
        assert_eq!((delivery.stored, delivery.duplicates), (1, 1));
        let refused: Vec<(u64, &str, &[u8])> = delivery
            .refused
            .iter()
            .map(|refusal| (refusal.place.line, refusal.code.as_str(), &refusal.text[..]))
            .collect();
        assert_eq!(delivery.refused[0].pointer, "/accountId");
        assert_eq!(refused, [(11, "user_needs_parent", &b"{\"n\":1}"[..]), (13, "conflict", &b"{\"n\":3}"[..])]);
    }

    #[test]
    fn exceptions_alone_say_as_much() {
        let line = scripted(|_| {
            let error = r#""error":{"errors":[{"index":1,"code":"c","instancePath":"/1","message":"m"}]}"#;
            answer(400, &format!(r#"{{{error},"results":[{{"index":3,"status":"conflict"}}],"duplicates":2}}"#))
        });
        let delivery = deliver(&line, request(9), PATIENCE).unwrap();
        assert_eq!((delivery.stored, delivery.duplicates, delivery.refused.len()), (5, 2, 2));
    }

    #[test]
    fn a_plain_success_means_all_are_stored() {
        let line = scripted(|_| answer(200, "{\"message\":\"Success.\"}"));
        assert_eq!(deliver(&line, request(3), PATIENCE).unwrap(), Delivery { stored: 3, ..Delivery::default() });
    }

    #[test]
    fn a_busy_server_is_tried_again_as_it_asks() {
        let mut left = 3;
        let line = scripted(|_| {
            left -= 1;
            match left {
                2 => Ok(Answer {
                    status: 429,
                    retry_after: Some(Duration::from_secs(7)),
                    location: None,
                    body: String::new(),
                }),
                1 => Err(CallError::Unreachable("refused".to_owned())),
                _ => answer(200, ""),
            }
        });
        let delivery = deliver(&line, request(1), PATIENCE).unwrap();
        assert_eq!((delivery.stored, delivery.retries), (1, 2));
        assert_eq!(*line.pauses.borrow(), [7_000, 400]);
    }

    #[test]
    fn patience_ends() {
        let line = scripted(|_| answer(503, ""));
        let error = deliver(&line, request(1), PATIENCE).unwrap_err();
        assert_eq!(crate::exit::of(&error), Exit::Unreachable);
        let waited = line.waited.get();
        assert!(waited <= PATIENCE && waited > PATIENCE / 2, "{waited:?}");
        let asked = scripted(|_| {
            Ok(Answer { status: 503, retry_after: Some(Duration::from_secs(90)), location: None, body: String::new() })
        });
        assert!(deliver(&asked, request(1), PATIENCE).is_err());
        assert!(asked.pauses.borrow().is_empty());
    }

    #[test]
    fn a_request_refused_as_a_whole_is_halved_down_to_the_fault() {
        for (status, body) in
            [(413, ""), (400, r#"{"error":{"message":"not JSON at byte 7","errors":[{"message":"x"}]}}"#)]
        {
            let line = scripted(|sent| if sent.contains("5}") { answer(status, body) } else { answer(200, "") });
            let delivery = deliver(&line, request(9), PATIENCE).unwrap();
            assert_eq!(delivery.stored, 8);
            assert_eq!(delivery.refused.iter().map(|refusal| refusal.place.line).collect::<Vec<_>>(), [15]);
        }
    }

    #[test]
    fn what_no_try_can_change_ends_at_once_with_advice() {
        let check = |status: u16, wanted: &str| {
            let line = scripted(|_| answer(status, "{\"error\":\"said so\"}"));
            let says = deliver(&line, request(1), PATIENCE).unwrap_err().to_string();
            assert!(says.contains("said so") && says.contains(wanted), "{says}");
            assert!(line.pauses.borrow().is_empty());
        };
        check(401, "MUSTER_TOKEN");
        check(403, "a token with that scope");
        check(404, "Muster server");
        check(500, "log");
    }
}
