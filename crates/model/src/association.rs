//! Which account or organization a user was with, and when.
//!
//! Rule: at an instant T, consider the statements made at or before T. Among the parents linked then, the one linked
//! last counts; if none is linked any more, the one that was linked last of all. If there is no link at or before T,
//! the first one afterwards counts. `resolve` is that rule, word for word, over all statements about one user;
//! `Associations` keeps what answers it without them in nearly every case.
//!
//! Two facts make the short cut exact. A user who was only ever linked to one parent belongs to it at every instant.
//! And at or after the latest statement, the registers alone decide.

use crate::{id::RecordId, register::Stamp, time::Micros, traits::allocated_bytes};

/// One statement about a user and a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Statement {
    pub stamp: Stamp,
    pub parent: RecordId,
    /// Whether it links or unlinks.
    pub links: bool,
}

/// The parent at `at`, by the rule above, from all statements in any order.
#[must_use]
pub fn resolve(statements: &[Statement], at: Micros) -> Option<RecordId> {
    let mut registers = Associations::default();
    for statement in statements.iter().filter(|statement| statement.stamp.at <= at) {
        registers.merge(*statement, "");
    }
    registers.current().or_else(|| {
        let links = statements.iter().filter(|statement| statement.links);
        links.min_by_key(|statement| statement.stamp).map(|statement| statement.parent)
    })
}

/// What is known of one user and one parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub parent: RecordId,
    pub external_id: Box<str>,
    /// The latest statement that links, or [`Stamp::NEVER`].
    pub linked: Stamp,
    /// The latest statement that unlinks, or [`Stamp::NEVER`].
    pub unlinked: Stamp,
}

impl Link {
    /// Whether the latest statement links.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.linked > self.unlinked
    }
}

/// A user's parents of one kind, sorted by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Associations {
    links: Vec<Link>,
}

/// What a statement changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The parent had never been named before.
    pub first_heard: bool,
    /// The link stood before / stands now.
    pub stood: bool,
    pub stands: bool,
    /// The parent that counted for instants from now on, before and after.
    pub before: Option<RecordId>,
    pub after: Option<RecordId>,
    /// Whether the answer for some instants may have changed in a way that the registers alone cannot tell.
    pub rewrites_past: bool,
}

/// An answer, or the admission that all statements are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Known(Option<RecordId>),
    NeedsStatements,
}

impl Associations {
    /// Rebuilds what a store kept; `links` need not be sorted.
    #[must_use]
    pub fn from_links(mut links: Vec<Link>) -> Self {
        links.sort_by_key(|link| link.parent);
        Associations { links }
    }

    /// Every parent ever named by a statement, sorted by id.
    #[must_use]
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// The parents whose links stand, sorted by external id so that every reader sees one order.
    #[must_use]
    pub fn standing(&self) -> Vec<&Link> {
        let mut standing: Vec<&Link> = self.links.iter().filter(|link| link.stands()).collect();
        standing.sort_by(|one, other| one.external_id.cmp(&other.external_id));
        standing
    }

    /// The parent that counts at and after the latest statement.
    #[must_use]
    pub fn current(&self) -> Option<RecordId> {
        let ever = || self.links.iter().filter(|link| link.linked > Stamp::NEVER);
        let standing = ever().filter(|link| link.stands()).max_by_key(|link| link.linked);
        standing.or_else(|| ever().max_by_key(|link| link.linked)).map(|link| link.parent)
    }

    /// The parent that counts at `at`.
    #[must_use]
    pub fn at(&self, at: Micros) -> Answer {
        let mut linked = self.links.iter().filter(|link| link.linked > Stamp::NEVER);
        let first = linked.next();
        if linked.next().is_none() {
            return Answer::Known(first.map(|link| link.parent));
        }
        if at >= self.newest().at { Answer::Known(self.current()) } else { Answer::NeedsStatements }
    }

