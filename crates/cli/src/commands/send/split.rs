//! Cutting a stream into messages: a JSON array or one message a line.
//!
//! The form is detected from the first bytes: `[` starts an array (or several, one after another); `{` starts one
//! message a line, or, when the first line ends inside its object, objects one after another however they are broken
//! into lines. Each piece carries the line it starts in. A piece that is no JSON object is handed out as broken and the
//! rest goes on; only a stream whose structure is lost ends early, with an error. Never holds more than one piece.

use std::{
    fmt,
    io::{self, Read},
};

use memchr::memchr2;
use serde::{Serialize, de::IgnoredAny};

use super::stream::{Stream, Text};

/// The largest piece that can be a message; anything longer is broken.
pub const PIECE_BYTES_MAX: usize = 4 << 20;
/// What is kept of a piece that is too long.
const CUT_BYTES: usize = 1_024;

/// Where a message stands in its file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The line it starts in, counted from 1.
    pub line: u64,
    /// Its number among the file's messages, counted from 0 as in a server's answers.
    pub index: u64,
    /// Which of several files it is in, counted from 0.
    #[serde(skip)]
    pub source: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, index {}", self.line, self.index)
    }
}

/// One element of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    pub place: Place,
    /// Its text.
    pub text: Vec<u8>,
    /// Whether only the beginning of the text is there, because it is too long.
    pub cut: bool,
    /// Why it cannot be sent.
    pub broken: Option<String>,
    /// What stood in the file, where the text was made from that.
    pub original: Option<Vec<u8>>,
}

impl Piece {
    /// What stood in the file, to be kept when it is refused; nothing of what is too long to be held as a whole.
    pub fn kept(self) -> Option<Vec<u8>> {
        (!self.cut).then(|| self.original.unwrap_or(self.text))
    }
}

/// Why the stream ends before its end.
#[derive(Debug)]
pub enum SplitError {
    Read(io::Error),
    /// What is wrong in which line.
    Structure(u64, String),
}

impl fmt::Display for SplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SplitError::Read(error) => write!(f, "it cannot be read any further: {error}"),
            SplitError::Structure(line, says) => write!(f, "line {line}: {says}"),
        }
    }
}

impl std::error::Error for SplitError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    /// Between or before arrays.
    Outside,
    /// In an array; the flag says whether an element was read already.
    Array {
        started: bool,
    },
    Lines,
    Objects,
    Ended,
}

/// An iterator over the pieces of a stream.
pub struct Splitter<R> {
    source: Stream<R>,
    form: Form,
    /// The first line, when it was read to find out the form.
    first: Option<Piece>,
    /// Pieces handed out.
    count: u64,
}

impl<R: Read> Splitter<R> {
    pub fn new(reader: R) -> Self {
        Splitter { source: Stream::new(reader), form: Form::Unknown, first: None, count: 0 }
    }

    /// Bytes of the stream that were looked at.
    pub fn bytes(&self) -> u64 {
        self.source.bytes()
    }

    fn step(&mut self) -> Result<Option<Piece>, SplitError> {
        loop {
            if let Some(first) = self.first.take() {
                return Ok(Some(first));
            }
            match self.form {
                Form::Unknown => self.form = self.detect()?,
                Form::Outside => match self.source.skip_space()? {
                    None => return Ok(None),
                    Some(b'[') => {
                        self.source.take()?;
                        self.form = Form::Array { started: false };
                    }
                    Some(other) => return Err(self.unexpected("after the array", other)),
                },
                Form::Array { started } => {
                    if self.next_in_array(started)? {
                        self.form = Form::Array { started: true };
                        return self.value().map(Some);
                    }
                    self.form = Form::Outside;
                }
                Form::Lines => match self.source.skip_space()? {
                    None => return Ok(None),
                    Some(_) => return self.line().map(Some),
                },
                Form::Objects => match self.source.skip_space()? {
                    None => return Ok(None),
                    Some(b'{') => return self.value().map(Some),
                    Some(other) => return Err(self.unexpected("between messages", other)),
                },
                Form::Ended => return Ok(None),
            }
        }
    }

    fn detect(&mut self) -> Result<Form, SplitError> {
        self.source.skip_byte_order_mark()?;
        match self.source.skip_space()? {
            None => Ok(Form::Ended),
            Some(b'[') => Ok(Form::Outside),
            Some(b'{') => self.detect_lines(),
            Some(other) => {
                let says = format!(
                    "the file starts with {}; it must be a JSON array of messages or have one JSON object on each line",
                    shown(other)
                );
                Err(SplitError::Structure(self.source.line(), says))
            }
        }
    }

