//! Reads statements.

use std::sync::Arc;

use super::tokens::{Token, shown};
use super::{Expr, Function, Parsed, Parser, Statement, Turns};

impl Parser {
    pub(super) fn statement(&mut self, into: &mut Vec<Statement>) -> Parsed<()> {
        self.nested(|parser| {
            if parser.takes(";") {
                return Ok(());
            }
            if parser.takes("{") {
                while !parser.takes("}") {
                    parser.peek().ok_or("`}` is missing")?;
                    parser.statement(into)?;
                }
                return Ok(());
            }
            let Some(Token::Word(word)) = parser.peek().cloned() else { return parser.expression(into) };
            if word == "var" {
                parser.at += 1;
                parser.declared(into)?;
                return parser.end_of_statement();
            }
            let read: fn(&mut Self) -> Parsed<Statement> = match word.as_str() {
                "if" => Self::condition,
                "for" => Self::counted,
                "while" => Self::repeated,
                "do" => Self::repeated_once,
                "switch" => Self::choice,
                "function" => Self::function,
                "break" | "continue" | "return" => Self::leaving,
                _ => return parser.expression(into),
            };
            parser.at += usize::from(!matches!(word.as_str(), "break" | "continue" | "return"));
            parser.count()?;
            into.push(read(parser)?);
            Ok(())
        })
    }

    fn expression(&mut self, into: &mut Vec<Statement>) -> Parsed<()> {
        into.push(Statement::Evaluate(self.expr()?));
        self.end_of_statement()
    }

    /// What stands behind `var`.
    fn declared(&mut self, into: &mut Vec<Statement>) -> Parsed<()> {
        loop {
            let name = self.variable("var")?;
            let value = if self.takes("=") { Some(self.expr()?) } else { None };
            self.count()?;
            into.push(Statement::Declare(name, value));
            if !self.takes(",") {
                return Ok(());
            }
        }
    }

    fn in_brackets(&mut self) -> Parsed<Expr> {
        self.expect("(")?;
        let inside = self.expr()?;
        self.expect(")")?;
        Ok(inside)
    }

    fn condition(&mut self) -> Parsed<Statement> {
        let condition = self.in_brackets()?;
        let (mut then, mut other) = (Vec::new(), Vec::new());
        self.inner(&mut then, "if")?;
        if self.takes_word("else") {
            self.inner(&mut other, "if")?;
        }
        Ok(Statement::If(condition, then, other))
    }

    /// A statement inside of another one, where no function may be made.
    fn inner(&mut self, into: &mut Vec<Statement>, of: &str) -> Parsed<()> {
        let from = into.len();
        self.statement(into)?;
        match into[from..].iter().any(|one| matches!(one, Statement::Function(_))) {
            true => Err(format!("a function stands inside of `{of}`: let it stand by itself")),
            false => Ok(()),
        }
    }

    fn body(&mut self, of: &str) -> Parsed<Vec<Statement>> {
        let mut body = Vec::new();
        self.loops += 1;
        let read = self.inner(&mut body, of);
        self.loops -= 1;
        read.map(|()| body)
    }

    fn counted(&mut self) -> Parsed<Statement> {
        self.expect("(")?;
        let back = self.at;
        let _ = self.takes_word("var");
        let has_in = matches!(self.tokens.get(self.at + 1), Some((Token::Word(word), _)) if word == "in");
        if has_in {
            let name = self.variable("for (")?;
            self.at += 1;
            let of = self.expr()?;
            self.expect(")")?;
            return Ok(Statement::Each(name, of, self.body("for")?));
        }
        self.at = back;
        let mut turns = Turns::default();
        if self.takes_word("var") {
            self.declared(&mut turns.first)?;
        } else if self.peek() != Some(&Token::Sign(";")) {
            turns.first.push(Statement::Evaluate(self.expr()?));
        }
        self.expect(";")?;
        if self.peek() != Some(&Token::Sign(";")) {
            turns.before = Some(self.expr()?);
        }
        self.expect(";")?;
        if self.peek() != Some(&Token::Sign(")")) {
            turns.step = Some(self.expr()?);
        }
        self.expect(")")?;
        turns.body = self.body("for")?;
        Ok(Statement::Loop(Box::new(turns)))
    }

