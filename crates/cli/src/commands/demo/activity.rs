//! What people do: the events of a day.

use muster_model::kind::Kind;

use super::{
    calendar::{Year, working_hour},
    cast::{Account, User},
    dice::Dice,
    events,
    message::{Draft, Members, Message},
    story::{DAYS, IMPORT},
};

/// The most that somebody does in one sitting.
const DEEDS_MAX: usize = 40;
/// What a usual sitting has.
const DEEDS_MEAN: f64 = 4.2;
const PAUSE_SECONDS_MEAN: f64 = 95.0;
/// More comes during the campaign, also from those who were there before.
const CAMPAIGN_BUSTLE: f64 = 1.5;
const DEVICES: [(&str, f64); 4] = [("web", 70.0), ("desktop", 12.0), ("ios", 10.0), ("android", 8.0)];
/// What the first account brings in on one morning: so many documents for each account of the story, within bounds.
const IMPORTED_PER_ACCOUNT: usize = 30;
const IMPORTED_MIN: usize = 600;
const IMPORTED_MAX: usize = 4_000;

/// Whose events are made, and where.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    pub seed: u64,
    pub year: Year,
    pub account: &'a Account,
    /// The day on which the account tries the new feature.
    pub adopted: i32,
}

impl Scene<'_> {
    fn dice(&self, about: &str, day: i32, which: u64) -> (Dice, Dice) {
        let which = [self.account.number as u64, day as u64, which];
        let last = self.year.last().0 as u64;
        (Dice::new(self.seed, about, &which), Dice::new(self.seed ^ last.rotate_left(32), about, &which))
    }

    /// What the user of a place does on a day.
    pub fn of_user(&self, place: usize, day: i32, into: &mut Vec<Message>) {
        let (account, user) = (self.account, &self.account.users[place]);
        // On the day on which somebody comes or goes nothing else happens.
        if !(user.is_there(day) && day > user.joins.max(0)) {
            return;
        }
        let campaign = if events::is_campaign(day) { CAMPAIGN_BUSTLE } else { 1.0 };
        let bustle = self.year.bustle(day, account.country.weekend) * account.course.bustle(day) * campaign;
        let (mut dice, mut ids) = self.dice("sitting", day, place as u64);
        if !dice.falls((user.zeal * bustle).min(0.95)) {
            return;
        }
        let sittings = 1 + usize::from(dice.falls(0.35));
        for _ in 0..sittings {
            let hour = working_hour(&mut dice);
            self.sitting(user, (day, hour), &mut dice, &mut ids, into);
        }
    }

    fn sitting(&self, user: &User, (day, hour): (i32, f64), dice: &mut Dice, ids: &mut Dice, into: &mut Vec<Message>) {
        let device = DEVICES[dice.weighted(DEVICES.iter().map(|(_, weight)| *weight))].0;
        let count = (1.0 + dice.wait(DEEDS_MEAN)).min(DEEDS_MAX as f64) as usize;
        let signs_in = dice.falls(0.6);
        let mut hour = hour;
        for number in 0..count {
            let event = match number {
                0 if signs_in => "signed-in",
                _ => events::next(self.account, user.role, day, dice, self.adopted),
            };
            let at = self.year.at(day, hour, self.account.country.clock_minutes);
            // Who helps another account says which one is meant; the others leave it to the links.
            let account = user.also.is_some().then_some(self.account.id.as_str());
            let draft = Draft::event(event, at, ids).text("userId", &user.id).named("accountId", account);
            into.push(draft.members("properties", events::properties(event, day, device, dice)).sent_from_afar(dice));
            hour += dice.wait(PAUSE_SECONDS_MEAN).max(2.0) / 3_600.0;
        }
    }

    /// What programs do for an account on a day.
    pub fn of_programs(&self, day: i32, accounts: usize, into: &mut Vec<Message>) {
        let account = self.account;
        if !account.course.is_there(day) || day <= account.course.begins.max(0) {
            return;
        }
        let (mut dice, mut ids) = self.dice("program", day, 0);
        if account.has_sync {
            let failed = dice.falls(0.03);
            let event = if failed { "sync-failed" } else { "sync-completed" };
            let at = self.year.at(day, 2.0 + dice.share() / 4.0, account.country.clock_minutes);
            let properties =
                Members::new().number("documents", dice.between(0, 90)).number("milliseconds", 200 + dice.below(9_000));
            let draft = Draft::event(event, at, &mut ids).text("accountId", &account.id);
            into.push(draft.members("properties", properties).sent(&mut dice));
        }
        let stage = account.course.stage(day);
        let is_due = (day - account.course.begins) % 30 == 0;
        if is_due && stage.mrr() > 0 {
            let event = if dice.falls(0.04) { "payment-failed" } else { "invoice-paid" };
            let at = self.year.at(day, 0.4, 0);
            let properties = Members::new().number("amount", stage.mrr()).text("currency", account.country.currency);
            let draft = Draft::event(event, at, &mut ids).text("accountId", &account.id);
            into.push(draft.members("properties", properties).sent(&mut dice));
        }
        if account.number == 0 && day == IMPORT {
            self.import(accounts, into);
        }
    }

    /// Thousands of documents on one morning.
    fn import(&self, accounts: usize, into: &mut Vec<Message>) {
        let (mut dice, mut ids) = self.dice("import", IMPORT, 0);
        let count = (accounts * IMPORTED_PER_ACCOUNT).clamp(IMPORTED_MIN, IMPORTED_MAX);
        let by = &self.account.users[0].id;
        for number in 0..count {
            let hour = 9.0 + 2.5 * (number as f64 + dice.share()) / count as f64;
            let properties = Members::new()
                .text("source", "shared drive")
                .text("path", &format!("/Archive/{}/{number:05}.pdf", 2009 + number % 14))
                .number("bytes", 8_000 + dice.wait(400_000.0) as u64);
            let at = self.year.at(IMPORT, hour, self.account.country.clock_minutes);
            let draft =
                Draft::event("document-imported", at, &mut ids).text("userId", by).text("accountId", &self.account.id);
            into.push(draft.members("properties", properties).sent(&mut dice));
        }
    }

    /// Answers to surveys, each asked of everybody who is there.
    pub fn of_survey(&self, place: usize, day: i32, into: &mut Vec<Message>) {
        let user = &self.account.users[place];
        let last_asked = SURVEYS.iter().rev().find(|asked| **asked <= day);
        let Some((asked, waited)) = last_asked.map(|asked| (*asked, day - asked)).filter(|(_, waited)| *waited < 9)
        else {
            return;
        };
        let (mut dice, _) = self.dice("survey", asked, place as u64);
        let answers = dice.falls(0.16 + 0.2 * user.zeal) && dice.between(0, 8) == waited;
        if !answers || !user.is_there(day) || day <= user.joins.max(0) {
            return;
        }
        let (mut dice, mut ids) = self.dice("answer", day, place as u64);
        let mood = 4.0 + 4.6 * self.account.course.bustle(day - 3).min(1.1);
        let score = (mood.round() as i32 + dice.between(-2, 2)).clamp(0, 10);
        let feedback = match score {
            9.. => dice.word(&[
                "",
                "Saves us hours every week.",
                "とても使いやすいです。",
                "ممتاز، شكرًا!",
                "Love the photo notes 📸",
            ]),
            7..=8 => dice.word(&["", "Good, but search could be faster.", "Gut, nur die Suche hakt manchmal."]),
            _ => dice.word(&[
                "Too slow on site.",
                "We needed better permissions.",
                "Export loses our <b>formatting</b>.",
                "",
            ]),
        };
        let at = self.year.at(day, working_hour(&mut dice), self.account.country.clock_minutes);
        let id = format!("nps-{asked}-{}", user.id);
        let traits = Members::new().number("score", score).text("respondedAt", &at.to_millis_text());
        let traits = if feedback.is_empty() { traits } else { traits.text("feedback", feedback) };
        let draft = Draft::of(Kind::NpsResponse, &id, at, &mut ids).text("externalId", &id).text("userId", &user.id);
        into.push(draft.members("traits", traits).sent(&mut dice));
    }
}

/// The days on which people are asked whether they would recommend the product.
const SURVEYS: [i32; 4] = [40, 132, 226, DAYS - 40];
