//! What rules of the bounded grammar look at in state and do to it, one application at a time.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use super::amount;
use super::interpret::Interpreter;
use super::language::{Does, Expr, Lookup, Rule, Step, Type, Who};
use super::scope::{Found, HELD_ROLE, Scope};
use super::state::{AtEnd, Contribution, Unit, cell_name, key_name};

type Parts = [(&'static str, Expr)];

/// The name of a cell of `thing`.
fn cell_at(scope: &Scope<'_>, cell: &str, at: &Expr, by: &[Expr]) -> String {
    cell_name("m.thing", cell, &[scope.json(at)], &scope.all_json(by))
}

impl Interpreter {
    /// A rule that looks at state, inputs or lookups.
    pub(super) fn rule(&self, unit: &mut Unit<'_>, declared: &Type, number: usize, data: &Json) -> Result<(), String> {
        let rule = &declared.rules[number];
        if rule.is_screened() {
            return Ok(());
        }
        match (self.demand(unit, declared, number, data), rule.severity) {
            (Err(code), severity @ ("hold" | "flag")) => {
                unit.failures.push((severity, code));
                Ok(())
            }
            (result, _) => result,
        }
    }

    /// What a rule runs over, with what lookups find now.
    pub(super) fn scopes<'a>(
        &self,
        unit: &Unit<'a>,
        declared: &'a Type,
        rule: &Rule,
        data: &'a Json,
    ) -> Vec<Scope<'a>> {
        let mut scopes = rule.all_scopes(declared, data, unit.signers);
        for scope in &mut scopes {
            let of_rule = |lookup: &&Lookup| lookup.each.is_none() || lookup.each == rule.each;
            let found = declared.lookups.iter().filter(of_rule);
            let found = found.filter_map(|lookup| Some((lookup.name, self.look_up(unit, lookup, scope)?)));
            let found: BTreeMap<&'static str, Json> = found.collect();
            scope.found = Rc::new(found) as Found;
        }
        scopes
    }

    fn demand(&self, unit: &mut Unit<'_>, declared: &Type, number: usize, data: &Json) -> Result<(), String> {
        let rule = &declared.rules[number];
        let scopes = self.scopes(unit, declared, rule, data);
        if rule.is_of_record() {
            return if rule.holds_alone(scopes) { Ok(()) } else { Err(rule.full_code()) };
        }
        let mut changed: Vec<String> = Vec::new();
        for scope in &scopes {
            let has_values = || rule.does.expressions().into_iter().all(|operand| scope.has_value(operand));
            match rule.applies(scope) {
                Ok(false) => {}
                Ok(true) if has_values() => self.application(unit, declared, number, scope, &mut changed)?,
                _ => return Err("ledger.overflow".to_owned()),
            }
        }
        changed.iter().try_for_each(|cell| self.bounds(unit, cell))
    }

    fn application(
        &self,
        unit: &mut Unit<'_>,
        declared: &Type,
        number: usize,
        scope: &Scope<'_>,
        changed: &mut Vec<String>,
    ) -> Result<(), String> {
        let rule = &declared.rules[number];
        if !rule.roles.is_empty() && !rule.roles.contains(&HELD_ROLE) {
            return Err("m.move_not_allowed".to_owned());
        }
        match &rule.does {
            Does::Unique { values, versioned } => Self::unique(unit, declared, number, scope, values, *versioned),
            Does::Ref { targets, at, external } => {
                let at = scope.all_json(at);
                let exists = |target: &&str| unit.holder(&key_name(&format!("m.{target}"), 0, &at)).is_some();
                let holds = *external || at.contains(&Json::Null) || targets.iter().any(exists);
                if holds { Ok(()) } else { Err(rule.full_code()) }
            }
            Does::Match { target, at, equal, negated } => Self::agree(unit, rule, scope, (target, at), equal, negated),
            Does::Open { at, by, set } => self.open(unit, rule, scope, (at, by), set),
            Does::Balance { at, by, add, subtract, set, at_end, approval } => {
                let cell = cell_at(scope, "bal", at, by);
                if let (Some((above, count)), Some((_, first))) = (approval, add.iter().chain(subtract).next()) {
                    self.approve(unit, &cell, (above, *count), scope.eval(first).number().unwrap_or(0))?;
                }
                self.add(unit, scope, &cell, add, 1)?;
                self.add(unit, scope, &cell, subtract, -1)?;
                self.assign(unit, scope, &cell, set)?;
                if *at_end {
                    unit.at_end.push(AtEnd::Bounds(cell));
                } else if !changed.contains(&cell) {
                    changed.push(cell);
                }
                Ok(())
            }
            Does::Close { at, by, zero } => {
                let cell = cell_at(scope, "bal", at, by);
                let parts = self.parts(unit, &cell)?;
                let amount = |part: &&str| parts.get(*part).and_then(Json::as_str).map_or(0, amount::parse);
                if zero.iter().any(|part| amount(part) != 0) {
                    return Err(rule.full_code());
                }
                unit.set(&cell, None);
                Ok(())
            }
            Does::Lifecycle { at, from, to } => self.step(unit, rule, &scope.json(at), from, *to),
            Does::Count { at, step } => {
                let cell = cell_at(scope, "cnt", at, &[]);
                Self::count(unit, &cell, scope.eval(step).int().unwrap_or(0));
                self.bounds(unit, &cell)
            }
            Does::Holder { at, from, to } => Self::hold(unit, rule, scope, at, from, to),
            Does::Sequence { at, step } => self.advance(unit, rule, scope, at, step),
            Does::Acyclic { at, to, depth } => Self::follow(unit, rule, scope, (at, to), *depth),
            Does::Conserve { sum, by, low, high, over: Some(group) } => {
                let Some(amount) = scope.eval(sum).ratio() else { return Ok(()) };
                unit.at_end.push(AtEnd::Sum(unit.contributions.len()));
                unit.contributions.push(Contribution {
                    group: json!([group, scope.all_json(by)]).to_string(),
                    amount,
                    within: (*low, *high),
                    code: rule.full_code(),
                    flags: rule.severity == "flag",
                });
                Ok(())
            }
            Does::Tally { .. } if self.is_counted(unit, scope, &rule.does) => Ok(()),
            Does::Tally { .. } => Err(rule.full_code()),
            // What follows a record follows when all of its rules are done.
            Does::Require(_) | Does::Conserve { over: None, .. } | Does::Window { .. } | Does::Emit { .. } => Ok(()),
        }
    }

    /// What a lookup finds: the first candidate that is there.
    fn look_up(&self, unit: &Unit<'_>, lookup: &Lookup, scope: &Scope<'_>) -> Option<Json> {
        lookup.candidates.iter().find_map(|(at, by)| {
            if scope.json(at) == Json::Null || scope.all_json(by).contains(&Json::Null) {
                return None;
            }
            let Some(cell) = lookup.cell else {
                return unit.holder(&key_name("m.thing", 0, &[scope.json(at)])).cloned();
            };
            let name = cell_at(scope, cell, at, by);
            match cell {
                "bal" => self.parts(unit, &name).ok(),
                "cnt" => Some(unit.cell(&name).unwrap_or(json!({"count": 0}))),
                "life" => {
                    let initial = self.thing().lifecycle.as_ref().and_then(|lifecycle| lifecycle.initial);
                    unit.cell(&name).or_else(|| Some(json!({"state": initial?})))
                }
                _ => unit.cell(&name),
            }
        })
    }

    /// The parts of a balance; those of its opening where no record touched it.
    fn parts(&self, unit: &Unit<'_>, cell: &str) -> Result<Json, String> {
        unit.cell(cell).or_else(|| self.opening()).ok_or_else(|| "m.not_open".to_owned())
    }

    fn opening(&self) -> Option<Json> {
        let opening = self.thing().balance.as_ref()?.opening.as_ref()?;
        Some(opening.iter().map(|(part, value)| ((*part).to_owned(), json!(amount::canonical(value)))).collect())
    }

    /// Looks at the bounds of a cell, or notes them for when the record is done.
    pub(super) fn bounds(&self, unit: &mut Unit<'_>, cell: &str) -> Result<(), String> {
        match &mut unit.later {
            Some(later) => {
                later.push(cell.to_owned());
                Ok(())
            }
            None => self.holds(unit, cell),
        }
    }

    /// Whether the bounds of a balance or a count hold.
    pub(super) fn holds(&self, unit: &Unit<'_>, cell: &str) -> Result<(), String> {
        let name: Json = serde_json::from_str(cell).expect("a cell name");
        if name[1] == "cnt" {
            let bounds = self.thing().count.as_ref().expect("the count");
            let count = Self::counted(unit, cell);
            let low = bounds.low + i64::from(self.strict);
            let is_within = count >= low && bounds.high.is_none_or(|high| count <= high);
            return if is_within { Ok(()) } else { Err("m.count_out_of_range".to_owned()) };
        }
        let parts = self.parts(unit, cell)?;
        let part = |part: &str| parts.get(part).and_then(Json::as_str).map(amount::parse);
        let balance = self.thing().balance.as_ref().expect("the balance");
        for (number, terms) in balance.bounds.iter().enumerate() {
            let values: Option<Vec<i128>> =
                terms.iter().map(|(name, times)| Some(part(name)? * i128::from(*times))).collect();
            let lowest = i128::from(self.strict);
            if values.is_some_and(|values| values.iter().sum::<i128>() < lowest) {
                return Err(format!("m.bound{number}"));
            }
        }
        Ok(())
    }

    fn unique(
        unit: &mut Unit<'_>,
        declared: &Type,
        number: usize,
        scope: &Scope<'_>,
        values: &[Expr],
        versioned: Option<&str>,
    ) -> Result<(), String> {
        let values = scope.all_json(values);
        if values.contains(&Json::Null) {
            return Ok(());
        }
        let before = &declared.rules[..number];
        let place = before.iter().filter(|rule| matches!(rule.does, Does::Unique { .. })).count();
        let key = key_name(&format!("m.{}", declared.name), place, &values);
        let code = declared.rules[number].full_code();
        if versioned.is_none() {
            return unit.take(&key, scope.data, &code);
        }
        let version = |data: &Json| data["version"].as_i64().expect("a version");
        if unit.holder(&key).is_some_and(|newest| version(newest) + 1 != version(scope.data)) {
            return Err(code);
        }
        unit.succeed(&key, scope.data);
        Ok(())
    }

    /// What the newest version did to balances and counts is undone before a version that replaces it.
    pub(super) fn take_back(&self, unit: &mut Unit<'_>, declared: &Type, data: &Json) -> Result<(), String> {
        let replaces = |rule: &&Rule| matches!(rule.does, Does::Unique { versioned: Some("replace"), .. });
        let Some(rule) = declared.rules.iter().find(replaces) else { return Ok(()) };
        let Does::Unique { values, .. } = &rule.does else { return Ok(()) };
        let scopes = rule.applying(rule.all_scopes(declared, data, unit.signers));
        let Some(scope) = scopes.first() else { return Ok(()) };
        let key = key_name(&format!("m.{}", declared.name), 0, &scope.all_json(values));
        let Some(earlier) = unit.holder(&key).cloned() else { return Ok(()) };
        unit.later = Some(Vec::new());
        for rule in &declared.rules {
            let mut changed: Vec<String> = Vec::new();
            for scope in rule.applying(rule.all_scopes(declared, &earlier, unit.signers)) {
                match &rule.does {
                    Does::Balance { at, by, add, subtract, at_end, .. } => {
                        let cell = cell_at(&scope, "bal", at, by);
                        for (parts, sign) in [(add, -1), (subtract, 1)] {
                            for (part, value) in parts {
                                self.existing(unit, &cell)?;
                                unit.add(&cell, part, sign * scope.eval(value).number().unwrap_or(0));
                            }
                        }
                        if *at_end {
                            unit.at_end.push(AtEnd::Bounds(cell));
                        } else if !changed.contains(&cell) {
                            changed.push(cell);
                        }
                    }
                    Does::Count { at, step } => {
                        let cell = cell_at(&scope, "cnt", at, &[]);
                        Self::count(unit, &cell, -scope.eval(step).int().unwrap_or(0));
                        self.bounds(unit, &cell)?;
                    }
                    _ => {}
                }
            }
            changed.iter().try_for_each(|cell| self.bounds(unit, cell))?;
        }
        Ok(())
    }

    fn agree(
        unit: &Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        (target, at): (&str, &[Expr]),
        equal: &[&str],
        negated: &[&str],
    ) -> Result<(), String> {
        let at = scope.all_json(at);
        if at.contains(&Json::Null) {
            return Ok(());
        }
        let Some(theirs) = unit.holder(&key_name(&format!("m.{target}"), 0, &at)) else {
            return Err("m.unknown_reference".to_owned());
        };
        let minus = |name: &str| match (theirs.get(name), scope.data.get(name)) {
            (Some(theirs), Some(ours)) => {
                let number = |value: &Json| amount::parse(value.as_str().expect("a decimal"));
                number(theirs) == -number(ours)
            }
            _ => false,
        };
        let same = equal.iter().all(|name| theirs.get(name) == scope.data.get(name));
        if same && negated.iter().all(|name| minus(name)) { Ok(()) } else { Err(rule.full_code()) }
    }

    fn open(
        &self,
        unit: &mut Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        (at, by): (&Expr, &[Expr]),
        set: &Parts,
    ) -> Result<(), String> {
        let cell = cell_at(scope, "bal", at, by);
        let balance = self.thing().balance.as_ref().expect("the balance");
        let mut parts = Map::new();
        for (part, value) in set {
            if let Some(value) = scope.eval(value).number() {
                if amount::is_finer(value, balance.scale) {
                    return Err("m.too_many_decimals".to_owned());
                }
                parts.insert((*part).to_owned(), json!(amount::show(value)));
            }
        }
        if unit.cell(&cell).is_some() {
            return Err(rule.full_code());
        }
        unit.set(&cell, Some(Json::Object(parts)));
        self.bounds(unit, &cell)
    }

    /// Makes sure that a balance with an opening is there.
    fn existing(&self, unit: &mut Unit<'_>, cell: &str) -> Result<(), String> {
        let parts = self.parts(unit, cell)?;
        unit.set(cell, Some(parts));
        Ok(())
    }

    /// Whether an amount fits the digits that the balance says it has.
    fn fits(&self, unit: &Unit<'_>, cell: &str, value: i128) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        let digits = balance.digits.and_then(|part| unit.part(cell, part));
        let digits = digits.map(|digits| (digits / 10i128.pow(12)).clamp(0, i128::from(balance.scale)));
        if digits.is_some_and(|digits| amount::is_finer(value, digits as u32)) {
            return Err("m.too_many_decimals".to_owned());
        }
        Ok(())
    }

    /// An amount above the part is approved where so many endorse it. One that the cell cannot hold is not looked at.
    fn approve(
        &self,
        unit: &mut Unit<'_>,
        cell: &str,
        (above, count): (&str, usize),
        amount: i128,
    ) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        if amount::is_finer(amount, balance.scale) {
            return Err("m.too_many_decimals".to_owned());
        }
        let limit = self.parts(unit, cell).ok().and_then(|parts| parts.get(above)?.as_str().map(amount::parse));
        let is_above = limit.is_some_and(|limit| amount.abs() > limit);
        if is_above && unit.signers.approvers < count {
            return Err("m.approval_needed".to_owned());
        }
        unit.approved |= is_above;
        Ok(())
    }

    fn add(&self, unit: &mut Unit<'_>, scope: &Scope<'_>, cell: &str, parts: &Parts, sign: i128) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        for (part, value) in parts {
            let value = scope.eval(value).number().unwrap_or(0);
            if amount::is_finer(value, balance.scale) {
                return Err("m.too_many_decimals".to_owned());
            }
            self.existing(unit, cell)?;
            self.fits(unit, cell, value)?;
            unit.add(cell, part, sign * value);
        }
        Ok(())
    }

    fn assign(&self, unit: &mut Unit<'_>, scope: &Scope<'_>, cell: &str, parts: &Parts) -> Result<(), String> {
        let balance = self.thing().balance.as_ref().expect("the balance");
        for (part, value) in parts {
            let value = scope.eval(value).number();
            if value.is_some_and(|value| amount::is_finer(value, balance.scale)) {
                return Err("m.too_many_decimals".to_owned());
            }
            self.existing(unit, cell)?;
            let opening = || self.opening()?.get(*part)?.as_str().map(amount::parse);
            let mut now = unit.cell(cell).expect("the balance exists");
            match value.or_else(opening) {
                Some(value) => {
                    self.fits(unit, cell, value)?;
                    now[*part] = json!(amount::show(value));
                }
                None => {
                    now.as_object_mut().expect("parts").remove(*part);
                }
            }
            unit.set(cell, Some(now));
        }
        Ok(())
    }

    fn step(&self, unit: &mut Unit<'_>, rule: &Rule, at: &Json, from: &[&str], to: Option<&str>) -> Result<(), String> {
        let lifecycle = self.thing().lifecycle.as_ref().expect("the lifecycle");
        let name = cell_name("m.thing", "life", std::slice::from_ref(at), &[]);
        let cell = unit.cell(&name);
        let stored = cell.as_ref().map(|cell| cell["state"].as_str().expect("a state"));
        match stored.or(lifecycle.initial) {
            None if from.is_empty() => {}
            None => return Err("m.unknown_reference".to_owned()),
            Some(state) if !from.contains(&state) => return Err(rule.full_code()),
            Some(_) => {}
        }
        if let Some(to) = to {
            unit.set(&name, Some(json!({ "state": to })));
        }
        Ok(())
    }

    fn counted(unit: &Unit<'_>, cell: &str) -> i64 {
        unit.cell(cell).map_or(0, |cell| cell["count"].as_i64().expect("a count"))
    }

    fn count(unit: &mut Unit<'_>, cell: &str, step: i64) {
        let count = Self::counted(unit, cell) + step;
        unit.set(cell, (count != 0).then(|| json!({ "count": count })));
    }

    fn hold(
        unit: &mut Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        at: &Expr,
        from: &Who,
        to: &Who,
    ) -> Result<(), String> {
        let cell = cell_at(scope, "own", at, &[]);
        let values = [from, to].map(|who| if let Who::This(value) = who { Some(scope.text(value)) } else { None });
        if values.iter().flatten().any(Option::is_none) {
            return Err(rule.full_code());
        }
        let [expected, next] = values.map(Option::flatten);
        let holder = unit.cell(&cell).map(|cell| cell["holder"].clone());
        match (from, &holder) {
            (Who::Nobody, Some(_)) => return Err(rule.full_code()),
            (Who::Whoever | Who::This(_), None) => return Err("m.not_held".to_owned()),
            (Who::This(_), Some(holder)) if holder.as_str() != expected.as_deref() => return Err(rule.full_code()),
            _ => {}
        }
        match to {
            Who::Whoever => {}
            Who::Nobody => unit.set(&cell, None),
            Who::This(_) => unit.set(&cell, Some(json!({ "holder": next }))),
        }
        Ok(())
    }

    fn advance(
        &self,
        unit: &mut Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        at: &Expr,
        step: &Step,
    ) -> Result<(), String> {
        let sequence = self.thing().sequence.as_ref().expect("the sequence");
        let cell = cell_at(scope, "seq", at, &[]);
        let last = unit.cell(&cell).map(|cell| cell["last"].as_i64().expect("an int"));
        let int = |value: &Expr| scope.eval(value).int().ok_or_else(|| rule.full_code());
        let (follows, now) = match step {
            Step::Reset(value) => (true, int(value)?),
            Step::Value(value) => {
                let value = int(value)?;
                let follows = match (sequence.order, last) {
                    ("gapless", last) => value == last.map_or(sequence.start, |last| last + 1),
                    (_, None) => true,
                    ("strict", Some(last)) => value > last,
                    (_, Some(last)) => value >= last,
                };
                (follows, value)
            }
            Step::Range(from, to) => {
                let (from, to) = (int(from)?, int(to)?);
                let begins = match (sequence.order, last) {
                    ("gapless", last) => from == last.unwrap_or(sequence.start),
                    (_, last) => last.is_none_or(|last| from >= last),
                };
                (begins && to > from, to)
            }
        };
        if !follows {
            return Err(rule.full_code());
        }
        unit.set(&cell, Some(json!({ "last": now })));
        Ok(())
    }

    /// From `to` on, each one's holder: at most `depth` steps, and never `at`.
    fn follow(
        unit: &Unit<'_>,
        rule: &Rule,
        scope: &Scope<'_>,
        (at, to): (&Expr, &Expr),
        depth: usize,
    ) -> Result<(), String> {
        let (Some(at), Some(to)) = (scope.text(at), scope.text(to)) else { return Ok(()) };
        let parent = |of: &String| {
            let cell = unit.cell(&cell_name("m.thing", "own", &[json!(of)], &[]))?;
            cell["holder"].as_str().map(str::to_owned)
        };
        let chain: Vec<String> = std::iter::successors(Some(to), parent).take(depth + 2).collect();
        if chain.len() > depth + 1 || chain.contains(&at) { Err(rule.full_code()) } else { Ok(()) }
    }
}
