//! An index of records: under which fields and values each stands, and where a list or a condition looks.
//!
//! What an index finds is a superset of what is meant, so whoever asks looks at the records as well. Which number a field goes
//! by is each store's own affair, and so is what it does for texts that are searched through.

use muster_model::{
    find::{self, fold},
    id::RecordId,
    kind::RecordKind,
    profile::Profile,
    rank::Rank,
    time::Micros,
};

use super::{
    Condition, ListOrder, ListQuery, kept_seen,
    values::{self, Value},
};
use crate::catalogue::is_one_of_a_kind;

/// What a value is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field<'f> {
    /// One that all records of a kind have, by its number. Stores keep it, so it never changes.
    Own(u8),
    /// The trait with this key.
    Trait(&'f str),
}

impl<'f> Field<'f> {
    /// The folded e-mail address of a user.
    pub const EMAIL: Field<'static> = Field::Own(32);
    /// The domain of that address.
    pub const EMAIL_DOMAIN: Field<'static> = Field::Own(33);

    /// The field that an order goes by; none for times of receipt, which have places of their own.
    #[must_use]
    pub fn of(order: &'f ListOrder) -> Option<Field<'f>> {
        match order {
            ListOrder::UpdatedAt | ListOrder::CreatedAt => None,
            ListOrder::FirstKnown => Some(Field::Own(1)),
            ListOrder::FirstSeen => Some(Field::Own(2)),
            ListOrder::LastSeen => Some(Field::Own(3)),
            ListOrder::UsersCount => Some(Field::Own(4)),
            ListOrder::AccountsCount => Some(Field::Own(5)),
            ListOrder::NpsScore => Some(Field::Own(6)),
            ListOrder::NpsDetractors => Some(Field::Own(7)),
            ListOrder::NpsPassives => Some(Field::Own(8)),
            ListOrder::NpsPromoters => Some(Field::Own(9)),
            ListOrder::NpsLastScore => Some(Field::Own(10)),
            ListOrder::NpsLastRespondedAt => Some(Field::Own(11)),
            ListOrder::Trait(key) => Some(Field::Trait(key)),
        }
    }
}

/// Every entry of a record, its fields as numbers: sorted, each once. Anonymous ids are in no list, and texts that nobody
/// asks for as they stand have no entries.
pub fn entries<N: Ord>(profile: &Profile, number: impl Fn(Field<'_>) -> N) -> Vec<(N, Value)> {
    if profile.as_anonymous().is_some() {
        return Vec::new();
    }
    let (seen, _) = kept_seen(profile);
    let mut entries: Vec<(N, Value)> = Vec::with_capacity(8 + profile.traits.registers().len());
    for order in &ListOrder::FIELDS {
        entries.extend(Field::of(order).map(&number).zip(order.rank(profile, seen).map(values::ranked)));
    }
    for (key, json) in profile.traits.iter() {
        let value = values::of_json(json);
        if !values::is_text(value) || !is_one_of_a_kind(profile.kind(), key) {
            entries.push((number(Field::Trait(key)), value));
        }
    }
    if profile.as_user().is_some()
        && let Some(email) = find::email(profile)
    {
        entries.push((number(Field::EMAIL), values::text(&email)));
        let domain = find::domain(&email);
        entries.extend(domain.map(|domain| (number(Field::EMAIL_DOMAIN), values::text(domain))));
    }
    // Where two keys have the same number, one entry is both of theirs.
    entries.sort_unstable();
    entries.dedup();
    entries
}

/// What an index is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'c> {
    /// Records with a value of a field in one of these ranges.
    Values(Field<'c>, Vec<(Value, Value)>),
    /// Records last heard of from the one instant to the other, both included.
    Updated(Micros, Micros),
    /// The instances of a custom object.
    Instances(RecordId),
}

/// What to ask an index for the records of a kind that meet a condition, if it knows.
#[must_use]
pub fn lookup(condition: &Condition, kind: RecordKind) -> Option<Lookup<'_>> {
    let within = |field, range| Some(Lookup::Values(field, vec![range]));
    let exactly = |field, value| within(field, (value, value));
    match condition {
        Condition::TraitIs { key, value } if key == "email" && kind == RecordKind::User && is_word(value) => {
            exactly(Field::EMAIL, values::text(&fold(value.trim())))
        }
        Condition::TraitIs { key, .. } | Condition::TraitPresent { key, present: true }
            if is_one_of_a_kind(kind, key) =>
        {
            None
        }
        Condition::TraitPresent { present: false, .. } | Condition::Contains(_) => None,
        Condition::TraitPresent { key, present: true } => within(Field::Trait(key), values::ALL),
        Condition::TraitIs { key, value } => Some(Lookup::Values(Field::Trait(key), values::of_text(value))),
        Condition::TraitBetween { key, from, to } => within(Field::Trait(key), values::between(*from, *to)),
        Condition::LastSeen { after, before } => {
            within(Field::of(&ListOrder::LastSeen)?, values::instants(*after, *before))
        }
        Condition::Updated { .. } => {
            let (from, to) = narrowed((Micros::MIN, Micros::MAX), condition);
            Some(Lookup::Updated(from, to))
        }
        Condition::Email(email) if kind == RecordKind::User => exactly(Field::EMAIL, values::text(email)),
        Condition::EmailDomain(domain) if kind == RecordKind::User => {
            exactly(Field::EMAIL_DOMAIN, values::text(domain))
        }
        Condition::Email(_) | Condition::EmailDomain(_) => None,
        Condition::Object(id) => Some(Lookup::Instances(*id)),
    }
}

/// Whether no value of another type is also what this text says. Only then is a trait that is this text shown as it stands,
/// so that it is found by what is shown.
#[must_use]
pub fn is_word(text: &str) -> bool {
    let is_other = matches!(text, "true" | "false") || text.starts_with(['[', '{']) || Rank::of_text(text).is_some();
    !is_other && !text.trim().is_empty()
}

/// The values that a list by a field may have, and whether records without one may be in it: narrower where a condition
/// is about the same field.
#[must_use]
pub fn extent(query: &ListQuery) -> ((Value, Value), bool) {
    let (mut from, mut to) = values::RANKED;
    let mut unranked = true;
    let mut narrow = |(least, most): (Value, Value)| {
        (from, to) = (from.max(least), to.min(most));
        unranked = false;
    };
    for condition in &query.conditions {
        match (condition, &query.order) {
            (Condition::TraitBetween { key, from, to }, ListOrder::Trait(by)) if **by == **key => {
                narrow(values::between(*from, *to));
            }
            (Condition::LastSeen { after, before }, ListOrder::LastSeen) => {
                narrow(values::instants(*after, *before));
            }
            _ => {}
        }
    }
    ((from, to), unranked)
}

/// The earliest and the latest instant that a list by times of receipt may have: narrower where a condition is about the
/// same times.
#[must_use]
pub fn times(query: &ListQuery) -> (Micros, Micros) {
    let all = (Micros::MIN, Micros::MAX);
    if query.order == ListOrder::UpdatedAt { query.conditions.iter().fold(all, narrowed) } else { all }
}

/// What is left of the instants from the one to the other by a condition on when a record was last heard of.
fn narrowed((from, to): (Micros, Micros), condition: &Condition) -> (Micros, Micros) {
    let Condition::Updated { after, before } = condition else { return (from, to) };
    let last = before.map(|before| Micros(before.0.saturating_sub(1)));
    (after.map_or(from, |after| from.max(after)), last.map_or(to, |last| to.min(last)))
}

#[cfg(test)]
mod tests {
    use muster_model::{
        id::{Identity, RecordId},
        rank::Number,
        register::Stamp,
    };

