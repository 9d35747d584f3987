//! A Rust file as a flat list of tokens with line numbers.
//!
//! Guarantees that text in comments, strings and documentation is never mistaken for code, inside macro calls too.
//! Never resolves names or types: the checks that use it are about what is written, not about what it means.

/// Tokens in one flat list; every bracket knows its partner.
mod token;

/// Which stretches of a file are test code.
mod region;

/// Functions and module declarations.
mod item;

/// Paths such as `std::fs::File`, with `use` groups written out.
mod path;

/// A parsed file: the four above, put together.
mod file;

pub use file::Source;
