//! What stands beside a record: users, accounts, objects, answers to surveys. A few of each, and where the rest is.
//!
//! Of users it is counted as well how many did something lately, as far as a page looks.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use muster_model::{
    id::RecordId,
    kind::{Kind, RecordKind},
    nps::{self, Answer as NpsAnswer, Group as NpsGroup},
    profile::Profile,
    time::Micros,
};
use muster_store::{
    credentials::Workspace,
    lists::{Condition, ListOrder, ListQuery},
};

use super::{
    super::{
        days::TREND_DAYS,
        link,
        list::name_of,
        shown::{self, Form, Html, escaped},
    },
    Line,
};
use crate::{error::ApiError, resources::related::Gatherer, state::AppState, wire::value};

/// Records of one group that are shown.
const SHOWN: usize = 8;

/// Records of one group that are counted, where no count is kept.
const COUNTED_MAX: usize = 100;
/// Pages of a list that are asked for of one object.
const PAGES_MAX: usize = 5;
/// Instances that are looked at for which custom objects they are of.
const OBJECTS_READ: usize = 500;
/// Custom objects that are shown.
const OBJECTS_MAX: usize = 20;

/// Users that are looked at for how many of them did something lately.
const ACTIVE_MAX: usize = 100;

/// What stands beside a record.
#[derive(Default)]
pub(super) struct Beside {
    pub groups: Vec<Group>,
    pub answers: Vec<Answer>,
    /// How many answers there are, and where all of them are.
    pub answers_count: String,
    pub answers_all: String,
    /// How many users did something lately: a number, or one that is exceeded.
    pub active: Option<String>,
}

/// An answer to a survey.
pub(super) struct Answer {
    pub score: String,
    pub class: &'static str,
    pub feedback: Html,
    /// Whose it is, where that is not the record itself.
    pub who: Html,
    pub at: Html,
}

/// Records of one kind.
pub(super) struct Group {
    pub id: String,
    pub title: String,
    pub count: String,
    /// Where all of them are.
    pub all: String,
    pub lines: Vec<Line>,
    pub empty: &'static str,
}

/// Reads every group that a kind of record has.
pub(super) async fn read(state: &AppState, workspace: &Workspace, profile: &Arc<Profile>) -> Result<Beside, ApiError> {
    let reader = Reader { state, workspace, profile };
    let mut beside = Beside::default();
    if profile.kind() == RecordKind::Organization {
        beside.groups.push(reader.accounts().await?);
    }
    if profile.kind() != RecordKind::User {
        let (users, active) = reader.users().await?;
        beside.groups.push(users);
        beside.active = Some(active);
        beside.groups.extend(reader.objects().await?);
    }
    let order = ListOrder::Trait(nps::RESPONDED_AT.into());
    let answers = reader.of(RecordKind::NpsResponse, order, COUNTED_MAX + 1).await?;
    beside.answers_count = counted(answers.len().min(COUNTED_MAX), answers.len() <= COUNTED_MAX);
    beside.answers_all = reader.messages(Kind::NpsResponse, "");
    beside.answers = reader.answers(&answers[..answers.len().min(SHOWN)]).await?;
    Ok(beside)
}

/// Instances that were found, and whether that is all of them.
struct Found {
    instances: Vec<Arc<Profile>>,
    ended: bool,
}

struct Reader<'a> {
    state: &'a AppState,
    workspace: &'a Workspace,
    profile: &'a Arc<Profile>,
}

