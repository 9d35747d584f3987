//! The text of one message with places for its changing digits.
//!
//! A pattern is filled up with words until the message has exactly the bytes asked for, so that every message of a run
//! is as long as every other. Which kind stands at which place of a template never changes.

use serde::Serialize;

use crate::splitmix::{STEP, finish};

/// Bytes that every kind of message fits in, and that a message has unless more are asked for.
pub const MESSAGE_BYTES_MIN: usize = 246;
/// The longest; of 100 of them a body is still far from the server's limit.
pub const MESSAGE_BYTES_MAX: usize = 65_536;
/// Which kinds of message a run sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mix {
    /// Mostly tracks, with the users, accounts and organizations that a product sends beside them
    #[default]
    Mixed,
    /// Nothing but tracks
    Tracks,
    /// Mostly users and accounts, all with traits
    Profiles,
}

/// The kinds in the workload, in order of frequency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Track,
    User,
    Account,
    Organization,
}

/// Where the changing digits of one message stand.
#[derive(Default)]
pub struct Place {
    pub id: usize,
    pub time: usize,
    pub users: Vec<usize>,
    pub accounts: Vec<usize>,
    pub organizations: Vec<usize>,
    pub numbers: Vec<usize>,
}

impl Place {
    /// Shifts everything by what was put before it.
    pub fn move_by(&mut self, by: usize) {
        self.id += by;
        self.time += by;
        for spots in [&mut self.users, &mut self.accounts, &mut self.organizations, &mut self.numbers] {
            spots.iter_mut().for_each(|spot| *spot += by);
        }
    }
}

/// The kind at a place of a template. Fixed, so that a template's text never changes its length.
pub fn kind_of(blend: Mix, template: u64, place: u32) -> Kind {
    // Of 100 messages so many are tracks, tracks or users, and anything but organizations.
    let (tracks, users, accounts) = match blend {
        Mix::Mixed => (70, 90, 97),
        Mix::Tracks => (100, 100, 100),
        Mix::Profiles => (10, 70, 95),
    };
    match mix((template << 20) ^ u64::from(place)) % 100 {
        dice if dice < tracks => Kind::Track,
        dice if dice < users => Kind::User,
        dice if dice < accounts => Kind::Account,
        _ => Kind::Organization,
    }
}

/// Appends one message; `@u`, `@a`, `@o`, `@n`, `@i`, `@t` in its pattern stand for changing digits, `@f` for a filling.
pub fn lay_out(tag: &str, (kind, bytes): (Kind, usize), (template, place): (u64, u32), body: &mut Vec<u8>) -> Place {
    let dice = mix(mix((template << 20) ^ u64::from(place)));
    let word = |shift: u32, words: &[&'static str]| words[(dice >> shift) as usize % words.len()];
    let pattern = match kind {
        Kind::Track => {
            let account = if dice.is_multiple_of(2) { format!(r#""accountId":"{tag}-@a","#) } else { String::new() };
            let event = word(
                8,
                &[
                    "report-viewed",
                    "report-exported",
                    "invite-sent",
                    "login",
                    "search",
                    "file-uploaded",
                    "comment-added",
                ],
            );
            let plan = word(16, &["free", "team", "business", "enterprise"]);
            format!(
                r#"{{"type":"track","userId":"{tag}-@u",{account}"event":"{event}","messageId":"@i","timestamp":"@t","properties":{{"took":@n,"plan":"{plan}","at":"@f"}}}}"#
            )
        }
        Kind::User => {
            let role = word(8, &["admin", "editor", "viewer", "owner"]);
            format!(
                r#"{{"type":"user","userId":"{tag}-@u","accountId":"{tag}-@a","messageId":"@i","timestamp":"@t","traits":{{"role":"{role}","email":"@u@example.com","logins":@n,"t":"@f"}}}}"#
            )
        }
        Kind::Account => {
            let plan = word(8, &["free", "team", "business", "enterprise"]);
            format!(
                r#"{{"type":"account","accountId":"{tag}-@a","organizationId":"{tag}-@o","messageId":"@i","timestamp":"@t","traits":{{"plan":"{plan}","seats":@n,"city":"@f"}}}}"#
            )
        }
        Kind::Organization => {
            let region = word(8, &["emea", "amer", "apac"]);
            format!(
                r#"{{"type":"organization","organizationId":"{tag}-@o","messageId":"@i","timestamp":"@t","traits":{{"region":"{region}","revenue":@n,"remark":"@f"}}}}"#
            )
        }
    };
    write_pattern(&pattern, bytes, dice, body)
}

fn write_pattern(pattern: &str, bytes: usize, dice: u64, body: &mut Vec<u8>) -> Place {
    const MARKS: [(u8, usize); 6] = [(b'u', 8), (b'a', 8), (b'o', 8), (b'n', 4), (b'i', 36), (b't', 24)];
    let width = |mark: u8| MARKS.iter().find(|(known, _)| *known == mark).map(|(_, width)| *width);
    let marks = pattern.split('@').skip(1).filter_map(|rest| width(*rest.as_bytes().first()?));
    let marked: usize = marks.map(|width| width - 2).sum();
    let filling = bytes.saturating_sub(pattern.len() - 2 + marked);
    let mut spots = Place::default();
    let mut rest = pattern.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let spot = body.len();
        match (byte, after.first().copied()) {
            (b'@', Some(b'f')) => {
                body.extend_from_slice(&fill(filling, dice));
                rest = &after[1..];
                continue;
            }
            // The sign in an address is followed by a letter that is no mark.
            (b'@', Some(mark)) if width(mark).is_some() => {
                body.extend(std::iter::repeat_n(b'0', width(mark).unwrap_or(0)));
                rest = &after[1..];
                match mark {
                    b'u' => spots.users.push(spot),
                    b'a' => spots.accounts.push(spot),
                    b'o' => spots.organizations.push(spot),
                    b'n' => spots.numbers.push(spot),
                    b'i' => spots.id = spot,
                    _ => spots.time = spot,
                }
            }
            _ => {
                body.push(*byte);
                rest = after;
            }
        }
    }
    spots
}

/// Words of an exact length in all.
fn fill(length: usize, dice: u64) -> Vec<u8> {
    const WORDS: [&str; 8] = ["north", "harbour", "seven", "ledger", "maple", "window", "quarter", "signal"];
    let words = (0..).map(|at| WORDS[(mix(dice ^ at) % 8) as usize]);
    let mut text: Vec<u8> = words.flat_map(|word| word.bytes().chain([b' '])).take(length).collect();
    if text.last() == Some(&b' ') {
        text.pop();
        text.push(b's');
    }
    text
}

/// A 64-bit mix: every bit of the result depends on every bit of the number.
pub fn mix(number: u64) -> u64 {
    finish(number.wrapping_add(STEP))
}
