//! Who is in the story: organizations, accounts and their users.
//!
//! Each is made of the seed and its own number, so that a story with more accounts has the same ones first.

use super::{
    dice::Dice,
    names::{Name, Names},
    story::{Course, DAYS, Plan, Story},
};

/// Accounts for each organization; some accounts belong to none.
const ACCOUNTS_PER_ORGANIZATION: usize = 10;
/// The accounts before this one belong to nobody at first; of the next ones each organization gets two.
const ON_THEIR_OWN: usize = 10;
/// Of the others so many belong to an organization.
const IN_ORGANIZATION: f64 = 0.32;

/// Where an account is at home.
#[derive(Debug)]
pub struct Country {
    pub name: &'static str,
    pub currency: &'static str,
    /// How people are named there, mostly.
    culture: &'static str,
    /// What the clock there shows at midnight of UTC, in minutes.
    pub clock_minutes: i32,
    /// The weekday with which the weekend begins, 0 being Monday.
    pub weekend: i32,
}

/// A member of the team that looks after accounts.
#[derive(Debug)]
pub struct Keeper {
    pub name: &'static str,
    pub email: &'static str,
}

pub const KEEPERS: [Keeper; 4] = [
    Keeper { name: "Iris Vandermeer", email: "iris@fieldnote.example" },
    Keeper { name: "Kofi Mensah", email: "kofi@fieldnote.example" },
    Keeper { name: "Zoë 🌻 Castellanos", email: "zoe@fieldnote.example" },
    Keeper { name: "حسن فارس", email: "hassan@fieldnote.example" },
];

/// The holding that an account is part of, and the day on which it joined or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    None,
    Always(usize),
    Joins(usize, i32),
    Leaves(usize, i32),
}

pub struct Cast {
    pub organizations: Vec<Organization>,
    pub accounts: Vec<Account>,
}

pub struct Organization {
    pub id: String,
    pub name: Name,
    /// Who looks after all accounts of it.
    pub head: User,
}

pub struct Account {
    pub number: usize,
    pub id: String,
    pub name: Name,
    pub industry: String,
    pub country: &'static Country,
    pub keeper: Option<&'static Keeper>,
    pub holding: Holding,
    pub course: Course,
    pub users: Vec<User>,
    /// Whether programs of its own write to the product each night.
    pub has_sync: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Admin,
    Editor,
    Viewer,
}

pub struct User {
    pub id: String,
    pub name: Name,
    pub email: String,
    pub role: Role,
    pub title: &'static str,
    /// The days between which it belongs to the account.
    pub joins: i32,
    pub leaves: i32,
    /// How often it comes on a usual day.
    pub zeal: f64,
    /// Another account that it helps, by its number, from a day on.
    pub also: Option<(usize, i32)>,
}

#[rustfmt::skip]
static COUNTRIES: [(f64, Country); 20] = [
    (22.0, Country { name: "United States", currency: "USD", culture: "english", clock_minutes: -360, weekend: 5 }),
    (11.0, Country { name: "United Kingdom", currency: "GBP", culture: "english", clock_minutes: 0, weekend: 5 }),
    (5.0, Country { name: "Canada", currency: "CAD", culture: "french", clock_minutes: -300, weekend: 5 }),
    (10.0, Country { name: "Germany", currency: "EUR", culture: "german", clock_minutes: 60, weekend: 5 }),
    (6.0, Country { name: "France", currency: "EUR", culture: "french", clock_minutes: 60, weekend: 5 }),
    (5.0, Country { name: "Spain", currency: "EUR", culture: "spanish", clock_minutes: 60, weekend: 5 }),
    (4.0, Country { name: "Poland", currency: "PLN", culture: "polish", clock_minutes: 60, weekend: 5 }),
    (4.0, Country { name: "Sweden", currency: "SEK", culture: "nordic", clock_minutes: 60, weekend: 5 }),
    (3.0, Country { name: "Türkiye", currency: "TRY", culture: "turkish", clock_minutes: 180, weekend: 5 }),
    (2.0, Country { name: "Greece", currency: "EUR", culture: "greek", clock_minutes: 120, weekend: 5 }),
    (2.0, Country { name: "Ukraine", currency: "UAH", culture: "ukrainian", clock_minutes: 120, weekend: 5 }),
    (3.0, Country { name: "Israel", currency: "ILS", culture: "hebrew", clock_minutes: 120, weekend: 4 }),
    (3.0, Country { name: "United Arab Emirates", currency: "AED", culture: "arabic", clock_minutes: 240, weekend: 5 }),
    (5.0, Country { name: "India", currency: "INR", culture: "hindi", clock_minutes: 330, weekend: 5 }),
    (5.0, Country { name: "Japan", currency: "JPY", culture: "japanese", clock_minutes: 540, weekend: 5 }),
    (2.0, Country { name: "South Korea", currency: "KRW", culture: "korean", clock_minutes: 540, weekend: 5 }),
    (2.0, Country { name: "Taiwan", currency: "TWD", culture: "chinese", clock_minutes: 480, weekend: 5 }),
    (2.0, Country { name: "Vietnam", currency: "VND", culture: "vietnamese", clock_minutes: 420, weekend: 5 }),
    (4.0, Country { name: "Brazil", currency: "BRL", culture: "portuguese", clock_minutes: -180, weekend: 5 }),
    (2.0, Country { name: "Nigeria", currency: "NGN", culture: "nigerian", clock_minutes: 60, weekend: 5 }),
];