impl Reader<'_> {
    async fn of(&self, kind: RecordKind, order: ListOrder, limit: usize) -> Result<Vec<Arc<Profile>>, ApiError> {
        let within = Some((self.profile.kind(), self.profile.id));
        let query = ListQuery { within, limit, ..ListQuery::new(kind, order) };
        let page = self.state.store.list(self.workspace.id, query).await.map_err(ApiError::Read)?;
        Ok(page.profiles)
    }

    /// The table of all records of a kind that belong to this one.
    fn all(&self, kind: RecordKind) -> String {
        let name = if self.profile.kind() == RecordKind::Account { "account" } else { "organization" };
        link::with(
            link::list(kind),
            &[
                (name, &self.profile.external_id),
                ("status", if kind == RecordKind::Account { "activeOrChurned" } else { "" }),
            ],
        )
    }

    /// Those seen last, and how many did something lately.
    async fn users(&self) -> Result<(Group, String), ApiError> {
        const LATELY_MICROS: i64 = TREND_DAYS as i64 * 86_400 * 1_000_000;
        let users = self.of(RecordKind::User, ListOrder::LastSeen, ACTIVE_MAX).await?;
        let gatherer = Gatherer::new(self.state, self.workspace.id);
        let since = self.state.clock.now().plus_micros(-LATELY_MICROS);
        let (mut lines, mut active) = (Vec::with_capacity(SHOWN), 0);
        for user in &users {
            let last = gatherer.seen(user).await?.last();
            let is_active = last.is_some_and(|last| last >= since);
            active += usize::from(is_active);
            if lines.len() < SHOWN {
                lines.push(line(user, shown::time_or_nothing(last, Form::Ago)));
            } else if !is_active {
                break;
            }
        }
        let more = if active == ACTIVE_MAX { "+" } else { "" };
        let account = self.profile.as_account().map(|account| account.users_count);
        let count = account.or_else(|| self.profile.as_organization().map(|organization| organization.users_count));
        let group = Group {
            id: "users".to_owned(),
            title: "Users".to_owned(),
            count: shown::count(count.unwrap_or(0).into()),
            all: self.all(RecordKind::User),
            lines,
            empty: "No user belongs to it.",
        };
        Ok((group, format!("{}{more}", shown::count(active as u64))))
    }

    async fn accounts(&self) -> Result<Group, ApiError> {
        let accounts = self.of(RecordKind::Account, ListOrder::LastSeen, SHOWN).await?;
        let mut gatherer = Gatherer::new(self.state, self.workspace.id);
        let mut lines = Vec::new();
        for account in accounts {
            let seen = gatherer.account(Arc::clone(&account)).await?.seen.last();
            lines.push(line(&account, shown::time_or_nothing(seen, Form::Ago)));
        }
        let count = self.profile.as_organization().map_or(0, |organization| organization.accounts_count);
        Ok(Group {
            id: "accounts".to_owned(),
            title: "Accounts".to_owned(),
            count: shown::count(count.into()),
            all: self.all(RecordKind::Account),
            lines,
            empty: "No account belongs to it.",
        })
    }

    /// Instances of custom objects, a group for each object that has some here.
    async fn objects(&self) -> Result<Vec<Group>, ApiError> {
        let latest = self.instances(None, OBJECTS_READ).await?;
        let mut by_object: BTreeMap<RecordId, Found> = BTreeMap::new();
        for instance in latest.instances {
            let Some(object) = instance.as_instance().and_then(|part| part.custom_object) else { continue };
            let found = by_object.entry(object).or_insert(Found { instances: Vec::new(), ended: latest.ended });
            found.instances.push(instance);
        }
        // Of objects whose instances changed longer ago than so many others, those that are described are asked for by themselves.
        if !latest.ended {
            let query =
                ListQuery { limit: OBJECTS_MAX, ..ListQuery::new(RecordKind::CustomObject, ListOrder::UpdatedAt) };
            let known = self.state.store.list(self.workspace.id, query).await.map_err(ApiError::Read)?;
            for object in known.profiles.iter().map(|object| object.id) {
                if let Entry::Vacant(place) = by_object.entry(object) {
                    place.insert(self.instances(Some(object), COUNTED_MAX).await?);
                }
            }
        }
        let mut groups = Vec::new();
        for (id, found) in by_object.into_iter().filter(|(_, found)| !found.instances.is_empty()).take(OBJECTS_MAX) {
            let object = self.state.store.profile(self.workspace.id, RecordKind::CustomObject, id).await;
            groups.push(self.object(id, object.map_err(ApiError::Read)?.as_deref(), &found));
        }
        groups.sort_by(|one, other| one.title.cmp(&other.title));
        groups.iter_mut().enumerate().for_each(|(at, group)| group.id = format!("object-{at}"));
        Ok(groups)
    }

    fn object(&self, id: RecordId, object: Option<&Profile>, found: &Found) -> Group {
        let line = |instance: &Arc<Profile>| {
            let name = instance.as_instance().and_then(|part| part.name.as_ref());
            let label = name.map_or_else(|| name_of(instance), |name| name.value().to_string());
            Line { label, href: String::new(), value: shown::time(instance.updated_at, Form::Ago) }
        };
        // Senders name an object by its id or by a name of their own, which is known once the object is described.
        let named = object.map(|object| {
            let name = object.external_id.replace('\'', "''");
            format!("\nand custom_object_id in ('{id}', '{name}')")
        });
        Group {
            id: String::new(),
            title: object.map_or_else(|| format!("Custom object {id}"), name_of),
            count: counted(found.instances.len(), found.ended),
            all: self.messages(Kind::CustomObjectInstance, &named.unwrap_or_default()),
            lines: found.instances.iter().take(SHOWN).map(line).collect(),
            empty: "",
        }
    }

    /// The instances that belong to the record, of one object or of all, those that changed last first.
    async fn instances(&self, object: Option<RecordId>, most: usize) -> Result<Found, ApiError> {
        let (mut instances, mut from) = (Vec::new(), None);
        // A page ends early where few of those that it looks at meet a condition.
        for _ in 0..PAGES_MAX {
            let query = ListQuery {
                within: Some((self.profile.kind(), self.profile.id)),
                conditions: object.map(Condition::Object).into_iter().collect(),
                from,
                limit: most,
                ..ListQuery::new(RecordKind::Instance, ListOrder::UpdatedAt)
            };
            let page = self.state.store.list(self.workspace.id, query).await.map_err(ApiError::Read)?;
            instances.extend(page.profiles);
            from = page.next;
            if from.is_none() || instances.len() >= most {
                break;
            }
        }
        Ok(Found { instances, ended: from.is_none() })
    }

    /// What was said of records of a kind that belong to this one, as a question to fill in.
    fn messages(&self, kind: Kind, more: &str) -> String {
        let column = match self.profile.kind() {
            RecordKind::User => "user_id",
            RecordKind::Organization => "organization_id",
            _ => "account_id",
        };
        let own = format!("{column} = '{}'", self.profile.external_id.replace('\'', "''"));
        // An answer names its user alone.
        let of_users = kind == Kind::NpsResponse && self.profile.kind() != RecordKind::User;
        let belong = if of_users { format!("user_id in (select user_id from links where {own})") } else { own };
        let kind = kind.as_str();
        let sql = format!(
            "select timestamp, user_id, account_id, external_id, name, traits\nfrom messages\n\
             where kind = '{kind}' and {belong}{more}\norder by timestamp desc\nlimit 500"
        );
        link::with("/sql", &[("sql", &sql)])
    }

    /// The latest answers to NPS surveys.
    async fn answers(&self, found: &[Arc<Profile>]) -> Result<Vec<Answer>, ApiError> {
        let mut answers = Vec::with_capacity(found.len());
        for answer in found {
            let score = value::number(&answer.traits, nps::SCORE).unwrap_or_default();
            let at = value::instant(&answer.traits, nps::RESPONDED_AT);
            answers.push(Answer {
                class: class(&score),
                feedback: shown::text(&value::text(&answer.traits, nps::FEEDBACK).unwrap_or_default()),
                who: self.whose(answer).await?,
                at: at.map_or_else(|| askama::filters::Safe(String::new()), |at| shown::time(at, Form::Ago)),
                score: score.into_owned(),
            });
        }
        Ok(answers)
    }

    /// The user who answered, leading to its page; nothing on that page itself.
    async fn whose(&self, answer: &Profile) -> Result<Html, ApiError> {
        let user = answer.as_nps_response().and_then(|response| response.user.as_ref()).map(|user| user.value().id);
        let Some(id) = user.filter(|id| *id != self.profile.id) else {
            return Ok(askama::filters::Safe(String::new()));
        };
        let user = self.state.store.profile(self.workspace.id, RecordKind::User, id).await.map_err(ApiError::Read)?;
        Ok(user.map_or_else(
            || askama::filters::Safe(String::new()),
            |user| {
                let href = link::record(user.kind(), &user.external_id, user.id);
                askama::filters::Safe(format!("<a href=\"{href}\"><bdi>{}</bdi></a>", escaped(&name_of(&user))))
            },
        ))
    }
}

/// How many there are, as far as they were counted.
fn counted(found: usize, ended: bool) -> String {
    format!("{}{}", shown::count(found as u64), if ended { "" } else { "+" })
}

/// How a score looks.
fn class(score: &str) -> &'static str {
    let Ok(score) = score.parse() else { return "" };
    let answer = NpsAnswer { responded_at: Micros(0), response: RecordId(0), score };
    match answer.group() {
        NpsGroup::Detractor => "bad",
        NpsGroup::Passive => "",
        NpsGroup::Promoter => "good",
    }
}

fn line(profile: &Profile, value: Html) -> Line {
    Line { label: name_of(profile), href: link::record(profile.kind(), &profile.external_id, profile.id), value }
}
