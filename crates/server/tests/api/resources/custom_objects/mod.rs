//! Custom objects: `/resources/customObjects`.

/// The objects themselves.
mod objects;

/// Their instances.
mod instances;
