//! Merging files: small ones into one for each month that they hold messages of.
//!
//! Inputs are copied to this machine, merged there, and what comes of it is put into the bucket; one transaction changes which of
//! them count. If a deletion wrote one of the inputs anew meanwhile, nothing has changed.

use std::sync::Arc;

use muster_history::{
    compact::{self, Bounds},
    manifest::{Manifest, Segment},
};
use muster_model::id::WorkspaceId;

use super::{Archive, manifest};
use crate::{
    fault::Fault,
    fold::census::Census,
    read::book,
    sql::connection::{Connection, Mode},
};

/// Merges some files of a workspace; whether there were any to merge.
pub fn merge(
    archive: &Archive,
    connection: &mut Connection,
    workspace: WorkspaceId,
    bounds: Bounds,
    goes_on: &dyn Fn() -> bool,
) -> Result<bool, Fault> {
    let (name, segments) = {
        let mut transaction = connection.begin(Mode::Read, Some(workspace))?;
        (book::name(&mut transaction, workspace)?, archive.segments(&mut transaction, workspace)?)
    };
    let mut files = Manifest::default();
    segments.into_iter().for_each(|segment| files.add(segment));
    let Some(mut plan) = compact::plan(&files, &[workspace], bounds, false) else { return Ok(false) };
    let (room, inputs) = (archive.room()?, plan.inputs.clone());
    plan.inputs = inputs.iter().map(|input| archive.fetch(input, &room)).collect::<Result<_, Fault>>()?;
    let Some(outputs) = compact::merge(&plan, (room.path(), &name), manifest::new_id, goes_on)? else {
        return Ok(false);
    };
    outputs.iter().try_for_each(|output| archive.send(output))?;
    let mut transaction = connection.begin(Mode::Write, Some(workspace))?;
    Census::hold(&mut transaction, workspace)?;
    if manifest::remove(&mut transaction, workspace, &inputs)? != inputs.len() {
        drop(transaction);
        outputs.iter().try_for_each(|output: &Arc<Segment>| archive.bucket()?.remove(&output.relative_path))?;
        return Ok(true);
    }
    outputs.iter().try_for_each(|output| manifest::add(&mut transaction, output))?;
    transaction.commit()?;
    Ok(true)
}