/// Countries of accounts whose names are of a place.
const PLACED: [(usize, &str); 6] =
    [(1, "Brazil"), (2, "United Arab Emirates"), (3, "Japan"), (4, "Poland"), (5, "Israel"), (8, "United Kingdom")];

const TITLES: [&str; 16] = [
    "Project Manager",
    "Site Engineer",
    "Document Controller",
    "Quality Lead",
    "Office Manager",
    "Operations Director",
    "Architect",
    "Technical Writer",
    "Head of Delivery",
    "Planner",
    "Consultant",
    "Quantity Surveyor",
    "Directrice technique",
    "工事主任",
    "مدير المشروع",
    "Chief Getting-Things-Done Officer 🚧",
];

impl Cast {
    /// Everybody in a story with so many accounts.
    pub fn new(seed: u64, accounts: usize) -> Cast {
        let names = Names::new();
        let count = (accounts / ACCOUNTS_PER_ORGANIZATION).max(2);
        let organizations = (0..count).map(|number| Organization::new(seed, number, &names)).collect();
        let accounts = (0..accounts).map(|number| Account::new(seed, number, count, &names)).collect();
        let mut cast = Cast { organizations, accounts };
        cast.lend(seed);
        cast
    }

    /// Some users help another account of the same holding.
    fn lend(&mut self, seed: u64) {
        let held = |account: &Account| match account.holding {
            Holding::Always(organization) => Some(organization),
            _ => None,
        };
        for number in 1..self.accounts.len() {
            let (before, from) = self.accounts.split_at_mut(number);
            let Some(account) = from.first_mut() else { return };
            let Some(organization) = held(account) else { continue };
            let sister = before.iter().find(|other| held(other) == Some(organization) && other.course.ends.is_none());
            let Some(sister) = sister else { continue };
            for (place, user) in account.users.iter_mut().enumerate() {
                let mut dice = Dice::new(seed, "lend", &[number as u64, place as u64]);
                let day = user.joins.max(sister.course.begins).max(0) + dice.between(10, 90);
                if dice.falls(0.06) && day < user.leaves {
                    user.also = Some((sister.number, day));
                }
            }
        }
    }
}

impl Organization {
    fn new(seed: u64, number: usize, names: &Names) -> Organization {
        let mut dice = Dice::new(seed, "organization", &[number as u64]);
        let name = names.organization(number);
        let (_, country) = dice.pick(&COUNTRIES);
        let who = names.person(country.culture, &mut dice);
        let head = User {
            id: format!("g{}", 100 + number),
            email: format!("{}@{}.example.com", who.plain, name.plain),
            name: who,
            role: Role::Viewer,
            title: "Group Controller",
            joins: 0,
            leaves: DAYS,
            zeal: 0.12,
            also: None,
        };
        Organization { id: format!("org-{}", 100 + number), name, head }
    }
}

impl Account {
    fn new(seed: u64, number: usize, organizations: usize, names: &Names) -> Account {
        let mut dice = Dice::new(seed, "account", &[number as u64]);
        let (name, industry) = names.account(number, &mut dice);
        let country = Account::country(number, &mut dice);
        let course = Course::new(number, &mut dice);
        let is_kept = course.seats_max() >= 10;
        let keeper = dice.pick(&KEEPERS);
        let place = number.wrapping_sub(ON_THEIR_OWN);
        let drawn = dice.below(organizations);
        let holding = match number {
            2 => Holding::Joins(0, 150),
            7 => Holding::Leaves(1, 280),
            _ if place < 2 * organizations => Holding::Always(place / 2),
            _ if number >= ON_THEIR_OWN && dice.falls(IN_ORGANIZATION) => Holding::Always(drawn),
            _ => Holding::None,
        };
        let has_sync = course.stage(DAYS).plan == Plan::Business && dice.falls(0.35);
        let industry = industry.name.to_owned();
        let id = format!("a{}", 1_000 + number);
        let keeper = is_kept.then_some(keeper);
        let mut account =
            Account { number, id, name, industry, country, keeper, holding, course, users: Vec::new(), has_sync };
        let count = account.course.seats_max() as usize;
        account.users = (0..count).map(|place| account.user(seed, place, names)).collect();
        // Two people of one company may have the same name; their addresses differ.
        for place in 1..account.users.len() {
            let (before, from) = account.users.split_at_mut(place);
            let user = &mut from[0];
            if before.iter().any(|other| other.email == user.email) {
                user.email = format!("{}.{place}@{}.example.com", user.name.plain, account.name.plain);
            }
        }
        account
    }

