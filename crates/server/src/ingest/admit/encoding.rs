//! Compressed bodies.
//!
//! What comes out is bounded while it comes out, so that a small body that unpacks to gigabytes costs no more than the
//! bound. One encoding at a time; a list of several is refused like an unknown one.

use std::io::{self, Read};

use axum::http::{HeaderMap, header::CONTENT_ENCODING};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::budget::Reservation;
use crate::error::ApiError;

/// The first step by which the room for what comes out grows; it doubles from there.
const STEP_BYTES: usize = 64 * 1024;
/// The largest window, as a power of two, that a zstd body may ask the decoder to keep: 16 MiB.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Identity,
    Gzip,
    Zstd,
    Brotli,
    Deflate,
}

/// Why a body could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undecoded {
    /// More comes out than the bound.
    TooLarge,
    /// It is not what its header says.
    Damaged(Encoding),
    /// There is no memory for it at present.
    NoRoom,
}

impl Encoding {
    /// The encoding that a request's headers name.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
        let mut values = headers.get_all(CONTENT_ENCODING).into_iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            let several = headers.contains_key(CONTENT_ENCODING);
            return if several { Err(ApiError::UnsupportedEncoding) } else { Ok(Encoding::Identity) };
        };
        let name = value.to_str().unwrap_or("?").trim();
        let known: [(&str, Encoding); 7] = [
            ("gzip", Encoding::Gzip),
            ("zstd", Encoding::Zstd),
            ("br", Encoding::Brotli),
            ("deflate", Encoding::Deflate),
            ("x-gzip", Encoding::Gzip),
            ("identity", Encoding::Identity),
            ("", Encoding::Identity),
        ];
        let found = known.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, encoding)| encoding).ok_or(ApiError::UnsupportedEncoding)
    }

    /// Its name in the header.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Encoding::Identity => "identity",
            Encoding::Gzip => "gzip",
            Encoding::Zstd => "zstd",
            Encoding::Brotli => "br",
            Encoding::Deflate => "deflate",
        }
    }
}

/// Decompresses a body of at most `bytes_max` bytes, reserving room as it grows.
pub(crate) fn decode(
    encoding: Encoding,
    bytes: &[u8],
    bytes_max: usize,
    reservation: &mut Reservation,
) -> Result<Vec<u8>, Undecoded> {
    let damaged = |_: io::Error| Undecoded::Damaged(encoding);
    let bound = Bound { bytes_max, before: reservation.bytes() };
    let unpacked = match encoding {
        Encoding::Identity => bound.drain(bytes, reservation),
        Encoding::Gzip => bound.drain(MultiGzDecoder::new(bytes), reservation),
        Encoding::Deflate if has_zlib_header(bytes) => bound.drain(ZlibDecoder::new(bytes), reservation),
        Encoding::Deflate => bound.drain(DeflateDecoder::new(bytes), reservation),
        Encoding::Brotli => {
            bound.drain(brotli_decompressor::Decompressor::new(bytes, BROTLI_BUFFER_BYTES), reservation)
        }
        Encoding::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            bound.drain(decoder, reservation)
        }
    };
    unpacked.map_err(|why| match why {
        Stopped::TooLarge => Undecoded::TooLarge,
        Stopped::NoRoom => Undecoded::NoRoom,
        Stopped::Damaged => Undecoded::Damaged(encoding),
    })
}

/// Both forms of `deflate` are in use; a zlib header is two bytes that a raw stream practically never starts with.
fn has_zlib_header(bytes: &[u8]) -> bool {
    match bytes {
        [method, flags, ..] => {
            method & 0x0f == 8 && method >> 4 <= 7 && (u16::from(*method) << 8 | u16::from(*flags)).is_multiple_of(31)
        }
        _ => false,
    }
}

enum Stopped {
    TooLarge,
    NoRoom,
    Damaged,
}

struct Bound {
    bytes_max: usize,
    /// Bytes reserved for the compressed body, which stays in memory meanwhile.
    before: usize,
}

