//! What a move has made of a cluster, which every node looks for before it starts. Never changes anything else.

use crate::{
    fault::Fault,
    sql::connection::{Connection, Transaction},
};

/// The name of the setting.
const SETTING: &str = "move";

/// What a move has made of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// It takes everything over, and does not have all of it.
    Arriving,
    /// What it held was moved away.
    Left,
}

impl Mark {
    fn word(self) -> &'static str {
        match self {
            Mark::Arriving => "arriving",
            Mark::Left => "left",
        }
    }

    /// What whoever would start a node is told.
    pub fn says(self) -> String {
        let says = match self {
            Mark::Arriving => {
                "a data directory is being moved into this cluster, or a move was cut short; run `muster move` again to its end"
            }
            Mark::Left => {
                "what this cluster held was moved into a data directory, and is used there; to use the cluster all the same, delete \
                 the row named 'move' of its table \"setting\""
            }
        };
        says.to_owned()
    }
}

/// What a move has made of the cluster, if there was one.
pub fn of(connection: &mut Connection) -> Result<Option<Mark>, Fault> {
    let rows = connection.ask("select value from setting where name = $1", &[&SETTING])?;
    let Some(word) = rows.first().map(|row| row.get::<_, String>(0)) else { return Ok(None) };
    let known = [Mark::Arriving, Mark::Left].into_iter().find(|mark| mark.word() == word);
    known.map(Some).ok_or(Fault::Damaged("what a move has made of this cluster"))
}

/// Notes what a move makes of the cluster, or that it is as any other.
pub fn put(transaction: &mut Transaction<'_>, mark: Option<Mark>) -> Result<(), Fault> {
    match mark {
        None => transaction.execute("delete from setting where name = $1", &[&SETTING])?,
        Some(mark) => {
            let put = "insert into setting (name, value) values ($1, $2) on conflict (name) do update set value = excluded.value";
            transaction.execute(put, &[&SETTING, &mark.word()])?
        }
    };
    Ok(())
}
