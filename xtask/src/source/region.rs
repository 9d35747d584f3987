//! Which stretches of a file are test code: what follows `#[cfg(test)]`, `#[test]` or `#[tokio::test]`.
//!
//! Guarantees that `cfg(not(test))` and `cfg(any(test, …))` do not count, because that code also ships. Works inside
//! macro calls too. Never looks outside the file; see [`Tree::is_test_file`](crate::tree::Tree::is_test_file) for that.

use super::token::{Kind, Token};

/// A stretch of tokens, both ends included: the attribute that makes it test code, up to the end of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub first: usize,
    pub last: usize,
}

impl Region {
    pub fn holds(self, index: usize) -> bool {
        (self.first..=self.last).contains(&index)
    }
}

/// An attribute: `#[…]`, or `#![…]` when `inner`. `open` is the index of its bracket.
#[derive(Clone, Copy)]
pub struct Attribute {
    pub inner: bool,
    pub open: usize,
}

/// The attribute that starts at `index`, if one does.
pub fn attribute_at(tokens: &[Token], index: usize) -> Option<Attribute> {
    tokens.get(index).filter(|token| token.is_mark("#"))?;
    let inner = tokens.get(index + 1).is_some_and(|token| token.is_mark("!"));
    let open = index + if inner { 2 } else { 1 };
    tokens.get(open).filter(|token| token.is_open("["))?;
    Some(Attribute { inner, open })
}

/// Every stretch of test code. Stretches may lie inside one another.
pub fn test_regions(tokens: &[Token]) -> Vec<Region> {
    let mut regions = Vec::new();
    for index in 0..tokens.len() {
        let Some(attribute) = attribute_at(tokens, index) else { continue };
        let close = tokens[attribute.open].partner;
        if !marks_test(&tokens[attribute.open + 1..close]) {
            continue;
        }
        let last = if attribute.inner { end_of_enclosing(tokens, index) } else { end_of_item(tokens, close + 1) };
        regions.push(Region { first: index, last });
    }
    regions
}

/// Whether the inside of an attribute's brackets is `test`, `…::test`, `cfg(test)` or `cfg(all(…, test, …))`.
fn marks_test(inside: &[Token]) -> bool {
    let Some(first) = inside.first() else { return false };
    if first.is_word("cfg") {
        return holds_test(&inside[1..]);
    }
    let path_ends = inside.iter().position(|token| token.kind == Kind::Open).unwrap_or(inside.len());
    let path = &inside[..path_ends];
    let is_path = path.iter().all(|token| token.kind == Kind::Word || token.is_mark(":"));
    is_path && path.last().is_some_and(|token| token.is_word("test"))
}

/// `(test)`, or `(all(…))` with `test` directly in it.
fn holds_test(group: &[Token]) -> bool {
    match group {
        [open, word, _close] if open.is_open("(") => word.is_word("test"),
        [open, all, inner @ ..] if open.is_open("(") && all.is_word("all") => {
            let mut depth = 0_usize;
            inner.iter().any(|token| {
                match token.kind {
                    Kind::Open => depth += 1,
                    Kind::Close => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 1 && token.is_word("test")
            })
        }
        _ => false,
    }
}

fn end_of_enclosing(tokens: &[Token], index: usize) -> usize {
    let mut at = index;
    while at < tokens.len() {
        match tokens[at].kind {
            Kind::Open => at = tokens[at].partner + 1,
            Kind::Close => return at,
            _ => at += 1,
        }
    }
    tokens.len().saturating_sub(1)
}

/// The last token of the item that starts at `index`: its body's brace, its semicolon, or what encloses it.
fn end_of_item(tokens: &[Token], index: usize) -> usize {
    let mut at = index;
    while let Some(attribute) = attribute_at(tokens, at) {
        at = tokens[attribute.open].partner + 1;
    }
    let is_item = tokens.get(at).is_some_and(starts_item);
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Open if token.text == "{" => return token.partner,
            Kind::Open => at = token.partner,
            Kind::Close => return at,
            Kind::Mark if token.text == ";" || (token.text == "," && !is_item) => return at,
            _ => {}
        }
        at += 1;
    }
    tokens.len().saturating_sub(1)
}

/// A comma ends a field or a match arm, but not `fn f<A, B>()`.
fn starts_item(token: &Token) -> bool {
    const STARTS: [&str; 14] = [
        "pub", "fn", "mod", "impl", "struct", "use", "const", "static", "type", "trait", "enum", "async", "unsafe",
        "extern",
    ];
    token.kind == Kind::Word && STARTS.contains(&token.text.as_str())
}

#[cfg(test)]
mod tests {
    use super::super::token::flatten;
    use super::test_regions;

    /// `X` marks what must lie in test code, `y` what must not.
    fn check(text: &str) {
        let tokens = flatten(text).unwrap();
        let regions = test_regions(&tokens);
        for (index, token) in tokens.iter().enumerate() {
            let inside = regions.iter().any(|region| region.holds(index));
            assert!(inside || !token.is_word("X"), "X outside test code in {text}");
            assert!(!inside || !token.is_word("y"), "y inside test code in {text}");
        }
    }

    #[test]
    fn finds_test_code() {
        for text in [
            "fn a() { y } #[cfg(test)] mod tests { fn b() { X } } fn c() { y }",
            "#[test] fn a<P, Q>(b: [u8; 2]) { X } fn c() { y }",
            "#[tokio::test(start_paused = true)] async fn a() { X } fn c() { y }",
            "#[cfg(all(unix, test))] #[derive(Debug)] struct A { b: X } fn c() { y }",
            "#[cfg(test)] use a::X; use b::y;",
            "struct A { #[cfg(test)] b: X, c: y }",
            "proptest! { #[test] fn a(b in 0..1) { X } } fn c() { y }",
            "#![cfg(test)] fn a() { X }",
            "mod m { #![cfg(test)] fn a() { X } } fn c() { y }",
        ] {
            check(text);
        }
    }

    #[test]
    fn shipped_code_is_not_test_code() {
        for text in [
            "#[cfg(not(test))] fn a() { y }",
            "#[cfg(any(test, feature = \"suite\"))] fn a() { y }",
            "#[cfg(all(unix, not(test)))] fn a() { y }",
            "#[cfg(feature = \"test\")] fn a() { y }",
            "#[doc = \"test\"] fn a() { y }",
            "#[expect(dead_code, reason = \"test\")] fn a() { y }",
        ] {
            check(text);
        }
    }
}
