//! Taking everything over, into a cluster that holds nothing yet.
//!
//! Messages that some follower has not had get numbers of arrival after all others, in the order in which followers get them, and
//! lie in the table; the others go into files, where there is a bucket. Where a follower has still to read part of the history,
//! what was received after that part's beginning has higher numbers than what was received before.

use std::{cell::RefCell, collections::BTreeMap};

use super::{hold_lanes, numbers::Numbers, registered, target_failed};
use crate::{
    archive::{filing, manifest},
    cluster::{Cluster, OpenError},
    erase::{decree, tombstones},
    fault::Fault,
    fold::{
        census::Census,
        plan::insert_identities,
        refusals::Refusals,
        rows::{EventDays, insert_rows, insert_stated},
        sheet::Sheet,
        write,
    },
    follow::letters,
    imports,
    mark::{self, Mark},
    options::Options,
    read::book::Book,
    sql::{
        connection::{Connection, Mode, Transaction},
        values::At,
    },
};
use muster_model::{
    association::Statement, deletion::Subject, id::WorkspaceId, message::Message, profile::Profile, time::Micros,
};
use muster_store::{
    catalogue::{KnownTrait, Model},
    deletion::{Delete, Deletion},
    follow::{Follower, FollowerId, Letter},
    import::{Import, Owned},
    record,
    refused::Refused,
    transfer::{About, Piece, Place, TransferError},
};

/// Records, with what was said of them, that are written together; and anything else that is small.
const RECORDS_AT_ONCE: usize = 2_000;
const IDENTITIES_AT_ONCE: usize = 10_000;
/// Messages, and their bytes, that go into the table together.
const ROWS_AT_ONCE: usize = 2_000;
const ROWS_BYTES: usize = 16 << 20;
/// Messages, and their bytes, that go into one file.
const FILE_ROWS: usize = 200_000;
const FILE_BYTES: usize = 64 << 20;

const FOLLOWER: &str = "insert into follower (id, workspace, name, settings, created_at, place)
    values ($1, $2, $3, $4, $5, $6)";
/// Everything but the version of the tables, the lanes and the settings.
const TABLES: &str = "letter, follower, saved, member, access_key, census, workspace, counter, identity, message, profile,
    place, searchable, child, statement, refused, stated, event_day, deletion, tombstone, tombstone_part, import, segment, outcome,
    parcel, unreadable";

/// A cluster that takes everything over.
pub struct Target {
    cluster: Cluster,
    /// Holds the locks of all lanes.
    _lanes: Connection,
    connection: Connection,
    was_cut: bool,
    of: Option<Workspace>,
    follower_max: u64,
}

/// What was taken of one workspace and is not written yet.
struct Workspace {
    id: WorkspaceId,
    census: Census,
    profiles: Vec<Profile>,
    children: Vec<(Subject, Subject)>,
    statements: Vec<(About, Statement)>,
    stated: Vec<(Model, KnownTrait)>,
    identities: Vec<Owned>,
    refused: Refusals,
    refused_count: usize,
    days: EventDays,
    followers: Vec<(Follower, Place)>,
    numbers: Numbers,
    /// Messages for a file or the table, and those that followers have not had, which go into the table.
    history: Rows,
    pending: Rows,
}

#[derive(Default)]
struct Rows {
    messages: Vec<(i64, Vec<u8>)>,
    bytes: usize,
}

impl Rows {
    fn put(&mut self, arrived: i64, message: Vec<u8>) {
        self.bytes += message.len();
        self.messages.push((arrived, message));
    }

    fn exceeds(&self, messages: usize, bytes: usize) -> bool {
        self.messages.len() >= messages || self.bytes >= bytes
    }

    fn take(&mut self) -> Vec<(i64, Vec<u8>)> {
        self.bytes = 0;
        std::mem::take(&mut self.messages)
    }
}

impl Target {
    /// Makes sure that the cluster can take everything over; changes nothing yet.
    ///
    /// # Errors
    /// When the cluster holds anything, or any of its nodes runs.
    pub fn begin(options: Options) -> Result<Target, TransferError> {
        let failed = |error: OpenError| TransferError::Target(error.to_string());
        let options = Options { takes: false, applies: false, ..options };
        let cluster = Cluster::open_marked(options, Mark::Arriving).map_err(failed)?;
        let mut lanes = Connection::open(&cluster.inner.config).map_err(target_failed)?;
        hold_lanes(&mut lanes, cluster.inner.lanes.count())?;
        let mut connection = Connection::open(&cluster.inner.config).map_err(target_failed)?;
        let was_cut = mark::of(&mut connection).map_err(target_failed)? == Some(Mark::Arriving);
        let workspaces = cluster.inner.registry.held().workspaces.len();
        if workspaces > 0 && !was_cut {
            let says = format!("the cluster holds {workspaces} workspaces already; give one that holds none");
            return Err(TransferError::Taken(says));
        }
        Ok(Target { cluster, _lanes: lanes, connection, was_cut, of: None, follower_max: 0 })
    }

