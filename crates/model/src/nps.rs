//! NPS: the last answer of each user, and how accounts and organizations count them.
//!
//! A user counts by the last answer: in every account whose link stands, and once in every organization that the user
//! is in directly or through such an account. Answers, links and organizations arrive in any order, so whatever changes
//! one of the three moves the counts that follow from it and nothing else; no list of users is ever walked for a count.
//! What a user answered last is kept with the user and found again among the user's own responses when it is withdrawn.

use crate::{
    change::{Ledger, NewProfile},
    id::RecordId,
    json::string_value,
    kind::RecordKind,
    profile::{Body, Profile},
    time::Micros,
};

/// The traits of a response that an answer is made of.
pub const SCORE: &str = "score";
pub const FEEDBACK: &str = "feedback";
pub const RESPONDED_AT: &str = "respondedAt";
pub const DISMISSED_AT: &str = "dismissedAt";
/// The highest score.
pub const SCORE_MAX: u8 = 10;

/// What a score says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Detractor,
    Passive,
    Promoter,
}

/// One answer: ordered by time, then by the response it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub responded_at: Micros,
    pub response: RecordId,
    pub score: u8,
}

impl Answer {
    /// What its score says.
    #[must_use]
    pub fn group(&self) -> Group {
        match self.score {
            0..=6 => Group::Detractor,
            7 | 8 => Group::Passive,
            _ => Group::Promoter,
        }
    }

    /// Its place in the order of answers.
    #[must_use]
    pub fn place(&self) -> (Micros, RecordId) {
        (self.responded_at, self.response)
    }
}

/// What a user answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Whether any response ever named the user.
    pub heard: bool,
    /// The last answer that stands.
    pub last: Option<Answer>,
}

/// Users by their last answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub detractors: u32,
    pub passives: u32,
    pub promoters: u32,
}

impl Tally {
    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        u64::from(self.detractors) + u64::from(self.passives) + u64::from(self.promoters)
    }

    /// 100 times the promoters less the detractors, of all, rounded half away from zero; nothing without answers.
    #[must_use]
    pub fn score(&self) -> Option<i64> {
        let all = i64::try_from(self.all()).ok().filter(|all| *all > 0)?;
        let twice = 200 * (i64::from(self.promoters) - i64::from(self.detractors));
        Some((twice + twice.signum() * all) / (2 * all))
    }

    /// Counts one user in, or out again.
    pub fn count(&mut self, group: Group, counts: bool) {
        let count = match group {
            Group::Detractor => &mut self.detractors,
            Group::Passive => &mut self.passives,
            Group::Promoter => &mut self.promoters,
        };
        *count = if counts { count.saturating_add(1) } else { count.saturating_sub(1) };
    }
}

/// Whose answer a response holds, and the answer if it has a score.
#[must_use]
pub fn standing(response: &Profile) -> Option<(RecordId, Option<Answer>)> {
    let user = response.as_nps_response()?.user.as_ref()?.value().id;
    let score = response.traits.get(SCORE).and_then(|text| text.parse().ok()).filter(|score| *score <= SCORE_MAX);
    let instant = |text: &str| Micros::parse_value(&string_value(text)?.ok()?);
    let responded_at = response.traits.get(RESPONDED_AT).and_then(instant).unwrap_or(response.first_known);
    Some((user, score.map(|score| Answer { responded_at, response: response.id, score })))
}

