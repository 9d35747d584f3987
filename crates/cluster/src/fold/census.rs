//! What workspaces come to: how many messages ever arrived, how many there are, and how many records of each kind.

use muster_model::{id::WorkspaceId, kind::RecordKind};

use crate::{fault::Fault, sql::connection::Transaction};

/// The numbers of one workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub workspace: i32,
    /// Messages that ever arrived.
    pub arrived: i64,
    /// Messages that there are.
    pub messages: i64,
    /// Records, in the order of [`KINDS`].
    pub records: [i64; KINDS.len()],
    /// Whether anything was ever deleted.
    pub deleted: bool,
    /// Messages up to this number of arrival lie in files, the others in the table.
    pub filed: i64,
    /// How often rows of the table were removed or changed.
    pub erasures: i64,
    /// Of which kinds records were left whose first and last track are uncertain. Kept nowhere.
    pub doubtful: [bool; KINDS.len()],
}

/// The kinds, in the order of the table's columns.
const KINDS: [RecordKind; 7] = RecordKind::ALL;

/// What [`read`] reads, in its order.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select workspace, arrived, messages, organizations, accounts, users, instances, custom_objects, responses,
            anonymous, deleted, filed, erasures from census",
            $rest
        )
    };
}

const HOLD: &str = select!(" where workspace = $1 for update");
const ALL: &str = select!("");
const ONE: &str = select!(" where workspace = $1");
const KEEP: &str =
    "update census set arrived = $2, messages = $3, organizations = $4, accounts = $5, users = $6, instances = $7,
    custom_objects = $8, responses = $9, anonymous = $10, deleted = $11, filed = $12, erasures = $13 where workspace = $1";

impl Census {
    /// Holds a workspace until the end of the transaction: nobody else changes anything in it meanwhile.
    pub fn hold(transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<Census, Fault> {
        let row = transaction.query_opt(HOLD, &[&(workspace.0 as i32)])?;
        Ok(read(&row.ok_or(Fault::NoWorkspace)?))
    }

    /// A workspace, without holding it.
    pub fn look(transaction: &mut Transaction<'_>, workspace: WorkspaceId) -> Result<Option<Census>, Fault> {
        Ok(transaction.query_opt(ONE, &[&(workspace.0 as i32)])?.as_ref().map(read))
    }

    /// Every workspace's.
    pub fn all(transaction: &mut Transaction<'_>) -> Result<Vec<Census>, Fault> {
        Ok(transaction.query(ALL, &[])?.iter().map(read).collect())
    }

    /// Writes the numbers.
    pub fn keep(&self, transaction: &mut Transaction<'_>) -> Result<(), Fault> {
        let [a, b, c, d, e, f, g] = &self.records;
        let params: [&(dyn postgres::types::ToSql + Sync); 13] = [
            &self.workspace,
            &self.arrived,
            &self.messages,
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            &self.deleted,
            &self.filed,
            &self.erasures,
        ];
        transaction.execute(KEEP, &params)?;
        Ok(())
    }

    /// Counts a record that is new, or gone.
    pub fn count(&mut self, kind: RecordKind, by: i64) {
        if let Some(place) = KINDS.iter().position(|known| *known == kind) {
            self.records[place] += by;
        }
    }

    /// Notes a record whose first and last track are uncertain.
    pub fn doubt(&mut self, kind: RecordKind) {
        if let Some(place) = KINDS.iter().position(|known| *known == kind) {
            self.doubtful[place] = true;
        }
    }

    /// The kinds of such records.
    pub fn doubtful(&self) -> impl Iterator<Item = RecordKind> {
        KINDS.into_iter().zip(self.doubtful).filter(|(_, doubtful)| *doubtful).map(|(kind, _)| kind)
    }

    /// How many records there are of a kind.
    pub fn of(&self, kind: RecordKind) -> u64 {
        KINDS.iter().position(|known| *known == kind).map_or(0, |place| self.records[place] as u64)
    }
}

fn read(row: &postgres::Row) -> Census {
    Census {
        workspace: row.get(0),
        arrived: row.get(1),
        messages: row.get(2),
        records: std::array::from_fn(|place| row.get(3 + place)),
        deleted: row.get(10),
        filed: row.get(11),
        erasures: row.get(12),
        doubtful: [false; KINDS.len()],
    }
}