impl Bound {
    fn drain(&self, mut from: impl Read, reservation: &mut Reservation) -> Result<Vec<u8>, Stopped> {
        let mut out = Vec::new();
        loop {
            // One byte more than allowed tells too much from just enough.
            let room = out.len().max(STEP_BYTES).min(self.bytes_max + 1 - out.len());
            if !reservation.cover(self.before + out.len() + room) {
                return Err(Stopped::NoRoom);
            }
            out.reserve_exact(room);
            let read = from.by_ref().take(room as u64).read_to_end(&mut out).map_err(|_| Stopped::Damaged)?;
            if out.len() > self.bytes_max {
                return Err(Stopped::TooLarge);
            }
            if read < room {
                return Ok(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write};
    use prometheus_client::metrics::gauge::Gauge;

    use super::{super::budget::Budget, *};

    fn compress(encoding: &str, bytes: &[u8]) -> Vec<u8> {
        fn through<W: Write>(mut writer: W, bytes: &[u8]) -> W {
            writer.write_all(bytes).unwrap();
            writer
        }
        let level = Compression::default();
        match encoding {
            "gzip" => through(write::GzEncoder::new(Vec::new(), level), bytes).finish().unwrap(),
            "zlib" => through(write::ZlibEncoder::new(Vec::new(), level), bytes).finish().unwrap(),
            "raw" => through(write::DeflateEncoder::new(Vec::new(), level), bytes).finish().unwrap(),
            "zstd" => zstd::encode_all(bytes, 3).unwrap(),
            _ => through(brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22), bytes).into_inner(),
        }
    }

    const ALL: [(&str, Encoding); 5] = [
        ("gzip", Encoding::Gzip),
        ("zlib", Encoding::Deflate),
        ("raw", Encoding::Deflate),
        ("zstd", Encoding::Zstd),
        ("br", Encoding::Brotli),
    ];

    fn unpack(encoding: Encoding, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Undecoded> {
        let budget = Budget::new(64 << 20, Gauge::default());
        decode(encoding, bytes, bytes_max, &mut budget.reserve(bytes.len()).unwrap())
    }

    #[test]
    fn what_was_packed_comes_out() {
        for length in [0, 1, 1_000, STEP_BYTES - 1, STEP_BYTES, STEP_BYTES + 1, 1_000_000] {
            let bytes: Vec<u8> = (0..length).map(|at: usize| (at * at % 251) as u8).collect();
            for (name, encoding) in ALL {
                let packed = compress(name, &bytes);
                assert!(unpack(encoding, &packed, length.max(1)) == Ok(bytes.clone()), "{name} {length}");
                if length > 1 {
                    assert_eq!(unpack(encoding, &packed, length - 1), Err(Undecoded::TooLarge), "{name} {length}");
                }
            }
        }
    }

    #[test]
    fn a_bomb_costs_no_more_than_the_bound() {
        let zeros = vec![0; 64 << 20];
        for (name, encoding) in ALL {
            let packed = compress(name, &zeros);
            let gauge = Gauge::default();
            let budget = Budget::new(packed.len() + (2 << 20) + 1, gauge.clone());
            let mut reservation = budget.reserve(packed.len()).unwrap();
            assert_eq!(decode(encoding, &packed, 2 << 20, &mut reservation), Err(Undecoded::TooLarge), "{name}");
            assert!(gauge.get() as usize <= packed.len() + (2 << 20) + 1);
            assert_eq!(decode(encoding, &packed, 4 << 20, &mut reservation), Err(Undecoded::NoRoom), "{name}");
        }
    }

    #[test]
    fn damage_is_found() {
        let text = b"{\"type\":\"track\",\"event\":\"e\",\"userId\":\"u\",\"messageId\":\"m\"}".repeat(50);
        for (name, encoding) in ALL {
            let packed = compress(name, &text);
            if name != "raw" && name != "zlib" {
                let cut = &packed[..packed.len() - 1];
                assert_eq!(unpack(encoding, cut, 1 << 20), Err(Undecoded::Damaged(encoding)), "{name}");
            }
            assert_eq!(
                unpack(encoding, b"\xffnothing of the kind", 1 << 20),
                Err(Undecoded::Damaged(encoding)),
                "{name}"
            );
        }
    }

    #[test]
    fn headers_name_one_encoding() {
        let check = |values: &[&'static str], expected: Option<Encoding>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_ENCODING, value.parse().unwrap());
            }
            assert_eq!(Encoding::of(&headers).ok(), expected, "{values:?}");
        };
        check(&[], Some(Encoding::Identity));
        check(&["GZip"], Some(Encoding::Gzip));
        check(&["x-gzip"], Some(Encoding::Gzip));
        check(&[" br "], Some(Encoding::Brotli));
        check(&["identity"], Some(Encoding::Identity));
        check(&["gzip, br"], None);
        check(&["gzip", "br"], None);
        check(&["lzma"], None);
    }
}