    /// Takes a statement into the registers.
    pub fn merge(&mut self, statement: Statement, external_id: &str) -> Merged {
        let newest = self.newest();
        let before = self.current();
        let known = self.links.binary_search_by_key(&statement.parent, |link| link.parent);
        let first_heard = known.is_err();
        let at = known.unwrap_or_else(|at| {
            let (linked, unlinked) = (Stamp::NEVER, Stamp::NEVER);
            // Nearly every user has one parent of a kind; growing would make room for four.
            self.links.reserve_exact(1);
            self.links.insert(at, Link { parent: statement.parent, external_id: external_id.into(), linked, unlinked });
            at
        });
        let link = &mut self.links[at];
        let stood = link.stands();
        let register = if statement.links { &mut link.linked } else { &mut link.unlinked };
        *register = statement.stamp.max(*register);
        let stands = link.stands();
        let several = self.links.iter().filter(|link| link.linked > Stamp::NEVER).nth(1).is_some();
        let after = self.current();
        Merged { first_heard, stood, stands, before, after, rewrites_past: several && statement.stamp < newest }
    }

    /// Forgets everything said about a parent.
    pub fn forget(&mut self, parent: RecordId) -> Option<Link> {
        let known = self.links.binary_search_by_key(&parent, |link| link.parent).ok()?;
        Some(self.links.remove(known))
    }

    /// Bytes that they take on the heap, about.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        let names = self.links.iter().map(|link| allocated_bytes(link.external_id.len()));
        self.links.capacity() * size_of::<Link>() + names.sum::<usize>()
    }

    /// The stamp of the latest statement of all.
    #[must_use]
    pub fn newest(&self) -> Stamp {
        self.links.iter().map(|link| link.linked.max(link.unlinked)).max().unwrap_or(Stamp::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Identity;

    fn statement(at: i64, parent: u128, links: bool) -> Statement {
        let by = Identity(u128::from(at.unsigned_abs()) << 8 | parent);
        Statement { stamp: Stamp { at: Micros(at), by }, parent: RecordId(parent), links }
    }

    fn check(statements: &[Statement], at: i64, expected: Option<u128>) {
        assert_eq!(resolve(statements, Micros(at)).map(|id| id.0), expected, "at {at}");
    }

    #[test]
    fn the_rule() {
        let story = [
            statement(10, 1, true),
            statement(20, 2, true),
            statement(30, 2, false),
            statement(40, 1, false),
            statement(50, 3, true),
        ];
        check(&story, 5, Some(1)); // none yet: the first one afterwards
        check(&story, 10, Some(1));
        check(&story, 25, Some(2));
        check(&story, 35, Some(1)); // left 2, is still with 1
        check(&story, 45, Some(2)); // with none: the one linked last of all
        check(&story, 50, Some(3));
        check(&[], 50, None);
        check(&[statement(5, 1, false)], 50, None); // an unlink alone says nothing of where the user was
    }

    #[test]
    fn the_short_cut_agrees_with_the_rule() {
        // Every subset and order of a small alphabet of statements, every instant.
        let alphabet: Vec<Statement> =
            [(1, 1, true), (2, 2, true), (3, 1, false), (3, 2, true), (4, 1, true), (5, 2, false), (6, 3, false)]
                .map(|(at, parent, links)| statement(at, parent, links))
                .to_vec();
        for subset in 0u32..1 << alphabet.len() {
            let chosen: Vec<Statement> =
                alphabet.iter().enumerate().filter(|(i, _)| subset >> i & 1 == 1).map(|(_, s)| *s).collect();
            for rotation in 0..chosen.len().max(1) {
                let mut order = chosen.clone();
                order.rotate_left(rotation);
                let mut registers = Associations::default();
                for (count, statement) in order.iter().enumerate() {
                    let merged = registers.merge(*statement, "x");
                    assert_eq!(merged.after, registers.current());
                    for at in 0..8 {
                        let known = &order[..=count];
                        match registers.at(Micros(at)) {
                            Answer::Known(answer) => {
                                assert_eq!(answer, resolve(known, Micros(at)), "{known:?} at {at}")
                            }
                            Answer::NeedsStatements => assert!(known.len() > 1),
                        }
                        // Unless the past is rewritten, answers before this statement stay what they were.
                        let earlier = Micros(at) < statement.stamp.at;
                        if earlier && !merged.rewrites_past && merged.before.is_some() {
                            assert_eq!(resolve(&order[..count], Micros(at)), resolve(known, Micros(at)));
                        }
                    }
                }
            }
        }
    }
}
