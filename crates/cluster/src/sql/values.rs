//! Values as PostgreSQL has them.

use std::error::Error;

use bytes::BytesMut;
use muster_model::{
    id::{Identity, RecordId},
    time::Micros,
};
use postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

/// 128 bits, kept as a uuid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u128);

impl From<RecordId> for Id {
    fn from(id: RecordId) -> Id {
        Id(id.0)
    }
}

impl From<Identity> for Id {
    fn from(identity: Identity) -> Id {
        Id(identity.0)
    }
}

impl Id {
    pub fn record(self) -> RecordId {
        RecordId(self.0)
    }

    pub fn identity(self) -> Identity {
        Identity(self.0)
    }
}

impl ToSql for Id {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Id {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Id, Box<dyn Error + Sync + Send>> {
        Ok(Id(u128::from_be_bytes(raw.try_into()?)))
    }

    accepts!(UUID);
}

/// An instant, kept as microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub Micros);

impl ToSql for At {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.0.to_sql(ty, out)
    }

    accepts!(INT8);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for At {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<At, Box<dyn Error + Sync + Send>> {
        i64::from_sql(ty, raw).map(|micros| At(Micros(micros)))
    }

    accepts!(INT8);
}
