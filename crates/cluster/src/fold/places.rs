//! Where records stand in lists, as the database keeps it: [a field](muster_store::lists::index::Field) by a number of ours, and
//! [a value](muster_store::lists::values).

use muster_model::profile::Profile;
use muster_store::lists::{
    index::{self, Field},
    values::Value,
};
use postgres::Row;
use xxhash_rust::xxh3::xxh3_64;

use crate::fault::Fault;

/// The number that a field goes by in the database, which never changes: of a trait a negative one, which two may share.
pub fn number(field: Field<'_>) -> i64 {
    match field {
        Field::Own(number) => number.into(),
        Field::Trait(key) => (xxh3_64(key.as_bytes()) | 1 << 63) as i64,
    }
}

/// The value in the first column of a row.
pub fn value(row: &Row) -> Result<Value, Fault> {
    row.get::<_, &[u8]>(0).try_into().map_err(|_| damaged())
}

pub fn damaged() -> Fault {
    Fault::Damaged("a place in a list")
}

/// Every place of a record, sorted, each once. Anonymous ids are in no list.
pub fn places(profile: &Profile) -> Vec<(i64, Value)> {
    index::entries(profile, number)
}

#[cfg(test)]
mod tests {
    use muster_store::lists::ListOrder;

    use super::*;

    #[test]
    fn numbers_never_change() {
        assert_eq!(Field::of(&ListOrder::NpsLastRespondedAt).map(number), Some(11));
        assert_eq!((number(Field::EMAIL), number(Field::EMAIL_DOMAIN)), (32, 33));
        assert_eq!(number(Field::Trait("plan")), -9_024_728_778_199_649_988);
    }
}
