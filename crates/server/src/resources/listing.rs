//! What a request asks of a list: its order and which records are in it.
//!
//! Everything is checked before the store is asked. A trait that nobody ever stated cannot be sorted or filtered by, and
//! the answer says so: a misspelt key would otherwise look like an empty list.

use std::collections::BTreeMap;

use muster_model::{find, id::RecordId, kind::RecordKind, profile::Span, rank::Rank};
use muster_store::{
    catalogue::{KnownTrait, Model, TraitType},
    credentials::Workspace,
    lists::{Condition, ListOrder, ListQuery},
};

use super::query::Query;
use crate::{error::ApiError, settings::TraitNames, state::AppState};

/// Filters on traits in one request.
const TRAIT_FILTERS_MAX: usize = 16;
/// Bytes of the text of a search.
const SEARCH_BYTES_MAX: usize = 256;
/// Characters of a trait's name in an error.
const TRAIT_SHOWN_CHARS_MAX: usize = 128;

/// The order and the conditions of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub order: ListOrder,
    pub ascending: bool,
    pub conditions: Vec<Condition>,
}

impl Listing {
    /// Reads `sortBy`, `order`, `search`, `updatedAfter`, `updatedBefore`, `seenAfter`, `seenBefore` and the filters on traits.
    pub(super) async fn read(
        state: &AppState,
        workspace: &Workspace,
        (kind, object): (RecordKind, Option<RecordId>),
        parameters: &Query,
    ) -> Result<Listing, ApiError> {
        let mut catalogue = Traits { state, workspace, model: Model { kind, object }, known: None };
        let begins = parameters.filled("from").is_none();
        let order = catalogue.order(parameters.filled("sortBy"), &state.settings.trait_names, begins).await?;
        let ascending = parameters.word("order", &[("desc", false), ("asc", true)])?;
        let mut conditions = catalogue.conditions(parameters).await?;
        conditions.extend(updated(parameters)?);
        conditions.extend(seen(kind, parameters)?);
        conditions.extend(search(parameters)?);
        Ok(Listing { order, ascending, conditions })
    }
}

/// The traits of the records that are listed.
struct Traits<'s> {
    state: &'s AppState,
    workspace: &'s Workspace,
    model: Model,
    known: Option<BTreeMap<Box<str>, KnownTrait>>,
}

impl Traits<'_> {
    async fn known(&mut self, key: &str) -> Result<Option<&KnownTrait>, ApiError> {
        if self.known.is_none() {
            let known = self.state.store.known_traits(self.workspace.id, self.model).await.map_err(ApiError::Read)?;
            self.known = Some(known.into_iter().map(|one| (one.key.clone(), one)).collect());
        }
        Ok(self.known.as_ref().and_then(|known| known.get(key)))
    }

    /// The order that a request names. A list that goes on is in an order that there was when it began.
    async fn order(&mut self, name: Option<&str>, names: &TraitNames, begins: bool) -> Result<ListOrder, ApiError> {
        let Some(name) = name else { return Ok(ListOrder::UpdatedAt) };
        if let Some((_, order)) = fields(self.model.kind, names).into_iter().find(|(field, _)| *field == name) {
            return Ok(order);
        }
        let key = name.strip_prefix("trait.").unwrap_or(name).to_owned();
        match self.known(&key).await?.map(|known| known.types) {
            Some(types) => {
                let order = ListOrder::Trait(key.into());
                let has = |wanted: &[TraitType]| types.iter().any(|one| wanted.contains(&one));
                let ranked = has(&[TraitType::Number, TraitType::Instant]);
                if ranked || (has(&[TraitType::String]) && (!begins || self.ranks_any(&order).await?)) {
                    return Ok(order);
                }
                let says = "sortBy names a trait without numbers or dates, and lists are sorted by nothing else";
                Err(ApiError::parameter(says))
            }
            None => {
                let fields: Vec<&str> = fields(self.model.kind, names).iter().map(|(field, _)| *field).collect();
                let says = "or a trait with numbers or dates, which none of these records has by that name";
                Err(ApiError::parameter(format!("sortBy must be one of {}, {says}", fields.join(", "))))
            }
        }
    }

    /// Whether any record has a place of its own in an order by a trait of texts: numbers and dates are often sent as texts.
    async fn ranks_any(&self, order: &ListOrder) -> Result<bool, ApiError> {
        let within = self.model.object.map(|object| (RecordKind::CustomObject, object));
        let query = ListQuery { within, limit: 1, ..ListQuery::new(self.model.kind, order.clone()) };
        let page = self.state.store.list(self.workspace.id, query).await.map_err(ApiError::Read)?;
        // Those without a rank come last. A page that ends before it found any record proves nothing.
        let first = page.profiles.first();
        Ok(first.map_or(page.next.is_some(), |first| order.rank(first, Span::default()).is_some()))
    }

    /// The filters on traits.
    async fn conditions(&mut self, parameters: &Query) -> Result<Vec<Condition>, ApiError> {
        let mut conditions = Vec::new();
        let mut between: BTreeMap<String, (Option<Rank>, Option<Rank>)> = BTreeMap::new();
        let filters: BTreeMap<&str, &str> = parameters.starting_with("trait.").collect();
        if filters.len() > TRAIT_FILTERS_MAX {
            return Err(ApiError::parameter(format!("at most {TRAIT_FILTERS_MAX} filters on traits in one request")));
        }
        for (name, value) in filters {
            let (key, way) = self.way(name).await?;
            match way {
                Way::Is => conditions.push(Condition::TraitIs { key, value: value.to_owned() }),
                Way::Exists => {
                    let words = [("true", true), ("false", false)];
                    let present = words.iter().find(|(word, _)| *word == value).map(|(_, present)| *present);
                    let says = || ApiError::parameter("trait.<key>.exists must be true or false");
                    conditions.push(Condition::TraitPresent { key, present: present.ok_or_else(says)? });
                }
                Way::AtLeast | Way::AtMost => {
                    let says = || ApiError::parameter("trait.<key>.gte and .lte must be a number or ISO 8601 text");
                    let rank = Rank::of_text(value).ok_or_else(says)?;
                    let bounds = between.entry(key).or_default();
                    let bound = if matches!(way, Way::AtLeast) { &mut bounds.0 } else { &mut bounds.1 };
                    *bound = Some(rank);
                }
            }
        }
        for (key, (from, to)) in between {
            if let (Some(from), Some(to)) = (from, to)
                && matches!(from, Rank::Number(_)) != matches!(to, Rank::Number(_))
            {
                return Err(ApiError::parameter(
                    "trait.<key>.gte and .lte of one trait must both be numbers or both be dates",
                ));
            }
            conditions.push(Condition::TraitBetween { key, from, to });
        }
        Ok(conditions)
    }

    /// The key and the kind of filter that a parameter's name, without its beginning, means. A key that ends as a kind
    /// of filter does is meant itself if only it is known.
    async fn way(&mut self, name: &str) -> Result<(String, Way), ApiError> {
        for (ending, way) in [(".gte", Way::AtLeast), (".lte", Way::AtMost), (".exists", Way::Exists)] {
            if let Some(key) = name.strip_suffix(ending)
                && self.known(key).await?.is_some()
            {
                return Ok((key.to_owned(), way));
            }
        }
        match self.known(name).await? {
            Some(_) => Ok((name.to_owned(), Way::Is)),
            None => Err(unknown_trait(name)),
        }
    }
}

