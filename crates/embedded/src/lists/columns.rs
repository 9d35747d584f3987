//! What a list asks of each record in memory, as columns of values.
//!
//! A column says one thing of a record: a trait, an instant, a count. A list is ordered by one, and a condition asks another
//! whether its value lies in some range. Values are those of [the index on disk](muster_store::lists::values), so a column is to the records
//! in memory what the index is to those on disk: texts are hashes, and whoever finds a record looks at the record as well.

use std::cmp::Ordering;

use muster_model::{find, id::RecordId, kind::RecordKind, profile::Profile, rank::Rank};
use muster_store::{
    catalogue::is_one_of_a_kind,
    lists::{
        Condition, ListCursor, ListOrder, ListQuery, Place, kept_seen,
        values::{self, Value},
    },
};

/// One thing that is said of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// What an order that is no trait goes by.
    Order(ListOrder),
    Trait(Box<str>),
    Email,
    EmailDomain,
    /// The custom object of an instance.
    Object,
    /// Whether its first and last track are uncertain.
    Uncertain,
}

/// Of a record of which nothing is said. It comes after every value.
pub const NOTHING: Value = [0xff; 9];

impl Column {
    /// What an order goes by.
    pub fn of_order(order: &ListOrder) -> Column {
        match order {
            ListOrder::Trait(key) => Column::Trait((&**key).into()),
            other => Column::Order(other.clone()),
        }
    }

    /// What it says of a record.
    pub fn value(&self, profile: &Profile) -> Value {
        let value = match self {
            Column::Order(order) => order.rank(profile, kept_seen(profile).0).map(values::ranked),
            Column::Trait(key) => profile.traits.get(key).map(values::of_json),
            Column::Email => find::email(profile).map(|email| values::text(&email)),
            Column::EmailDomain => find::email(profile).and_then(|email| Some(values::text(find::domain(&email)?))),
            Column::Object => profile.as_instance().and_then(|instance| instance.custom_object).map(of_id),
            Column::Uncertain => (!kept_seen(profile).1).then_some(SOMETHING.0),
        };
        value.unwrap_or(NOTHING)
    }

    /// Those that any record of a kind may be listed by, but for traits.
    pub fn all_but_traits(kind: RecordKind) -> impl Iterator<Item = Column> {
        let orders = [ListOrder::UpdatedAt, ListOrder::CreatedAt].into_iter().chain(ListOrder::FIELDS);
        let others: &[Column] = match kind {
            RecordKind::User => &[Column::Uncertain, Column::Email, Column::EmailDomain],
            RecordKind::Account => &[Column::Uncertain],
            RecordKind::Instance => &[Column::Object],
            RecordKind::Organization | RecordKind::CustomObject | RecordKind::NpsResponse | RecordKind::Anonymous => {
                &[]
            }
        };
        orders.map(Column::Order).chain(others.iter().cloned())
    }

    /// Whether its values are parts of a record's traits.
    pub fn is_of_traits(&self) -> bool {
        matches!(self, Column::Trait(_) | Column::Email | Column::EmailDomain)
    }
}

fn of_id(id: RecordId) -> Value {
    values::ranked(Rank::Time(muster_model::time::Micros(id.0 as i64)))
}

/// Where a record stands in a list: what is less comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing(u128, u128);

/// As many bits as a value has.
const VALUE_BITS: u128 = (1 << 72) - 1;

impl Standing {
    /// Of a record with a value in the column that a list is ordered by.
    pub fn new(value: Value, id: RecordId, ascending: bool) -> Standing {
        let ranked = values::RANKED.0 <= value && value <= values::RANKED.1;
        let [first, bits @ ..] = value;
        let down = (u128::from(first) << 64) | u128::from(u64::from_be_bytes(bits));
        match (ranked, ascending) {
            (true, false) => Standing(down, id.0),
            (true, true) => Standing(!down & VALUE_BITS, !id.0),
            (false, false) => Standing(u128::MAX, id.0),
            (false, true) => Standing(u128::MAX, !id.0),
        }
    }

