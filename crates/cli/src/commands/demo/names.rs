//! Names of people and companies, made up from two lists beside this file.
//!
//! Every name has a form in plain Latin letters as well, for addresses. People are named as where they live, mostly; all
//! of them and every company are invented.

use super::dice::Dice;

const PEOPLE: &str = include_str!("people.txt");
const COMPANIES: &str = include_str!("companies.txt");
/// Stands between the columns of a line.
const COLUMN: &str = " | ";
/// People who are named as elsewhere.
const FROM_ELSEWHERE: f64 = 0.22;

/// A name, and the same in plain Latin letters, lower case, with hyphens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub shown: String,
    pub plain: String,
}

/// Everything that names are made of.
pub struct Names {
    cultures: Vec<Culture>,
    words: Vec<Name>,
    groups: Vec<Name>,
    industries: Vec<Industry>,
}

struct Culture {
    name: &'static str,
    is_family_first: bool,
    given: Vec<Name>,
    family: Vec<Name>,
}

/// What a company does, and how such companies are called.
pub struct Industry {
    pub name: &'static str,
    endings: Vec<Name>,
}

/// Accounts that are easy to find, because the story is told with them or because their names are hard to show.
const FIRST_ACCOUNTS: [(&str, &str, &str); 10] = [
    ("Halden Bridgeworks", "halden-bridgeworks", "construction"),
    ("Papagaio 🦜 Estúdio", "papagaio", "media"),
    ("شركة النخيل للهندسة", "nakheel-engineering", "engineering"),
    ("石川設計事務所", "ishikawa-sekkei", "architecture"),
    ("Łąka i Synowie", "laka", "manufacturing"),
    ("קו אופק אדריכלים", "kav-ofek", "architecture"),
    ("Tidewater Clinics", "tidewater-clinics", "healthcare"),
    ("Ferreira, Okonkwo & Partners LLP", "ferreira-okonkwo", "consulting"),
    ("O’Malley’s “Blue” Freight <Europe>", "omalley-freight", "logistics"),
    ("Zephyr", "zephyr", "software"),
];

impl Names {
    /// Reads the two lists.
    pub fn new() -> Names {
        let mut names = Names { cultures: Vec::new(), words: Vec::new(), groups: Vec::new(), industries: Vec::new() };
        for line in PEOPLE.lines() {
            let mut columns = line.split(COLUMN);
            let (Some(head), Some(given), Some(family)) = (columns.next(), columns.next(), columns.next()) else {
                continue;
            };
            let (name, order) = head.split_once(", ").unwrap_or((head, ""));
            let is_family_first = order == "family first";
            names.cultures.push(Culture { name, is_family_first, given: list(given), family: list(family) });
        }
        for line in COMPANIES.lines() {
            match line.split_once(COLUMN) {
                Some(("words", words)) => names.words = list(words),
                Some(("groups", groups)) => names.groups = list(groups),
                Some((name, endings)) => names.industries.push(Industry { name, endings: list(endings) }),
                None => {}
            }
        }
        names
    }

    /// A person where names are mostly of this culture.
    pub fn person(&self, culture: &str, dice: &mut Dice) -> Name {
        let local = self.cultures.iter().find(|known| known.name == culture);
        let elsewhere = dice.pick(&self.cultures);
        let culture = local.filter(|_| !dice.falls(FROM_ELSEWHERE)).unwrap_or(elsewhere);
        let (given, family) = (dice.pick(&culture.given), dice.pick(&culture.family));
        let shown = match culture.is_family_first {
            true => format!("{} {}", family.shown, given.shown),
            false => format!("{} {}", given.shown, family.shown),
        };
        Name { shown, plain: format!("{}.{}", given.plain, family.plain) }
    }

