//! Packing messages into requests that a server takes.
//!
//! A request has at most as many messages as its path takes, and about [`BODY_BYTES_MAX`] bytes; it knows where each of its
//! messages came from. Messages stand in it byte for byte as they stood in the file.
//!
//! [`BODY_BYTES_MAX`]: crate::commands::send::pack::BODY_BYTES_MAX

use std::ops::Range;

use super::split::{Piece, Place};

/// Bytes of a body beyond which no message is added. The largest message alone fits.
pub const BODY_BYTES_MAX: usize = 4 << 20;

/// Messages for one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// A JSON array, not yet closed.
    open: Vec<u8>,
    messages: Vec<Packed>,
}

#[derive(Debug, PartialEq, Eq)]
struct Packed {
    place: Place,
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
        packed.original.as_deref().unwrap_or(&self.open[packed.span.clone()])
    }

    /// What is sent.
    pub fn body(&self) -> Vec<u8> {
        let mut body = if self.open.is_empty() { b"[".to_vec() } else { self.open.clone() };
        body.push(b']');
        body
    }

    /// The same messages in two requests.
    pub fn halves(&self) -> [Request; 2] {
        let middle = self.messages.len() / 2;
        [0..middle, middle..self.messages.len()].map(|indices| {
            let mut half = Request::default();
            for packed in &self.messages[indices] {
                half.add(packed.place, &self.open[packed.span.clone()], packed.original.clone());
            }
            half
        })
    }

    fn add(&mut self, place: Place, text: &[u8], original: Option<Vec<u8>>) {
        self.open.push(if self.open.is_empty() { b'[' } else { b',' });
        let start = self.open.len();
        self.open.extend_from_slice(text);
        self.messages.push(Packed { place, span: start..self.open.len(), original });
    }
}

/// Fills one request after the other.
#[derive(Debug)]
pub struct Packer {
    messages_max: usize,
    filling: Request,
}

impl Packer {
    /// Requests of at most so many messages.
    pub fn new(messages_max: usize) -> Packer {
        Packer { messages_max, filling: Request::default() }
    }

    /// Adds a message; hands out a request when it is full, before or after this message.
    pub fn push(&mut self, piece: Piece) -> Option<Request> {
        let Piece { place, text, original, .. } = piece;
        let overflows = !self.filling.open.is_empty() && self.filling.open.len() + text.len() > BODY_BYTES_MAX;
        let before = overflows.then(|| std::mem::take(&mut self.filling));
        self.filling.add(place, &text, original);
        before.or_else(|| (self.filling.len() == self.messages_max).then(|| std::mem::take(&mut self.filling)))
    }

    /// The last request, if there is something in it.
    pub fn finish(self) -> Option<Request> {
        Some(self.filling).filter(|request| request.len() > 0)
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

    #[test]
    fn halves_are_the_whole() {
        let [request] = &pack([b"{\"a\":1}".to_vec(), b"{}".to_vec(), b"{\"b\":2}".to_vec()].into_iter())[..] else {
            panic!()
        };
        assert_eq!(request.body(), b"[{\"a\":1},{},{\"b\":2}]");
        let [one, other] = request.halves();
        assert_eq!((one.body(), other.body()), (b"[{\"a\":1}]".to_vec(), b"[{},{\"b\":2}]".to_vec()));
        let line = |index| other.place(index).map(|place| place.line);
        assert_eq!((line(0), line(1), line(2)), (Some(2), Some(3), None));
        assert_eq!(Request::default().body(), b"[]");
    }
}
