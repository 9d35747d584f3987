//! Tokens in one flat list; every bracket knows its partner.
//!
//! The lexer is proc-macro2's, so strings, raw strings, lifetimes and nested comments are read as the compiler reads
//! them. Comments are gone; documentation comments have become `#[doc = "…"]`. Never looks at more than brackets.

use std::str::FromStr;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Word,
    Mark,
    Literal,
    Open,
    Close,
}

/// One token. `line` counts from 1; `partner` is the index of the matching bracket, or the token's own index.
#[derive(Clone, Debug)]
pub struct Token {
    pub kind: Kind,
    pub text: String,
    pub line: usize,
    pub partner: usize,
}

impl Token {
    pub fn is_word(&self, text: &str) -> bool {
        self.kind == Kind::Word && self.text == text
    }

    pub fn is_mark(&self, text: &str) -> bool {
        self.kind == Kind::Mark && self.text == text
    }

    pub fn is_open(&self, text: &str) -> bool {
        self.kind == Kind::Open && self.text == text
    }
}

/// Splits a file into tokens.
///
/// # Errors
/// The place and the lexer's reason, when brackets do not match or a literal is broken.
pub fn flatten(text: &str) -> Result<Vec<Token>, String> {
    let stream = TokenStream::from_str(text).map_err(|error| {
        let at = error.span().start();
        format!("line {}, column {}: {error}", at.line, at.column + 1)
    })?;
    let mut tokens = Vec::new();
    push_stream(stream, &mut tokens);
    Ok(tokens)
}

fn push_stream(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => push_group(&group, tokens),
            TokenTree::Ident(word) => push(Kind::Word, word.to_string(), line, tokens),
            TokenTree::Punct(mark) => push(Kind::Mark, mark.as_char().to_string(), line, tokens),
            TokenTree::Literal(literal) => push(Kind::Literal, literal.to_string(), line, tokens),
        }
    }
}

fn push_group(group: &Group, tokens: &mut Vec<Token>) {
    let (open, close) = match group.delimiter() {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => return push_stream(group.stream(), tokens),
    };
    let line = |span: Span| span.start().line;
    let opens_at = tokens.len();
    push(Kind::Open, open.to_owned(), line(group.span_open()), tokens);
    push_stream(group.stream(), tokens);
    push(Kind::Close, close.to_owned(), line(group.span_close()), tokens);
    let closes_at = tokens.len() - 1;
    tokens[opens_at].partner = closes_at;
    tokens[closes_at].partner = opens_at;
}

fn push(kind: Kind, text: String, line: usize, tokens: &mut Vec<Token>) {
    let partner = tokens.len();
    tokens.push(Token { kind, text, line, partner });
}

#[cfg(test)]
mod tests {
    use super::{Kind, flatten};

    #[test]
    fn brackets_know_their_partners_and_lines() {
        let tokens = flatten("fn a() {\n  b[0]\n}\n").unwrap();
        let brace = tokens.iter().find(|token| token.is_open("{")).unwrap();
        assert_eq!((brace.line, tokens[brace.partner].line), (1, 3));
        assert!(tokens.iter().filter(|token| token.kind == Kind::Open).all(|open| {
            let close = &tokens[open.partner];
            close.kind == Kind::Close && tokens[close.partner].line == open.line
        }));
    }

    #[test]
    fn comments_and_strings_are_not_words() {
        let text = "// gone()\n/* /* gone() */ */ let a = \"gone()\"; let b = r#\"gone(\"#; let c = 'g';";
        assert!(!flatten(text).unwrap().iter().any(|token| token.is_word("gone")));
    }

    #[test]
    fn a_broken_file_names_the_place() {
        let error = flatten("fn a() {\n  (\n}\n").unwrap_err();
        assert!(error.starts_with("line "), "{error}");
    }
}
