//! Random expressions, typed as they are made, and how each language writes them.

use std::fmt::Write as _;

use ledgerstone::model::Value;
use proptest::prelude::*;
use proptest::sample::select;

/// An expression.
#[derive(Debug, Clone)]
pub(crate) enum Tree {
    /// A literal.
    Int(i64),
    /// A literal.
    Text(String),
    /// A literal.
    Bool(bool),
    /// A field of the record.
    Field(&'static str),
    /// The item at hand, or a field of it, with its dot.
    Item(&'static str),
    /// Whether a [`Tree::Field`] or [`Tree::Item`] is there.
    Has(Box<Tree>),
    /// A [`Tree::Field`] or [`Tree::Item`], and what stands for it where it is absent.
    Coalesce(Box<Tree>, Box<Tree>),
    /// An operator as ledgerstone writes it.
    Unary(&'static str, Box<Tree>),
    /// An operator as ledgerstone writes it.
    Binary(&'static str, Box<Tree>, Box<Tree>),
    /// `c ? a : b`.
    If(Box<[Tree; 3]>),
    /// `x in [a, b]`.
    In(Box<Tree>, Vec<Tree>),
    /// `x in list`, `x in list.field`.
    InList(Box<Tree>, &'static str, &'static str),
    /// A function as ledgerstone writes it.
    Call(&'static str, Vec<Tree>),
    /// The size of a list: a [`Tree::Field`] or [`Tree::Item`].
    Size(Box<Tree>),
    /// A function of the items of a list: its name, the list, what of an item, which items.
    Over(&'static str, Box<Tree>, Box<Tree>, Option<Box<Tree>>),
}

/// Whose spelling.
#[derive(Clone, Copy)]
pub(crate) enum Language<'r> {
    Ledgerstone,
    /// For a record: CEL has no `sum`, so it is written out, item by item.
    Cel(&'r Value),
}

/// How tightly it binds, from the loosest; the same in both languages.
const CONDITIONAL: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const RELATION: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const UNARY: u8 = 6;
const PRIMARY: u8 = 7;

impl Tree {
    /// How many nodes it has.
    pub(crate) fn size(&self) -> usize {
        1 + match self {
            Tree::Int(_) | Tree::Text(_) | Tree::Bool(_) | Tree::Field(_) | Tree::Item(_) => 0,
            Tree::Has(a) | Tree::Unary(_, a) | Tree::InList(a, ..) | Tree::Size(a) => a.size(),
            Tree::Coalesce(a, b) | Tree::Binary(_, a, b) => a.size() + b.size(),
            Tree::If(parts) => parts.iter().map(Tree::size).sum(),
            Tree::In(a, many) => a.size() + many.iter().map(Tree::size).sum::<usize>(),
            Tree::Call(_, many) => many.iter().map(Tree::size).sum(),
            Tree::Over(_, list, value, which) => {
                list.size() + value.size() + which.as_ref().map_or(0, |which| which.size())
            }
        }
    }

    /// As a language writes it.
    pub(crate) fn source(&self, language: Language<'_>) -> String {
        self.written(language, "item", CONDITIONAL)
    }

    fn binds(&self) -> u8 {
        match self {
            Tree::If(_) => CONDITIONAL,
            Tree::Binary("||" | "or", ..) => OR,
            Tree::Binary("&&" | "and", ..) => AND,
            Tree::Binary("+" | "-", ..) => SUM,
            Tree::Binary("*" | "%", ..) => PRODUCT,
            Tree::Binary(..) | Tree::In(..) | Tree::InList(..) => RELATION,
            Tree::Unary(..) => UNARY,
            Tree::Int(value) if *value < 0 => UNARY,
            _ => PRIMARY,
        }
    }

    /// With brackets only where the place binds more tightly: how the operators bind is compared, too. `item` is the name of the item.
    fn written(&self, language: Language<'_>, item: &str, place: u8) -> String {
        let text = match language {
            Language::Ledgerstone => self.ours(),
            Language::Cel(record) => self.cel(record, item),
        };
        let inner = text.unwrap_or_else(|| self.common(language, item));
        if self.binds() < place { format!("({inner})") } else { inner }
    }

    /// What both write alike.
    fn common(&self, language: Language<'_>, item: &str) -> String {
        let part = |tree: &Tree, place: u8| tree.written(language, item, place);
        match self {
            Tree::Int(value) => value.to_string(),
            Tree::Bool(value) => value.to_string(),
            Tree::Text(text) => quoted(text),
            Tree::Unary(operator, a) => {
                let space = if operator.ends_with(char::is_alphabetic) { " " } else { "" };
                format!("{operator}{space}{}", part(a, UNARY))
            }
            Tree::Binary(operator, a, b) => {
                format!("{} {operator} {}", part(a, self.binds()), part(b, self.binds() + 1))
            }
            Tree::If(parts) => {
                format!("{} ? {} : {}", part(&parts[0], OR), part(&parts[1], OR), part(&parts[2], CONDITIONAL))
            }
            Tree::In(a, many) => {
                let many: Vec<String> = many.iter().map(|option| part(option, SUM)).collect();
                format!("{} in [{}]", part(a, RELATION), many.join(", "))
            }
            Tree::Size(a) => format!("size({})", part(a, CONDITIONAL)),
            Tree::Has(a) => format!("has({})", part(a, CONDITIONAL)),
            other => unreachable!("both languages write {other:?} their own way"),
        }
    }

    fn ours(&self) -> Option<String> {
        let whole = |tree: &Tree| tree.source(Language::Ledgerstone);
        Some(match self {
            Tree::Field(path) => (*path).to_owned(),
            Tree::Item(path) => format!("item{path}"),
            Tree::Coalesce(a, b) => format!("coalesce({}, {})", whole(a), whole(b)),
            Tree::InList(a, list, path) => {
                format!("{} in {list}{path}", a.written(Language::Ledgerstone, "item", RELATION))
            }
            Tree::Call(name, many) => {
                format!("{name}({})", many.iter().map(whole).collect::<Vec<_>>().join(", "))
            }
            Tree::Over(name, list, value, which) => {
                let which = which.as_ref().map_or(String::new(), |which| format!(", {}", whole(which)));
                format!("{name}({}, {}{which})", whole(list), whole(value))
            }
            _ => return None,
        })
    }

    fn cel(&self, record: &Value, item: &str) -> Option<String> {
        let cel = Language::Cel(record);
        let part = |tree: &Tree, place: u8| tree.written(cel, item, place);
        Some(match self {
            Tree::Field(path) => format!("r.{path}"),
            Tree::Item(path) => format!("{item}{path}"),
            Tree::Coalesce(a, b) => {
                let a = part(a, PRIMARY);
                format!("(has({a}) ? {a} : {})", part(b, CONDITIONAL))
            }
            Tree::InList(a, list, path) => {
                let a = part(a, RELATION);
                if path.is_empty() { format!("{a} in r.{list}") } else { format!("{a} in r.{list}.map(x, x{path})") }
            }
            Tree::Unary("not", a) => format!("!{}", part(a, UNARY)),
            Tree::Binary("and", a, b) => format!("{} && {}", part(a, AND), part(b, AND + 1)),
            Tree::Binary("or", a, b) => format!("{} || {}", part(a, OR), part(b, OR + 1)),
            Tree::Call(name, many) => {
                let operands = |many: &[Tree]| many.iter().map(|a| part(a, CONDITIONAL)).collect::<Vec<_>>().join(", ");
                let method = match *name {
                    "starts_with" => "startsWith",
                    "ends_with" => "endsWith",
                    "contains" => "contains",
                    "matches" => "matches",
                    "abs" => return Some(format!("math.abs({})", operands(many))),
                    "min" => return Some(format!("math.least({})", operands(many))),
                    _ => return Some(format!("math.greatest({})", operands(many))),
                };
                format!("{}.{method}({})", part(&many[0], PRIMARY), operands(&many[1..]))
            }
            Tree::Over("sum", list, value, which) => written_out(record, list, value, which.as_deref()),
            Tree::Over(name, list, value, which) => {
                let inner = |tree: &Tree| tree.written(cel, "item", CONDITIONAL);
                let mut list = part(list, PRIMARY);
                if let Some(which) = which {
                    let _ = write!(list, ".filter(item, {})", inner(which));
                }
                match *name {
                    "count" => format!("size({list}.filter(item, {}))", inner(value)),
                    "min" => format!("math.least({list}.map(item, {}))", inner(value)),
                    "max" => format!("math.greatest({list}.map(item, {}))", inner(value)),
                    _ => format!("{list}.{name}(item, {})", inner(value)),
                }
            }
            _ => return None,
        })
    }
}

/// A sum over a list of the record, in brackets.
fn written_out(record: &Value, list: &Tree, value: &Tree, which: Option<&Tree>) -> String {
    let Tree::Field(name) = list else { unreachable!("sums run over lists of the record") };
    let length = match member(record, name) {
        Some(Value::List(items)) => items.len(),
        _ => 0,
    };
    let mut sum = "(0".to_owned();
    for index in 0..length {
        let item = format!("r.{name}[{index}]");
        let inner = |tree: &Tree, place: u8| tree.written(Language::Cel(record), &item, place);
        let _ = match which {
            Some(which) => write!(sum, " + ({} ? {} : 0)", inner(which, OR), inner(value, OR)),
            None => write!(sum, " + {}", inner(value, PRODUCT)),
        };
    }
    sum + ")"
}

/// A member of an object, where it is there.
fn member<'v>(object: &'v Value, name: &str) -> Option<&'v Value> {
    let Value::Object(members) = object else { return None };
    members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A text literal: the escapes that both know, everything else as it is.
fn quoted(text: &str) -> String {
    let mut out = "'".to_owned();
    for c in text.chars() {
        match c {
            '\\' | '\'' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out + "'"
}

/// Texts that are equal, begin or end alike, and are ordered differently by bytes and by UTF-16.
pub(crate) fn word() -> impl Strategy<Value = String> {
    let known = ["", "a", "ab", "ba", "B", "née", "né", "\u{ffee}", "\u{10348}", "it's", "a\\b", "a\nb"];
    select(known.map(str::to_owned).to_vec())
}

/// Expressions of every kind at one place.
#[derive(Clone)]
struct Kinds {
    int: BoxedStrategy<Tree>,
    text: BoxedStrategy<Tree>,
    truth: BoxedStrategy<Tree>,
}

/// Where an expression stands: in the record, at an int of a list, at a struct of a list.
#[derive(Clone)]
struct Depth {
    record: Kinds,
    number: Kinds,
    leg: Kinds,
}

/// Bool, int and text expressions.
pub(crate) fn expressions() -> BoxedStrategy<Tree> {
    let mut depth = leaves();
    for _ in 0..4 {
        depth = deeper(&depth);
    }
    let Kinds { int, text, truth } = depth.record;
    // Their nodes are bounded, and a sum is written out for CEL.
    prop_oneof![2 => int, 1 => text, 4 => truth].prop_filter("too large", |tree| tree.size() <= 100).boxed()
}

/// Int expressions without `&&`, `||` and lists, of numbers as large as literals may be: most overflow.
pub(crate) fn arithmetic() -> BoxedStrategy<Tree> {
    let largest = 9_007_199_254_740_991i64;
    let number = prop_oneof![-9i64..=9, -largest..=largest, Just(largest), Just(-largest)].prop_map(Tree::Int);
    let leaf = prop_oneof![2 => number, 1 => select(vec!["a", "b"]).prop_map(Tree::Field)];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let compared = (select(vec!["<", "==", ">="]), two.clone())
            .prop_map(|(operator, (a, b))| Tree::Binary(operator, Box::new(a), Box::new(b)));
        prop_oneof![
            6 => (select(vec!["+", "-", "*", "%"]), two.clone())
                .prop_map(|(operator, (a, b))| Tree::Binary(operator, Box::new(a), Box::new(b))),
            2 => inner.clone().prop_map(|a| Tree::Unary("-", Box::new(a))),
            1 => inner.prop_map(|a| Tree::Call("abs", vec![a])),
            1 => (compared, two).prop_map(|(c, (a, b))| Tree::If(Box::new([c, a, b]))),
        ]
    })
    .boxed()
}

fn leaves() -> Depth {
    let literal = Kinds {
        int: (-9i64..=9).prop_map(Tree::Int).boxed(),
        text: word().prop_map(Tree::Text).boxed(),
        truth: any::<bool>().prop_map(Tree::Bool).boxed(),
    };
    let fields = |names: &[&'static str]| select(names.to_vec()).prop_map(Tree::Field).boxed();
    let has = |tree: BoxedStrategy<Tree>| tree.prop_map(|tree| Tree::Has(Box::new(tree))).boxed();
    let or = |path: BoxedStrategy<Tree>, other: &BoxedStrategy<Tree>| {
        (path, other.clone()).prop_map(|(path, other)| Tree::Coalesce(Box::new(path), Box::new(other))).boxed()
    };
    let (ints, texts, bools) = (fields(&["a", "b", "o.k"]), fields(&["s", "t"]), fields(&["p", "q"]));
    let any_field = fields(&["a", "b", "s", "p", "l", "legs", "o", "x"]);
    let bytes = (select(vec!["==", "!=", "<", "<=", ">", ">="]), fields(&["x", "y"]), fields(&["x", "y"]))
        .prop_map(|(operator, a, b)| Tree::Binary(operator, Box::new(a), Box::new(b)));
    let record = Kinds {
        int: prop_oneof![2 => literal.int.clone(), 3 => ints.clone(), 1 => or(ints, &literal.int)].boxed(),
        text: prop_oneof![2 => literal.text.clone(), 3 => texts.clone(), 1 => or(texts, &literal.text)].boxed(),
        truth: prop_oneof![1 => literal.truth.clone(), 3 => bools.clone(), 1 => or(bools, &literal.truth), 2 => has(any_field), 1 => bytes].boxed(),
    };
    let with =
        |int: BoxedStrategy<Tree>, text: BoxedStrategy<Tree>, truth: BoxedStrategy<Tree>| Kinds { int, text, truth };
    let number = with(
        prop_oneof![3 => Just(Tree::Item("")), 1 => record.int.clone()].boxed(),
        record.text.clone(),
        record.truth.clone(),
    );
    let n = Just(Tree::Item(".n")).boxed();
    let leg = with(
        prop_oneof![2 => n.clone(), 2 => or(n.clone(), &literal.int), 1 => record.int.clone()].boxed(),
        prop_oneof![3 => Just(Tree::Item(".u")), 1 => record.text.clone()].boxed(),
        prop_oneof![1 => has(n), 1 => record.truth.clone()].boxed(),
    );
    Depth { record, number, leg }
}

fn deeper(depth: &Depth) -> Depth {
    let over = |place: &Kinds, list: BoxedStrategy<Tree>, inner: &Kinds, sums: bool| Kinds {
        int: prop_oneof![4 => place.int.clone(), 1 => ints_over(list.clone(), inner, sums)].boxed(),
        text: place.text.clone(),
        truth: prop_oneof![6 => place.truth.clone(), 1 => truths_over(list, inner)].boxed(),
    };
    let field = |name: &'static str| Just(Tree::Field(name)).boxed();
    let outside =
        |place: &Kinds| over(&over(&combined(place), field("l"), &depth.number, true), field("legs"), &depth.leg, true);
    Depth {
        record: outside(&depth.record),
        number: outside(&depth.number),
        leg: over(&outside(&depth.leg), Just(Tree::Item(".m")).boxed(), &depth.number, false),
    }
}

fn ints_over(list: BoxedStrategy<Tree>, inner: &Kinds, sums: bool) -> BoxedStrategy<Tree> {
    let forms = if sums { vec!["sum", "min", "max"] } else { vec!["min", "max"] };
    let which = proptest::option::of(inner.truth.clone());
    let over = |(name, list, value, which): (_, _, _, Option<Tree>)| {
        Tree::Over(name, Box::new(list), Box::new(value), which.map(Box::new))
    };
    prop_oneof![
        3 => (select(forms), list.clone(), inner.int.clone(), which).prop_map(over),
        1 => (Just("count"), list.clone(), inner.truth.clone(), Just(None)).prop_map(over),
        1 => list.prop_map(|list| Tree::Size(Box::new(list))),
    ]
    .boxed()
}

fn truths_over(list: BoxedStrategy<Tree>, inner: &Kinds) -> BoxedStrategy<Tree> {
    let which = proptest::option::of(inner.truth.clone());
    (select(vec!["all", "exists"]), list, inner.truth.clone(), which)
        .prop_map(|(name, list, value, which)| Tree::Over(name, Box::new(list), Box::new(value), which.map(Box::new)))
        .boxed()
}

/// One operator or function more.
fn combined(of: &Kinds) -> Kinds {
    let Kinds { int, text, truth } = of.clone();
    let binary = |operators: &[&'static str], of: &BoxedStrategy<Tree>| {
        (select(operators.to_vec()), of.clone(), of.clone())
            .prop_map(|(operator, a, b)| Tree::Binary(operator, Box::new(a), Box::new(b)))
            .boxed()
    };
    let unary = |operators: &[&'static str], of: &BoxedStrategy<Tree>| {
        (select(operators.to_vec()), of.clone()).prop_map(|(operator, a)| Tree::Unary(operator, Box::new(a))).boxed()
    };
    let chosen = |of: &BoxedStrategy<Tree>| {
        (truth.clone(), of.clone(), of.clone()).prop_map(|(c, a, b)| Tree::If(Box::new([c, a, b]))).boxed()
    };
    let among = |of: &BoxedStrategy<Tree>| {
        (of.clone(), proptest::collection::vec(of.clone(), 1..4))
            .prop_map(|(a, many)| Tree::In(Box::new(a), many))
            .boxed()
    };
    let listed = |of: &BoxedStrategy<Tree>, list: &'static str, path: &'static str| {
        of.clone().prop_map(move |a| Tree::InList(Box::new(a), list, path)).boxed()
    };
    let remainder = (int.clone(), select(vec![-5i64, -1, 1, 3, 7]))
        .prop_map(|(a, b)| Tree::Binary("%", Box::new(a), Box::new(Tree::Int(b))));
    let on_texts = (select(vec!["starts_with", "ends_with", "contains"]), text.clone(), text.clone())
        .prop_map(|(name, a, b)| Tree::Call(name, vec![a, b]));
    let patterns = select(vec!["a", "^a", "b$", "^[a-z]+$", "^.$", "[^a]", "n.e", "(ab|ba)", "^$", "\\\\"]);
    let matches = (text.clone(), patterns)
        .prop_map(|(a, pattern)| Tree::Call("matches", vec![a, Tree::Text(pattern.to_owned())]));
    let extreme = (select(vec!["min", "max"]), proptest::collection::vec(int.clone(), 2..4))
        .prop_map(|(name, many)| Tree::Call(name, many));
    let order = ["==", "!=", "<", "<=", ">", ">="];
    Kinds {
        int: prop_oneof![
            3 => int.clone(),
            3 => binary(&["+", "-", "*"], &int),
            1 => remainder,
            1 => unary(&["-"], &int),
            1 => chosen(&int),
            1 => text.clone().prop_map(|a| Tree::Size(Box::new(a))),
            1 => int.clone().prop_map(|a| Tree::Call("abs", vec![a])),
            1 => extreme,
        ]
        .boxed(),
        text: prop_oneof![3 => text.clone(), 1 => chosen(&text)].boxed(),
        truth: prop_oneof![
            2 => truth.clone(),
            4 => binary(&order, &int),
            2 => binary(&order, &text),
            1 => binary(&["==", "!="], &truth),
            4 => binary(&["&&", "||", "and", "or"], &truth),
            2 => unary(&["!", "not"], &truth),
            1 => chosen(&truth),
            1 => among(&int),
            1 => among(&text),
            1 => listed(&int, "l", ""),
            1 => listed(&text, "legs", ".u"),
            1 => on_texts,
            1 => matches,
        ]
        .boxed(),
    }
}
