//! A column, and how it can be looked up.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// JSON text.
    Json,
    /// ISO 8601 text with milliseconds and `Z`.
    Instant,
    Integer,
    Real,
    /// Whatever a value of JSON is.
    Any,
}

impl Kind {
    /// The type in a word, for people.
    pub fn told(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Json => "JSON",
            Kind::Instant => "time",
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Any => "any",
        }
    }

    /// The type in the declaration, which also says how SQLite compares the column. A type of several words may say
    /// more than SQLite cares for.
    pub fn declared(self) -> &'static str {
        match self {
            Kind::Text | Kind::Json | Kind::Instant => "text",
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Any => "",
        }
    }
}

/// What a condition on a column can be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing; SQLite compares every row.
    None,
    /// One or several names. Beside it one over the share of rows that a name is expected to leave: `0` stands for one
    /// row.
    Name { share: u32 },
    /// Bounds of time.
    Time,
    /// Bounds of time, by whole days; nobody sees the column who does not name it.
    Day,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub lookup: Lookup,
}

impl Column {
    /// A column that SQLite compares itself.
    pub const fn plain(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, lookup: Lookup::None }
    }

    /// A column of names.
    pub const fn names(name: &'static str, share: u32) -> Column {
        Column { name, kind: Kind::Text, lookup: Lookup::Name { share } }
    }

    /// A column that names one row.
    pub const fn key(name: &'static str) -> Column {
        Column::names(name, 0)
    }

    /// A column of the days of instants, which shows only where it is named.
    pub const fn day(name: &'static str) -> Column {
        Column { name, kind: Kind::Text, lookup: Lookup::Day }
    }

    /// Whether it shows only where it is named.
    pub fn is_hidden(&self) -> bool {
        self.lookup == Lookup::Day
    }

    /// A column of instants that can be looked up.
    pub const fn time(name: &'static str) -> Column {
        Column { name, kind: Kind::Instant, lookup: Lookup::Time }
    }
}
