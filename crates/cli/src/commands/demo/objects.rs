//! Objects of the product's own: subscriptions, and tickets that are opened and closed.

use muster_model::kind::Kind;

use super::{
    activity::Scene,
    calendar::{Year, working_hour},
    dice::Dice,
    message::{Draft, Members, Message},
    story::Plan,
};

const SUBSCRIPTION: &str = "subscription";
const TICKET: &str = "ticket";
/// How often an account with one seat opens a ticket on a usual day.
const TICKETS_PER_SEAT: f64 = 0.0016;
/// Days until one is closed at the latest.
const OPEN_DAYS_MAX: i32 = 12;
/// Of the tickets so many stay open.
const STAY_OPEN: f64 = 0.06;

const SUBJECTS: [&str; 9] = [
    "Cannot open drawings on a tablet",
    "Invoice shows the wrong VAT number",
    "How do we restore a deleted page?",
    "Export to PDF cuts off tables",
    "SSO: users are signed out every hour",
    "لا يمكنني تحميل الملفات",
    "検索結果が古いままです",
    "Bitte Benutzer zusammenführen",
    "Photos upside down 🙃",
];

/// What the objects are; stated once.
pub fn kinds(seed: u64, year: Year) -> Vec<Message> {
    let last = year.last().0 as u64;
    let mut dice = Dice::new(seed, "objects", &[]);
    let mut ids = Dice::new(seed ^ last.rotate_left(32), "objects", &[]);
    let mut kind = |name: &str, label: &str| {
        let traits = Members::new().text("name", name).text("label", label);
        let draft = Draft::of(Kind::CustomObject, name, year.at(0, 0.5, 0), &mut ids).text("customObjectId", name);
        draft.members("traits", traits).sent(&mut dice)
    };
    vec![kind(SUBSCRIPTION, "Subscription"), kind(TICKET, "Ticket")]
}

impl Scene<'_> {
    fn dice_of(&self, about: &str, which: &[u64]) -> (Dice, Dice) {
        let which = [&[self.account.number as u64], which].concat();
        let last = self.year.last().0 as u64;
        (Dice::new(self.seed, about, &which), Dice::new(self.seed ^ last.rotate_left(32), about, &which))
    }

    /// The account's subscription, when it begins, changes or ends.
    pub fn of_subscription(&self, day: i32, into: &mut Vec<Message>) {
        let (account, course) = (self.account, &self.account.course);
        let stage = course.stage(day);
        let changes = day == course.begins.max(0) || course.stages.iter().any(|stage| stage.day == day);
        let ends = course.ends == Some(day);
        if stage.plan == Plan::Free || !(ends || changes && course.is_there(day)) {
            return;
        }
        let (mut dice, mut ids) = self.dice_of("subscription", &[day as u64]);
        let id = format!("s{}", 1_000 + account.number);
        let at = self.year.at(day, 19.0, account.country.clock_minutes);
        let traits = match ends {
            true => Members::new().text("status", "cancelled").number("mrr", 0),
            false => Members::new()
                .text("status", "active")
                .text("plan", stage.plan.name())
                .number("seats", stage.seats)
                .number("mrr", stage.mrr())
                .number("termMonths", course.term_months)
                .text("renewsOn", &self.year.date(course.renewal(day))),
        };
        let name = format!("{}, {} seats", stage.plan.name(), stage.seats);
        let draft = Draft::of(Kind::CustomObjectInstance, &id, at, &mut ids).text("externalId", &id);
        let draft = draft.text("customObjectId", SUBSCRIPTION).text("accountId", &account.id).text("name", &name);
        into.push(draft.members("traits", traits).sent(&mut dice));
    }

    /// Tickets that are opened on a day or closed.
    pub fn of_tickets(&self, day: i32, into: &mut Vec<Message>) {
        for opened in (day - OPEN_DAYS_MAX).max(1)..=day {
            let closes = self.ticket(opened);
            if let Some(closes) = closes.filter(|closes| opened == day || *closes == day) {
                self.say_ticket(opened, day, opened + OPEN_DAYS_MAX < closes, into);
            }
        }
    }

    /// If a ticket is opened on a day, the day on which it is closed.
    fn ticket(&self, day: i32) -> Option<i32> {
        let course = &self.account.course;
        let (mut dice, _) = self.dice_of("ticket", &[day as u64]);
        let troubled = if course.bustle(day) < 0.5 { 2.0 } else { 1.0 };
        let seats = f64::from(course.stage(day).seats) * self.year.bustle(day, self.account.country.weekend);
        let opens = course.is_there(day) && day > course.begins && dice.falls(TICKETS_PER_SEAT * seats * troubled);
        let stays = dice.falls(STAY_OPEN);
        opens.then(|| if stays { i32::MAX } else { day + dice.between(1, OPEN_DAYS_MAX) })
    }

    fn say_ticket(&self, opened: i32, day: i32, stays: bool, into: &mut Vec<Message>) {
        let account = self.account;
        let (mut dice, mut ids) = self.dice_of("ticket says", &[opened as u64, day as u64]);
        let (mut fixed, _) = self.dice_of("ticket is", &[opened as u64]);
        let id = format!("t{}-{opened}", 1_000 + account.number);
        let subject = fixed.word(&SUBJECTS);
        let asks = &account.users[fixed.below(account.users.len())];
        let traits = match opened == day {
            true => {
                let traits =
                    Members::new().text("status", "open").text("subject", subject).text("requester", &asks.email);
                let traits = traits.text("priority", fixed.word(&["low", "normal", "normal", "high"]));
                if stays { traits.raw("escalated", "true") } else { traits }
            }
            false => Members::new().text("status", "closed").number("daysOpen", day - opened),
        };
        let at = self.year.at(day, working_hour(&mut dice), account.country.clock_minutes);
        let draft = Draft::of(Kind::CustomObjectInstance, &id, at, &mut ids).text("externalId", &id);
        let draft = draft.text("customObjectId", TICKET).text("accountId", &account.id).text("name", subject);
        into.push(draft.members("traits", traits).sent(&mut dice));
    }
}