/// A response changed; `answer` is what it now says of this user, if it is still the user's.
pub(crate) fn answer_changed<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
    response: RecordId,
    answer: Option<Answer>,
) -> Result<(), L::Error> {
    let last = user_body(ledger, received_at, user)?.and_then(|user| user.nps.last);
    let later = match (last, answer) {
        (Some(last), answer) if last.response == response => {
            match answer.filter(|answer| answer.place() >= last.place()) {
                Some(answer) => Some(answer),
                None => last_of(ledger, received_at, user)?,
            }
        }
        (Some(last), Some(answer)) if answer.place() < last.place() => Some(last),
        (last, answer) => answer.or(last),
    };
    if let Some(body) = user_body(ledger, received_at, user)? {
        body.nps.last = later;
    }
    let (before, after) = (last.map(|last| last.group()), later.map(|later| later.group()));
    for parent in parents_of(ledger, received_at, user)? {
        let profile = existing(ledger, received_at, parent)?;
        // An answer concerns whoever counts it, also when the count stays what it is.
        profile.touch(received_at);
        recount(profile, before, false);
        recount(profile, after, true);
    }
    Ok(())
}

/// Whoever counts a user by one answer counts it by another from now on, or not at all.
pub fn recount_user<L: Ledger>(
    ledger: &mut L,
    user: RecordId,
    before: Option<Group>,
    after: Option<Group>,
) -> Result<(), L::Error> {
    for parent in parents_of(ledger, Micros::MIN, user)? {
        let profile = existing(ledger, Micros::MIN, parent)?;
        recount(profile, before, false);
        recount(profile, after, true);
    }
    Ok(())
}

/// A link of a user who answered began or ended.
pub fn link_changed<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
    parent: (RecordKind, RecordId),
    group: Group,
    stands: bool,
) -> Result<(), L::Error> {
    let organization = match parent.0 {
        RecordKind::Account => {
            let profile = existing(ledger, received_at, parent)?;
            recount(profile, Some(group), stands);
            profile.as_account().and_then(|account| account.parent()).map(|parent| parent.id)
        }
        _ => Some(parent.1),
    };
    let Some(organization) = organization else { return Ok(()) };
    if !belongs_besides(ledger, received_at, user, organization, parent)? {
        let profile = existing(ledger, received_at, (RecordKind::Organization, organization))?;
        recount(profile, Some(group), stands);
    }
    Ok(())
}

/// An account moved from one organization to another: those of its users who answered move along, unless they are in
/// either besides.
pub(crate) fn account_moved<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    account: RecordId,
    left: Option<RecordId>,
    joined: Option<RecordId>,
) -> Result<(), L::Error> {
    let itself = (RecordKind::Account, account);
    let tally = existing(ledger, received_at, itself)?.as_account().map(|account| account.nps).unwrap_or_default();
    if tally.all() == 0 {
        return Ok(());
    }
    let mut users = Vec::new();
    for response in ledger.children(itself, RecordKind::NpsResponse)? {
        let response = existing(ledger, received_at, (RecordKind::NpsResponse, response))?;
        users.extend(standing(response).map(|(user, _)| user));
    }
    users.sort_unstable();
    users.dedup();
    for user in users {
        let body = user_body(ledger, received_at, user)?;
        let linked = |link: &crate::association::Link| link.parent == account && link.stands();
        let counted = body.filter(|user| user.accounts.links().iter().any(linked)).and_then(|user| user.nps.last);
        let Some(group) = counted.map(|last| last.group()) else { continue };
        for (organization, counts) in [(left, false), (joined, true)] {
            let Some(organization) = organization else { continue };
            if !belongs_besides(ledger, received_at, user, organization, itself)? {
                let profile = existing(ledger, received_at, (RecordKind::Organization, organization))?;
                recount(profile, Some(group), counts);
            }
        }
    }
    Ok(())
}

/// The latest answer among all responses of a user.
fn last_of<L: Ledger>(ledger: &mut L, received_at: Micros, user: RecordId) -> Result<Option<Answer>, L::Error> {
    let mut last: Option<Answer> = None;
    for response in ledger.children((RecordKind::User, user), RecordKind::NpsResponse)? {
        let response = existing(ledger, received_at, (RecordKind::NpsResponse, response))?;
        let answer = standing(response).filter(|(whose, _)| *whose == user).and_then(|(_, answer)| answer);
        last = [last, answer].into_iter().flatten().max_by_key(Answer::place);
    }
    Ok(last)
}

