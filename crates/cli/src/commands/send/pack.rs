//! Packing messages into requests that a server takes.
//!
//! A request has at most as many messages as its path takes, and about [`BODY_BYTES_MAX`] bytes; it knows where each of its
//! messages came from, and which stretch of all that was read it covers. Messages stand in it byte for byte as they stood in the file.
//!
//! [`BODY_BYTES_MAX`]: crate::commands::send::pack::BODY_BYTES_MAX

use std::ops::Range;

use super::{
    deliver::NOTHING,
    split::{Piece, Place},
};

/// Bytes of a body beyond which no message is added. The largest message alone fits.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Messages for one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// A JSON array; the bracket that closes it stands there once nothing more is added.
    text: Vec<u8>,
    messages: Vec<Packed>,
    /// The stretch of what was read that it covers.
    from: u64,
    until: u64,
}

/// A stretch of what was read, and how much of it was nothing that could be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    pub from: u64,
    pub to: u64,
    pub broken: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Packed {
    place: Place,
    /// Its number in all that was read.
    number: u64,
    span: Range<usize>,
    /// What stood in the file, where the message was made from that.
    original: Option<Vec<u8>>,
}

impl Request {
    /// How many messages it has.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Where in the file a message came from.
    pub fn place(&self, index: usize) -> Option<Place> {
        self.messages.get(index).map(|packed| packed.place)
    }

    /// What stood in the file of a message.
    pub fn original(&self, index: usize) -> &[u8] {
        let Some(packed) = self.messages.get(index) else { return &[] };
        packed.original.as_deref().unwrap_or(&self.text[packed.span.clone()])
    }

    /// Which part of everything it is.
    pub fn span(&self) -> Span {
        let read = self.until - self.from;
        Span { from: self.from, to: self.until, broken: read - self.messages.len() as u64 }
    }

    /// What is sent.
    pub fn body(&self) -> &[u8] {
        if self.text.is_empty() { NOTHING } else { &self.text }
    }

    /// The same messages in two requests.
    pub fn halves(&self) -> [Request; 2] {
        let middle = self.messages.len() / 2;
        let between = self.messages.get(middle).map_or(self.until, |packed| packed.number);
        let halves = [(0..middle, self.from, between), (middle..self.messages.len(), between, self.until)];
        halves.map(|(indices, from, until)| {
            let mut half = Request { from, ..Request::default() };
            for packed in &self.messages[indices] {
                half.add(packed.number, packed.place, &self.text[packed.span.clone()], packed.original.clone());
            }
            Request { until, ..half }.closed()
        })
    }

    fn add(&mut self, number: u64, place: Place, text: &[u8], original: Option<Vec<u8>>) {
        self.text.push(if self.text.is_empty() { b'[' } else { b',' });
        let start = self.text.len();
        self.text.extend_from_slice(text);
        self.messages.push(Packed { place, number, span: start..self.text.len(), original });
        self.until = number + 1;
    }

    fn closed(mut self) -> Request {
        if !self.text.is_empty() {
            self.text.push(b']');
        }
        self
    }
}

/// Fills one request after the other.
#[derive(Debug)]
pub struct Packer {
    messages_max: usize,
    filling: Request,
    /// The number of what is read next.
    next: u64,
}

impl Packer {
    /// Requests of at most so many messages.
    pub fn new(messages_max: usize) -> Packer {
        Packer::starting_at(messages_max, 0)
    }

    /// The same for what comes after so much that was read before.
    pub fn starting_at(messages_max: usize, next: u64) -> Packer {
        Packer { messages_max, filling: Request { from: next, until: next, ..Request::default() }, next }
    }

    /// Adds a message; hands out a request when it is full, before or after this message.
    pub fn push(&mut self, piece: Piece) -> Option<Request> {
        let before = self.make_room(&piece);
        let is_full = self.add(piece);
        before.or_else(|| is_full.then(|| self.take()))
    }

    /// Hands out the request begun if a message would make it too long.
    pub fn make_room(&mut self, piece: &Piece) -> Option<Request> {
        let overflows = self.filling.len() > 0 && self.filling.text.len() + piece.text.len() > BODY_BYTES_MAX;
        overflows.then(|| self.take())
    }

