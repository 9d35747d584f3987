//! A parsed Rust file: tokens, functions, modules, paths and which of it is test code.
//!
//! Built once per file by [`Source::parse`]; the checks only read it.

use super::item::{self, Function, Module};
use super::path::{self, Path};
use super::region::{Region, test_regions};
use super::token::{Kind, Token, flatten};

/// See the module.
pub struct Source {
    text_lines: Vec<String>,
    tokens: Vec<Token>,
    regions: Vec<Region>,
    functions: Vec<Function>,
    modules: Vec<Module>,
    paths: Vec<Path>,
}

impl Source {
    /// # Errors
    /// Where and why the text could not be split into tokens.
    pub fn parse(text: &str) -> Result<Source, String> {
        let tokens = flatten(text)?;
        let regions = test_regions(&tokens);
        let mut modules = item::modules(&tokens);
        for module in &mut modules {
            module.is_test = regions.iter().any(|region| region.holds(module.last));
        }
        let (functions, paths) = (item::functions(&tokens), path::paths(&tokens));
        let text_lines = text.lines().map(str::to_owned).collect();
        Ok(Source { text_lines, tokens, regions, functions, modules, paths })
    }

    pub fn lines(&self) -> &[String] {
        &self.text_lines
    }

    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    pub fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter()
    }

    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Every token with its index.
    pub fn tokens(&self) -> impl Iterator<Item = (usize, &Token)> {
        self.tokens.iter().enumerate()
    }

    /// The token at `index`, if there is one.
    pub fn token(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index)
    }

    /// Whether the token at `index` is test code.
    pub fn is_test(&self, index: usize) -> bool {
        self.regions.iter().any(|region| region.holds(index))
    }

    /// The first line of the `#[cfg(test)] mod … { … }` that ends the file, if one does.
    pub fn trailing_tests_line(&self) -> Option<usize> {
        let last = self.tokens.len().checked_sub(1)?;
        let module = self.modules.iter().find(|module| module.inline && module.is_test && module.last == last)?;
        Some(module.first_line)
    }

    /// Whether `word!` is called at `index`, and is not a path's tail such as `other::word!`.
    pub fn is_macro_call(&self, index: usize, word: &str) -> bool {
        let at = |index: usize| self.tokens.get(index);
        let is_call = at(index).is_some_and(|token| token.is_word(word))
            && at(index + 1).is_some_and(|token| token.is_mark("!"))
            && at(index + 2).is_some_and(|token| token.kind == Kind::Open);
        let after = index
            .checked_sub(3)
            .is_some_and(|before| self.tokens[index - 1].is_mark(":") && !self.tokens[before].is_word("std"));
        is_call && !after
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    #[test]
    fn finds_the_tests_that_end_a_file() {
        let check = |text: &str, expected: Option<usize>| {
            assert_eq!(Source::parse(text).unwrap().trailing_tests_line(), expected, "{text}");
        };
        check("fn a() {}\n\n/// Tests.\n#[cfg(test)]\nmod tests {\n}\n", Some(3));
        check("#[cfg(test)]\nmod tests {\n}\nfn a() {}\n", None);
        check("fn a() {}\nmod tests {\n}\n", None);
        check("fn a() {}\n#[cfg(test)]\nmod tests;\n", None);
        check("#[cfg(test)] mod a { }\nfn a() {}\n#[cfg(test)]\nmod tests { mod b { } }\n", Some(3));
        check("", None);
    }

    #[test]
    fn tells_macro_calls_from_look_alikes() {
        let check = |text: &str, expected: bool| {
            let source = Source::parse(text).unwrap();
            let found = source.tokens().any(|(index, _)| source.is_macro_call(index, "println"));
            assert_eq!(found, expected, "{text}");
        };
        check("println!(\"a\");", true);
        check("std::println!(\"a\");", true);
        check("log!(println!(\"a\"));", true);
        check("talk::println!(\"a\");", false);
        check("println(\"a\");", false);
        check("if println != 1 {}", false);
        check("// println!(\"a\")", false);
    }
}
