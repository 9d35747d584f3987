//! What becomes of an account in the year: when it comes, what it pays, how busy it is, and whether it leaves.
//!
//! Days are counted from the first day of the year; what came before it has negative ones.

use super::dice::Dice;

/// How many days the story lasts.
pub const DAYS: i32 = 365;
/// The first day of the week in which a campaign brings many new accounts.
pub const CAMPAIGN: i32 = 255;
pub const CAMPAIGN_DAYS: i32 = 7;
/// The day on which a new feature comes out.
pub const RELEASE: i32 = 183;
/// The day on which the first account brings in what it has elsewhere.
pub const IMPORT: i32 = 200;
/// Days that a trial lasts.
pub const TRIAL_DAYS: i32 = 14;
/// Days before the end of the year in which accounts fade that are still there.
const FADING_DAYS: i32 = 45;
/// Days in which an account goes quiet before it leaves.
const QUIET_DAYS: i32 = 60;
/// Between two prices of a growing or shrinking account.
const STAGE_DAYS_MIN: i32 = 45;

/// The kinds of story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    Steady,
    Growing,
    Shrinking,
    /// It goes quiet and then leaves.
    Churned,
    /// It goes quiet and has not left yet.
    Fading,
    /// A trial that came to nothing.
    Lapsed,
}

/// What an account subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Plan {
    Free,
    Team,
    Business,
}

/// What an account has from a day on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    pub day: i32,
    pub plan: Plan,
    pub seats: i32,
}

/// An account's course through the year.
#[derive(Clone, Debug)]
pub struct Course {
    pub story: Story,
    /// The day on which it becomes a customer.
    pub begins: i32,
    /// The day on which it leaves.
    pub ends: Option<i32>,
    /// In the order of days, the first one on the day it begins.
    pub stages: Vec<Stage>,
    /// Months that a contract lasts.
    pub term_months: i32,
}

/// The stories of the first accounts, and whether they were there before the year; others are as chance has it.
const FIRST: [(Story, Option<i32>); 10] = [
    (Story::Growing, None),
    (Story::Steady, Some(120)),
    (Story::Growing, None),
    (Story::Steady, None),
    (Story::Churned, None),
    (Story::Fading, None),
    (Story::Churned, None),
    (Story::Shrinking, None),
    (Story::Fading, None),
    (Story::Lapsed, Some(CAMPAIGN + 2)),
];
const WEIGHTS: [(Story, f64); 6] = [
    (Story::Steady, 46.0),
    (Story::Growing, 22.0),
    (Story::Shrinking, 8.0),
    (Story::Churned, 9.0),
    (Story::Fading, 6.0),
    (Story::Lapsed, 5.0),
];

impl Plan {
    pub fn name(self) -> &'static str {
        match self {
            Plan::Free => "free",
            Plan::Team => "team",
            Plan::Business => "business",
        }
    }

    /// What a seat costs a month.
    fn seat_price(self) -> i32 {
        match self {
            Plan::Free => 0,
            Plan::Team => 12,
            Plan::Business => 24,
        }
    }
}

impl Stage {
    /// Monthly recurring revenue.
    pub fn mrr(&self) -> i32 {
        self.plan.seat_price() * self.seats
    }
}

impl Course {
    /// The course of the account of a number.
    pub fn new(number: usize, dice: &mut Dice) -> Course {
        let drawn = WEIGHTS[dice.weighted(WEIGHTS.iter().map(|(_, weight)| *weight))].0;
        let (story, begins) = FIRST.get(number).copied().unwrap_or((drawn, Some(i32::MIN)));
        let begins = match begins {
            None => -dice.between(90, 1_200),
            Some(i32::MIN) => Course::beginning(story, dice),
            Some(day) => day,
        };
        let ends = (story == Story::Churned).then(|| dice.between((begins + 90).max(70), DAYS - 12));
        let plan = match (story, number) {
            (_, 0) => Plan::Team,
            // Those that are told of by name pay for what they have.
            (_, 1..=6 | 8) => {
                if dice.falls(0.5) {
                    Plan::Team
                } else {
                    Plan::Business
                }
            }
            (Story::Lapsed, _) => Plan::Free,
            (Story::Shrinking, _) => Plan::Business,
            _ => [Plan::Free, Plan::Team, Plan::Business][dice.weighted([25.0, 50.0, 25.0].into_iter())],
        };
        let seats = match plan {
            Plan::Free => dice.between(2, 5),
            Plan::Team => dice.between(5, 18),
            Plan::Business => dice.between(15, 42),
        };
        let mut course = Course {
            story,
            begins,
            ends,
            stages: vec![Stage { day: begins, plan, seats }],
            term_months: if plan == Plan::Business || dice.falls(0.3) { 12 } else { 1 },
        };
        course.unfold(dice);
        course
    }

    /// When an account comes that chance decides about.
    fn beginning(story: Story, dice: &mut Dice) -> i32 {
        let latest = match story {
            Story::Churned => 200,
            Story::Fading => 270,
            _ => DAYS - 10,
        };
        let is_older = dice.falls(0.6) && story != Story::Lapsed;
        let campaign = CAMPAIGN + dice.between(0, CAMPAIGN_DAYS - 1);
        match (is_older, campaign < latest && dice.falls(0.3)) {
            (true, _) => -dice.between(20, 1_400),
            (false, true) => campaign,
            (false, false) => dice.between(4, latest),
        }
    }