    /// One message a line, unless the first line ends inside its object and the next does not start another.
    fn detect_lines(&mut self) -> Result<Form, SplitError> {
        let first = self.line()?;
        let unfinished = serde_json::from_slice::<IgnoredAny>(&first.text).is_err_and(|error| error.is_eof());
        let mut space = Vec::new();
        let mut next = self.source.peek()?;
        while let Some(byte) = next.filter(u8::is_ascii_whitespace) {
            space.push(byte);
            self.source.take()?;
            next = self.source.peek()?;
        }
        // What was cut because it is too long only looks unfinished, and cannot be put back.
        if unfinished && !first.cut && next.is_some_and(|next| next != b'{') {
            self.source.put_back((first.place.line, &first.text), &space);
            return Ok(Form::Objects);
        }
        self.first = Some(first);
        Ok(Form::Lines)
    }

    /// The rest of this line as a piece.
    fn line(&mut self) -> Result<Piece, SplitError> {
        let line = self.source.line();
        self.source.rest_of_line().map(|text| judge(line, text))
    }

    /// Whether another element follows; takes the comma in front of it or the bracket that closes the array.
    fn next_in_array(&mut self, started: bool) -> Result<bool, SplitError> {
        let closed =
            |source: &Stream<R>| SplitError::Structure(source.line(), "the file ends inside its array".to_owned());
        match self.source.skip_space()?.ok_or_else(|| closed(&self.source))? {
            b']' => {
                self.source.take()?;
                Ok(false)
            }
            b',' if started => {
                self.source.take()?;
                match self.source.skip_space()?.ok_or_else(|| closed(&self.source))? {
                    other @ (b']' | b',') => Err(self.unexpected("after a comma", other)),
                    _ => Ok(true),
                }
            }
            other if started => Err(self.unexpected("where a comma or the end of the array belongs", other)),
            b',' => Err(self.unexpected("at the start of the array", b',')),
            _ => Ok(true),
        }
    }

    /// One JSON value, by its brackets and strings; what is between them is checked afterwards.
    fn value(&mut self) -> Result<Piece, SplitError> {
        let line = self.source.line();
        let mut extent = Extent::default();
        let mut text = Text::default();
        while !extent.is_over && self.source.more()? {
            let count = extent.look(self.source.seen());
            self.source.take_into(count, &mut text);
        }
        if extent.depth > 0 || extent.in_string {
            let says = format!("the file ends inside the message that starts in line {line}");
            return Err(SplitError::Structure(self.source.line(), says));
        }
        Ok(judge(line, text))
    }

    fn unexpected(&self, place: &str, byte: u8) -> SplitError {
        SplitError::Structure(self.source.line(), format!("{} {place}; the messages before it were read", shown(byte)))
    }
}

impl<R: Read> Iterator for Splitter<R> {
    type Item = Result<Piece, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut step = self.step().transpose();
        match &mut step {
            Some(Ok(piece)) => {
                piece.place.index = self.count;
                self.count += 1;
            }
            Some(Err(_)) | None => self.form = Form::Ended,
        }
        step
    }
}

fn shown(byte: u8) -> String {
    if byte.is_ascii_graphic() { format!("`{}`", byte as char) } else { format!("a byte {byte:#04x}") }
}

/// How far a JSON value reaches, while it is looked at part by part.
#[derive(Default)]
struct Extent {
    depth: usize,
    in_string: bool,
    escaped: bool,
    /// Something of it was seen.
    is_begun: bool,
    /// Its end was seen.
    is_over: bool,
}

impl Extent {
    /// How many of the bytes that come next belong to it.
    fn look(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).copied() {
            if self.in_string && !self.escaped {
                // Nothing else ends a string or says anything in it.
                let Some(mark) = memchr2(b'"', b'\\', &bytes[at..]) else { return bytes.len() };
                at += mark + 1;
                self.escaped = bytes[at - 1] == b'\\';
                self.in_string = self.escaped;
            } else if self.escaped {
                (at, self.escaped) = (at + 1, false);
                continue;
            } else {
                let ends_scalar = matches!(byte, b',' | b']' | b'}') || byte.is_ascii_whitespace();
                if self.depth == 0 && self.is_begun && ends_scalar {
                    self.is_over = true;
                    return at;
                }
                (at, self.is_begun) = (at + 1, true);
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                    _ => continue,
                }
            }
            if self.depth == 0 && !self.in_string {
                self.is_over = true;
                return at;
            }
        }
        at
    }
}

