//! The whole story as one stream of messages, in the order in which they are received.
//!
//! It is a function of the seed, the number of accounts and the last day. No more than a few days of it are held at any
//! time. What would be received after a given instant is left out.

use std::collections::VecDeque;

use muster_model::{day::Day, time::Micros};

use super::{
    activity::Scene, calendar::Year, cast::Cast, events, faults, message::Message, objects, records, story::DAYS,
};

/// Where it is morning first, a day begins so long before it does in UTC.
const FIRST_CLOCK_MICROS: i64 = 15 * 3_600 * 1_000_000;

/// What to tell.
#[derive(Clone, Copy, Debug)]
pub struct Order {
    pub seed: u64,
    pub accounts: usize,
    pub last: Day,
    /// Nothing is received later.
    pub until: Micros,
}

/// Messages, one after the other.
pub struct Stream {
    order: Order,
    year: Year,
    cast: Cast,
    /// The days on which accounts try the new feature.
    adopted: Vec<i32>,
    day: i32,
    /// Made, and received later than what is ready.
    held: Vec<Message>,
    ready: VecDeque<Message>,
}

impl Stream {
    pub fn new(order: Order) -> Stream {
        let cast = Cast::new(order.seed, order.accounts);
        let adopted = cast.accounts.iter().map(|account| events::adoption(order.seed, account)).collect();
        let year = Year::until(order.last);
        Stream { order, year, cast, adopted, day: 0, held: Vec::new(), ready: VecDeque::new() }
    }

    /// Who is in it.
    pub fn cast(&self) -> &Cast {
        &self.cast
    }

    /// The year it tells of.
    pub fn year(&self) -> Year {
        self.year
    }

    fn tell_day(&mut self) {
        let (day, seed, year) = (self.day, self.order.seed, self.year);
        let (cast, held) = (&self.cast, &mut self.held);
        if day == 0 {
            held.extend(objects::kinds(seed, year));
        }
        for (number, organization) in cast.organizations.iter().enumerate() {
            held.extend(records::organization(seed, year, organization, number, day));
        }
        for (account, adopted) in cast.accounts.iter().zip(&self.adopted) {
            if day < account.course.begins {
                continue;
            }
            held.extend(records::account(seed, year, cast, account, day));
            let scene = Scene { seed, year, account, adopted: *adopted };
            scene.of_programs(day, cast.accounts.len(), held);
            scene.of_subscription(day, held);
            scene.of_tickets(day, held);
            for place in 0..account.users.len() {
                held.extend(records::user(seed, year, cast, account, place, day));
                scene.of_user(place, day, held);
                scene.of_survey(place, day, held);
            }
        }
        held.extend(faults::of_day(seed, year, cast, day));
        self.day += 1;
        self.release();
    }

    /// What can be followed only by what is received later is ready.
    fn release(&mut self) {
        self.held.sort_by_key(|message| message.received_at);
        let next = self.year.day(self.day).start().plus_micros(-FIRST_CLOCK_MICROS);
        let bound = if self.day < DAYS { next.min(self.order.until) } else { self.order.until };
        let count = self.held.partition_point(|message| message.received_at <= bound);
        self.ready.extend(self.held.drain(..count));
        if self.day == DAYS {
            self.ready.extend(faults::orphans(self.order.seed, self.year));
        }
    }
}

impl Iterator for Stream {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        while self.ready.is_empty() && self.day < DAYS {
            self.tell_day();
        }
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::commands::demo::{message::About, story};

    fn order(seed: u64) -> Order {
        let last = Day::parse("2026-11-25").unwrap();
        Order { seed, accounts: 20, last, until: last.end() }
    }

    fn told(order: Order) -> Vec<Message> {
        Stream::new(order).collect()
    }

    fn value(message: &Message) -> serde_json::Value {
        let value: serde_json::Value = serde_json::from_str(&message.text).unwrap();
        if value["message"].is_object() { value["message"].clone() } else { value }
    }

    #[test]
    fn the_same_order_tells_the_same_and_another_seed_something_else() {
        let one = told(order(1));
        assert!(one == told(order(1)) && one != told(order(2)));
        let ids: HashSet<String> = one.iter().map(|message| value(message)["messageId"].to_string()).collect();
        let conflicts = 4;
        assert_eq!(ids.len() + conflicts, one.len(), "ids differ");
    }

    #[test]
    fn another_last_day_shares_no_message_with_it() {
        let ids = |order| -> HashSet<String> {
            told(order).iter().map(|message| value(message)["messageId"].to_string()).collect()
        };
        let earlier = Order { last: order(1).last.plus(-1), ..order(1) };
        assert!(ids(order(1)).is_disjoint(&ids(earlier)));
    }

    #[test]
    fn it_comes_in_the_order_of_receipt_and_ends_when_told() {
        let whole = told(order(1));
        assert!(whole.windows(2).all(|two| two[0].received_at <= two[1].received_at));
        let until = order(1).last.start();
        let short = told(Order { until, ..order(1) });
        let faults = whole.iter().filter(|message| message.received_at == Micros::MAX).count();
        let (bare, timed): (Vec<Message>, Vec<Message>) =
            short.into_iter().partition(|message| message.received_at == Micros::MAX);
        assert_eq!(bare.len(), faults);
        assert_eq!(timed[..], whole[..timed.len()]);
        assert!(whole[timed.len()].received_at > until && timed.len() < whole.len());
    }

    #[test]
    fn it_is_a_story() {
        let whole = told(order(1));
        let events = whole.iter().filter(|message| message.about == About::Event);
        let mut by_name: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        let year = Year::until(order(1).last);
        for message in events {
            let day = Day::of(message.received_at).0 - year.day(0).0;
            by_name.entry(value(message)["event"].as_str().unwrap().to_owned()).or_default().push(day);
        }
        assert!((15..=30).contains(&by_name.len()), "{:?}", by_name.keys());
        assert!(by_name[events::NEW_FEATURE].iter().all(|day| *day >= story::RELEASE));
        let imported = &by_name["document-imported"];
        assert!(imported.len() >= 600 && imported.iter().all(|day| (day - story::IMPORT).abs() <= 1));
        let all: Vec<i32> = by_name.values().flatten().copied().collect();
        let weekend = all.iter().filter(|day| year.weekday(**day) >= 5).count();
        assert!(weekend * 8 < all.len(), "{weekend} of {} on weekends", all.len());
        let faults = whole.iter().filter(|message| message.about == About::Fault).count();
        assert_eq!(faults, faults::count());
    }
}
