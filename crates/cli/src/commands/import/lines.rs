//! In which line of a file a row of a table begins.
//!
//! A reader of CSV says at which byte it went on, which is before the ends of lines that it passes over, and counts a line
//! end of two bytes when it comes to the second one. Here the ends of lines are noted as they go by, so that a row has the
//! number that an editor shows. Holds the places of line ends from the row that is asked for on, and never looks at what a
//! row says.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use memchr::memchr2_iter;

/// A stream whose line ends are noted.
pub struct Lines<R> {
    reader: R,
    bytes: u64,
    /// Carriage returns and line feeds by their place; whether it is the latter, which begins a line.
    ends: VecDeque<(u64, bool)>,
    /// The line of the place that was asked for last, counted from 1.
    line: u64,
}

impl<R> Lines<R> {
    pub fn new(reader: R) -> Lines<R> {
        Lines { reader, bytes: 0, ends: VecDeque::new(), line: 1 }
    }

    /// The line of the first byte from this place on that is no line end. Places are asked for in their order.
    pub fn line_of(&mut self, mut place: u64) -> u64 {
        while let Some((end, begins_line)) = self.ends.front().copied().filter(|(end, _)| *end <= place) {
            self.ends.pop_front();
            self.line += u64::from(begins_line);
            place = place.max(end + 1);
        }
        self.line
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let read = &buffer[..count];
        let ends = memchr2_iter(b'\r', b'\n', read).map(|at| (self.bytes + at as u64, read[at] == b'\n'));
        self.ends.extend(ends);
        self.bytes += count as u64;
        Ok(count)
    }
}