    /// Whether an earlier attempt was cut, perhaps after its source had been left.
    pub fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Says that everything is to come, and removes what an earlier attempt has left. No node starts from here on.
    pub fn make_room(&mut self) -> Result<(), TransferError> {
        empty(&self.cluster, &mut self.connection).map_err(target_failed)
    }

    /// Takes a piece over.
    pub fn take(&mut self, piece: Piece) -> Result<(), TransferError> {
        match piece {
            Piece::Workspace(_) | Piece::Key(..) | Piece::Member(..) | Piece::Saved(..) | Piece::LastSaved(..) => {
                self.registered(&piece)
            }
            Piece::Follower(follower, place) => {
                self.follower_max = self.follower_max.max(follower.id.0);
                self.add_follower(&follower)?;
                let of = self.enter(follower.workspace)?;
                if let Some((after, _)) = place.past.filter(|(after, _)| after.0 > Micros(i64::MIN)) {
                    of.numbers.parts.push(after);
                }
                of.followers.push((follower, place));
                Ok(())
            }
            Piece::Letter(of, follower, letter) => self.letter(of, follower, letter),
            Piece::Pending(of, message) => {
                let head = record::peek(&message).map_err(|_| unreadable())?;
                self.enter(of)?.numbers.pend((head.received_at, head.identity));
                Ok(())
            }
            Piece::Deletion(of, deletion) => self.deletion(of, &deletion),
            Piece::Import(of, import) => self.import(of, import),
            Piece::Profile(of, profile) => self.record(of, |of| of.profiles.push(profile)),
            Piece::Child(of, parent, child) => self.record(of, |of| of.children.push((parent, child))),
            Piece::Statement(of, about, said) => self.record(of, |of| of.statements.push((about, said))),
            Piece::Stated(of, model, known) => self.record(of, |of| of.stated.push((model, known))),
            Piece::Identity(of, owned) => {
                let of = self.enter(of)?;
                of.identities.push(owned);
                if of.identities.len() >= IDENTITIES_AT_ONCE { self.write_records() } else { Ok(()) }
            }
            Piece::Refused(of, refused) => self.refused(of, refused),
            Piece::Message(of, message) => self.message(of, message),
        }
    }

    /// Writes what is left. No node starts yet.
    pub fn finish(&mut self) -> Result<(), TransferError> {
        self.end_workspace()?;
        let last = self.follower_max as i64;
        self.change(None, |transaction| {
            if last > 0 {
                registered::count(transaction, 0, "follower", last)?;
            }
            registered::changed(transaction)
        })?;
        // Plans are made by what PostgreSQL knows of its tables, which it finds out by itself only later.
        self.change(None, |transaction| transaction.run(&format!("analyze {TABLES}")))
    }

    /// The cluster is one as any other from now on.
    pub fn open_up(mut self) -> Result<(), TransferError> {
        self.change(None, |transaction| mark::put(transaction, None))
    }

    /// How the cluster is opened, and a connection to its state. Nobody holds its lanes any more.
    pub(super) fn into_parts(self) -> (Options, Connection) {
        (self.cluster.inner.options.clone(), self.connection)
    }

