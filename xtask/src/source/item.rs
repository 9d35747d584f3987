//! Functions and module declarations of a file.
//!
//! Guarantees to see functions inside macro calls and other functions as well. Never reads what they do.

use super::region::attribute_at;
use super::token::{Kind, Token};

/// A function with a body. Lines are counted from its `fn` to the closing brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    pub first_line: usize,
    pub last_line: usize,
}

impl Function {
    pub fn lines(&self) -> usize {
        self.last_line - self.first_line + 1
    }
}

/// `mod name;` or, when `inline`, `mod name { … }`. `first_line` is where its attributes and visibility start.
#[derive(Clone, Debug)]
pub struct Module {
    pub name: String,
    pub line: usize,
    pub first_line: usize,
    pub last: usize,
    pub inline: bool,
    pub documented: bool,
    pub is_test: bool,
}

/// Every function that has a body.
pub fn functions(tokens: &[Token]) -> Vec<Function> {
    (0..tokens.len()).filter_map(|index| function_at(tokens, index)).collect()
}

fn function_at(tokens: &[Token], index: usize) -> Option<Function> {
    let name = tokens.get(index + 1)?;
    let is_pointer_type = name.is_open("(");
    if !tokens[index].is_word("fn") || is_pointer_type {
        return None;
    }
    let body = body_after(tokens, index + 1)?;
    let last_line = tokens[tokens[body].partner].line;
    let name = if name.is_mark("$") { "$name" } else { &name.text };
    Some(Function { name: name.to_owned(), first_line: tokens[index].line, last_line })
}

/// The brace that opens the body. A brace inside angle brackets, as in `Bytes<{ N }>`, is none.
fn body_after(tokens: &[Token], mut at: usize) -> Option<usize> {
    loop {
        let token = tokens.get(at)?;
        match token.kind {
            Kind::Open => {
                let next = tokens.get(token.partner + 1);
                let in_angles = next.is_some_and(|next| next.is_mark(">") || next.is_mark(","));
                if token.text == "{" && !in_angles {
                    return Some(at);
                }
                at = token.partner + 1;
            }
            Kind::Close => return None,
            Kind::Mark if token.text == ";" => return None,
            _ => at += 1,
        }
    }
}

/// Every module declaration; `is_test` is left for the caller who knows the regions.
pub fn modules(tokens: &[Token]) -> Vec<Module> {
    (0..tokens.len()).filter_map(|index| module_at(tokens, index)).collect()
}

fn module_at(tokens: &[Token], index: usize) -> Option<Module> {
    let (name, end) = (tokens.get(index + 1)?, tokens.get(index + 2)?);
    let inline = end.is_open("{");
    if !tokens[index].is_word("mod") || name.kind != Kind::Word || !(inline || end.is_mark(";")) {
        return None;
    }
    let mut first = start_of_visibility(tokens, index);
    let mut documented = false;
    while let Some(hash) = attribute_before(tokens, first) {
        documented |= attribute_at(tokens, hash).is_some_and(|found| tokens[found.open + 1].is_word("doc"));
        first = hash;
    }
    let last = if inline { end.partner } else { index + 2 };
    let (line, first_line) = (tokens[index].line, tokens[first].line);
    Some(Module { name: name.text.clone(), line, first_line, last, inline, documented, is_test: false })
}

/// Steps back over `pub` and `pub(…)`.
fn start_of_visibility(tokens: &[Token], index: usize) -> usize {
    let Some(before) = index.checked_sub(1) else { return index };
    let at = if tokens[before].text == ")" { tokens[before].partner.checked_sub(1) } else { Some(before) };
    at.filter(|at| tokens[*at].is_word("pub")).unwrap_or(index)
}

/// The `#` of the outer attribute that ends right before `index`.
fn attribute_before(tokens: &[Token], index: usize) -> Option<usize> {
    let close = index.checked_sub(1)?;
    let hash = tokens[close].partner.checked_sub(1)?;
    let is_attribute = tokens[close].text == "]" && tokens[close].kind == Kind::Close && tokens[hash].is_mark("#");
    is_attribute.then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::super::token::flatten;
    use super::{functions, modules};

    #[test]
    fn measures_functions() {
        let check = |text: &str, expected: &[(&str, usize)]| {
            let found = functions(&flatten(text).unwrap());
            let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.lines())).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("fn a() {}", &[("a", 1)]);
        check("/// doc\n/// doc\npub async fn a<T>(\n  b: T,\n) -> u8\nwhere T: Fn(fn(u8)),\n{\n}\n", &[("a", 6)]);
        check("trait T { fn a(&self); fn b(&self) {\n} }", &[("b", 2)]);
        check("fn a() -> Bytes<{ N }> {\n\n}", &[("a", 3)]);
        check("fn a() {\n fn b() {\n }\n}", &[("a", 4), ("b", 2)]);
        check("proptest! {\n #[test]\n fn a(b in 0..1) {\n }\n}", &[("a", 2)]);
        check("macro_rules! m { () => { fn $n() {\n } } }", &[("$name", 2)]);
        check("let a: fn(u8) -> u8 = { b };", &[]);
    }

    #[test]
    fn finds_modules_with_their_captions() {
        let text = "//! top\n/// Caption.\n#[cfg(unix)]\npub(crate) mod a;\nmod b { }\n#[cfg(x)]\npub mod c;";
        let found = modules(&flatten(text).unwrap());
        let found: Vec<_> =
            found.iter().map(|m| (m.name.as_str(), m.line, m.first_line, m.inline, m.documented)).collect();
        assert_eq!(found, [("a", 4, 2, false, true), ("b", 5, 5, true, false), ("c", 7, 6, false, false)]);
    }

    #[test]
    fn the_file_s_own_documentation_is_no_caption() {
        assert!(!modules(&flatten("//! top\nmod a;").unwrap())[0].documented);
    }
}
