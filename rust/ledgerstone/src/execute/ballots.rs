//! Counting ballots: what each method of a `tally` means, exactly.
//!
//! | method | a ballot says | counts | winner |
//! | --- | --- | --- | --- |
//! | plurality | one choice | ballots for it | the choice with the most; none on a tie |
//! | approval | choices, repeated ones once | ballots that name it | the same |
//! | weighted | one choice, a weight | the sum of weights | the same |
//! | quadratic | one choice, a weight | the sum of whole square roots of the weights | the same |
//! | ranked | choices, the best first | votes of the last round | instant runoff, below |
//! | copeland | choices, the best first | victories over other choices less defeats | the choice with the most; none on a tie |
//!
//! *Ranked.* In each round a ballot votes for its first choice that is still in; a ballot without one rests. A choice with more than
//! half of the votes of a round wins. Otherwise the choice with the fewest votes is out; of several the one whose text comes last, by
//! its bytes. The last choice left wins.
//!
//! *Copeland.* Of two choices, a ballot prefers the one that it names earlier, and one that it names to one that it does not. A choice
//! that more ballots prefer than the other wins against it.
//!
//! A choice named twice counts where it stands first. A weight that is absent or below zero counts as nothing. Choices without a vote
//! are not part of the counts, and do not win.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Decimal;
use crate::schema::TallyMethod;

/// One vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ballot {
    pub(super) choices: Vec<String>,
    pub(super) weight: Option<Decimal>,
}

/// What a tally comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Choices with a count other than zero; counts with as few digits as they need.
    pub(super) counts: BTreeMap<String, Decimal>,
    pub(super) winner: Option<String>,
}

/// Counts; `None` where a sum of weights overflows.
pub(super) fn count(method: TallyMethod, ballots: &[Ballot]) -> Option<Outcome> {
    let ballots: Vec<(Vec<&str>, Decimal)> = ballots.iter().map(|ballot| (distinct(ballot), weight(ballot))).collect();
    let first_choices = |counted: fn(Decimal) -> Decimal| {
        let first = ballots.iter().filter_map(|(choices, weight)| Some((*choices.first()?, counted(*weight))));
        sums(first)
    };
    let mut counts = match method {
        TallyMethod::Plurality => first_choices(|_| ONE)?,
        TallyMethod::Weighted => first_choices(|weight| weight)?,
        TallyMethod::Quadratic => first_choices(whole_root)?,
        TallyMethod::Approval => sums(ballots.iter().flat_map(|(choices, _)| choices.iter().map(|it| (*it, ONE))))?,
        TallyMethod::Copeland => victories(&ballots),
        TallyMethod::Ranked => return Some(runoff(&ballots)),
    };
    // What is left of it says who has votes; victories less defeats may come to nothing and still be the most.
    if method != TallyMethod::Copeland {
        counts.retain(|_, count| count.mantissa != 0);
    }
    let winner = most(&counts);
    Some(Outcome { counts: shown(counts), winner })
}

const ONE: Decimal = Decimal::new(1, 0);

/// The choices of a ballot, each where it stands first.
fn distinct(ballot: &Ballot) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    ballot.choices.iter().map(String::as_str).filter(|choice| seen.insert(*choice)).collect()
}

fn weight(ballot: &Ballot) -> Decimal {
    ballot.weight.filter(|weight| weight.mantissa > 0).unwrap_or(Decimal::new(0, 0))
}

/// The whole part of the square root.
fn whole_root(weight: Decimal) -> Decimal {
    let whole = weight.mantissa / 10i128.pow(u32::from(weight.scale));
    Decimal::new(whole.unsigned_abs().isqrt() as i128, 0)
}

fn sums<'b>(votes: impl Iterator<Item = (&'b str, Decimal)>) -> Option<BTreeMap<&'b str, Decimal>> {
    let mut sums: BTreeMap<&str, Decimal> = BTreeMap::new();
    for (choice, count) in votes {
        let sum = sums.entry(choice).or_insert(Decimal::new(0, 0));
        let scale = sum.scale.max(count.scale);
        *sum = Decimal::new(sum.rescaled(scale)?.checked_add(count.rescaled(scale)?)?, scale);
    }
    Some(sums)
}

/// The one choice with the most; none on a tie, none without a vote.
fn most(counts: &BTreeMap<&str, Decimal>) -> Option<String> {
    let scale = counts.values().map(|count| count.scale).max()?;
    let mut ordered: Vec<(i128, &str)> =
        counts.iter().filter_map(|(choice, count)| Some((count.rescaled(scale)?, *choice))).collect();
    ordered.sort_unstable_by(|a, b| b.cmp(a));
    match ordered.as_slice() {
        [(first, choice), rest @ ..] if rest.first().is_none_or(|(second, _)| second < first) => {
            Some((*choice).to_owned())
        }
        _ => None,
    }
}

fn shown(counts: BTreeMap<&str, Decimal>) -> BTreeMap<String, Decimal> {
    let counts = counts.into_iter().filter(|(_, count)| count.mantissa != 0);
    counts.map(|(choice, count)| (choice.to_owned(), count.normalised())).collect()
}

fn candidates<'b>(ballots: &[(Vec<&'b str>, Decimal)]) -> BTreeSet<&'b str> {
    ballots.iter().flat_map(|(choices, _)| choices.iter().copied()).collect()
}