    fn change<T>(
        &mut self,
        of: Option<WorkspaceId>,
        change: impl FnOnce(&mut Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, TransferError> {
        super::change(&mut self.connection, of, change)
    }

    fn registered(&mut self, piece: &Piece) -> Result<(), TransferError> {
        self.change(None, |transaction| registered::insert(transaction, piece))
    }

    /// What is gathered of a workspace; that of another one is written first.
    fn enter(&mut self, id: WorkspaceId) -> Result<&mut Workspace, TransferError> {
        if self.of.as_ref().is_none_or(|of| of.id != id) {
            self.end_workspace()?;
            self.of = Some(Workspace {
                id,
                census: Census { workspace: id.0 as i32, ..Census::default() },
                profiles: Vec::new(),
                children: Vec::new(),
                statements: Vec::new(),
                stated: Vec::new(),
                identities: Vec::new(),
                refused: Refusals::default(),
                refused_count: 0,
                days: EventDays::default(),
                followers: Vec::new(),
                numbers: Numbers::default(),
                history: Rows::default(),
                pending: Rows::default(),
            });
        }
        self.of.as_mut().ok_or_else(unreadable)
    }

    fn record(&mut self, of: WorkspaceId, put: impl FnOnce(&mut Workspace)) -> Result<(), TransferError> {
        let of = self.enter(of)?;
        put(of);
        let waiting = of.profiles.len() + of.children.len() + of.statements.len() + of.stated.len();
        if waiting >= RECORDS_AT_ONCE { self.write_records() } else { Ok(()) }
    }

    fn refused(&mut self, of: WorkspaceId, refused: Refused<'static>) -> Result<(), TransferError> {
        let of = self.enter(of)?;
        of.refused.set_aside(refused);
        of.refused_count += 1;
        if of.refused_count >= RECORDS_AT_ONCE { self.write_records() } else { Ok(()) }
    }

    fn add_follower(&mut self, follower: &Follower) -> Result<(), TransferError> {
        let Follower { id, workspace, name, settings, created_at } = follower.clone();
        self.change(None, |transaction| {
            let params: [&(dyn postgres::types::ToSql + Sync); 6] =
                [&(id.0 as i64), &(workspace.0 as i32), &name, &settings, &At(created_at), &0_i64];
            transaction.execute(FOLLOWER, &params)?;
            Ok(())
        })
    }

    fn letter(&mut self, of: WorkspaceId, follower: FollowerId, letter: Letter) -> Result<(), TransferError> {
        self.change(Some(of), |transaction| letters::insert(transaction, (of, follower), &letter))
    }

    fn deletion(&mut self, of: WorkspaceId, deletion: &Deletion) -> Result<(), TransferError> {
        let erased = deletion.erasure().map(|erasure| Delete {
            id: deletion.id,
            root: deletion.root,
            requested_at: deletion.requested_at,
            key_id: deletion.key_id,
            at: erasure.at,
            subjects: erasure.subjects.clone(),
            parts: erasure.parts.clone(),
        });
        self.enter(of)?.census.deleted |= erased.is_some();
        self.change(Some(of), |transaction| {
            if let Some(delete) = &erased {
                tombstones::note(transaction, of.0 as i32, delete)?;
            }
            decree::keep(transaction, of.0 as i32, deletion)
        })
    }

    fn import(&mut self, of: WorkspaceId, import: Import) -> Result<(), TransferError> {
        self.change(Some(of), |transaction| {
            imports::write(transaction, of, &[(import.id, Some(import))].into_iter().collect())
        })
    }

    fn message(&mut self, of: WorkspaceId, message: Vec<u8>) -> Result<(), TransferError> {
        let head = record::peek(&message).map_err(|_| unreadable())?;
        let files = self.cluster.inner.archive.is_there();
        let of = self.enter(of)?;
        let (arrived, pending) = of.numbers.of((head.received_at, head.identity));
        let rows = if pending { &mut of.pending } else { &mut of.history };
        rows.put(arrived, message);
        of.census.messages += 1;
        of.census.arrived = of.census.arrived.max(arrived);
        if of.pending.exceeds(ROWS_AT_ONCE, ROWS_BYTES) {
            self.write_pending()?;
        }
        let Some(of) = &self.of else { return Ok(()) };
        let full = if files {
            of.history.exceeds(FILE_ROWS, FILE_BYTES)
        } else {
            of.history.exceeds(ROWS_AT_ONCE, ROWS_BYTES)
        };
        if full { self.write_history() } else { Ok(()) }
    }

    /// Writes what waits of records and of what belongs to them.
    fn write_records(&mut self) -> Result<(), TransferError> {
        let Target { cluster, connection, of: Some(of), .. } = self else { return Ok(()) };
        let mut write = || {
            let workspace = of.id;
            let transaction = RefCell::new(connection.begin(Mode::Write, Some(workspace))?);
            let mut sheet = Sheet::new(&transaction, workspace, &cluster.inner.archive);
            let (profiles, children) = (std::mem::take(&mut of.profiles), std::mem::take(&mut of.children));
            sheet.fill(profiles, children, std::mem::take(&mut of.statements));
            write::write(sheet, &mut of.census)?;
            let mut transaction = transaction.into_inner();
            insert_stated(&mut transaction, workspace, std::mem::take(&mut of.stated).into_iter())?;
            insert_identities(&mut transaction, workspace, std::mem::take(&mut of.identities).into_iter())?;
            std::mem::take(&mut of.refused).write(&mut transaction, workspace)?;
            of.refused_count = 0;
            transaction.commit()
        };
        write().map_err(target_failed)
    }

    /// Writes the messages that wait into a file, or into the table where there is no bucket.
    fn write_history(&mut self) -> Result<(), TransferError> {
        // Whom a message is filed under is told by records.
        self.write_records()?;
        let Target { cluster, connection, of: Some(of), .. } = self else { return Ok(()) };
        let (archive, workspace, taken) = (&cluster.inner.archive, of.id, of.history.take());
        if taken.is_empty() {
            return Ok(());
        }
        if !archive.is_there() {
            return insert(connection, workspace, &mut of.days, &taken).map_err(target_failed);
        }
        let mut file = || {
            let transaction = RefCell::new(connection.begin(Mode::Read, Some(workspace))?);
            let room = archive.room()?;
            let book = Book::new(&transaction, workspace, archive);
            let segment = filing::write(&book, &taken, room.path())?;
            drop(transaction);
            for (_, bytes) in &taken {
                of.days.add(&record::decode(bytes)?);
            }
            let Some(segment) = segment else { return Ok(()) };
            archive.send(&segment)?;
            let mut transaction = connection.begin(Mode::Write, Some(workspace))?;
            manifest::add(&mut transaction, &segment)?;
            std::mem::take(&mut of.days).insert(&mut transaction, workspace)?;
            transaction.commit()
        };
        file().map_err(target_failed)
    }

    /// Writes messages that followers have not had.
    fn write_pending(&mut self) -> Result<(), TransferError> {
        let Target { connection, of: Some(of), .. } = self else { return Ok(()) };
        let taken = of.pending.take();
        insert(connection, of.id, &mut of.days, &taken).map_err(target_failed)
    }

    /// Writes all that is left of the workspace at hand.
    fn end_workspace(&mut self) -> Result<(), TransferError> {
        if self.of.is_none() {
            return Ok(());
        }
        self.write_records()?;
        self.write_history()?;
        self.write_pending()?;
        let filed = self.cluster.inner.archive.is_there();
        let Some(mut of) = self.of.take() else { return Ok(()) };
        of.numbers.begin();
        let pending = of.numbers.has_pending();
        if filed {
            of.census.filed = of.numbers.last();
        }
        // Whoever has had everything stands behind what was handed out last, whether that is still there or not.
        let end = of.census.arrived;
        let places: BTreeMap<FollowerId, i64> = of
            .followers
            .iter()
            .map(|(follower, place)| {
                let at = match place.past {
                    Some((after, _)) if after.0 == Micros(i64::MIN) => 0,
                    Some((after, _)) => of.numbers.before(after),
                    None if pending => of.numbers.before_pending() + place.had as i64,
                    None => end,
                };
                (follower.id, at)
            })
            .collect();
        of.census.arrived =
            of.census.arrived.max(of.numbers.last_pending()).max(places.values().copied().max().unwrap_or_default());
        self.change(Some(of.id), |transaction| {
            for (follower, place) in &places {
                let stands = "update follower set place = $2 where id = $1";
                transaction.execute(stands, &[&(follower.0 as i64), place])?;
            }
            of.census.keep(transaction)
        })
    }
}

fn unreadable() -> TransferError {
    TransferError::Target("a message that was handed over is no message".to_owned())
}

/// Puts messages into the table, and counts them.
fn insert(
    connection: &mut Connection,
    workspace: WorkspaceId,
    days: &mut EventDays,
    taken: &[(i64, Vec<u8>)],
) -> Result<(), Fault> {
    let decoded: Vec<Message<'_>> = taken.iter().map(|(_, bytes)| record::decode(bytes)).collect::<Result<_, _>>()?;
    decoded.iter().for_each(|message| days.add(message));
    let rows = taken.iter().zip(&decoded).map(|((arrived, bytes), message)| (*arrived, message, bytes.as_slice()));
    let mut transaction = connection.begin(Mode::Write, Some(workspace))?;
    insert_rows(&mut transaction, workspace, rows)?;
    std::mem::take(days).insert(&mut transaction, workspace)?;
    transaction.commit()
}

/// Removes all that an attempt which was cut has left, and notes that there is another one.
fn empty(cluster: &Cluster, connection: &mut Connection) -> Result<(), Fault> {
    let workspaces: Vec<WorkspaceId> =
        cluster.inner.registry.held().workspaces.iter().map(|workspace| workspace.id).collect();
    // What it has put onto the stream is not to be folded in.
    let lanes = (0..cluster.inner.lanes.count()).map(|lane| {
        let stream = cluster.inner.stream.clone();
        Ok((lane, cluster.inner.wait_for(async move { stream.last_sequence(lane).await })??))
    });
    let lanes: Vec<(u32, u64)> = lanes.collect::<Result<_, Fault>>()?;
    let mut transaction = connection.begin(Mode::Write, None)?;
    mark::put(&mut transaction, Some(Mark::Arriving))?;
    for workspace in workspaces {
        transaction.enter(workspace)?;
        // What lies in the bucket is removed as files are that count no more.
        manifest::remove_all(&mut transaction, workspace)?;
    }
    transaction.run(&format!("truncate {TABLES}"))?;
    for (lane, last) in lanes {
        transaction.execute("update lane set sequence = $2 where lane = $1", &[&(lane as i32), &(last as i64)])?;
    }
    transaction.commit()
}
