//! Lists of records: orders, conditions, places, and what each of them means.
//!
//! Everything here is a function of profiles, so that stores which keep orders and indexes of their own can be compared
//! with one that sorts and filters. A page is never wrong; it may be short, even empty, and still have a next one.

/// The values of an index of records.
pub mod values;

/// An index of records: what stands in it, and where a list or a condition looks.
pub mod index;

use std::{cmp::Ordering, sync::Arc};

use muster_model::{
    find,
    id::RecordId,
    json::string_value,
    kind::RecordKind,
    nps::Tally,
    profile::{Body, Profile, Span},
    rank::{Number, Rank},
    time::Micros,
};

/// What a list is ordered by: the greatest first unless it runs upwards, ties by id. Records without a value come last
/// either way, by id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ListOrder {
    /// When the record was last heard of. A record that changes during a pass moves to the front.
    UpdatedAt,
    /// When the record was first heard of. A pass sees each record that existed at its start exactly once.
    CreatedAt,
    /// The earliest instant of any message that names a user.
    FirstKnown,
    /// The first track attributed to an account.
    FirstSeen,
    /// The last track: of a user its own, of an account those attributed to it.
    LastSeen,
    /// Users of an account or organization.
    UsersCount,
    /// Accounts of an organization.
    AccountsCount,
    /// What the users of an account or organization answered to NPS surveys.
    NpsScore,
    NpsDetractors,
    NpsPassives,
    NpsPromoters,
    /// What a user answered last, and when.
    NpsLastScore,
    NpsLastRespondedAt,
    /// The rank of a trait's value.
    Trait(Box<str>),
}

impl ListOrder {
    /// The orders that have nothing to do with times of receipt or with traits.
    pub const FIELDS: [ListOrder; 11] = [
        ListOrder::FirstKnown,
        ListOrder::FirstSeen,
        ListOrder::LastSeen,
        ListOrder::UsersCount,
        ListOrder::AccountsCount,
        ListOrder::NpsScore,
        ListOrder::NpsDetractors,
        ListOrder::NpsPassives,
        ListOrder::NpsPromoters,
        ListOrder::NpsLastScore,
        ListOrder::NpsLastRespondedAt,
    ];

    /// Whether where a record stands depends on its first or last track.
    #[must_use]
    pub fn asks_seen(&self) -> bool {
        matches!(self, ListOrder::FirstSeen | ListOrder::LastSeen)
    }

    /// A record's rank in this order, if it has one. `seen` is the record's first and last track, exactly.
    #[must_use]
    pub fn rank(&self, profile: &Profile, seen: Span) -> Option<Rank> {
        let count = |count: u32| Rank::Number(Number::of_count(count));
        match self {
            ListOrder::UpdatedAt => Some(Rank::Time(profile.updated_at)),
            ListOrder::CreatedAt => Some(Rank::Time(profile.created_at)),
            ListOrder::FirstKnown => {
                let known = profile.as_user().is_some() && profile.first_known < Micros::MAX;
                known.then_some(Rank::Time(profile.first_known))
            }
            ListOrder::FirstSeen => profile.as_account().and(seen.first()).map(Rank::Time),
            ListOrder::LastSeen => seen.last().map(Rank::Time),
            ListOrder::UsersCount => match &profile.body {
                Body::Account(account) => Some(count(account.users_count)),
                Body::Organization(organization) => Some(count(organization.users_count)),
                Body::User(_) | Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_) => {
                    None
                }
            },
            ListOrder::AccountsCount => {
                profile.as_organization().map(|organization| count(organization.accounts_count))
            }
            ListOrder::NpsScore => {
                #[expect(clippy::cast_precision_loss, reason = "a score lies between -100 and 100")]
                let number = |score: i64| Number::new(score as f64).map(Rank::Number);
                tally(profile)?.score().and_then(number)
            }
            ListOrder::NpsDetractors => Some(count(tally(profile)?.detractors)),
            ListOrder::NpsPassives => Some(count(tally(profile)?.passives)),
            ListOrder::NpsPromoters => Some(count(tally(profile)?.promoters)),
            ListOrder::NpsLastScore => Some(count(u32::from(profile.as_user()?.nps.last?.score))),
            ListOrder::NpsLastRespondedAt => Some(Rank::Time(profile.as_user()?.nps.last?.responded_at)),
            ListOrder::Trait(key) => Rank::of_json(profile.traits.get(key)?),
        }
    }

    /// A record's place in this order.
    #[must_use]
    pub fn place(&self, profile: &Profile, seen: Span) -> ListCursor {
        let place = self.rank(profile, seen).map_or(Place::Unranked, Place::Ranked);
        ListCursor { place, id: profile.id }
    }
}