/// What a request is told that names a trait of nobody.
pub(super) fn unknown_trait(name: &str) -> ApiError {
    let shown: String = name.chars().take(TRAIT_SHOWN_CHARS_MAX).collect();
    let more = if shown.len() < name.len() { "…" } else { "" };
    ApiError::parameter(format!(
        "a filter names the trait {shown}{more}, which none of these records ever had; GET /resources/customFields lists those \
         that there are"
    ))
}

/// A kind of filter on a trait.
#[derive(Clone, Copy, Debug)]
enum Way {
    Is,
    AtLeast,
    AtMost,
    Exists,
}

/// Fields of a kind of record that lists are sorted by.
pub(super) fn fields(kind: RecordKind, names: &TraitNames) -> Vec<(&'static str, ListOrder)> {
    let by = |key: &str| ListOrder::Trait(key.into());
    let mut fields = vec![("updatedAt", ListOrder::UpdatedAt), ("createdAt", ListOrder::CreatedAt)];
    let money = [
        ("mrr", by(&names.mrr)),
        ("nextRenewalDate", by(&names.next_renewal_date)),
        ("churnedAt", by(&names.churned_at)),
        ("trialEndDate", by(&names.trial_end_date)),
        ("usersCount", ListOrder::UsersCount),
        ("npsDetractorCount", ListOrder::NpsDetractors),
        ("npsPassiveCount", ListOrder::NpsPassives),
        ("npsPromoterCount", ListOrder::NpsPromoters),
        ("npsScore", ListOrder::NpsScore),
    ];
    match kind {
        RecordKind::Organization => {
            fields.extend(money);
            fields.push(("accountsCount", ListOrder::AccountsCount));
        }
        RecordKind::Account => {
            fields.extend(money);
            let seen = [("firstSeenTimestamp", ListOrder::FirstSeen), ("lastSeenTimestamp", ListOrder::LastSeen)];
            fields.extend(seen);
        }
        RecordKind::User => fields.extend([
            ("firstKnown", ListOrder::FirstKnown),
            ("lastSeenTimestamp", ListOrder::LastSeen),
            ("npsLastScore", ListOrder::NpsLastScore),
            ("npsLastRespondedAt", ListOrder::NpsLastRespondedAt),
            ("joinDate", by("createdAt")),
        ]),
        RecordKind::Instance => fields.push(("archivedAt", by("archivedAt"))),
        RecordKind::NpsResponse => fields.extend([("score", by("score")), ("respondedAt", by("respondedAt"))]),
        RecordKind::CustomObject | RecordKind::Anonymous => {}
    }
    fields
}

fn updated(parameters: &Query) -> Result<Option<Condition>, ApiError> {
    let (after, before) = (parameters.instant("updatedAfter")?, parameters.instant("updatedBefore")?);
    Ok((after.is_some() || before.is_some()).then_some(Condition::Updated { after, before }))
}

fn seen(kind: RecordKind, parameters: &Query) -> Result<Option<Condition>, ApiError> {
    let (after, before) = (parameters.instant("seenAfter")?, parameters.instant("seenBefore")?);
    if after.is_none() && before.is_none() {
        return Ok(None);
    }
    match kind {
        RecordKind::Account | RecordKind::User => Ok(Some(Condition::LastSeen { after, before })),
        RecordKind::Organization
        | RecordKind::Instance
        | RecordKind::CustomObject
        | RecordKind::NpsResponse
        | RecordKind::Anonymous => {
            Err(ApiError::parameter("seenBefore and seenAfter are for lists of accounts and users"))
        }
    }
}

fn search(parameters: &Query) -> Result<Option<Condition>, ApiError> {
    let Some(text) = parameters.get("search").map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.len() > SEARCH_BYTES_MAX || text.contains('\n') {
        return Err(ApiError::parameter(format!("search must be one line of at most {SEARCH_BYTES_MAX} bytes")));
    }
    Ok(Some(Condition::Contains(find::fold(text))))
}
