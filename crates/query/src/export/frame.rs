//! Many files in one stream of bytes: how an export of a directory travels.
//!
//! A stream is frames: a tag, the number of a file, a length and so many bytes. Files are written piece by piece and several
//! at a time, so that neither side holds one as a whole. The last frame says that everything is there; a stream without
//! it is not whole. Reading checks tags, lengths and names, and never makes a name that leaves the directory.

use std::io::{self, Read};

/// Bytes of a frame's head: tag, file, length.
const HEAD_BYTES: usize = 9;
/// Bytes that one frame carries at the most.
const FRAME_BYTES_MAX: usize = 64 << 20;
/// Bytes of a file's name at the most.
const NAME_BYTES_MAX: usize = 200;

const BEGIN: u8 = 1;
const BYTES: u8 = 2;
const END: u8 = 3;
const WHOLE: u8 = 4;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A file begins, of this name below the directory.
    Begin { file: u32, name: String },
    /// More bytes of a file.
    Bytes { file: u32, bytes: Vec<u8> },
    /// A file is whole; so many messages are in it.
    End { file: u32, messages: u64 },
    /// Everything was sent: as of when, in ISO 8601, and how many messages.
    Whole { as_of: String, messages: u64 },
}

impl Frame {
    /// Appends the frame to a stream.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Frame::Begin { file, name } => put(out, BEGIN, *file, &[name.as_bytes()]),
            Frame::Bytes { file, bytes } => {
                bytes.chunks(FRAME_BYTES_MAX).for_each(|part| put(out, BYTES, *file, &[part]));
            }
            Frame::End { file, messages } => put(out, END, *file, &[&messages.to_le_bytes()]),
            Frame::Whole { as_of, messages } => put(out, WHOLE, 0, &[&messages.to_le_bytes(), as_of.as_bytes()]),
        }
    }

    /// Reads the next frame; `None` where the stream ends between two.
    pub fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
        let mut head = [0; HEAD_BYTES];
        let begun = loop {
            match from.read(&mut head[..1]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        if begun == 0 {
            return Ok(None);
        }
        from.read_exact(&mut head[1..])?;
        let file = u32::from_le_bytes(head[1..5].try_into().expect("four bytes of a head"));
        let length = u32::from_le_bytes(head[5..].try_into().expect("four bytes of a head")) as usize;
        if length > FRAME_BYTES_MAX {
            return Err(odd("a frame that is too long"));
        }
        let mut bytes = vec![0; length];
        from.read_exact(&mut bytes)?;
        match head[0] {
            BEGIN => Ok(Some(Frame::Begin { file, name: name(bytes)? })),
            BYTES => Ok(Some(Frame::Bytes { file, bytes })),
            END => Ok(Some(Frame::End { file, messages: count(&bytes)? })),
            WHOLE => {
                let as_of = String::from_utf8(bytes.split_off(bytes.len().min(8))).map_err(|_| odd("an instant"))?;
                Ok(Some(Frame::Whole { as_of, messages: count(&bytes)? }))
            }
            _ => Err(odd("a frame of no kind that is known")),
        }
    }
}

fn put(out: &mut Vec<u8>, tag: u8, file: u32, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.push(tag);
    out.extend_from_slice(&file.to_le_bytes());
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

fn count(bytes: &[u8]) -> io::Result<u64> {
    bytes.try_into().map(u64::from_le_bytes).map_err(|_| odd("a count"))
}

/// A name that stays below the directory.
fn name(bytes: Vec<u8>) -> io::Result<String> {
    let name = String::from_utf8(bytes).map_err(|_| odd("a name"))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"=-_.".contains(&byte);
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
    if name.len() > NAME_BYTES_MAX || !name.split('/').all(part) {
        return Err(odd("a name"));
    }
    Ok(name)
}

fn odd(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what} that cannot be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_what_is_cut_does_not() {
        let frames = [
            Frame::Begin { file: 7, name: "kind=track/month=2026-05/part-0001.parquet".to_owned() },
            Frame::Bytes { file: 7, bytes: vec![1, 2, 3] },
            Frame::End { file: 7, messages: u64::MAX },
            Frame::Whole { as_of: "2026-05-15T12:00:00.000Z".to_owned(), messages: 3 },
        ];
        for frame in &frames {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            assert_eq!(Frame::read(&mut &bytes[..]).unwrap().as_ref(), Some(frame));
            assert_eq!(Frame::read(&mut &bytes[..0]).unwrap(), None);
            for end in 1..bytes.len() {
                assert!(Frame::read(&mut &bytes[..end]).is_err(), "cut at {end}");
            }
        }
    }

    #[test]
    fn no_name_leaves_the_directory() {
        for wrong in ["", "/etc/x", "a//b", "../x", "a/../b", "a/.b", "a\\b", "a b", &"x".repeat(201)] {
            let mut bytes = Vec::new();
            Frame::Begin { file: 0, name: wrong.to_owned() }.write(&mut bytes);
            assert!(Frame::read(&mut &bytes[..]).is_err(), "{wrong}");
        }
        let mut long = vec![BYTES, 0, 0, 0, 0];
        long.extend_from_slice(&u32::MAX.to_le_bytes());
        assert!(Frame::read(&mut &long[..]).is_err());
    }
}
