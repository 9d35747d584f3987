//! A column, and how it can be looked up.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// JSON text.
    Json,
    /// ISO 8601 text with milliseconds and `Z`.
    Instant,
    /// `2024-05-15`.
    Date,
    Integer,
    /// A number that follows from rows of others, compared as such a one.
    Count,
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
            Kind::Date => "date",
            Kind::Integer | Kind::Count => "integer",
            Kind::Real => "real",
            Kind::Any => "any",
        }
    }

    /// The type in the declaration, which also says how SQLite compares the column. A type of several words may say
    /// more than SQLite cares for.
    pub fn declared(self) -> &'static str {
        match self {
            Kind::Text | Kind::Json | Kind::Instant | Kind::Date => "text",
            Kind::Integer => "integer",
            Kind::Real => "real",
            Kind::Any | Kind::Count => "",
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
    /// Bounds of time, by whole days.
    Day,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: Kind,
    pub lookup: Lookup,
    /// Whether it shows only where it is named.
    pub hidden: bool,
}

impl Column {
    /// A column that SQLite compares itself.
    pub const fn plain(name: &'static str, kind: Kind) -> Column {
        Column { name, kind, lookup: Lookup::None, hidden: false }
    }

    /// A column of names.
    pub const fn names(name: &'static str, share: u32) -> Column {
        Column { name, kind: Kind::Text, lookup: Lookup::Name { share }, hidden: false }
    }

    /// A column that names one row.
    pub const fn key(name: &'static str) -> Column {
        Column::names(name, 0)
    }

    /// A column of the days of instants.
    pub const fn day(name: &'static str) -> Column {
        Column { name, kind: Kind::Date, lookup: Lookup::Day, hidden: false }
    }

    /// The same column, shown only where it is named.
    pub const fn hidden(self) -> Column {
        Column { hidden: true, ..self }
    }

    /// A column of instants that can be looked up.
    pub const fn time(name: &'static str) -> Column {
        Column { name, kind: Kind::Instant, lookup: Lookup::Time, hidden: false }
    }
}
