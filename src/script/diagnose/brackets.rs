//! The bracket that was never closed.
//!
//! Rhai only says where it missed the closing one, which for braces is the end of the file. Authors
//! indent their code, so a `}` that stands further left than the line of the `{` that it would close
//! belongs to an earlier one: the inner `{` is the culprit.

/// An open bracket: which, where, and how far its line is indented.
struct Open {
    letter: char,
    line: usize,
    column: usize,
    indent: usize,
}

/// Line and column of the `open` bracket that is not closed before `end`.
pub(super) fn unclosed(text: &str, open: char, end: (usize, usize)) -> Option<(usize, usize)> {
    let mut stack: Vec<Open> = Vec::new();
    let mut quote = None;
    for (number, line) in (1..).zip(text.lines()) {
        let indent = line
            .chars()
            .take_while(|letter| letter.is_whitespace())
            .count();
        let letters: Vec<char> = line.chars().collect();
        let mut at = 0;
        while let Some(&letter) = letters.get(at) {
            let column = at + 1;
            if (number, column) >= end {
                return last(stack, open);
            }
            at += 1;
            match (quote, letter) {
                (Some(_), '\\') => at += 1,
                (Some(open), _) if open == letter => quote = None,
                (Some(_), _) => {}
                (None, '"' | '`' | '\'') => quote = Some(letter),
                (None, '/') if letters.get(at) == Some(&'/') => break,
                (None, '{' | '(' | '[') => stack.push(Open {
                    letter,
                    line: number,
                    column,
                    indent,
                }),
                (None, '}' | ')' | ']') => {
                    let first = at == indent + 1;
                    if letter == '}'
                        && first
                        && open == '{'
                        && let Some(inner) = stack.iter().rfind(|open| open.letter == '{')
                        && indent < inner.indent
                    {
                        return Some((inner.line, inner.column));
                    }
                    stack.pop();
                }
                _ => {}
            }
        }
        // Only a text in backticks goes on in the next line.
        quote = quote.filter(|open| *open == '`');
    }
    last(stack, open)
}

fn last(stack: Vec<Open>, letter: char) -> Option<(usize, usize)> {
    let open = stack.into_iter().rfind(|open| open.letter == letter)?;
    Some((open.line, open.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The indentation tells which of two braces is not closed.
    #[test]
    fn an_inner_brace_is_found_by_its_indentation() {
        let text = "fn f() {\n    if x {\n        g();\n}\n";
        assert_eq!(unclosed(text, '{', (5, 1)), Some((2, 10)));
        let text = "fn f() {\n    if x { g(); }\n";
        assert_eq!(unclosed(text, '{', (3, 1)), Some((1, 8)));
    }

    /// Brackets in texts and comments do not count.
    #[test]
    fn brackets_in_texts_do_not_count() {
        let text = "f(\"(\", `(`, '('; // (\n";
        assert_eq!(unclosed(text, '(', (1, 17)), Some((1, 2)));
    }
}
