//! Reading an expression: precedence, names and types in one pass.

use super::paths::{path_of, word, word_of};
use super::{Comparison, Literal, Names, Node, Operation, Token, tokens};
use crate::limits;
use crate::schema::columns::{FieldPath, scalar_kind};
use crate::schema::error::suggestion;
use crate::schema::module::{Field, FieldKind};
use crate::schema::scalar::ScalarKind;

/// Nesting of one expression: bounds the stack.
const DEPTH: usize = 64;

/// What is wrong with an expression, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExprError {
    /// Byte offset in the expression.
    pub(crate) offset: usize,
    pub(crate) message: String,
    pub(crate) found: String,
    pub(crate) expected: String,
}

impl ExprError {
    pub(crate) fn new(
        offset: usize,
        message: impl Into<String>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        ExprError { offset, message: message.into(), found: found.into(), expected: expected.into() }
    }
}

type Parsed = Result<Typed, ExprError>;

/// A node, its type, and where it starts.
struct Typed {
    node: Node,
    kind: ScalarKind,
    at: usize,
}

struct Parser<'s> {
    names: Names<'s>,
    words: Vec<(usize, Token)>,
    next: usize,
    end: usize,
    nodes: usize,
    depth: usize,
}

pub(super) fn parse(source: &str, names: Names<'_>) -> Result<(Node, ScalarKind), ExprError> {
    let words = tokens(source)?;
    let mut parser = Parser { names, words, next: 0, end: source.len(), nodes: 0, depth: 0 };
    let typed = parser.disjunction()?;
    if parser.next < parser.words.len() {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok((typed.node, typed.kind))
}

impl Parser<'_> {
    fn disjunction(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ExprError::new(self.at(), format!("the expression is nested deeper than {DEPTH}"), "", ""));
        }
        let mut left = self.conjunction()?;
        while self.take_symbol("||") || self.take_name("or") {
            let right = self.conjunction()?;
            left = self.logical(left, right, Node::Or)?;
        }
        self.depth -= 1;
        Ok(left)
    }

    fn conjunction(&mut self) -> Parsed {
        let mut left = self.relation()?;
        while self.take_symbol("&&") || self.take_name("and") {
            let right = self.relation()?;
            left = self.logical(left, right, Node::And)?;
        }
        Ok(left)
    }

    fn logical(&mut self, left: Typed, right: Typed, join: fn(Box<Node>, Box<Node>) -> Node) -> Parsed {
        left.must_be(ScalarKind::Bool)?;
        right.must_be(ScalarKind::Bool)?;
        self.node(left.at, join(Box::new(left.node), Box::new(right.node)), ScalarKind::Bool)
    }

    fn relation(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            if self.take_name("in") {
                left = self.membership(left)?;
                continue;
            }
            let Some(comparison) = self.comparison()? else {
                return Ok(left);
            };
            let right = self.sum()?;
            left = self.compared(comparison, left, right)?;
        }
    }

    fn comparison(&mut self) -> Result<Option<Comparison>, ExprError> {
        let comparison = match self.peek() {
            Some(Token::Symbol("==")) => Comparison::Equal,
            Some(Token::Symbol("!=")) => Comparison::NotEqual,
            Some(Token::Symbol("<")) => Comparison::Less,
            Some(Token::Symbol("<=")) => Comparison::LessOrEqual,
            Some(Token::Symbol(">")) => Comparison::Greater,
            Some(Token::Symbol(">=")) => Comparison::GreaterOrEqual,
            Some(Token::Symbol("=")) => {
                return Err(ExprError::new(self.at(), "equality is written `==`", "`=`", "`==`"));
            }
            _ => return Ok(None),
        };
        self.next += 1;
        Ok(Some(comparison))
    }

    fn compared(&mut self, comparison: Comparison, left: Typed, right: Typed) -> Parsed {
        let ordering = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordering && left.kind == ScalarKind::Bool {
            return Err(ExprError::new(
                left.at,
                "bools have no order",
                "bool",
                "int, decimal, text, bytes, date or timestamp",
            ));
        }
        let at = left.at;
        let (left, right) = alike(left, right)?;
        self.node(at, Node::Compare(comparison, Box::new(left.node), Box::new(right.node)), ScalarKind::Bool)
    }

    /// `x in […]`, `x in list`.
    fn membership(&mut self, needle: Typed) -> Parsed {
        let at = needle.at;
        if !self.take_symbol("[") {
            let place = self.at();
            let (path, field) = self.path()?;
            let FieldKind::List { item, .. } = &field.kind else {
                return Err(ExprError::new(
                    place,
                    format!("`{}` is no list", path.text),
                    word(&field.kind),
                    "a list of scalars",
                ));
            };
            if scalar_kind(&item.kind) != Some(needle.kind) {
                let message = format!("{} is never an item of `{}`", needle.kind.a_name(), path.text);
                return Err(ExprError::new(place, message, word(&item.kind), needle.kind.name()));
            }
            return self.node(at, Node::InList(Box::new(needle.node), path), ScalarKind::Bool);
        }
        let (mut needle, mut options) = (needle, Vec::new());
        loop {
            let option = self.sum()?;
            let (left, right) = alike(needle, option)?;
            needle = left;
            options.push(right.node);
            if !self.take_symbol(",") {
                break;
            }
        }
        self.symbol("]")?;
        self.node(at, Node::In(Box::new(needle.node), options), ScalarKind::Bool)
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            let operation = match self.peek() {
                Some(Token::Symbol("+")) => Operation::Add,
                Some(Token::Symbol("-")) => Operation::Subtract,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.product()?;
            left = self.arithmetic(operation, left, right)?;
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        while self.take_symbol("*") {
            let right = self.unary()?;
            left = self.arithmetic(Operation::Multiply, left, right)?;
        }
        Ok(left)
    }

    fn arithmetic(&mut self, operation: Operation, left: Typed, right: Typed) -> Parsed {
        left.must_be_number()?;
        right.must_be_number()?;
        let kind = if left.kind == right.kind { left.kind } else { ScalarKind::Decimal };
        self.node(left.at, Node::Arithmetic(operation, Box::new(left.node), Box::new(right.node)), kind)
    }

    fn unary(&mut self) -> Parsed {
        let at = self.at();
        let not = self.take_symbol("!") || self.take_name("not");
        if !not && !self.take_symbol("-") {
            return self.primary();
        }
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ExprError::new(at, format!("the expression is nested deeper than {DEPTH}"), "", ""));
        }
        let operand = self.unary()?;
        self.depth -= 1;
        if not {
            operand.must_be(ScalarKind::Bool)?;
            return self.node(at, Node::Not(Box::new(operand.node)), ScalarKind::Bool);
        }
        operand.must_be_number()?;
        match operand.node {
            Node::Literal(Literal::Int(value)) => {
                Ok(Typed { node: Node::Literal(Literal::Int(-value)), at, ..operand })
            }
            node => self.node(at, Node::Negate(Box::new(node)), operand.kind),
        }
    }

    fn primary(&mut self) -> Parsed {
        let at = self.at();
        let Some(word) = self.peek().cloned() else {
            return Err(self.unexpected("a value"));
        };
        match word {
            Token::Int(value) => {
                self.next += 1;
                let value = i64::try_from(value).ok().filter(|value| *value <= limits::INT_MAX);
                let value = value.ok_or_else(|| {
                    ExprError::new(at, "the integer is too large", "", format!("at most {}", limits::INT_MAX))
                })?;
                self.node(at, Node::Literal(Literal::Int(value)), ScalarKind::Int)
            }
            Token::Text(text) => {
                self.next += 1;
                self.node(at, Node::Literal(Literal::Text(text)), ScalarKind::Text)
            }
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.disjunction()?;
                self.symbol(")")?;
                Ok(Typed { at, ..inner })
            }
            Token::Name(name) if name == "true" || name == "false" => {
                self.next += 1;
                self.node(at, Node::Literal(Literal::Bool(name == "true")), ScalarKind::Bool)
            }
            Token::Name(name) if matches!(self.words.get(self.next + 1), Some((_, Token::Symbol("(")))) => {
                self.next += 2;
                let call = self.call(at, &name)?;
                self.symbol(")")?;
                Ok(call)
            }
            Token::Name(_) => {
                let (path, field) = self.path()?;
                let Some(kind) = path.kind else {
                    let message = format!("`{}` is a {}, not one value", path.text, word_of(&field.kind));
                    return Err(ExprError::new(at, message, word_of(&field.kind), "a scalar field"));
                };
                self.node(at, Node::Field(path), kind)
            }
            Token::Symbol(_) => Err(self.unexpected("a value")),
        }
    }

    fn call(&mut self, at: usize, name: &str) -> Parsed {
        match name {
            "has" | "size" => self.has_or_size(at, name == "has"),
            "coalesce" => {
                let mut first = self.disjunction()?;
                let mut options = Vec::new();
                while self.take_symbol(",") {
                    let option = self.disjunction()?;
                    let (left, right) = alike(first, option)?;
                    first = left;
                    options.push(right);
                }
                // An int beside a decimal anywhere makes the whole a decimal.
                let decimal = first.kind == ScalarKind::Decimal
                    || options.iter().any(|option| option.kind == ScalarKind::Decimal);
                let kind = if decimal { ScalarKind::Decimal } else { first.kind };
                let nodes = std::iter::once(first.node).chain(options.into_iter().map(|option| option.node)).collect();
                self.node(at, Node::Coalesce(nodes), kind)
            }
            "currency_digits" => {
                let text = self.disjunction()?;
                text.must_be(ScalarKind::Text)?;
                self.node(at, Node::CurrencyDigits(Box::new(text.node)), ScalarKind::Int)
            }
            _ => {
                let known = ["has", "size", "coalesce", "currency_digits"];
                let message = format!("unknown function `{name}`{}", suggestion(name, known));
                Err(ExprError::new(at, message, format!("`{name}`"), "one of has, size, coalesce, currency_digits"))
            }
        }
    }

    fn has_or_size(&mut self, at: usize, has: bool) -> Parsed {
        let start = self.next;
        // A bare path may name a list or a struct here.
        if let Some(Token::Name(_)) = self.peek()
            && let Some((_, Token::Symbol("." | ")"))) = self.words.get(self.next + 1)
            && !self.is_word("true")
            && !self.is_word("false")
        {
            let place = self.at();
            let (path, field) = self.path()?;
            if self.is_symbol(")") && (has || matches!(field.kind, FieldKind::List { .. })) {
                let (node, kind) = if has {
                    (Node::HasField(path), ScalarKind::Bool)
                } else {
                    (Node::SizeOfList(path), ScalarKind::Int)
                };
                return self.node(at, node, kind);
            }
            if !has && path.kind.is_none() {
                return Err(ExprError::new(
                    place,
                    format!("`{}` has no size", path.text),
                    word_of(&field.kind),
                    "a list or a text",
                ));
            }
            self.next = start;
        }
        let operand = self.disjunction()?;
        if has {
            return self.node(at, Node::Has(Box::new(operand.node)), ScalarKind::Bool);
        }
        operand.must_be(ScalarKind::Text)?;
        self.node(at, Node::SizeOfText(Box::new(operand.node)), ScalarKind::Int)
    }

    /// A dotted path, resolved.
    fn path(&mut self) -> Result<(FieldPath, Field), ExprError> {
        let at = self.at();
        let mut parts: Vec<String> = Vec::new();
        loop {
            match self.peek().cloned() {
                Some(Token::Name(name)) => parts.push(name),
                _ => return Err(self.unexpected("the name of a field")),
            }
            self.next += 1;
            if !self.take_symbol(".") {
                break;
            }
        }
        path_of(self.names, at, &parts)
    }

    fn node(&mut self, at: usize, node: Node, kind: ScalarKind) -> Parsed {
        self.nodes += 1;
        if self.nodes > limits::EXPRESSION_NODES {
            let message = format!("the expression has more than {} nodes", limits::EXPRESSION_NODES);
            return Err(ExprError::new(at, message, "", ""));
        }
        Ok(Typed { node, kind, at })
    }

    fn peek(&self) -> Option<&Token> {
        self.words.get(self.next).map(|(_, word)| word)
    }

    /// Offset of the next word.
    fn at(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |(at, _)| *at)
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Some(Token::Symbol(next)) if *next == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(next)) if next == word)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let taken = self.is_symbol(symbol);
        self.next += usize::from(taken);
        taken
    }

    fn take_name(&mut self, word: &str) -> bool {
        let taken = self.is_word(word);
        self.next += usize::from(taken);
        taken
    }

    fn symbol(&mut self, symbol: &'static str) -> Result<(), ExprError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    fn unexpected(&self, expected: &str) -> ExprError {
        match self.peek() {
            Some(word) => ExprError::new(self.at(), "the expression goes on unexpectedly", word.shown(), expected),
            None => ExprError::new(self.end, "the expression ends too early", "the end", expected),
        }
    }
}