/// The answers of a record's users.
fn tally(profile: &Profile) -> Option<Tally> {
    match &profile.body {
        Body::Account(account) => Some(account.nps),
        Body::Organization(organization) => Some(organization.nps),
        Body::User(_) | Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_) => None,
    }
}

/// First and last track as a profile keeps them, and whether that is exact.
#[must_use]
pub fn kept_seen(profile: &Profile) -> (Span, bool) {
    match &profile.body {
        Body::Account(account) => (account.seen, !account.seen_stale),
        Body::User(user) => (user.seen, !user.seen_stale),
        Body::Organization(_) | Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_) => {
            (Span::default(), true)
        }
    }
}

/// A record with its first and its last track, which are exact.
#[must_use]
pub fn with_seen(profile: &Profile, seen: Span) -> Profile {
    let mut profile = profile.clone();
    match &mut profile.body {
        Body::Account(account) => (account.seen, account.seen_stale) = (seen, false),
        Body::User(user) => (user.seen, user.seen_stale) = (seen, false),
        Body::Organization(_) | Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_) => {}
    }
    profile
}

/// Where a record stands in an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    Ranked(Rank),
    /// Without a value.
    Unranked,
}

/// A place in a list: after the record with this place in the order and this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListCursor {
    pub place: Place,
    pub id: RecordId,
}

impl ListCursor {
    /// What comes first in a list that runs downwards, or upwards.
    #[must_use]
    pub fn order(&self, other: &ListCursor, ascending: bool) -> Ordering {
        let unranked = |cursor: &ListCursor| cursor.place == Place::Unranked;
        unranked(self).cmp(&unranked(other)).then_with(|| {
            let down = other.place.cmp(&self.place).then(self.id.cmp(&other.id));
            if ascending { down.reverse() } else { down }
        })
    }
}

/// A condition on records.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The trait has a value (`true`) or has none (`false`).
    TraitPresent { key: String, present: bool },
    /// The trait is this text, or this number, or `true` or `false`.
    TraitIs { key: String, value: String },
    /// The trait's rank lies between these two, themselves included. Both are numbers, or both instants.
    TraitBetween { key: String, from: Option<Rank>, to: Option<Rank> },
    /// The last track was at or after the one, and before the other. Without any track it was neither.
    LastSeen { after: Option<Micros>, before: Option<Micros> },
    /// Last heard of at or after the one instant, and before the other.
    Updated { after: Option<Micros>, before: Option<Micros> },
    /// A name, an e-mail address or an external id contains this folded text.
    Contains(String),
    /// The e-mail address is this folded one.
    Email(String),
    /// The domain of the e-mail address is this folded one.
    EmailDomain(String),
    /// An instance of this custom object.
    Object(RecordId),
}

impl Condition {
    /// Whether it depends on a record's first or last track.
    #[must_use]
    pub fn asks_seen(&self) -> bool {
        matches!(self, Condition::LastSeen { .. })
    }

    /// Whether a profile meets the condition. `seen` is the record's first and last track, exactly.
    #[must_use]
    pub fn holds(&self, profile: &Profile, seen: Span) -> bool {
        match self {
            Condition::TraitPresent { key, present } => profile.traits.get(key).is_some() == *present,
            Condition::TraitIs { key, value } => profile.traits.get(key).is_some_and(|json| is(json, value)),
            Condition::TraitBetween { key, from, to } => {
                let rank = profile.traits.get(key).and_then(Rank::of_json);
                rank.is_some_and(|rank| between(rank, *from, *to))
            }
            Condition::LastSeen { after, before } => seen.last().is_some_and(|last| within(last, *after, *before)),
            Condition::Updated { after, before } => within(profile.updated_at, *after, *before),
            Condition::Contains(needle) => find::searchable(profile).contains(needle.as_str()),
            Condition::Email(email) => find::email(profile).is_some_and(|own| own == *email),
            Condition::EmailDomain(domain) => {
                find::email(profile).is_some_and(|email| find::domain(&email) == Some(domain))
            }
            Condition::Object(id) => profile.as_instance().and_then(|instance| instance.custom_object) == Some(*id),
        }
    }
}

/// Whether a trait's JSON text is what a text says: the same string, an equal number, or the same word.
fn is(json: &str, value: &str) -> bool {
    match string_value(json) {
        Some(text) => text.is_ok_and(|text| text == value),
        None => json == value || Number::of_json(json).is_some_and(|number| Number::of_json(value) == Some(number)),
    }
}

/// An instant at or after the one bound, and before the other.
fn within(at: Micros, after: Option<Micros>, before: Option<Micros>) -> bool {
    after.is_none_or(|after| at >= after) && before.is_none_or(|before| at < before)
}

