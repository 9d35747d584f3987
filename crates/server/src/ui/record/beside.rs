//! What stands beside a record: users, accounts, objects, answers to surveys. A few of each, and where the rest is.
//!
//! Of users it is counted as well how many did something lately, as far as a page looks.

use std::{collections::BTreeMap, sync::Arc};

use muster_model::{
    id::RecordId,
    kind::RecordKind,
    nps::{self, Answer as NpsAnswer, Group as NpsGroup},
    profile::Profile,
    time::Micros,
};
use muster_store::{
    credentials::Workspace,
    lists::{ListOrder, ListQuery},
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

/// Users that are looked at for how many of them did something lately.
const ACTIVE_MAX: usize = 100;

/// What stands beside a record.
#[derive(Default)]
pub(super) struct Beside {
    pub groups: Vec<Group>,
    pub answers: Vec<Answer>,
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
    pub id: &'static str,
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
    beside.answers = reader.answers().await?;
    Ok(beside)
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
            id: "users",
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
            id: "accounts",
            title: "Accounts".to_owned(),
            count: shown::count(count.into()),
            all: self.all(RecordKind::Account),
            lines,
            empty: "No account belongs to it.",
        })
    }

    /// Instances of custom objects, a group for each object.
    async fn objects(&self) -> Result<Vec<Group>, ApiError> {
        const READ: usize = 50;
        const GROUPS_MAX: usize = 6;
        let instances = self.of(RecordKind::Instance, ListOrder::UpdatedAt, READ).await?;
        let mut by_object: BTreeMap<String, Vec<Line>> = BTreeMap::new();
        for instance in &instances {
            let Some(part) = instance.as_instance() else { continue };
            let object = match part.custom_object {
                Some(id) => {
                    let read = self.state.store.profile(self.workspace.id, RecordKind::CustomObject, id).await;
                    read.map_err(ApiError::Read)?
                }
                None => None,
            };
            let title = object.as_deref().map_or_else(|| "Objects".to_owned(), name_of);
            let name = part.name.as_ref().map(|name| name.value().to_string());
            let label = name.unwrap_or_else(|| name_of(instance));
            let value = shown::time(instance.updated_at, Form::Ago);
            by_object.entry(title).or_default().push(Line { label, href: String::new(), value });
        }
        let group = |(at, (title, lines)): (usize, (String, Vec<Line>))| Group {
            id: ["object-0", "object-1", "object-2", "object-3", "object-4", "object-5"][at],
            title,
            count: String::new(),
            all: String::new(),
            lines: lines.into_iter().take(SHOWN).collect(),
            empty: "",
        };
        Ok(by_object.into_iter().take(GROUPS_MAX).enumerate().map(group).collect())
    }

    /// The latest answers to NPS surveys.
    async fn answers(&self) -> Result<Vec<Answer>, ApiError> {
        let order = ListOrder::Trait(nps::RESPONDED_AT.into());
        let found = self.of(RecordKind::NpsResponse, order, SHOWN).await?;
        let mut answers = Vec::with_capacity(found.len());
        for answer in &found {
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