impl Typed {
    fn must_be(&self, kind: ScalarKind) -> Result<(), ExprError> {
        if self.kind == kind {
            return Ok(());
        }
        Err(ExprError::new(self.at, format!("{} is needed here", kind.a_name()), self.kind.name(), kind.name()))
    }

    fn must_be_number(&self) -> Result<(), ExprError> {
        if self.kind.is_number() {
            return Ok(());
        }
        Err(ExprError::new(self.at, "a number is needed here", self.kind.name(), "int or decimal"))
    }
}

/// Both sides of a comparison: of one kind, or both numbers. An int literal beside a decimal becomes one.
fn alike(left: Typed, right: Typed) -> Result<(Typed, Typed), ExprError> {
    if left.kind == right.kind {
        return Ok((left, right));
    }
    if !(left.kind.is_number() && right.kind.is_number()) {
        let message = format!("{} is never compared with {}", left.kind.a_name(), right.kind.a_name());
        return Err(ExprError::new(right.at, message, right.kind.name(), left.kind.name()));
    }
    Ok((as_decimal(left), as_decimal(right)))
}

fn as_decimal(typed: Typed) -> Typed {
    match typed.node {
        Node::Literal(Literal::Int(value)) => {
            Typed { node: Node::Literal(Literal::Decimal(i128::from(value), 0)), kind: ScalarKind::Decimal, ..typed }
        }
        _ => typed,
    }
}