/// A rank within bounds of its own kind.
#[must_use]
pub fn between(rank: Rank, from: Option<Rank>, to: Option<Rank>) -> bool {
    let alike =
        |bound: Rank| matches!((rank, bound), (Rank::Number(_), Rank::Number(_)) | (Rank::Time(_), Rank::Time(_)));
    from.is_none_or(|from| alike(from) && rank >= from) && to.is_none_or(|to| alike(to) && rank <= to)
}

/// Which records to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub kind: RecordKind,
    pub order: ListOrder,
    /// From the least to the greatest, rather than the other way.
    pub ascending: bool,
    /// Only records that belong to this one now: see [`belongs`].
    pub within: Option<(RecordKind, RecordId)>,
    pub conditions: Vec<Condition>,
    pub from: Option<ListCursor>,
    /// Records on the page, at least 1.
    pub limit: usize,
}

impl ListQuery {
    /// The first hundred records of a kind in an order.
    #[must_use]
    pub fn new(kind: RecordKind, order: ListOrder) -> Self {
        ListQuery { kind, order, ascending: false, within: None, conditions: Vec::new(), from: None, limit: 100 }
    }
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPage {
    pub profiles: Vec<Arc<Profile>>,
    /// Where the next page starts; `None` at the end. A page may be short, even empty, and still have a next one when
    /// few records meet the conditions.
    pub next: Option<ListCursor>,
}

/// Whether a record belongs to another one now: an account to its organization; a user to the accounts and organizations
/// whose links to it stand, and to those accounts' organizations; an instance to its custom object, account and organization; an NPS
/// response to its user and whatever that one belongs to.
pub fn belongs<E>(
    profile: &Profile,
    parent: (RecordKind, RecordId),
    look: &mut impl FnMut(RecordKind, RecordId) -> Result<Option<Arc<Profile>>, E>,
) -> Result<bool, E> {
    match &profile.body {
        Body::Account(account) => {
            Ok(parent.0 == RecordKind::Organization && account.parent().is_some_and(|of| of.id == parent.1))
        }
        Body::User(user) => {
            let links = if parent.0 == RecordKind::Account { &user.accounts } else { &user.organizations };
            let directly = links.links().iter().any(|link| link.parent == parent.1 && link.stands());
            if directly || parent.0 != RecordKind::Organization {
                return Ok(directly && matches!(parent.0, RecordKind::Account | RecordKind::Organization));
            }
            for link in user.accounts.links().iter().filter(|link| link.stands()) {
                let account = look(RecordKind::Account, link.parent)?;
                let of = account.as_ref().and_then(|account| account.as_account()?.parent());
                if of.is_some_and(|of| of.id == parent.1) {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Body::Instance(instance) => {
            let of = match parent.0 {
                RecordKind::Account => &instance.account,
                RecordKind::Organization => &instance.organization,
                RecordKind::CustomObject => return Ok(instance.custom_object == Some(parent.1)),
                RecordKind::User | RecordKind::Instance | RecordKind::NpsResponse | RecordKind::Anonymous => {
                    return Ok(false);
                }
            };
            Ok(of.as_ref().and_then(|of| of.value().as_ref()).is_some_and(|of| of.id == parent.1))
        }
        Body::NpsResponse(response) => {
            let Some(user) = response.user.as_ref().map(|user| user.value().id) else { return Ok(false) };
            if parent.0 == RecordKind::User {
                return Ok(user == parent.1);
            }
            match look(RecordKind::User, user)? {
                Some(user) => belongs(&user, parent, look),
                None => Ok(false),
            }
        }
        Body::Organization(_) | Body::CustomObject | Body::Anonymous(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_without_a_value_come_last_either_way() {
        let at = |place, id| ListCursor { place, id: RecordId(id) };
        let (low, high) = (Place::Ranked(Rank::Time(Micros(1))), Place::Ranked(Rank::Time(Micros(2))));
        let none = Place::Unranked;
        let down = [at(high, 1), at(high, 2), at(low, 0), at(none, 0), at(none, 7)];
        assert!(down.is_sorted_by(|one, other| one.order(other, false) == Ordering::Less));
        let up = [at(low, 0), at(high, 2), at(high, 1), at(none, 7), at(none, 0)];
        assert!(up.is_sorted_by(|one, other| one.order(other, true) == Ordering::Less));
    }

    #[test]
    fn a_trait_is_what_a_text_says() {
        for (json, value, expected) in [
            ("\"pro\"", "pro", true),
            ("\"Pro\"", "pro", false),
            ("5", "5.0", true),
            ("\"5\"", "5", true),
            ("\"5\"", "5.0", false),
            ("true", "true", true),
            ("\"true\"", "true", true),
            ("1", "true", false),
            ("[1]", "1", false),
        ] {
            assert_eq!(is(json, value), expected, "{json} {value}");
        }
    }
}