    /// Of a cursor.
    pub fn of(cursor: &ListCursor, ascending: bool) -> Standing {
        let value = match cursor.place {
            Place::Ranked(rank) => values::ranked(rank),
            Place::Unranked => NOTHING,
        };
        Standing::new(value, cursor.id, ascending)
    }
}

/// Whether a trait has no column unless somebody asks: texts that nobody looks for as they stand.
pub fn is_left_out(key: &str) -> bool {
    is_one_of_a_kind(RecordKind::User, key)
}

/// What a condition asks of a column's value.
#[derive(Clone, Debug)]
pub enum Test {
    Within(Vec<(Value, Value)>),
    Nothing,
}

impl Test {
    /// Whether a value may meet the condition.
    pub fn may_hold(&self, value: Value) -> bool {
        match self {
            Test::Within(ranges) => ranges.iter().any(|(from, to)| *from <= value && value <= *to),
            Test::Nothing => value == NOTHING,
        }
    }
}

/// Something of all values there are.
const SOMETHING: (Value, Value) = ([0; 9], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);

/// The column that a condition asks, and for what; none when it looks through texts.
fn test(condition: &Condition) -> Option<(Column, Test)> {
    let of_trait = |key: &str, test| Some((Column::Trait(key.into()), test));
    let one = |range| Test::Within(vec![range]);
    match condition {
        Condition::TraitPresent { key, present: true } => of_trait(key, one(SOMETHING)),
        Condition::TraitPresent { key, present: false } => of_trait(key, Test::Nothing),
        Condition::TraitIs { key, value } => of_trait(key, Test::Within(values::of_text(value))),
        Condition::TraitBetween { key, from, to } => of_trait(key, one(values::between(*from, *to))),
        Condition::LastSeen { after, before } => {
            Some((Column::Order(ListOrder::LastSeen), one(values::instants(*after, *before))))
        }
        Condition::Updated { after, before } => {
            Some((Column::Order(ListOrder::UpdatedAt), one(values::instants(*after, *before))))
        }
        Condition::Email(email) => Some((Column::Email, one((values::text(email), values::text(email))))),
        Condition::EmailDomain(domain) => {
            Some((Column::EmailDomain, one((values::text(domain), values::text(domain)))))
        }
        Condition::Object(id) => Some((Column::Object, one((of_id(*id), of_id(*id))))),
        Condition::Contains(_) => None,
    }
}

/// What a list asks of memory.
#[derive(Clone, Debug)]
pub struct Asked {
    pub kind: RecordKind,
    /// What it is ordered by.
    pub order: Column,
    pub ascending: bool,
    pub tests: Vec<(Column, Test)>,
    /// Folded texts that records are to contain.
    pub needles: Vec<String>,
    /// Whether it depends on first and last tracks.
    pub seen: bool,
}

/// Conditions that columns are made for; what others say is found out from the records.
const TESTS_MAX: usize = 5;

impl Asked {
    pub fn of(query: &ListQuery) -> Asked {
        let mut tests: Vec<(Column, Test)> = query.conditions.iter().filter_map(test).collect();
        tests.truncate(TESTS_MAX);
        let needles = query.conditions.iter().filter_map(|condition| match condition {
            Condition::Contains(needle) => Some(needle.clone()),
            _ => None,
        });
        Asked {
            kind: query.kind,
            order: Column::of_order(&query.order),
            ascending: query.ascending,
            tests,
            needles: needles.collect(),
            seen: query.order.asks_seen() || query.conditions.iter().any(Condition::asks_seen),
        }
    }

    /// Every column, the one that it is ordered by first.
    pub fn columns(&self) -> impl Iterator<Item = &Column> {
        let uncertain = self.seen.then_some(&Column::Uncertain);
        std::iter::once(&self.order).chain(self.tests.iter().map(|(column, _)| column)).chain(uncertain)
    }

    /// Where a record stands.
    pub fn standing(&self, value: Value, id: RecordId) -> Standing {
        Standing::new(value, id, self.ascending)
    }

