//! Taking an import back: what it brought, and nobody else, goes, and the records that it named are made anew from what is left.
//!
//! All of it is one transaction, in steps of some messages, each of which leaves what the messages left so far say.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use muster_model::{
    change::apply,
    deletion::Subject,
    id::{Identity, WorkspaceId},
    kind::Kind,
    kinds::fields::named,
};
use muster_store::{
    deletion::{
        Instants, Wipe,
        renewal::{Heard, doubt, taken_out},
    },
    import::{Import, Note, Stage},
    record,
};
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    files::Files,
    rows::{self, Gone},
};
use crate::{
    archive::Archive,
    fault::Fault,
    fold::{
        census::Census,
        plan::{number, owners},
        sheet::Sheet,
        write,
    },
    imports,
    sql::{connection::Transaction, values::Id},
};

/// Messages that are taken back in one step.
const STEP_MESSAGES: usize = 2_000;
/// Records that are made anew in one step.
const STEP_RECORDS: usize = 2_000;

const OWNED: &str = "select identity, owners from identity where workspace = $1 and owners is not null";
const RELEASE: &str =
    "update identity set owners = left_.owners from unnest($2::uuid[], $3::int8[]) as left_ (identity, owners)
    where identity.workspace = $1 and identity.identity = left_.identity";

/// Takes an import back.
pub fn undo(
    transaction: &RefCell<Transaction<'_>>,
    workspace: WorkspaceId,
    archive: &Archive,
    import: Import,
    census: &mut Census,
) -> Result<(), Fault> {
    let id = import.id;
    let Stage::Undoing { at, .. } = import.stage else { return Ok(()) };
    let (mut gone, mut released, mut left) = (Vec::<Identity>::new(), Vec::<Id>::new(), Vec::<Option<i64>>::new());
    transaction.borrow_mut().each(OWNED, &[&census.workspace], |row| {
        let known = owners(row.get(1));
        if known.has(id) {
            match known.released(id) {
                None => gone.push(row.get::<_, Id>(0).identity()),
                Some(others) => {
                    released.push(row.get(0));
                    left.push(number(others));
                }
            }
        }
        Ok(true)
    })?;
    transaction.borrow_mut().execute(RELEASE, &[&census.workspace, &released, &left])?;
    let files = Files::new(archive, transaction, workspace)?;
    take_back_filed(&files, &gone, census)?;
    for some in gone.chunks(STEP_MESSAGES) {
        take_back(&files, some, census)?;
    }
    let mut import = Some(import);
    Import::take(&mut import, Note::Undone { id, at, messages: gone.len() as u64 });
    imports::write(&mut transaction.borrow_mut(), workspace, &FxHashMap::from_iter([(id, import)]))
}

/// Takes those of some messages back that lie in files.
fn take_back_filed(files: &Files<'_, '_>, identities: &[Identity], census: &mut Census) -> Result<(), Fault> {
    let identities: FxHashSet<Identity> = identities.iter().copied().collect();
    let (mut gone, mut subjects) = (Gone::default(), BTreeSet::<Subject>::new());
    files.take_out(&identities, |message| {
        let track = (message.kind == Kind::Track).then(|| message.name.as_deref().unwrap_or_default());
        gone.note_filed(message.identity, track.map(|event| (event, message.ordered_at())));
        subjects.extend(named(message).map(|(kind, id, _)| (kind, id)));
        Ok(())
    })?;
    if gone.count() == 0 {
        return Ok(());
    }
    gone.remove(files, census)?;
    let subjects: Vec<Subject> = subjects.into_iter().collect();
    subjects.chunks(STEP_RECORDS).try_for_each(|some| renew(files, some, census))
}

/// Takes those of some messages back that lie in the table.
fn take_back(files: &Files<'_, '_>, identities: &[Identity], census: &mut Census) -> Result<(), Fault> {
    let found = rows::of(&mut files.transaction.borrow_mut(), files.workspace, identities)?;
    let (mut gone, mut subjects) = (Gone::default(), BTreeSet::<Subject>::new());
    for (arrived, bytes) in &found {
        let message = record::decode(bytes)?;
        gone.note(*arrived, &message);
        subjects.extend(named(&message).map(|(kind, id, _)| (kind, id)));
    }
    gone.remove(files, census)?;
    renew(files, &subjects.into_iter().collect::<Vec<Subject>>(), census)
}

/// Makes records anew from the messages that name them.
fn renew(files: &Files<'_, '_>, subjects: &[Subject], census: &mut Census) -> Result<(), Fault> {
    let mut heard = Heard::new(subjects.iter().map(|(_, id)| *id).collect(), Arc::new(Instants::default()));
    rows::naming(files, &subjects.iter().copied().collect(), |_, bytes| {
        heard.take(record::decode(bytes)?);
        Ok(())
    })?;
    let mut sheet = Sheet::new(files.transaction, files.workspace, files.archive);
    let changes = Wipe::plan(&sheet, &taken_out(subjects.to_vec()))?;
    sheet.make(changes)?;
    for bytes in heard.into_records() {
        apply(&mut sheet, &record::decode(&bytes)?)?;
    }
    let doubted = doubt(&sheet, subjects)?;
    sheet.make(doubted)?;
    write::write(sheet, census)
}