    use super::*;

    fn numbered(field: Field<'_>) -> String {
        match field {
            Field::Own(number) => number.to_string(),
            Field::Trait(key) => format!("trait {key}"),
        }
    }

    #[test]
    fn every_value_has_one_entry() {
        let mut profile = Profile::new(RecordKind::User, RecordId(1), "u", Micros(5));
        let stamp = Stamp { at: Micros(1), by: Identity(1) };
        for (key, json) in [("plan", "\"pro\""), ("gone", "null"), ("n", "5"), ("email", "\"A@B.c\""), ("list", "[]")] {
            profile.traits.state(stamp, key, json);
        }
        let entries = entries(&profile, numbered);
        assert_eq!(entries.len(), 3 + 2, "values, and the address and its domain");
        let has = |field, value| entries.contains(&(numbered(field), value));
        assert!(has(Field::EMAIL, values::text("a@b.c")) && has(Field::EMAIL_DOMAIN, values::text("b.c")));
        assert!(has(Field::Trait("n"), values::ranked(Rank::Number(Number::of_count(5)))));
        assert!(has(Field::Trait("plan"), values::text("pro")) && has(Field::Trait("list"), values::of_json("[]")));
    }

    #[test]
    fn an_order_of_its_own_has_a_number_of_its_own() {
        let numbers: Vec<Option<Field<'_>>> = ListOrder::FIELDS.iter().map(Field::of).collect();
        let expected: Vec<Option<Field<'_>>> = (1..=11).map(|number| Some(Field::Own(number))).collect();
        assert_eq!(numbers, expected);
    }
}
