//! Handing everything out, as one transaction sees it. Changes nothing but the cluster's last word, and what was accepted before.

use std::{
    cell::RefCell,
    sync::Arc,
    time::{Duration, Instant},
};

use muster_history::{manifest::unreadable, restore};
use muster_model::{
    association::Statement,
    id::{Identity, RecordId, WorkspaceId},
    kind::RecordKind,
    register::Stamp,
    time::Micros,
};
use muster_store::{
    batch::decode_refused,
    catalogue::{KnownTrait, Model, TraitTypes},
    credentials::Workspace,
    follow::Follower,
    import::{self, Owned},
    lists::{kept_seen, with_seen},
    record,
    transfer::{Piece, Place, Take, TransferError},
};
use postgres::Row;

use super::{hold_lanes, source_failed, target_failed};
use crate::{
    cluster::{Cluster, Inner, OpenError},
    fault::Fault,
    fold::{census::Census, plan::owners},
    follow::{filed, letters},
    imports,
    mark::{self, Mark},
    options::Options,
    read::{
        book::{Book, decoded},
        cursor::{Cursor, RECORDS},
        deletions,
        lists::settle,
        seen,
    },
    registry::held::Held,
    sql::{
        connection::{Connection, Mode},
        values::{At, Id},
    },
    status::end,
};

/// How long is waited until everything that was accepted is folded in.
const FOLDED_WITHIN: Duration = Duration::from_secs(600);
const LETTERS_AT_ONCE: usize = 1_000;

const PLACES: &str = "select id, place from follower where workspace = $1";
const LAST_SAVED: &str = "select last from counter where workspace = $1 and name = 'saved'";
const DELETIONS: &str = "select body from deletion where workspace = $1";
const IMPORTS: &str = "select body from import where workspace = $1";
const PROFILES: &str = "select body from profile where workspace = $1 order by kind, id";
const CHILDREN: &str =
    "select parent_kind, parent, kind, id from child where workspace = $1 order by parent_kind, parent, kind, id";
const STATEMENTS: &str =
    "select parents, about, ordered_at, identity, parent, links from statement where workspace = $1
    order by parents, about, ordered_at, identity";
const STATED: &str =
    "select kind, object, key, created_at, types from stated where workspace = $1 order by kind, object, key";
const IDENTITIES: &str =
    "select identity, content, received_at, owners from identity where workspace = $1 order by identity";
const REFUSED: &str = "select body from refused where workspace = $1";

/// A cluster that no node works on any more.
pub struct Source {
    cluster: Cluster,
    /// Holds the locks of all lanes.
    connection: Connection,
    positions: Vec<(u32, u64)>,
    /// Of what every node holds in memory, as it was handed out.
    version: i64,
}

impl Source {
    /// Opens a cluster, folds in what was accepted, and holds on to it.
    ///
    /// # Errors
    /// While any of its nodes runs.
    pub fn open(options: Options) -> Result<Source, TransferError> {
        let failed = |error: OpenError| TransferError::Source(error.to_string());
        // One that was left may have been left by an attempt that was cut.
        let options = Options { takes: false, applies: true, ..options };
        let cluster = Cluster::open_marked(options, Mark::Left).map_err(failed)?;
        cluster.fold_in(FOLDED_WITHIN)?;
        let inner = &cluster.inner;
        let ending = Arc::clone(inner);
        inner.wait_for(async move { end(&ending).await }).map_err(source_failed)?;
        let mut connection = Connection::open(&inner.config).map_err(source_failed)?;
        hold_lanes(&mut connection, inner.lanes.count())?;
        let archive = Arc::clone(&inner.archive);
        for workspace in &inner.registry.held().workspaces {
            settle::all(&mut connection, &archive, workspace.id).map_err(source_failed)?;
        }
        let (transaction, positions) = connection.begin_with_lanes(None).map_err(source_failed)?;
        drop(transaction);
        let source = Source { cluster, connection, positions, version: 0 };
        source.check()?;
        Ok(source)
    }