/// The accounts whose link stands, and the organizations that the user is in, each once.
fn parents_of<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
) -> Result<Vec<(RecordKind, RecordId)>, L::Error> {
    let Some(body) = user_body(ledger, received_at, user)? else { return Ok(Vec::new()) };
    let standing = |links: &[crate::association::Link]| -> Vec<RecordId> {
        links.iter().filter(|link| link.stands()).map(|link| link.parent).collect()
    };
    let accounts = standing(body.accounts.links());
    let mut organizations = standing(body.organizations.links());
    for account in &accounts {
        let profile = existing(ledger, received_at, (RecordKind::Account, *account))?;
        organizations.extend(profile.as_account().and_then(|account| account.parent()).map(|parent| parent.id));
    }
    organizations.sort_unstable();
    organizations.dedup();
    let accounts = accounts.into_iter().map(|id| (RecordKind::Account, id));
    Ok(accounts.chain(organizations.into_iter().map(|id| (RecordKind::Organization, id))).collect())
}

/// Whether a user is in an organization by anything but this one link.
fn belongs_besides<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
    organization: RecordId,
    except: (RecordKind, RecordId),
) -> Result<bool, L::Error> {
    let Some(body) = user_body(ledger, received_at, user)? else { return Ok(false) };
    let directly = body.organizations.links().iter().any(|link| link.parent == organization && link.stands());
    if directly && except != (RecordKind::Organization, organization) {
        return Ok(true);
    }
    let accounts = body.accounts.links().iter().filter(|link| link.stands()).map(|link| link.parent);
    let accounts: Vec<RecordId> = accounts.filter(|id| except != (RecordKind::Account, *id)).collect();
    for account in accounts {
        let profile = existing(ledger, received_at, (RecordKind::Account, account))?;
        if profile.as_account().and_then(|account| account.parent()).is_some_and(|parent| parent.id == organization) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn recount(profile: &mut Profile, group: Option<Group>, counts: bool) {
    let Some(group) = group else { return };
    match &mut profile.body {
        Body::Account(account) => account.nps.count(group, counts),
        Body::Organization(organization) => organization.nps.count(group, counts),
        Body::User(_) | Body::Instance(_) | Body::CustomObject | Body::NpsResponse(_) | Body::Anonymous(_) => {}
    }
}

fn user_body<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    user: RecordId,
) -> Result<Option<&mut crate::profile::User>, L::Error> {
    let profile = existing(ledger, received_at, (RecordKind::User, user))?;
    Ok(if let Body::User(body) = &mut profile.body { Some(body) } else { None })
}

/// A record that some message named before.
fn existing<L: Ledger>(
    ledger: &mut L,
    received_at: Micros,
    (kind, id): (RecordKind, RecordId),
) -> Result<&mut Profile, L::Error> {
    ledger.profile(NewProfile { kind, id, external_id: "", received_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_rounded_and_absent_without_answers() {
        let check = |counts: [u32; 3], expected: Option<i64>| {
            let [detractors, passives, promoters] = counts;
            assert_eq!(Tally { detractors, passives, promoters }.score(), expected, "{counts:?}");
        };
        check([0, 0, 0], None);
        check([0, 0, 1], Some(100));
        check([1, 0, 0], Some(-100));
        check([1, 1, 1], Some(0));
        check([0, 2, 1], Some(33));
        check([1, 0, 2], Some(33));
        check([0, 1, 2], Some(67));
        check([2, 1, 0], Some(-67));
        check([0, 7, 1], Some(13));
        check([1, 7, 0], Some(-13));
        check([3, 5, 12], Some(45));
    }

    #[test]
    fn a_score_has_its_group() {
        let group = |score| Answer { responded_at: Micros(0), response: RecordId(1), score }.group();
        assert_eq!([0, 6].map(group), [Group::Detractor; 2]);
        assert_eq!([7, 8].map(group), [Group::Passive; 2]);
        assert_eq!([9, 10].map(group), [Group::Promoter; 2]);
    }
}