/// Checks that a piece is one JSON object, in UTF-8, of a length that a request can carry.
fn judge(line: u64, Text { bytes: mut text, length }: Text) -> Piece {
    let cut = length > PIECE_BYTES_MAX;
    let broken = if cut {
        text.truncate(CUT_BYTES);
        Some(format!("it has {length} bytes, and a message has {PIECE_BYTES_MAX} at the most"))
    } else if std::str::from_utf8(&text).is_err() {
        Some("it is not valid UTF-8".to_owned())
    } else if let Err(error) = serde_json::from_slice::<IgnoredAny>(&text) {
        Some(format!("it is not valid JSON: {error}"))
    } else if !text.starts_with(b"{") {
        Some("it is no JSON object".to_owned())
    } else {
        None
    };
    Piece { place: Place { line, ..Place::default() }, text, cut, broken, original: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads one byte at a time, so that every look ahead crosses a read.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = usize::from(!self.0.is_empty());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// Each piece as `line:text`, broken ones as `line!`, and the error that ended the stream as `line?`.
    fn pieces(text: &[u8]) -> Vec<String> {
        let show = |piece: Result<Piece, SplitError>| match piece {
            Ok(Piece { place, broken: Some(_), .. }) => format!("{}!", place.line),
            Ok(Piece { place, text, .. }) => format!("{}:{}", place.line, String::from_utf8(text).unwrap()),
            Err(SplitError::Structure(line, _)) => format!("{line}?"),
            Err(error) => panic!("{error}"),
        };
        let whole: Vec<String> = Splitter::new(text).map(show).collect();
        let dripped: Vec<String> = Splitter::new(Drip(text)).map(show).collect();
        assert_eq!(whole, dripped);
        whole
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(pieces(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn arrays_are_cut_at_their_commas() {
        check("[]", &[]);
        check(
            "  [ {\"a\":1} ,\n {\"b\":[1,{\"c\":\"]},{\"}]}\n]\n",
            &["1:{\"a\":1}", "2:{\"b\":[1,{\"c\":\"]},{\"}]}"],
        );
        check(r#"[{"a":"\\\""},{"b":"\\"}]"#, &[r#"1:{"a":"\\\""}"#, r#"1:{"b":"\\"}"#]);
        check("\u{feff}[{}]", &["1:{}"]);
        check("[{}]\n[{},{}]\n", &["1:{}", "2:{}", "2:{}"]);
        check("[{}, 5, \"x\", [], null, {}]", &["1:{}", "1!", "1!", "1!", "1!", "1:{}"]);
        check("[{\"a\"},{}]", &["1!", "1:{}"]);
    }

    #[test]
    fn an_array_that_loses_its_structure_ends_with_the_line() {
        check("[{}\n{}]", &["1:{}", "2?"]);
        check("[{},\n]", &["1:{}", "2?"]);
        check("[,{}]", &["1?"]);
        check("[{},\n\n", &["1:{}", "3?"]);
        check("[{}]\nx", &["1:{}", "2?"]);
        check("[{},\n{\"a\":\"", &["1:{}", "2?"]);
    }

    #[test]
    fn lines_are_messages_and_a_broken_one_spoils_no_other() {
        check("{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}", &["1:{\"a\":1}", "3:{\"b\":2}", "4:{\"c\":3}"]);
        check("{\"a\":\n{\"b\":2}\n", &["1!", "2:{\"b\":2}"]);
        check("{}\n{\"a\":\"x\nnull\n{}{}\n{}", &["1:{}", "2!", "3!", "4!", "5:{}"]);
        check("{\"a\":", &["1!"]);
        assert_eq!(pieces(b"{}\n{\"a\":\"\xff\"}\n{}"), ["1:{}", "2!", "3:{}"]);
    }

    #[test]
    fn objects_may_be_broken_into_lines() {
        check("{\n \"a\": 1\n}\n\n{ \"b\":\n2 }{}", &["1:{\n \"a\": 1\n}", "5:{ \"b\":\n2 }", "6:{}"]);
        check("{\n\"a\":1}\n5", &["1:{\n\"a\":1}", "3?"]);
    }

    #[test]
    fn other_files_are_refused_at_once() {
        check("", &[]);
        check(" \n", &[]);
        check("\naccount,plan\n", &["2?"]);
        let Some(Err(error)) = Splitter::new(&b"account,plan"[..]).next() else { panic!("accepted") };
        assert!(error.to_string().contains("starts with `a`"), "{error}");
    }

    #[test]
    fn a_piece_that_is_too_long_is_cut_and_the_next_is_read() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(PIECE_BYTES_MAX));
        for text in [format!("{long}\n{{}}"), format!("[{long},{{}}]"), format!("{{}}\n{long}\n{{}}")] {
            let pieces: Vec<Piece> = Splitter::new(text.as_bytes()).map(Result::unwrap).collect();
            let long = pieces.iter().find(|piece| piece.cut).unwrap();
            assert!(long.text.len() <= CUT_BYTES && long.broken.is_some());
            assert_eq!(pieces.last().unwrap().text, b"{}");
            let indices = pieces.iter().map(|piece| piece.place.index);
            assert!(indices.eq(0..pieces.len() as u64));
        }
    }
}