    /// Opens a cluster with which nodes go on, to hand out what it holds as of one moment. It cannot be left.
    pub fn look(options: Options) -> Result<Source, TransferError> {
        let failed = |error: OpenError| TransferError::Source(error.to_string());
        let cluster = Cluster::open(Options { takes: false, applies: true, ..options }).map_err(failed)?;
        cluster.fold_in(FOLDED_WITHIN)?;
        let connection = Connection::open(&cluster.inner.config).map_err(source_failed)?;
        Ok(Source { cluster, connection, positions: Vec::new(), version: 0 })
    }

    /// Makes sure that nothing was accepted which is not folded in.
    fn check(&self) -> Result<(), TransferError> {
        for (lane, position) in self.positions.iter().copied() {
            let stream = self.cluster.inner.stream.clone();
            let last = self.cluster.inner.wait_for(async move { stream.last_sequence(lane).await });
            let last = last.and_then(|last| last).map_err(source_failed)?;
            if last > position {
                let says = "the cluster takes messages; stop all of its nodes, and try again";
                return Err(TransferError::Busy(says.to_owned()));
            }
        }
        Ok(())
    }

    /// Hands it all out.
    pub fn each(&mut self, take: &mut Take<'_>) -> Result<(), TransferError> {
        let inner = Arc::clone(&self.cluster.inner);
        let transaction = RefCell::new(self.connection.begin(Mode::Read, None).map_err(source_failed)?);
        let held = Held::read(&mut transaction.borrow_mut()).map_err(source_failed)?;
        self.version = held.version;
        held.workspaces.iter().try_for_each(|workspace| take(Piece::Workspace(workspace.clone())))?;
        held.keys.iter().try_for_each(|(key, hash)| take(Piece::Key((**key).clone(), *hash)))?;
        held.members.iter().try_for_each(|(of, member)| take(Piece::Member(*of, member.clone())))?;
        held.saved.iter().try_for_each(|(of, saved)| take(Piece::Saved(*of, saved.clone())))?;
        for Workspace { id, .. } in &held.workspaces {
            let row = transaction.borrow_mut().query_opt(LAST_SAVED, &[&(id.0 as i32)]).map_err(source_failed)?;
            take(Piece::LastSaved(*id, row.map_or(0, |row| row.get::<_, i64>(0) as u64)))?;
        }
        for Workspace { id, .. } in &held.workspaces {
            transaction.borrow_mut().enter(*id).map_err(source_failed)?;
            let followers = held.followers.iter().filter(|follower| follower.workspace == *id).cloned().collect();
            let handing = Handing { inner: &inner, book: Book::new(&transaction, *id, &inner.archive) };
            handing.followers(followers, take)?;
            handing.tables(take)?;
            handing.messages(take)?;
        }
        Ok(())
    }

    /// No node starts on the cluster any more. Fails if anything was accepted or changed meanwhile.
    pub fn leave(mut self) -> Result<(), TransferError> {
        self.check()?;
        let mut transaction = self.connection.begin(Mode::Write, None).map_err(target_failed)?;
        if Held::version(&mut transaction).map_err(target_failed)? != self.version {
            let says = "keys, members, views or destinations were changed meanwhile; stop all nodes, and try again";
            return Err(TransferError::Busy(says.to_owned()));
        }
        mark::put(&mut transaction, Some(Mark::Left)).map_err(target_failed)?;
        transaction.commit().map_err(target_failed)
    }
}

impl Cluster {
    /// Waits until everything that was accepted is folded in.
    pub(super) fn fold_in(&self, within: Duration) -> Result<(), TransferError> {
        let until = Instant::now() + within;
        loop {
            let inner = Arc::clone(&self.inner);
            let folded = self.inner.wait_for(async move { inner.fresh(None).await });
            match folded.map_err(source_failed)? {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() >= until => return Err(TransferError::Source(error.to_string())),
                Err(_) => {}
            }
        }
    }
}

/// Hands out one workspace.
struct Handing<'t, 'c> {
    inner: &'t Arc<Inner>,
    book: Book<'t, 'c>,
}

/// Reads a piece out of a row.
type Read = fn(WorkspaceId, &Row) -> Result<Piece, Fault>;

impl Handing<'_, '_> {
    fn of(&self) -> WorkspaceId {
        self.book.of()
    }