    /// What comes first.
    pub fn compare(&self, one: &ListCursor, other: &ListCursor) -> Ordering {
        one.order(other, self.ascending)
    }
}

#[cfg(test)]
mod tests {
    use muster_model::{id::Identity, rank::Number, register::Stamp, time::Micros};

    use super::*;

    fn user(id: u128, traits: &[(&str, &str)]) -> Profile {
        let mut profile = Profile::new(RecordKind::User, RecordId(id), "U", Micros(7));
        traits
            .iter()
            .for_each(|(key, json)| _ = profile.traits.state(Stamp { at: Micros(1), by: Identity(1) }, key, json));
        profile
    }

    #[test]
    fn standings_are_ordered_as_places_are() {
        let jsons = ["-5", "0", "7.5", "1e9", "\"1960-01-01\"", "\"2024-01-01\"", "\"text\"", "true", "[]", "null"];
        let order = ListOrder::Trait("n".into());
        let profiles: Vec<Profile> =
            (0..30).map(|n| user(n * 7 % 30, &[("n", jsons[n as usize % jsons.len()])])).collect();
        for ascending in [false, true] {
            for one in &profiles {
                for other in &profiles {
                    let place = |profile: &Profile| order.place(profile, kept_seen(profile).0);
                    let standing = |profile: &Profile| {
                        Standing::new(Column::of_order(&order).value(profile), profile.id, ascending)
                    };
                    let expected = place(one).order(&place(other), ascending);
                    assert_eq!(standing(one).cmp(&standing(other)), expected);
                    assert_eq!(Standing::of(&place(one), ascending), standing(one));
                }
            }
        }
    }

    /// A test may let pass what does not meet the condition, but holds back nothing that does.
    #[test]
    fn tests_hold_back_nothing_that_conditions_take() {
        let key = || "n".to_owned();
        let number = |number| Some(Rank::Number(Number::of_count(number)));
        let conditions = [
            Condition::TraitPresent { key: key(), present: true },
            Condition::TraitPresent { key: key(), present: false },
            Condition::TraitPresent { key: "name".to_owned(), present: true },
            Condition::TraitIs { key: "name".to_owned(), value: "Ada".to_owned() },
            Condition::TraitIs { key: key(), value: "5".to_owned() },
            Condition::TraitIs { key: key(), value: "true".to_owned() },
            Condition::TraitBetween { key: key(), from: number(5), to: None },
            Condition::TraitBetween { key: key(), from: None, to: number(5) },
            Condition::TraitBetween { key: key(), from: None, to: None },
            Condition::Updated { after: Some(Micros(7)), before: Some(Micros(8)) },
            Condition::Updated { after: Some(Micros(8)), before: None },
            Condition::LastSeen { after: None, before: None },
            Condition::Email("a@b.c".to_owned()),
            Condition::EmailDomain("b.c".to_owned()),
            Condition::Object(RecordId(3)),
        ];
        let long = format!("\"{}\"", "x".repeat(300));
        let jsons = ["5", "5.0", "\"5\"", "4", "6", "\"2024-01-01\"", "true", "\"true\"", "[5]", "null", &long];
        let mut taken = vec![0; conditions.len()];
        for n in jsons {
            for traits in [vec![("n", n)], vec![("n", n), ("name", "\"Ada\""), ("email", "\" A@b.C\"")], vec![]] {
                let profile = user(1, &traits);
                for (condition, taken) in conditions.iter().zip(&mut taken) {
                    let (column, test) = test(condition).unwrap();
                    let (holds, may) =
                        (condition.holds(&profile, kept_seen(&profile).0), test.may_hold(column.value(&profile)));
                    assert!(may || !holds, "{condition:?} {traits:?}");
                    *taken += usize::from(may);
                }
            }
        }
        assert!(taken.iter().enumerate().all(|(at, taken)| *taken < jsons.len() * 3 || at == 9), "{taken:?}");
    }
}
