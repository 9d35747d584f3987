//! The byte form of what stores keep beside messages.
//!
//! Conversions are written out, field by field; the model knows nothing of them. Every value starts with the version of
//! its layout. Whoever keeps these bytes checks their integrity, so what is read here is what was written; a layout that
//! does not fit is damage all the same and is reported, never guessed around.

/// The parts of a value.
pub use crate::byte_form as bytes;

/// Stamps, spans, parents and tallies.
pub mod stamps;

/// A profile: what every kind has, then what only its kind has.
pub mod profile;

/// What only organizations have.
pub mod organization;

/// What only accounts have.
pub mod account;

/// What only users have.
pub mod user;

/// What only custom object instances have.
pub mod custom_object_instance;

/// What only NPS responses have.
pub mod nps_response;

/// What only anonymous ids have.
pub mod anonymous;

/// Deletions.
pub mod deletion;

/// Imports.
pub mod import;

/// Workspaces and keys.
pub mod credentials;