    fn repeated(&mut self) -> Parsed<Statement> {
        let before = Some(self.in_brackets()?);
        Ok(Statement::Loop(Box::new(Turns { before, body: self.body("while")?, ..Turns::default() })))
    }

    fn repeated_once(&mut self) -> Parsed<Statement> {
        let body = self.body("do")?;
        if !self.takes_word("while") {
            return Err("`while` is missing behind `do { … }`".into());
        }
        let after = Some(self.in_brackets()?);
        let _ = self.takes(";");
        Ok(Statement::Loop(Box::new(Turns { after, body, ..Turns::default() })))
    }

    fn choice(&mut self) -> Parsed<Statement> {
        let of = self.in_brackets()?;
        self.expect("{")?;
        let mut cases: Vec<(Option<Expr>, Vec<Statement>)> = Vec::new();
        self.loops += 1;
        let read = self.cases(&mut cases);
        self.loops -= 1;
        read.map(|()| Statement::Choose(of, cases))
    }

    fn cases(&mut self, cases: &mut Vec<(Option<Expr>, Vec<Statement>)>) -> Parsed<()> {
        while !self.takes("}") {
            self.count()?;
            if self.takes_word("case") {
                let value = self.expr()?;
                self.expect(":")?;
                cases.push((Some(value), Vec::new()));
            } else if self.takes_word("default") {
                self.expect(":")?;
                cases.push((None, Vec::new()));
            } else {
                let token = self.peek().ok_or("`}` is missing")?;
                let missing = format!("`case` or `default` is missing before {}", shown(token));
                let (_, body) = cases.last_mut().ok_or(missing)?;
                let mut more = Vec::new();
                std::mem::swap(body, &mut more);
                self.inner(&mut more, "switch")?;
                if let Some((_, body)) = cases.last_mut() {
                    *body = more;
                }
            }
        }
        Ok(())
    }

    fn function(&mut self) -> Parsed<Statement> {
        let name = self.variable("function")?;
        if self.in_function {
            return Err(format!("the function `{name}` stands inside of another: let it stand by itself"));
        }
        self.expect("(")?;
        let mut parameters = Vec::new();
        while !self.takes(")") {
            parameters.push(self.variable("(")?);
            if !self.takes(",") {
                self.expect(")")?;
                break;
            }
        }
        if self.peek() != Some(&Token::Sign("{")) {
            self.expect("{")?;
        }
        let (mut body, loops) = (Vec::new(), std::mem::take(&mut self.loops));
        self.in_function = true;
        let read = self.statement(&mut body);
        self.in_function = false;
        self.loops = loops;
        read?;
        Ok(Statement::Function(Arc::new(Function { name, parameters, body })))
    }

    fn leaving(&mut self) -> Parsed<Statement> {
        let statement = if self.takes_word("return") {
            if !self.in_function {
                return Err("`return` stands in no function".into());
            }
            let ends = match self.tokens.get(self.at) {
                None | Some((Token::Sign(";" | "}"), _) | (_, true)) => true,
                Some(_) => false,
            };
            Statement::Return(if ends { None } else { Some(self.expr()?) })
        } else {
            let word = if self.takes_word("break") { "break" } else { "continue" };
            self.at += usize::from(word == "continue");
            if self.loops == 0 {
                return Err(format!("`{word}` stands in no loop"));
            }
            if word == "break" { Statement::Break } else { Statement::Continue }
        };
        self.end_of_statement()?;
        Ok(statement)
    }

    /// `;`, or what ECMAScript lets stand for it: the end, a `}`, a new line.
    fn end_of_statement(&mut self) -> Parsed<()> {
        match self.tokens.get(self.at) {
            None | Some((Token::Sign("}"), _) | (_, true)) => Ok(()),
            Some((Token::Sign(";"), _)) => {
                self.at += 1;
                Ok(())
            }
            Some((token, false)) => Err(format!("`;` is missing before {}", shown(token))),
        }
    }
}