    /// Adds a message for which there is room; whether the request is full with it.
    pub fn add(&mut self, piece: Piece) -> bool {
        let Piece { place, text, original, .. } = piece;
        self.filling.add(self.next, place, &text, original);
        self.next += 1;
        self.filling.len() >= self.messages_max
    }

    /// Counts something that was read and cannot be sent.
    pub fn pass_over(&mut self) {
        self.next += 1;
        self.filling.until = self.next;
    }

    /// The request begun, if it covers anything.
    pub fn cut(&mut self) -> Option<Request> {
        Some(self.take()).filter(|request| request.from < request.until)
    }

    /// The last request, if it covers anything.
    pub fn finish(mut self) -> Option<Request> {
        self.cut()
    }

    fn take(&mut self) -> Request {
        let (from, until) = (self.next, self.next);
        // The next one is about as long.
        let text = Vec::with_capacity(self.filling.text.len() + self.filling.text.len() / 8);
        let messages = Vec::with_capacity(self.filling.messages.len());
        std::mem::replace(&mut self.filling, Request { text, messages, from, until }).closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(messages: impl Iterator<Item = Vec<u8>>) -> Vec<Request> {
        let mut packer = Packer::new(100);
        let mut requests: Vec<Request> = messages
            .enumerate()
            .filter_map(|(at, text)| {
                let place = Place { line: at as u64 + 1, ..Place::default() };
                packer.push(Piece { place, text, cut: false, broken: None, original: None })
            })
            .collect();
        requests.extend(packer.finish());
        requests
    }

    #[test]
    fn a_request_has_a_hundred_messages() {
        let sizes =
            |count: usize| pack((0..count).map(|_| b"{}".to_vec())).iter().map(Request::len).collect::<Vec<_>>();
        assert_eq!(sizes(0), [0; 0]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(100), [100]);
        assert_eq!(sizes(201), [100, 100, 1]);
    }

    #[test]
    fn a_request_has_a_bound_in_bytes_and_loses_nothing() {
        let requests = pack((0..10).map(|_| vec![b'x'; BODY_BYTES_MAX / 3]));
        assert_eq!(requests.iter().map(Request::len).collect::<Vec<_>>(), [2, 2, 2, 2, 2]);
        let lines: Vec<u64> =
            requests.iter().flat_map(|request| [0, 1].map(|at| request.place(at).unwrap().line)).collect();
        assert_eq!(lines, (1..=10).collect::<Vec<u64>>());
        let huge = pack([vec![b'x'; BODY_BYTES_MAX], b"{}".to_vec()].into_iter());
        assert_eq!(huge.iter().map(Request::len).collect::<Vec<_>>(), [1, 1]);
    }

    /// Stretches follow each other without a gap, whatever cannot be sent in between.
    #[test]
    fn requests_say_which_part_of_everything_they_are() {
        let mut packer = Packer::starting_at(2, 10);
        let mut spans = Vec::new();
        for number in 10..20 {
            if number % 3 == 0 {
                packer.pass_over();
                continue;
            }
            let piece =
                Piece { place: Place::default(), text: b"{}".to_vec(), cut: false, broken: None, original: None };
            spans.extend(packer.push(piece).map(|request| request.span()));
        }
        spans.extend(packer.cut().map(|request| request.span()));
        let span = |from, to, broken| Span { from, to, broken };
        assert_eq!(spans, [span(10, 12, 0), span(12, 15, 1), span(15, 18, 1), span(18, 20, 1)]);
        assert_eq!(packer.finish(), None);
    }

    #[test]
    fn halves_are_the_whole() {
        let [request] = &pack([b"{\"a\":1}".to_vec(), b"{}".to_vec(), b"{\"b\":2}".to_vec()].into_iter())[..] else {
            panic!()
        };
        assert_eq!(request.body(), b"[{\"a\":1},{},{\"b\":2}]");
        let [one, other] = request.halves();
        assert_eq!((one.body(), other.body()), (&b"[{\"a\":1}]"[..], &b"[{},{\"b\":2}]"[..]));
        let line = |index| other.place(index).map(|place| place.line);
        assert_eq!((line(0), line(1), line(2)), (Some(2), Some(3), None));
        assert_eq!((one.span(), other.span()), (Span { to: 1, ..Span::default() }, Span { from: 1, to: 3, broken: 0 }));
        assert_eq!(Request::default().body(), b"[]");
    }
}
