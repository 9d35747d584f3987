//! The tables: what they are called, what columns they have, what can be looked up in them.
//!
//! Each table is a list of columns and a way to open a `Source` of rows for what a query looks
//! up. How SQLite is told of it lies in the file `module.rs`, which is the same for all of them.

/// What the tables of one query share.
mod session;

/// A column, and how it can be looked up.
mod column;

/// From SQLite's conditions to what a source is asked for, and what that costs.
mod plan;

/// Instants as text, and the instants that a comparison of texts means.
pub(crate) mod instants;

/// Values of a row, and where rows come from.
pub(crate) mod source;

/// `organizations`, `accounts` and `users`.
mod records;

/// Records that were looked up.
mod found;

/// `links`.
mod links;

/// `events` and `messages`.
pub(crate) mod messages;

/// `traits`.
mod traits;

/// `daily`.
mod daily;

/// Events in an order.
mod sorted;

/// Texts by numbers.
mod dictionary;

/// Short records in order.
mod runs;

/// JSON values as SQL values.
mod json;

/// The virtual tables as SQLite calls them.
mod module;

pub use module::register;
pub use session::{Session, TraitNames};

use column::Column;

/// Every table, in the order of the documentation.
pub const NAMES: [&str; 8] = ["organizations", "accounts", "users", "links", "events", "messages", "traits", "daily"];

/// Tables of SQLite's own that take a value apart.
const OF_VALUES: [&str; 4] = ["json_each", "json_tree", "jsonb_each", "jsonb_tree"];

/// Every table with the names and the types of its columns, for people.
#[must_use]
pub fn outline() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let shown = |table: Table| table.columns().iter().filter(|column| !column.hidden);
    let kinds = |table: Table| shown(table).map(|column| (column.name, column.kind.told())).collect();
    Table::ALL.iter().map(|table| (table.name(), kinds(*table))).collect()
}

/// Whether a query may read a table of this name.
pub fn is_known(table: &str) -> bool {
    NAMES.iter().chain(&OF_VALUES).any(|known| known.eq_ignore_ascii_case(table))
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Organizations,
    Accounts,
    Users,
    Links,
    Events,
    Messages,
    Traits,
    Daily,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 8] = [
        Table::Organizations,
        Table::Accounts,
        Table::Users,
        Table::Links,
        Table::Events,
        Table::Messages,
        Table::Traits,
        Table::Daily,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Its columns, in order.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Table::Organizations => records::ORGANIZATIONS,
            Table::Accounts => records::ACCOUNTS,
            Table::Users => records::USERS,
            Table::Links => links::COLUMNS,
            Table::Events => messages::EVENTS,
            Table::Messages => messages::MESSAGES,
            Table::Traits => traits::COLUMNS,
            Table::Daily => daily::COLUMNS,
        }
    }

    /// Its declaration, for SQLite.
    pub fn declaration(self) -> String {
        let hidden = |column: &Column| if column.hidden { " hidden" } else { "" };
        let columns = self.columns().iter();
        let columns = columns.map(|column| format!("{} {}{}", column.name, column.kind.declared(), hidden(column)));
        format!("create table {}({})", self.name(), columns.collect::<Vec<String>>().join(", "))
    }

    fn open(self, session: &std::sync::Arc<Session>, lookup: plan::Lookup) -> source::Opened {
        match self {
            Table::Organizations | Table::Accounts | Table::Users => records::open(self, session, lookup),
            Table::Links => links::open(session, lookup),
            Table::Events | Table::Messages => messages::open(self, session, lookup),
            Table::Traits => traits::open(session, lookup),
            Table::Daily => daily::open(session, lookup),
        }
    }
}
