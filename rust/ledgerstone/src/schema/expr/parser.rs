//! Reading an expression: precedence, names and types in one pass.

use super::paths::{Named, item_of, path_of, word_of};
use super::{Comparison, Input, ListPath, Names, Needs, Node, Operation, Token, tokens};
use crate::limits;
use crate::model::Decimal;
use crate::schema::columns::FieldPath;
use crate::schema::error::suggestion;
use crate::schema::module::{Field, FieldKind};
use crate::schema::scalar::{OwnedScalar, ScalarKind};

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

/// A typed tree.
pub(super) struct Parsed {
    pub(super) node: Node,
    pub(super) kind: ScalarKind,
    pub(super) needs: Needs,
    pub(super) cost: u64,
}

pub(super) type Read = Result<Typed, ExprError>;

/// A node, its type, and where it starts.
pub(super) struct Typed {
    pub(super) node: Node,
    pub(super) kind: ScalarKind,
    pub(super) at: usize,
}

/// The item that an aggregate binds.
pub(super) struct BoundItem {
    pub(super) item: Field,
    /// The list of the record it is of; `None` for a nested list.
    pub(super) list: Option<usize>,
}

pub(super) struct Parser<'s> {
    pub(super) names: Names<'s>,
    pub(super) words: Vec<(usize, Token)>,
    pub(super) next: usize,
    pub(super) end: usize,
    pub(super) nodes: usize,
    depth: usize,
    pub(super) needs: Needs,
    pub(super) cost: u64,
    /// Items bound by the aggregates around this place, the innermost last.
    pub(super) bound: Vec<BoundItem>,
}

pub(super) fn parse(source: &str, names: Names<'_>) -> Result<Parsed, ExprError> {
    let mut parser = Parser {
        names,
        words: tokens(source)?,
        next: 0,
        end: source.len(),
        nodes: 0,
        depth: 0,
        needs: Needs::default(),
        cost: 0,
        bound: Vec::new(),
    };
    let typed = parser.expression()?;
    if parser.next < parser.words.len() {
        return Err(parser.unexpected("an operator or the end"));
    }
    Ok(Parsed { node: typed.node, kind: typed.kind, needs: parser.needs, cost: parser.cost })
}