    /// The account of a number, and what it does; no two have the same name.
    pub fn account(&self, number: usize, dice: &mut Dice) -> (Name, &Industry) {
        if let Some((shown, plain, does)) = FIRST_ACCOUNTS.get(number) {
            let industry = self.industries.iter().find(|industry| industry.name == *does);
            let name = Name { shown: (*shown).to_owned(), plain: (*plain).to_owned() };
            return (name, industry.unwrap_or(&self.industries[0]));
        }
        let industry = dice.pick(&self.industries);
        let ending = dice.pick(&industry.endings);
        let place = number - FIRST_ACCOUNTS.len();
        let (round, place) = (place / self.words.len(), place % self.words.len());
        // A step that shares no factor with the number of words meets each of them once a round.
        let first = &self.words[place * 47 % self.words.len()];
        let name = match round {
            0 => first.clone(),
            _ => first.with(" & ", "-", &self.words[(place * 47 + round) % self.words.len()]),
        };
        let name = name.with(" ", "-", ending);
        let numbered = round / self.words.len();
        if numbered == 0 {
            return (name, industry);
        }
        (Name { shown: format!("{} {numbered}", name.shown), plain: format!("{}-{numbered}", name.plain) }, industry)
    }

    /// The organization of a number; no two have the same name.
    pub fn organization(&self, number: usize) -> Name {
        let (round, place) = (number / self.groups.len(), number % self.groups.len());
        let name = &self.groups[place];
        if round == 0 {
            return name.clone();
        }
        Name { shown: format!("{} {}", name.shown, round + 1), plain: format!("{}-{}", name.plain, round + 1) }
    }
}

impl Name {
    fn with(&self, between: &str, between_plain: &str, other: &Name) -> Name {
        Name {
            shown: format!("{}{between}{}", self.shown, other.shown),
            plain: format!("{}{between_plain}{}", self.plain, other.plain),
        }
    }
}

/// Names of a list, with their plain form after `=` where it differs.
fn list(text: &str) -> Vec<Name> {
    let one = |text: &str| {
        let (shown, plain) = text.split_once('=').unwrap_or((text, text));
        Name { shown: shown.trim().to_owned(), plain: plain_letters(plain.trim()) }
    };
    text.split(", ").map(one).collect()
}

fn plain_letters(text: &str) -> String {
    let mut plain = String::new();
    for letter in text.chars().map(|letter| letter.to_ascii_lowercase()) {
        match letter {
            'a'..='z' | '0'..='9' => plain.push(letter),
            _ if plain.is_empty() || plain.ends_with('-') => {}
            _ => plain.push('-'),
        }
    }
    plain.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_accounts_and_no_two_organizations_have_the_same_name() {
        let names = Names::new();
        let account = |number| names.account(number, &mut Dice::new(1, "name", &[number as u64])).0.shown;
        assert_eq!((0..20_000).map(account).collect::<HashSet<_>>().len(), 20_000);
        assert_eq!((0..2_000).map(|number| names.organization(number).shown).collect::<HashSet<_>>().len(), 2_000);
    }

    #[test]
    fn every_name_has_a_form_for_addresses() {
        let names = Names::new();
        let people = names.cultures.iter().flat_map(|culture| culture.given.iter().chain(&culture.family));
        let endings = names.industries.iter().flat_map(|industry| &industry.endings);
        for name in people.chain(endings).chain(&names.words).chain(&names.groups) {
            assert!(!name.shown.is_empty() && !name.shown.contains(['=', '|']), "{name:?}");
            let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
            assert!(!name.plain.is_empty() && name.plain.chars().all(is_plain), "{name:?}");
        }
        assert!(names.cultures.len() > 15 && names.words.len() > 80 && names.industries.len() > 10);
    }

    #[test]
    fn people_are_named_as_where_they_live_mostly() {
        let names = Names::new();
        let is_hebrew = |letter: char| ('\u{590}'..'\u{600}').contains(&letter);
        let mut dice = Dice::new(1, "people", &[]);
        let local = (0..1_000).filter(|_| names.person("hebrew", &mut dice).shown.chars().any(is_hebrew)).count();
        assert!((700..900).contains(&local), "{local}");
    }
}