    fn followers(&self, followers: Vec<Follower>, take: &mut Take<'_>) -> Result<(), TransferError> {
        if followers.is_empty() {
            return Ok(());
        }
        let rows = self.book.transaction().query(PLACES, &[&self.book.workspace()]).map_err(source_failed)?;
        let places: Vec<(i64, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        let place = |follower: &Follower| places.iter().find(|(id, _)| *id as u64 == follower.id.0).map(|(_, at)| *at);
        let census = Census::look(&mut self.book.transaction(), self.of()).map_err(source_failed)?.unwrap_or_default();
        // Whoever has had nothing reads the history; of the others the one that is furthest behind says what is handed out.
        let begun = followers.iter().filter_map(place).filter(|place| *place > 0);
        let first = begun.min().unwrap_or(census.arrived);
        let all = self.after(first, census.filed).map_err(source_failed)?;
        for follower in followers {
            let at = place(&follower).ok_or_else(|| source_failed(Fault::Damaged("the place of a follower")))?;
            let place = if at == 0 && census.arrived > 0 {
                Place { past: Some(((Micros::MIN, Identity(0)), None)), had: all }
            } else {
                Place { past: None, had: all - self.after(at, census.filed).map_err(source_failed)?.min(all) }
            };
            let whose = (self.of(), follower.id);
            take(Piece::Follower(follower, place))?;
            let mut after = None;
            loop {
                let page = letters::page(&mut self.book.transaction(), whose, after, LETTERS_AT_ONCE);
                let page = page.map_err(source_failed)?;
                page.letters.into_iter().try_for_each(|letter| take(Piece::Letter(self.of(), whose.1, letter)))?;
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        self.pending(first, census.filed, take)
    }

    /// How many messages arrived after a number.
    fn after(&self, place: i64, filed: i64) -> Result<u64, Fault> {
        let count = "select count(*) from message where workspace = $1 and arrived > $2";
        let row = self.book.transaction().query_one(count, &[&self.book.workspace(), &place.max(filed)])?;
        Ok(row.get::<_, i64>(0) as u64 + filed::count(&self.book, place)?)
    }

    /// The messages that arrived after a number, in order.
    fn pending(&self, first: i64, filed: i64, take: &mut Take<'_>) -> Result<(), TransferError> {
        let mut at = first;
        while at < filed {
            let piece = filed::read(&self.book, at, filed).map_err(source_failed)?;
            piece.after(at).try_for_each(|(_, record)| take(Piece::Pending(self.of(), record.to_vec())))?;
            at = piece.end();
        }
        self.rows("arrived > $2 order by arrived", at.max(filed), &mut |record| take(Piece::Pending(self.of(), record)))
    }

    /// Messages in the table.
    fn rows(
        &self,
        which: &str,
        number: i64,
        take: &mut dyn FnMut(Vec<u8>) -> Result<(), TransferError>,
    ) -> Result<(), TransferError> {
        let sql = format!("select {RECORDS} from message where workspace = $1 and {which}");
        let params: [&(dyn postgres::types::ToSql + Sync); 2] = [&self.book.workspace(), &number];
        let cursor = Cursor::open(&mut self.book.transaction(), "moving", &sql, &params);
        let mut cursor = cursor.map_err(source_failed)?;
        loop {
            let some = cursor.records(&mut self.book.transaction(), self.of()).map_err(source_failed)?;
            if some.is_empty() {
                return cursor.close(&mut self.book.transaction()).map_err(source_failed);
            }
            some.into_iter().try_for_each(|(_, record)| take(record))?;
        }
    }

    fn tables(&self, take: &mut Take<'_>) -> Result<(), TransferError> {
        let tables: [(&str, Read); 8] = [
            (DELETIONS, deletion),
            (IMPORTS, import),
            (PROFILES, profile),
            (CHILDREN, child),
            (STATEMENTS, statement),
            (STATED, stated),
            (IDENTITIES, identity),
            (REFUSED, refused),
        ];
        for (sql, read) in tables {
            let cursor = self.book.transaction().open_cursor(sql, &[&self.book.workspace()]).map_err(source_failed)?;
            loop {
                let rows = self.book.transaction().fetch(&cursor).map_err(source_failed)?;
                if rows.is_empty() {
                    break;
                }
                for row in &rows {
                    let piece = read(self.of(), row).map_err(source_failed)?;
                    if let Piece::Import(_, import) = &piece
                        && matches!(import.stage, import::Stage::Undoing { .. })
                    {
                        let says = "an import is being taken back; try again when it is done";
                        return Err(TransferError::Busy(says.to_owned()));
                    }
                    take(self.certain(piece)?)?;
                }
            }
        }
        Ok(())
    }

    /// With the first and last track of a record as they are by what the transaction sees.
    fn certain(&self, piece: Piece) -> Result<Piece, TransferError> {
        match piece {
            Piece::Profile(of, profile) if !kept_seen(&profile).1 => {
                let seen = seen::of(&self.book, &profile).map_err(source_failed)?;
                Ok(Piece::Profile(of, with_seen(&profile, seen)))
            }
            piece => Ok(piece),
        }
    }

    fn messages(&self, take: &mut Take<'_>) -> Result<(), TransferError> {
        let ids = self.book.ids().map_err(source_failed)?;
        let archive = &self.inner.archive;
        for segment in self.book.segments().map_err(source_failed)? {
            let room = archive.room().map_err(source_failed)?;
            let here = archive.fetch(&segment, &room).map_err(source_failed)?;
            let odd = || source_failed(Fault::Read(unreadable(&segment, &"unexpected columns")));
            for batch in restore::batches(&here, None).map_err(|error| source_failed(error.into()))? {
                let batch = batch.map_err(|error| source_failed(error.into()))?;
                let rows = restore::Rows::of(&batch).ok_or_else(odd)?;
                for row in 0..batch.num_rows() {
                    let mut bytes = Vec::new();
                    record::encode(&rows.message(row, ids).ok_or_else(odd)?, &mut bytes);
                    take(Piece::Message(self.of(), bytes))?;
                }
            }
        }
        self.rows("arrived > $2 order by arrived", 0, &mut |record| take(Piece::Message(self.of(), record)))
    }
}

fn kind(row: &Row, column: usize) -> Result<RecordKind, Fault> {
    let number = u8::try_from(row.get::<_, i16>(column)).ok();
    number.and_then(RecordKind::from_number).ok_or(Fault::Damaged("a kind of record"))
}

fn record_id(row: &Row, column: usize) -> RecordId {
    row.get::<_, Id>(column).record()
}

fn deletion(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    Ok(Piece::Deletion(of, deletions::decoded(row.get(0))?))
}

fn import(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    Ok(Piece::Import(of, imports::decoded(row.get(0))?))
}

fn profile(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    Ok(Piece::Profile(of, Arc::unwrap_or_clone(decoded(row, 0)?)))
}

fn child(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    Ok(Piece::Child(of, (kind(row, 0)?, record_id(row, 1)), (kind(row, 2)?, record_id(row, 3))))
}

fn statement(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    let stamp = Stamp { at: row.get::<_, At>(2).0, by: row.get::<_, Id>(3).identity() };
    let said = Statement { stamp, parent: record_id(row, 4), links: row.get(5) };
    Ok(Piece::Statement(of, (kind(row, 0)?, record_id(row, 1)), said))
}

fn stated(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    let object = Some(record_id(row, 1)).filter(|id| id.0 != 0);
    let key = String::from_utf8(row.get(2)).map_err(|_| Fault::Damaged("the catalogue of traits"))?;
    let types = TraitTypes::from_bits(row.get::<_, i16>(4) as u8);
    let known = KnownTrait { key: key.into(), created_at: row.get::<_, At>(3).0, types };
    Ok(Piece::Stated(of, Model { kind: kind(row, 0)?, object }, known))
}

fn identity(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    let (identity, content) = (row.get::<_, Id>(0).identity(), row.get::<_, i64>(1) as u64);
    let (received_at, owners) = (row.get::<_, At>(2).0, owners(row.get(3)));
    Ok(Piece::Identity(of, Owned { identity, content, received_at, owners }))
}

fn refused(of: WorkspaceId, row: &Row) -> Result<Piece, Fault> {
    let refused = decode_refused(row.get(0)).map_err(|_| Fault::Damaged("a message set aside"))?;
    Ok(Piece::Refused(of, refused.into_owned()))
}