    /// What is paid later.
    fn unfold(&mut self, dice: &mut Dice) {
        let until = self.ends.unwrap_or(DAYS);
        let mut day = self.begins.max(0) + dice.between(STAGE_DAYS_MIN, 130);
        while day < until - 20 {
            let Some(last) = self.stages.last() else { return };
            let (plan, seats) = (last.plan, last.seats);
            let next = match self.story {
                Story::Growing if seats >= 14 || plan == Plan::Free => {
                    let plan = if plan == Plan::Free { Plan::Team } else { Plan::Business };
                    Some((plan, seats + dice.between(2, 9)))
                }
                Story::Growing => Some((plan, seats + dice.between(2, 7))),
                Story::Shrinking if plan == Plan::Business => Some((Plan::Team, seats * 2 / 3)),
                Story::Shrinking => Some((plan, (seats * 3 / 4).max(2))),
                Story::Steady if dice.falls(0.4) => Some((plan, (seats + dice.between(-2, 3)).max(2))),
                Story::Steady | Story::Churned | Story::Fading | Story::Lapsed => None,
            };
            if let Some((plan, seats)) = next {
                self.stages.push(Stage { day, plan, seats });
            }
            day += dice.between(STAGE_DAYS_MIN, 160);
        }
    }

    /// What holds on a day; the first stage before it begins.
    pub fn stage(&self, day: i32) -> &Stage {
        self.stages.iter().rev().find(|stage| stage.day <= day).unwrap_or(&self.stages[0])
    }

    /// The most seats it ever has.
    pub fn seats_max(&self) -> i32 {
        self.stages.iter().map(|stage| stage.seats).max().unwrap_or(1)
    }

    /// Whether it is a customer on a day.
    pub fn is_there(&self, day: i32) -> bool {
        day >= self.begins && self.ends.is_none_or(|end| day < end)
    }

    /// How busy it is on a day, 1 being usual.
    pub fn bustle(&self, day: i32) -> f64 {
        if !self.is_there(day) {
            return 0.0;
        }
        let age = f64::from(day - self.begins);
        let settled = 1.0 - (-(age + 6.0) / 25.0).exp();
        let falling = |since: i32, days: i32| (1.0 - f64::from(day - since) / f64::from(days)).clamp(0.04, 1.0);
        settled
            * match (self.story, self.ends) {
                (Story::Growing, _) => 0.8 + 0.7 * f64::from(day) / f64::from(DAYS),
                (Story::Shrinking, _) => 1.0 - 0.5 * f64::from(day) / f64::from(DAYS),
                (Story::Churned, Some(end)) => falling(end - QUIET_DAYS, QUIET_DAYS - 10),
                (Story::Fading, _) => falling(DAYS - FADING_DAYS, FADING_DAYS),
                (Story::Lapsed, _) => falling(self.begins, TRIAL_DAYS + 20),
                (Story::Steady | Story::Churned, _) => 1.0,
            }
    }

    /// What a score made of use says, 0 to 100.
    pub fn health(&self, day: i32, dice: &mut Dice) -> i32 {
        let base = 28.0 + 58.0 * self.bustle(day).min(1.1);
        (base as i32 + dice.between(-6, 6)).clamp(1, 100)
    }

    /// The day of the next renewal after a day.
    pub fn renewal(&self, day: i32) -> i32 {
        let term = self.term_months * 365 / 12;
        let age = day - self.begins;
        self.begins + (age.div_euclid(term) + 1) * term
    }

    /// Whether its trial is running.
    pub fn is_in_trial(&self, day: i32) -> bool {
        self.begins >= 0 && day < self.begins + TRIAL_DAYS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn course(number: usize) -> Course {
        Course::new(number, &mut Dice::new(1, "course", &[number as u64]))
    }

    #[test]
    fn every_course_holds_together() {
        for number in 0..2_000 {
            let course = course(number);
            assert!(course.stages.windows(2).all(|two| two[0].day < two[1].day), "{course:?}");
            assert_eq!(course.stages[0].day, course.begins);
            assert!(
                course.stages.iter().all(|stage| stage.seats > 0 && (stage.mrr() > 0) == (stage.plan > Plan::Free))
            );
            assert!(course.begins < DAYS && course.ends.is_none_or(|end| end > course.begins + 60 && end < DAYS));
            assert_eq!(course.ends.is_some(), course.story == Story::Churned);
            let renewal = course.renewal(100);
            assert!(renewal > 100 && renewal <= 100 + 365, "{renewal}");
        }
    }

    #[test]
    fn who_leaves_goes_quiet_first() {
        let churned = course(4);
        let end = churned.ends.unwrap();
        assert!(
            churned.bustle(end - QUIET_DAYS - 1) > 0.8 && churned.bustle(end - 5) < 0.1 && churned.bustle(end) == 0.0
        );
        let fading = course(5);
        assert!(fading.bustle(DAYS - FADING_DAYS) > 0.8 && fading.bustle(DAYS - 2) < 0.1);
        let mut dice = Dice::new(1, "health", &[]);
        assert!(fading.health(200, &mut dice) > 70 && fading.health(DAYS - 2, &mut dice) < 50);
    }

    #[test]
    fn the_campaign_brings_many() {
        let begins: Vec<i32> = (10..5_010).map(|number| course(number).begins).filter(|day| *day >= 0).collect();
        let of_campaign = begins.iter().filter(|day| (CAMPAIGN..CAMPAIGN + CAMPAIGN_DAYS).contains(*day)).count();
        let share = of_campaign as f64 / begins.len() as f64;
        assert!((0.15..0.45).contains(&share), "{share}");
    }
}