    fn country(number: usize, dice: &mut Dice) -> &'static Country {
        let drawn = dice.weighted(COUNTRIES.iter().map(|(weight, _)| *weight));
        let placed = PLACED.iter().find(|(placed, _)| *placed == number);
        let named = placed.and_then(|(_, name)| COUNTRIES.iter().find(|(_, country)| country.name == *name));
        &named.unwrap_or(&COUNTRIES[drawn]).1
    }

    /// The user of a place.
    fn user(&self, seed: u64, place: usize, names: &Names) -> User {
        let mut dice = Dice::new(seed, "user", &[self.number as u64, place as u64]);
        let name = names.person(self.country.culture, &mut dice);
        let role = match place {
            0 => Role::Admin,
            _ => [Role::Admin, Role::Editor, Role::Viewer][dice.weighted([8.0, 52.0, 40.0].into_iter())],
        };
        let course = &self.course;
        let end = course.ends.unwrap_or(DAYS);
        // The first ones come at once, the others as seats are added; as many as there are seats at each time.
        let seated = course.stages.iter().find(|stage| stage.seats as usize > place);
        let begins = seated.map_or(course.begins, |stage| stage.day);
        let late = if place == 0 { 0 } else { dice.wait(9.0) as i32 };
        let joins = (begins + late).min(end - 1);
        // Where seats are taken away, those who came last have to go.
        let unseated = course.stages.iter().skip_while(|stage| stage.day <= joins);
        let unseated = unseated.clone().find(|stage| stage.seats as usize <= place).map(|stage| stage.day);
        let tired = joins.max(0) + dice.wait(3_600.0).min(10_000.0) as i32;
        let leaves = match place {
            0 => end,
            _ => tired.min(unseated.unwrap_or(DAYS)).min(end).max(joins.max(0) + 1),
        };
        let share = dice.share();
        let zeal = (0.02 + 0.27 * share * share) * if role == Role::Viewer { 0.7 } else { 1.0 };
        let is_head = place == 0 && self.course.story != Story::Lapsed;
        User {
            id: format!("u{}-{place}", 1_000 + self.number),
            email: format!("{}@{}.example.com", name.plain, self.name.plain),
            name,
            role,
            title: dice.word(&TITLES),
            joins,
            leaves,
            zeal: if is_head { zeal.max(0.35) } else { zeal },
            also: None,
        }
    }

    /// The organization it belongs to on a day.
    pub fn organization(&self, day: i32) -> Option<usize> {
        match self.holding {
            Holding::None => None,
            Holding::Always(organization) => Some(organization),
            Holding::Joins(organization, from) => (day >= from).then_some(organization),
            Holding::Leaves(organization, from) => (day < from).then_some(organization),
        }
    }
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Editor => "editor",
            Role::Viewer => "viewer",
        }
    }
}

impl User {
    /// Whether it belongs to the account on a day.
    pub fn is_there(&self, day: i32) -> bool {
        (self.joins..self.leaves).contains(&day)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn more_accounts_change_nothing_about_the_first() {
        let seen = |cast: &Cast| -> Vec<String> {
            let told = |account: &Account| {
                let users: Vec<&str> = account.users.iter().map(|user| user.email.as_str()).collect();
                format!("{} {} {} {:?} {users:?}", account.id, account.name.shown, account.country.name, account.course)
            };
            cast.accounts.iter().take(30).map(told).collect()
        };
        assert_eq!(seen(&Cast::new(7, 30)), seen(&Cast::new(7, 300)));
        assert_ne!(seen(&Cast::new(7, 30)), seen(&Cast::new(8, 30)));
    }

    #[test]
    fn everybody_belongs_somewhere_and_leaves_after_coming() {
        let cast = Cast::new(1, 300);
        let users = || cast.accounts.iter().flat_map(|account| &account.users);
        assert!(users().all(|user| user.joins < user.leaves));
        assert_eq!(users().map(|user| &user.id).collect::<HashSet<_>>().len(), users().count());
        assert_eq!(users().map(|user| &user.email).collect::<HashSet<_>>().len(), users().count());
        for number in 0..cast.organizations.len() {
            let held = cast.accounts.iter().filter(|account| account.organization(200) == Some(number)).count();
            assert!(held >= 2, "organization {number} has {held} accounts");
        }
        assert!(users().any(|user| user.also.is_some()));
    }
}
