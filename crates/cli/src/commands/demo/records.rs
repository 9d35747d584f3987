//! What is stated about organizations, accounts and users, and when.

use muster_model::kind::Kind;

use super::{
    calendar::{Year, working_hour},
    cast::{Account, Cast, Organization, User},
    dice::Dice,
    message::{Draft, Members, Message},
    story::{DAYS, Plan, Story, TRIAL_DAYS},
};

/// Between two statements about how an account is doing.
const HEALTH_DAYS: i32 = 30;
const INTEGRATIONS: [&str; 5] = ["Slack", "SharePoint", "Procore", "Google Drive", "Teams"];
/// The hour at which programs of the product's own state things.
const NIGHTLY_HOUR: f64 = 3.2;

/// The dice of one statement: the same for its text and its id.
fn dice_of(seed: u64, year: Year, about: &str, which: &[u64]) -> (Dice, Dice) {
    let last = year.last().0 as u64;
    (Dice::new(seed, about, which), Dice::new(seed ^ last.rotate_left(32), about, which))
}

/// Organizations, once, and what their heads look at each month.
pub fn organization(seed: u64, year: Year, organization: &Organization, number: usize, day: i32) -> Vec<Message> {
    let (mut dice, mut ids) = dice_of(seed, year, "organization says", &[number as u64, day as u64]);
    let mut messages = Vec::new();
    let at = |dice: &mut Dice| year.at(day, NIGHTLY_HOUR - dice.share(), 0);
    if day == 0 {
        let tier = dice.word(&["strategic", "key", "standard"]);
        let traits = Members::new().text("name", &organization.name.shown).text("tier", tier);
        let traits = traits.text("website", &format!("https://{}.example.com", organization.name.plain));
        let draft = Draft::of(Kind::Organization, &organization.id, at(&mut dice), &mut ids);
        messages.push(draft.text("organizationId", &organization.id).members("traits", traits).sent(&mut dice));
        let head = &organization.head;
        let draft = Draft::of(Kind::User, &head.id, at(&mut dice), &mut ids);
        let draft = draft.text("userId", &head.id).text("organizationId", &organization.id);
        messages.push(draft.members("traits", user_traits(year, head)).sent(&mut dice));
    }
    if day % HEALTH_DAYS == 11 {
        let draft = Draft::event("group-report-viewed", year.at(day, working_hour(&mut dice), 60), &mut ids);
        let draft = draft.text("userId", &organization.head.id).text("organizationId", &organization.id);
        messages.push(draft.members("properties", Members::new().text("report", "Spend by account")).sent(&mut dice));
    }
    if day == (number as i32 * 31 + 40) % DAYS {
        let properties =
            Members::new().number("years", dice.between(1, 3)).text("signedBy", &organization.head.name.shown);
        let draft = Draft::event("contract-signed", at(&mut dice), &mut ids).text("organizationId", &organization.id);
        messages.push(draft.members("properties", properties).sent(&mut dice));
    }
    messages
}

/// What is stated about an account on a day, if anything is.
pub fn account(seed: u64, year: Year, cast: &Cast, account: &Account, day: i32) -> Vec<Message> {
    let (mut dice, mut ids) = dice_of(seed, year, "account says", &[account.number as u64, day as u64]);
    let course = &account.course;
    let mut messages = Vec::new();
    let mut state = |traits: Members, organization: Option<usize>, hour: f64| {
        let organization = organization.map(|number| cast.organizations[number].id.as_str());
        let draft = Draft::of(Kind::Account, &account.id, year.at(day, hour, account.country.clock_minutes), &mut ids);
        let draft = draft.text("accountId", &account.id).named("organizationId", organization);
        messages.push(draft.members("traits", traits).sent(&mut dice));
    };
    let begins = course.begins.max(0) == day;
    if begins {
        let traits = about_account(seed, year, account);
        state(price(year, account, day, about_health(seed, account, day, traits)), account.organization(day), 6.5);
    }
    if !begins && day > 0 && course.is_there(day) && course.stages.iter().any(|stage| stage.day == day) {
        state(price(year, account, day, Members::new()), None, 9.8);
    }
    if !begins && account.organization(day) != account.organization(day - 1) && account.organization(day).is_some() {
        state(Members::new(), account.organization(day), 10.4);
    }
    let is_due = (day + account.number as i32) % HEALTH_DAYS == 0;
    if !begins && is_due && course.is_there(day) {
        state(about_health(seed, account, day, Members::new()), None, NIGHTLY_HOUR);
    }
    if !begins && course.is_there(day) && course.renewal(day) != course.renewal(day - 1) {
        state(Members::new().text("nextRenewalDate", &year.date(course.renewal(day))), None, 1.2);
    }
    if course.ends == Some(day) {
        let reason = *["moved to a competitor", "no budget", "project finished"].get(account.number % 3).unwrap_or(&"");
        let traits = Members::new().text("status", "churned").text("churnedAt", &year.date(day)).number("mrr", 0);
        state(traits.raw("nextRenewalDate", "null").text("churnReason", reason), None, 17.5);
    }
    if course.story == Story::Lapsed && day == course.begins + TRIAL_DAYS {
        state(Members::new().text("status", "trial ended"), None, 0.5);
    }
    if account.organization(day).is_none()
        && let Some(left) = account.organization(day - 1)
    {
        let at = year.at(day, 15.0, account.country.clock_minutes);
        let draft = Draft::change(Kind::Leave, at, &mut ids).text("accountId", &account.id);
        messages.push(draft.text("organizationId", &cast.organizations[left].id).sent(&mut dice));
    }
    messages
}