impl Parser<'_> {
    /// `c ? a : b`, or anything that binds more tightly.
    pub(super) fn expression(&mut self) -> Read {
        self.deeper()?;
        let condition = self.disjunction()?;
        let read = if self.take_symbol("?") {
            condition.must_be(ScalarKind::Bool)?;
            let yes = self.expression()?;
            self.symbol(":")?;
            let no = self.expression()?;
            let (mut alternatives, kind) = of_one_kind(vec![yes, no])?;
            let (no, yes) = (alternatives.pop(), alternatives.pop());
            let (Some(yes), Some(no)) = (yes, no) else { return Err(self.unexpected("a value")) };
            self.node(condition.at, Node::Conditional(Box::new([condition.node, yes, no])), kind)?
        } else {
            condition
        };
        self.depth -= 1;
        Ok(read)
    }

    fn deeper(&mut self) -> Result<(), ExprError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(ExprError::new(self.at(), format!("the expression is nested deeper than {DEPTH}"), "", ""));
        }
        Ok(())
    }

    fn disjunction(&mut self) -> Read {
        let mut left = self.conjunction()?;
        while self.take_symbol("||") || self.take_name("or") {
            let right = self.conjunction()?;
            left = self.logical(left, right, Node::Or)?;
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Read {
        let mut left = self.relation()?;
        while self.take_symbol("&&") || self.take_name("and") {
            let right = self.relation()?;
            left = self.logical(left, right, Node::And)?;
        }
        Ok(left)
    }

    fn logical(&mut self, left: Typed, right: Typed, join: fn(Box<Node>, Box<Node>) -> Node) -> Read {
        left.must_be(ScalarKind::Bool)?;
        right.must_be(ScalarKind::Bool)?;
        self.node(left.at, join(Box::new(left.node), Box::new(right.node)), ScalarKind::Bool)
    }

    fn relation(&mut self) -> Read {
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

    fn compared(&mut self, comparison: Comparison, left: Typed, right: Typed) -> Read {
        let ordering = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        if ordering && left.kind == ScalarKind::Bool {
            return Err(ExprError::new(
                left.at,
                "bools have no order",
                "bool",
                "int, decimal, fraction, text, bytes, date or timestamp",
            ));
        }
        let at = left.at;
        let (left, right) = alike(left, right)?;
        self.node(at, Node::Compare(comparison, Box::new(left.node), Box::new(right.node)), ScalarKind::Bool)
    }

    /// `x in […]`, `x in list`, `x in list.field`, `'role' in roles`.
    #[inline(never)]
    fn membership(&mut self, needle: Typed) -> Read {
        let at = needle.at;
        if self.is_word("roles") {
            return self.role(needle);
        }
        if !self.take_symbol("[") {
            return self.in_list(needle);
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

    fn role(&mut self, needle: Typed) -> Read {
        self.next += 1;
        let Node::Literal(OwnedScalar::Text(name)) = &needle.node else {
            return Err(ExprError::new(
                needle.at,
                "a role is written as a text",
                needle.kind.name(),
                "'role' in roles",
            ));
        };
        let role = self.role_named(needle.at, name)?;
        self.needs.inputs = true;
        self.node(needle.at, Node::Input(Input::HoldsRole(role)), ScalarKind::Bool)
    }

    /// The full name of a role.
    pub(super) fn role_named(&self, at: usize, name: &str) -> Result<String, ExprError> {
        self.names.scope.role(name).map_err(|message| ExprError::new(at, message, format!("'{name}'"), "a role"))
    }

    fn in_list(&mut self, needle: Typed) -> Read {
        let (at, place) = (needle.at, self.at());
        let parts = self.dotted()?;
        let (list, item) = self.list_of(place, &parts)?;
        if item.kind() != Some(needle.kind) {
            let message = format!("{} is never an item of `{}`", needle.kind.a_name(), parts.join("."));
            let found = item.kind().map_or("struct", ScalarKind::name);
            return Err(ExprError::new(place, message, found, needle.kind.name()));
        }
        self.node(at, Node::InList(Box::new(needle.node), Box::new((list, item))), ScalarKind::Bool)
    }

    /// The list that a dotted name leads to or through, and what of its items.
    fn list_of(&self, at: usize, parts: &[String]) -> Result<(ListPath, FieldPath), ExprError> {
        let bound = self.bound.last().map(|bound| &bound.item);
        let mut first = None;
        for length in (1..=parts.len()).rev() {
            let named = match path_of(self.names, bound, at, &parts[..length]) {
                Ok(named) => named,
                Err(error) => {
                    first.get_or_insert(error);
                    continue;
                }
            };
            let FieldKind::List { item, .. } = &named.field.kind else {
                let message = format!("`{}` is no list", named.path.text);
                return Err(ExprError::new(at, message, word_of(&named.field.kind), "a list of scalars"));
            };
            let rest: Vec<&str> = parts[length..].iter().map(String::as_str).collect();
            let path = item_of(item, &rest, at)?;
            return Ok((ListPath { path: named.path, bound: named.bound }, path));
        }
        Err(first.unwrap_or_else(|| self.unexpected("the name of a list")))
    }

    fn sum(&mut self) -> Read {
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

    fn product(&mut self) -> Read {
        let mut left = self.unary()?;
        loop {
            let operation = match self.peek() {
                Some(Token::Symbol("*")) => Operation::Multiply,
                Some(Token::Symbol("%")) => Operation::Remainder,
                _ => return Ok(left),
            };
            self.next += 1;
            let right = self.unary()?;
            left = self.arithmetic(operation, left, right)?;
        }
    }

    fn arithmetic(&mut self, operation: Operation, left: Typed, right: Typed) -> Read {
        let fractions = left.kind == ScalarKind::Fraction && right.kind == ScalarKind::Fraction;
        if operation == Operation::Remainder {
            left.must_be(ScalarKind::Int)?;
            right.must_be(ScalarKind::Int)?;
        } else if !fractions || operation == Operation::Multiply {
            left.must_be_number()?;
            right.must_be_number()?;
        }
        let kind = if left.kind == right.kind { left.kind } else { ScalarKind::Decimal };
        self.node(left.at, Node::Arithmetic(operation, Box::new(left.node), Box::new(right.node)), kind)
    }

    fn unary(&mut self) -> Read {
        let at = self.at();
        let not = self.take_symbol("!") || self.take_name("not");
        if !not && !self.take_symbol("-") {
            return self.primary();
        }
        self.deeper()?;
        let operand = self.unary()?;
        self.depth -= 1;
        if not {
            operand.must_be(ScalarKind::Bool)?;
            return self.node(at, Node::Not(Box::new(operand.node)), ScalarKind::Bool);
        }
        if operand.kind != ScalarKind::Fraction {
            operand.must_be_number()?;
        }
        match operand.node {
            Node::Literal(OwnedScalar::Int(value)) => {
                Ok(Typed { node: Node::Literal(OwnedScalar::Int(-value)), at, ..operand })
            }
            node => self.node(at, Node::Negate(Box::new(node)), operand.kind),
        }
    }

    fn primary(&mut self) -> Read {
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
                self.node(at, Node::Literal(OwnedScalar::Int(value)), ScalarKind::Int)
            }
            Token::Text(text) => {
                self.next += 1;
                self.node(at, Node::Literal(OwnedScalar::Text(text)), ScalarKind::Text)
            }
            Token::Symbol("(") => {
                self.next += 1;
                let inner = self.expression()?;
                self.symbol(")")?;
                Ok(Typed { at, ..inner })
            }
            Token::Name(name) if name == "true" || name == "false" => {
                self.next += 1;
                self.node(at, Node::Literal(OwnedScalar::Bool(name == "true")), ScalarKind::Bool)
            }
            Token::Name(name) if matches!(self.words.get(self.next + 1), Some((_, Token::Symbol("(")))) => {
                self.next += 2;
                let call = self.call(at, &name)?;
                self.symbol(")")?;
                Ok(call)
            }
            Token::Name(name) => self.named(at, &name),
            Token::Symbol(_) => Err(self.unexpected("a value")),
        }
    }

    /// A field, a constant, an input, a value that a lookup found.
    #[inline(never)]
    fn named(&mut self, at: usize, name: &str) -> Read {
        let input = match name {
            "author" => Some((Input::Author, ScalarKind::Text)),
            "endorsers" => Some((Input::Endorsers, ScalarKind::Int)),
            "ledger_time" => Some((Input::LedgerTime, ScalarKind::Timestamp)),
            _ => None,
        };
        if let Some((input, kind)) = input {
            self.next += 1;
            self.needs.inputs = true;
            return self.node(at, Node::Input(input), kind);
        }
        if name == "const" {
            return self.constant(at);
        }
        if let Some((lookup, list)) = self.names.scope.lookup(name) {
            return self.found(at, lookup, list);
        }
        let named = self.path()?;
        let Some(kind) = named.path.kind else {
            let message = format!("`{}` is a {}, not one value", named.path.text, word_of(&named.field.kind));
            return Err(ExprError::new(at, message, word_of(&named.field.kind), "a scalar field"));
        };
        self.node(at, if named.bound { Node::Bound(named.path) } else { Node::Field(named.path) }, kind)
    }

    /// `const.name`.
    fn constant(&mut self, at: usize) -> Read {
        let parts = self.dotted()?;
        let [_, name] = parts.as_slice() else {
            return Err(ExprError::new(at, "a constant is written `const.<name>`", parts.join("."), ""));
        };
        let value = self.names.scope.constant(name);
        let value = value.map_err(|message| ExprError::new(at, message, format!("`{name}`"), "one of [constants]"))?;
        let kind = value.kind().ok_or_else(|| self.unexpected("a value"))?;
        self.node(at, Node::Literal(value), kind)
    }

    /// `lookup.field`.
    fn found(&mut self, at: usize, lookup: usize, list: Option<usize>) -> Read {
        let parts = self.dotted()?;
        let path = parts[1..].join(".");
        let found = self.names.scope.found(lookup, &path);
        let (field, kind) = found.map_err(|message| ExprError::new(at, message, parts.join("."), "a field of it"))?;
        let over = match (list, self.bound.last()) {
            (None, _) => None,
            (Some(list), Some(bound)) if bound.list == Some(list) => Some((list, true)),
            (Some(list), None) if self.names.each == Some(list) => Some((list, false)),
            (Some(list), _) => {
                let list = &self.names.fields[list].name;
                let message =
                    format!("`{}` is looked up for each of `{list}`: only a rule over it sees that", parts[0]);
                return Err(ExprError::new(at, message, parts.join("."), format!("each = \"{list}\"")));
            }
        };
        self.needs.lookups = true;
        self.node(at, Node::Found { lookup, field, list: over }, kind)
    }

    /// A dotted path, resolved.
    pub(super) fn path(&mut self) -> Result<Named, ExprError> {
        let at = self.at();
        let parts = self.dotted()?;
        let named = path_of(self.names, self.bound.last().map(|bound| &bound.item), at, &parts);
        named.map_err(|error| match (parts.as_slice(), self.names.scope.lookup_names()) {
            ([name, _, ..], lookups) if self.names.fields.iter().all(|field| field.name != *name) => {
                let near = suggestion(name, lookups);
                ExprError {
                    message: if near.is_empty() { error.message } else { format!("unknown lookup `{name}`{near}") },
                    ..error
                }
            }
            _ => error,
        })
    }

    /// Names with points between them.
    pub(super) fn dotted(&mut self) -> Result<Vec<String>, ExprError> {
        let mut parts: Vec<String> = Vec::new();
        loop {
            match self.peek().cloned() {
                Some(Token::Name(name)) => parts.push(name),
                _ => return Err(self.unexpected("the name of a field")),
            }
            self.next += 1;
            if !self.take_symbol(".") {
                return Ok(parts);
            }
        }
    }

    pub(super) fn node(&mut self, at: usize, node: Node, kind: ScalarKind) -> Read {
        self.nodes += 1;
        self.cost = self.cost.saturating_add(1);
        if self.nodes > limits::EXPRESSION_NODES {
            let message = format!("the expression has more than {} nodes", limits::EXPRESSION_NODES);
            return Err(ExprError::new(at, message, "", ""));
        }
        Ok(Typed { node, kind, at })
    }
}

impl Typed {
    pub(super) fn must_be(&self, kind: ScalarKind) -> Result<(), ExprError> {
        if self.kind == kind {
            return Ok(());
        }
        Err(ExprError::new(self.at, format!("{} is needed here", kind.a_name()), self.kind.name(), kind.name()))
    }

    pub(super) fn must_be_number(&self) -> Result<(), ExprError> {
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
        Node::Literal(OwnedScalar::Int(value)) => {
            let value = OwnedScalar::Decimal(Decimal::new(i128::from(value), 0));
            Typed { node: Node::Literal(value), kind: ScalarKind::Decimal, ..typed }
        }
        _ => typed,
    }
}

/// Alternatives of which one is the value: of one kind; where one is a decimal, ints become decimals.
pub(super) fn of_one_kind(alternatives: Vec<Typed>) -> Result<(Vec<Node>, ScalarKind), ExprError> {
    let mut read = alternatives.into_iter();
    let Some(first) = read.next() else { return Ok((Vec::new(), ScalarKind::Bool)) };
    let (mut first, mut typed) = (first, Vec::new());
    for option in read {
        let (left, right) = alike(first, option)?;
        first = left;
        typed.push(right);
    }
    typed.insert(0, first);
    let decimal = typed.iter().any(|option| option.kind == ScalarKind::Decimal);
    let kind = if decimal { ScalarKind::Decimal } else { typed[0].kind };
    let node = |option: Typed| match as_decimal_if(option, decimal) {
        Typed { node, kind: ScalarKind::Int, .. } if decimal => Node::Decimal(Box::new(node)),
        option => option.node,
    };
    Ok((typed.into_iter().map(node).collect(), kind))
}

fn as_decimal_if(typed: Typed, decimal: bool) -> Typed {
    if decimal { as_decimal(typed) } else { typed }
}
