//! Bytes of a stream, with a look ahead and the line they are in.
//!
//! What is looked for is found in as much as was read at once, not byte by byte: reading a file costs as much as all else
//! that is done to send it otherwise. Holds one buffer, and of a text no more than a piece may have.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter};

use super::split::{PIECE_BYTES_MAX, SplitError};

const BUFFER_BYTES: usize = 256 * 1024;

/// Bytes with a look ahead, and the line they are in.
pub(super) struct Stream<R> {
    reader: R,
    buffer: Vec<u8>,
    at: usize,
    line: u64,
    bytes: u64,
}

impl<R: Read> Stream<R> {
    /// Nothing is read yet.
    pub(super) fn new(reader: R) -> Stream<R> {
        Stream { reader, buffer: Vec::new(), at: 0, line: 1, bytes: 0 }
    }

    /// The line that is read next, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes that were taken.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether anything is left; [`Stream::seen`] has the next of it then.
    #[inline]
    pub(super) fn more(&mut self) -> Result<bool, SplitError> {
        Ok(self.at < self.buffer.len() || self.fill()?)
    }

    /// What was read and not taken.
    #[inline]
    pub(super) fn seen(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// The next byte, if there is one.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<Option<u8>, SplitError> {
        Ok(if self.more()? { self.seen().first().copied() } else { None })
    }

    /// Takes the byte that was seen by [`Stream::peek`].
    #[inline]
    pub(super) fn take(&mut self) -> Result<(), SplitError> {
        if let Some(byte) = self.peek()? {
            self.at += 1;
            self.bytes += 1;
            self.line += u64::from(byte == b'\n');
        }
        Ok(())
    }

    /// Takes so many of the bytes seen into a text.
    pub(super) fn take_into(&mut self, count: usize, text: &mut Text) {
        let taken = &self.buffer[self.at..self.at + count];
        text.add(taken);
        self.line += memchr_iter(b'\n', taken).count() as u64;
        self.at += count;
        self.bytes += count as u64;
    }

    fn fill(&mut self) -> Result<bool, SplitError> {
        self.buffer.resize(BUFFER_BYTES, 0);
        self.at = 0;
        let count = loop {
            match self.reader.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.clear();
                    return Err(SplitError::Read(error));
                }
                Ok(count) => break count,
            }
        };
        self.buffer.truncate(count);
        Ok(count > 0)
    }

    /// Takes white space; what stands behind it.
    pub(super) fn skip_space(&mut self) -> Result<Option<u8>, SplitError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.take()?;
        }
        Ok(None)
    }

    /// Anything else that starts like the mark is no JSON and is refused by whoever reads on.
    pub(super) fn skip_byte_order_mark(&mut self) -> Result<(), SplitError> {
        for byte in [0xef, 0xbb, 0xbf] {
            if self.peek()? != Some(byte) {
                break;
            }
            self.take()?;
        }
        Ok(())
    }

    /// The rest of this line, without the space at its end.
    pub(super) fn rest_of_line(&mut self) -> Result<Text, SplitError> {
        let mut text = Text::default();
        while self.more()? {
            let end = memchr(b'\n', self.seen());
            self.take_into(end.unwrap_or(self.seen().len()), &mut text);
            if end.is_some() {
                self.take()?;
                break;
            }
        }
        let end = text.bytes.trim_ascii_end().len();
        if text.length <= PIECE_BYTES_MAX {
            text.length = end;
        }
        text.bytes.truncate(end);
        Ok(text)
    }

    /// Makes a line, its end and the space that was taken after it the next to be read.
    pub(super) fn put_back(&mut self, (line, text): (u64, &[u8]), space: &[u8]) {
        let mut buffer = [text, b"\n", space].concat();
        self.bytes = self.bytes.saturating_sub(buffer.len() as u64);
        buffer.extend_from_slice(&self.buffer[self.at..]);
        (self.buffer, self.at, self.line) = (buffer, 0, line);
    }
}

/// The text of a piece while it is read, no more of it than a piece may have.
#[derive(Default)]
pub(super) struct Text {
    pub bytes: Vec<u8>,
    /// How long it is in full.
    pub length: usize,
}

impl Text {
    fn add(&mut self, bytes: &[u8]) {
        let room = PIECE_BYTES_MAX - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len();
    }
}