fn about_account(seed: u64, year: Year, account: &Account) -> Members {
    let mut dice = Dice::new(seed, "account has", &[account.number as u64]);
    let course = &account.course;
    let uses: Vec<String> =
        INTEGRATIONS.iter().filter(|_| dice.falls(0.35)).map(|name| format!("\"{name}\"")).collect();
    let term = if course.term_months == 12 { "yearly" } else { "monthly" };
    let method = dice.word(&["card", "invoice", "direct debit"]);
    let currency = account.country.currency;
    let billing = Members::new().text("currency", currency).text("term", term).text("method", method).into_text();
    let traits = Members::new()
        .text("name", &account.name.shown)
        .text("industry", &account.industry)
        .text("country", account.country.name)
        .text("website", &format!("https://{}.example.com", account.name.plain))
        .text("customerSince", &year.date(course.begins))
        .raw("integrations", format!("[{}]", uses.join(",")))
        .raw("billing", billing);
    let traits = match account.keeper {
        Some(keeper) => traits.text("csm", keeper.name).text("csmEmail", keeper.email),
        None => traits,
    };
    match course.begins {
        begins @ 0.. => traits.text("trialEndDate", &year.date(begins + TRIAL_DAYS)),
        _ => traits,
    }
}

fn about_health(seed: u64, account: &Account, day: i32, traits: Members) -> Members {
    let mut dice = Dice::new(seed, "health", &[account.number as u64, day as u64]);
    traits.number("healthScore", account.course.health(day, &mut dice))
}

/// What an account pays from a day on.
fn price(year: Year, account: &Account, day: i32, traits: Members) -> Members {
    let stage = account.course.stage(day);
    let status = if account.course.is_in_trial(day) && stage.plan == Plan::Free { "trial" } else { "active" };
    let traits = traits.text("plan", stage.plan.name()).text("status", status);
    let traits = traits.number("seats", stage.seats).number("mrr", stage.mrr());
    match stage.plan {
        Plan::Free => traits,
        Plan::Team | Plan::Business => traits.text("nextRenewalDate", &year.date(account.course.renewal(day))),
    }
}

/// What is stated about the user of a place in an account on a day, if anything is.
pub fn user(seed: u64, year: Year, cast: &Cast, account: &Account, place: usize, day: i32) -> Vec<Message> {
    let user = &account.users[place];
    let is_new = user.joins.max(0) == day && user.leaves > day;
    let helps = user.also.filter(|(_, from)| *from == day).map(|(sister, _)| &cast.accounts[sister]);
    let goes = user.leaves == day;
    // Now and then somebody gets something else to do.
    let moves = (day + place as i32 * 61 + account.number as i32 * 7) % 331 == 0 && user.is_there(day) && !is_new;
    if !(is_new || helps.is_some() || goes || moves) {
        return Vec::new();
    }
    let (mut dice, mut ids) = dice_of(seed, year, "user says", &[account.number as u64, place as u64, day as u64]);
    let clock = account.country.clock_minutes;
    let mut messages = Vec::new();
    let mut draft = |account: &Account, traits: Members, dice: &mut Dice| {
        let hour = if user.joins < 0 && is_new { 7.0 } else { 8.0 + 9.0 * dice.share() };
        let draft = Draft::of(Kind::User, &user.id, year.at(day, hour, clock), &mut ids);
        let draft = draft.text("userId", &user.id).text("accountId", &account.id);
        messages.push(draft.members("traits", traits).sent(dice));
    };
    if is_new {
        draft(account, user_traits(year, user), &mut dice);
    }
    if let Some(sister) = helps {
        draft(sister, Members::new(), &mut dice);
    }
    if moves {
        let traits = Members::new().text("title", dice.word(&["Team Lead", "Deputy Director", "Advisor"]));
        draft(account, traits, &mut dice);
    }
    if goes && account.course.ends != Some(day) {
        let at = year.at(day, 18.0, clock);
        let gone = Draft::change(Kind::Unlink, at, &mut ids).text("userId", &user.id).text("accountId", &account.id);
        messages.push(gone.sent(&mut dice));
    }
    messages
}

fn user_traits(year: Year, user: &User) -> Members {
    Members::new()
        .text("name", &user.name.shown)
        .text("email", &user.email)
        .text("role", user.role.name())
        .text("title", user.title)
        .text("createdAt", &format!("{}T08:00:00Z", year.date(user.joins)))
}