fn runoff(ballots: &[(Vec<&str>, Decimal)]) -> Outcome {
    let mut left = candidates(ballots);
    loop {
        let mut votes: BTreeMap<&str, i128> = left.iter().map(|choice| (*choice, 0)).collect();
        for (choices, _) in ballots {
            if let Some(first) = choices.iter().find(|choice| left.contains(*choice)) {
                *votes.entry(first).or_default() += 1;
            }
        }
        let total: i128 = votes.values().sum();
        let winner = votes.iter().find(|(_, count)| **count * 2 > total || left.len() == 1).map(|(choice, _)| *choice);
        if winner.is_some() || left.is_empty() {
            let counts = votes.into_iter().map(|(choice, count)| (choice, Decimal::new(count, 0))).collect();
            return Outcome { counts: shown(counts), winner: winner.map(str::to_owned) };
        }
        // Of equal counts the last text: the least of (count, text backwards).
        let out = votes.iter().min_by(|(a, m), (b, n)| m.cmp(n).then(b.cmp(a))).map(|(choice, _)| *choice);
        out.map(|out| left.remove(out));
    }
}

fn victories<'b>(ballots: &[(Vec<&'b str>, Decimal)]) -> BTreeMap<&'b str, Decimal> {
    let candidates = candidates(ballots);
    let preferring = |one: &str, other: &str| {
        let prefers = |choices: &Vec<&str>| {
            let place = |choice: &str| choices.iter().position(|named| *named == choice).unwrap_or(usize::MAX);
            place(one) < place(other)
        };
        ballots.iter().filter(|(choices, _)| prefers(choices)).count()
    };
    let score = |one: &str| {
        let others = candidates.iter().filter(|other| **other != one);
        others.map(|other| (preferring(one, other) as i128 - preferring(other, one) as i128).signum()).sum()
    };
    candidates.iter().map(|one| (*one, Decimal::new(score(one), 0))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ballots(all: &[(&[&str], i128)]) -> Vec<Ballot> {
        let ballot = |(choices, weight): &(&[&str], i128)| Ballot {
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            weight: Some(Decimal::new(*weight, 1)),
        };
        all.iter().map(ballot).collect()
    }

    fn counted(method: TallyMethod, all: &[(&[&str], i128)]) -> (Vec<(String, String)>, Option<String>) {
        let outcome = count(method, &ballots(all)).unwrap();
        (outcome.counts.into_iter().map(|(choice, count)| (choice, count.to_string())).collect(), outcome.winner)
    }

    fn result(counts: &[(&str, &str)], winner: Option<&str>) -> (Vec<(String, String)>, Option<String>) {
        let counts = counts.iter().map(|(choice, count)| ((*choice).to_owned(), (*count).to_owned())).collect();
        (counts, winner.map(str::to_owned))
    }

    #[test]
    fn the_most_votes_win_and_a_tie_has_no_winner() {
        let votes: &[(&[&str], i128)] = &[(&["a"], 1), (&["b"], 1), (&["b"], 1), (&[], 1)];
        assert_eq!(counted(TallyMethod::Plurality, votes), result(&[("a", "1"), ("b", "2")], Some("b")));
        assert_eq!(counted(TallyMethod::Plurality, &votes[..2]), result(&[("a", "1"), ("b", "1")], None));
        assert_eq!(counted(TallyMethod::Plurality, &[]), result(&[], None));
    }

    #[test]
    fn approval_counts_a_choice_once_a_ballot() {
        let votes: &[(&[&str], i128)] = &[(&["a", "b", "a"], 1), (&["b"], 1)];
        assert_eq!(counted(TallyMethod::Approval, votes), result(&[("a", "1"), ("b", "2")], Some("b")));
    }

    #[test]
    fn weights_are_summed_or_their_roots() {
        let votes: &[(&[&str], i128)] = &[(&["a"], 99), (&["b"], 45), (&["b"], 40), (&["c"], -5)];
        assert_eq!(counted(TallyMethod::Weighted, votes), result(&[("a", "9.9"), ("b", "8.5")], Some("a")));
        assert_eq!(counted(TallyMethod::Quadratic, votes), result(&[("a", "3"), ("b", "4")], Some("b")));
        let nothing: &[(&[&str], i128)] = &[(&["a"], 0), (&["a"], -5)];
        assert_eq!(counted(TallyMethod::Weighted, nothing), result(&[], None));
        assert_eq!(counted(TallyMethod::Copeland, nothing), result(&[], Some("a")));
        assert_eq!(count(TallyMethod::Weighted, &ballots(&[(&["a"], i128::MAX), (&["a"], i128::MAX)])), None);
    }

    #[test]
    fn runoff_moves_the_votes_of_who_is_out() {
        let votes: &[(&[&str], i128)] =
            &[(&["a", "c"], 1), (&["a"], 1), (&["b", "c"], 1), (&["b"], 1), (&["c", "b"], 1)];
        assert_eq!(counted(TallyMethod::Ranked, votes), result(&[("a", "2"), ("b", "3")], Some("b")));
        let tie: &[(&[&str], i128)] = &[(&["a"], 1), (&["b"], 1)];
        assert_eq!(counted(TallyMethod::Ranked, tie), result(&[("a", "1")], Some("a")));
    }

    #[test]
    fn copeland_compares_every_pair() {
        let votes: &[(&[&str], i128)] = &[(&["a", "b", "c"], 1), (&["b", "c", "a"], 1), (&["b", "a", "c"], 1)];
        assert_eq!(counted(TallyMethod::Copeland, votes), result(&[("b", "2"), ("c", "-2")], Some("b")));
        let cycle: &[(&[&str], i128)] = &[(&["a", "b", "c"], 1), (&["b", "c", "a"], 1), (&["c", "a", "b"], 1)];
        assert_eq!(counted(TallyMethod::Copeland, cycle), result(&[], None));
    }
}
