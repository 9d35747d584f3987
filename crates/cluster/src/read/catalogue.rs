//! The catalogue of traits, and the options of traits: the few texts that the records of a model have.
//!
//! Rows of places have the values of a trait side by side: from each to the next is one step, and one record of each tells the
//! text. What nobody has any more is no option, since rows go with what records have. Bounded: a trait that takes more
//! looking than that has no options.

use muster_model::{deletion::Subject, id::RecordId, id::WorkspaceId, kind::RecordKind, profile::Profile};
use muster_store::{
    Answer,
    catalogue::{Catalogue, Choices, KnownTrait, Model, OPTIONS_MAX, Options, TraitTypes, is_one_of_a_kind},
    error::ReadError,
    lists::{
        index::Field,
        values::{self, Value},
    },
};
use postgres::types::ToSql;

use super::book::Book;
use crate::{
    cluster::Cluster,
    fault::Fault,
    fold::{places, rows::NO_OBJECT, write::number},
    sql::values::{At, Id},
};

/// Keys of one model that are told.
const KEYS_MAX: i64 = 10_000;
/// Instances of a custom object that are all read.
const FEW: usize = 500;
/// Records of one value that are read for one that has it.
const RECORDS_MAX: usize = 500;
/// Values of all traits together that are looked at.
const VALUES_MAX: usize = 2_000;

const KNOWN: &str = "select key, created_at, types from stated where workspace = $1 and kind = $2 and object = $3
    order by key limit $4";
const FIRST: &str = "select value from place where workspace = $1 and kind = $2 and field = $3 and value > $4
    order by value limit 1";
const WITH_VALUE: &str =
    "select id from place where workspace = $1 and kind = $2 and field = $3 and value = $4 order by id limit $5";
const INSTANCES: &str = "select id from child where workspace = $1 and parent_kind = $2 and parent = $3 and kind = $4
    order by id limit $5";

impl Catalogue for Cluster {
    fn known_traits(&self, workspace: WorkspaceId, model: Model) -> Answer<'_, Vec<KnownTrait>, ReadError> {
        self.with_book(workspace, move |book| known(book, model))
    }

    fn options(&self, workspace: WorkspaceId, model: Model, keys: Vec<Box<str>>) -> Answer<'_, Options, ReadError> {
        self.with_book(workspace, move |book| {
            let keys = keys.iter().map(AsRef::as_ref).filter(|key| !is_one_of_a_kind(model.kind, key));
            Looking { book, model, left: VALUES_MAX }.options(keys.collect())
        })
    }
}

fn known(book: &Book<'_, '_>, model: Model) -> Result<Vec<KnownTrait>, Fault> {
    let (workspace, object) = (book.workspace(), model.object.map_or(NO_OBJECT, Id::from));
    let rows = book.transaction().query(KNOWN, &[&workspace, &number(model.kind), &object, &KEYS_MAX])?;
    let known = |row: &postgres::Row| {
        let key = String::from_utf8(row.get(0)).map_err(|_| Fault::Damaged("a key of traits"))?;
        let types = u8::try_from(row.get::<_, i16>(2)).map_err(|_| Fault::Damaged("types of traits"))?;
        let created_at = row.get::<_, At>(1).0;
        Ok(KnownTrait { key: key.into(), created_at, types: TraitTypes::from_bits(types) })
    };
    rows.iter().map(known).collect()
}

/// One reading.
struct Looking<'b, 't, 'c> {
    book: &'b Book<'t, 'c>,
    model: Model,
    /// Values that may still be looked at.
    left: usize,
}

impl Looking<'_, '_, '_> {
    fn options(mut self, keys: Vec<&str>) -> Result<Options, Fault> {
        let few = match self.model.object {
            Some(object) => self.instances(object)?,
            None => None,
        };
        let mut options = Options::new();
        for key in keys {
            let mut choices = Choices::default();
            match &few {
                Some(few) => few.iter().filter_map(|profile| profile.traits.get(key)).for_each(|one| choices.note(one)),
                None => self.look(key, &mut choices)?,
            }
            options.extend(choices.finish().map(|found| (key.into(), found)));
        }
        Ok(options)
    }

    /// All instances of a custom object, if they are few.
    fn instances(&self, object: RecordId) -> Result<Option<Vec<std::sync::Arc<Profile>>>, Fault> {
        let (workspace, of, limit) = (self.book.workspace(), number(RecordKind::CustomObject), FEW as i64 + 1);
        let params: [&(dyn ToSql + Sync); 5] = [&workspace, &of, &Id::from(object), &number(self.model.kind), &limit];
        let rows = self.book.transaction().query(INSTANCES, &params)?;
        if rows.len() > FEW {
            return Ok(None);
        }
        let subject = |row: &postgres::Row| (self.model.kind, row.get::<_, Id>(0).record());
        let mut found = self.book.profiles(&rows.iter().map(subject).collect::<Vec<Subject>>())?;
        found.retain(|profile| self.model.holds(profile));
        Ok(Some(found))
    }

    /// Goes from value to value of a trait.
    fn look(&mut self, key: &str, choices: &mut Choices) -> Result<(), Fault> {
        let (workspace, kind, field) =
            (self.book.workspace(), number(self.model.kind), places::number(Field::Trait(key)));
        let mut value: Value = values::ALL.0;
        while choices.go_on() {
            let params: [&(dyn ToSql + Sync); 4] = [&workspace, &kind, &field, &value.as_slice()];
            let Some(row) = self.book.transaction().query_opt(FIRST, &params)? else { break };
            value = places::value(&row)?;
            if self.left == 0 {
                choices.fail();
                break;
            }
            self.left -= 1;
            self.one(key, field, value, choices)?;
        }
        Ok(())
    }

    /// Notes the text of a value from the first record that has it, if it is one of the model's.
    fn one(&self, key: &str, field: i64, value: Value, choices: &mut Choices) -> Result<(), Fault> {
        // Nearly always the first one tells; only of custom objects others' instances may come before.
        let mut limit = if self.model.object.is_some() { OPTIONS_MAX } else { 2 };
        loop {
            let (workspace, kind) = (self.book.workspace(), number(self.model.kind));
            let params: [&(dyn ToSql + Sync); 5] = [&workspace, &kind, &field, &value.as_slice(), &(limit as i64)];
            let rows = self.book.transaction().query(WITH_VALUE, &params)?;
            let subject = |row: &postgres::Row| (self.model.kind, row.get::<_, Id>(0).record());
            let profiles = self.book.profiles(&rows.iter().map(subject).collect::<Vec<Subject>>())?;
            let texts = profiles.iter().filter(|profile| self.model.holds(profile));
            // Hashes of keys may meet, so the record must have the value under this key.
            let mut texts = texts.filter_map(|one| one.traits.get(key)).filter(|one| values::of_json(one) == value);
            if let Some(text) = texts.next() {
                choices.note(text);
                return Ok(());
            }
            if rows.len() < limit {
                return Ok(());
            }
            if limit >= RECORDS_MAX {
                choices.fail();
                return Ok(());
            }
            limit = RECORDS_MAX;
        }
    }
}
