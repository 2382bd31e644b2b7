//! What expressions mean, as tables. Those marked so were asked of ClamAV 1.4.6.

use super::*;
use Comparison::{Equal, Greater, Less};
use dachs_base::Section;

fn id(id: u8) -> Expression {
    count(id, Greater, 0)
}

fn count(id: u8, comparison: Comparison, count: u32) -> Expression {
    Expression::Count { id, comparison, count }
}

fn and(operands: &[Expression]) -> Expression {
    Expression::And(operands.to_vec())
}

fn or(operands: &[Expression]) -> Expression {
    Expression::Or(operands.to_vec())
}

fn block(inner: Expression, comparison: Comparison, count: u32, distinct: u32) -> Expression {
    Expression::Block { inner: Box::new(inner), comparison, count, distinct }
}

fn evaluate(expression: &Expression, counts: &[u32]) -> bool {
    let logic = encode(&[], expression, 64).unwrap();
    let facts = Facts::default();
    let around = Circumstances { size: 0, facts: Some(&facts), around: &[] };
    judge(&logic, &around, &|id| counts.get(usize::from(id)).copied().unwrap_or(0)).is_some()
}

/// Each as ClamAV 1.4.6 answered for `text`: how often each subsignature matched, and whether the expression held.
#[test]
fn expressions_mean_what_clamav_makes_of_them() {
    let zero_or_one = || or(&[id(0), id(1)]);
    let zero_and_one = || and(&[id(0), id(1)]);
    type Row = (&'static str, Expression, Vec<([u32; 4], bool)>);
    let table: Vec<Row> = vec![
        (
            "(0=0|1)>0,2",
            block(or(&[count(0, Equal, 0), id(1)]), Greater, 0, 2),
            vec![([0, 1, 0, 0], true), ([0, 2, 0, 0], true)],
        ),
        ("(0=0|1)>1,2", block(or(&[count(0, Equal, 0), id(1)]), Greater, 1, 2), vec![([0, 2, 0, 0], true)]),
        (
            "((0|1)>5|2)>1",
            block(or(&[block(zero_or_one(), Greater, 5, 0), id(2)]), Greater, 1, 0),
            vec![([1, 0, 1, 0], false), ([2, 0, 1, 0], false), ([0, 0, 2, 0], true)],
        ),
        (
            "((0&1)|2)>1",
            block(or(&[zero_and_one(), id(2)]), Greater, 1, 0),
            vec![([3, 0, 1, 0], false), ([1, 1, 1, 0], true)],
        ),
        (
            "(0>1|1)>1",
            block(or(&[count(0, Greater, 1), id(1)]), Greater, 1, 0),
            vec![([1, 1, 0, 0], false), ([2, 1, 0, 0], true)],
        ),
        ("(0<3|1)>2,2", block(or(&[count(0, Less, 3), id(1)]), Greater, 2, 2), vec![([2, 1, 0, 0], true)]),
        (
            "((0|1)>1|2)>2",
            block(or(&[block(zero_or_one(), Greater, 1, 0), id(2)]), Greater, 2, 0),
            vec![([2, 0, 1, 0], true)],
        ),
        (
            "((0|1)>1|2)>2,2",
            block(or(&[block(zero_or_one(), Greater, 1, 0), id(2)]), Greater, 2, 2),
            vec![([2, 0, 1, 0], false)],
        ),
        (
            "((0|1)>1|2|3)>3,2",
            block(or(&[block(zero_or_one(), Greater, 1, 0), id(2), id(3)]), Greater, 3, 2),
            vec![([2, 0, 1, 1], true)],
        ),
        ("((0&1)|2)>0,3", block(or(&[zero_and_one(), id(2)]), Greater, 0, 3), vec![([1, 1, 1, 0], true)]),
        ("((0&1)|2)>0,2", block(or(&[zero_and_one(), id(2)]), Greater, 0, 2), vec![([1, 0, 1, 0], false)]),
        (
            "((0&1)<3|2)=0",
            block(or(&[block(zero_and_one(), Less, 3, 0), id(2)]), Equal, 0, 0),
            vec![([0; 4], true), ([1, 0, 0, 0], true)],
        ),
        ("(0&1)<3", block(zero_and_one(), Less, 3, 0), vec![([5, 0, 0, 0], true), ([2, 2, 0, 0], false)]),
        ("(0|1)=0", block(zero_or_one(), Equal, 0, 0), vec![([0; 4], true), ([0, 1, 0, 0], false)]),
        ("(0|1)=0,1", block(zero_or_one(), Equal, 0, 1), vec![([0; 4], false)]),
        ("(0|1)<3,1", block(zero_or_one(), Less, 3, 1), vec![([0; 4], false), ([1, 0, 0, 0], true)]),
        (
            "((0|1)=2&2)>2",
            block(and(&[block(zero_or_one(), Equal, 2, 0), id(2)]), Greater, 2, 0),
            vec![([1, 1, 1, 0], true)],
        ),
        (
            "((0|1)=2&2)>3",
            block(and(&[block(zero_or_one(), Equal, 2, 0), id(2)]), Greater, 3, 0),
            vec![([1, 1, 1, 0], false)],
        ),
        (
            "(0|1|2)>2,2",
            block(or(&[id(0), id(1), id(2)]), Greater, 2, 2),
            vec![([3, 0, 0, 0], false), ([2, 1, 0, 0], true)],
        ),
        (
            "((0&2)>1,2|1)>1,2",
            block(or(&[block(and(&[id(0), id(2)]), Greater, 1, 2), id(1)]), Greater, 1, 2),
            vec![([1, 0, 1, 0], false), ([1, 1, 1, 0], false)],
        ),
        ("0=0", count(0, Equal, 0), vec![([0; 4], true), ([1, 0, 0, 0], false)]),
        ("0|1&2, the first operator splits", or(&[id(0), and(&[id(1), id(2)])]), vec![([1, 0, 0, 0], true)]),
        ("(0|1&2), the last one splits", and(&[zero_or_one(), id(2)]), vec![([1, 0, 0, 0], false)]),
    ];
    for (text, expression, cases) in &table {
        for (counts, held) in cases {
            assert_eq!(evaluate(expression, counts), *held, "{text} with {counts:?}");
        }
        assert_eq!(holds_without_matches(expression), evaluate(expression, &[]), "{text}");
        assert_eq!(decode(&encode(&[], expression, 4).unwrap()), Some((vec![], expression.clone())), "{text}");
    }
}

/// A second evaluation, written as the text above says it, recursively.
mod oracle {
    use super::*;
    use std::collections::BTreeSet;

    type Contribution = Option<(u64, BTreeSet<u8>)>;

    pub(super) fn contribution(expression: &Expression, counts: &[u32]) -> Contribution {
        let compare = |comparison, value: u64, count: u32| match comparison {
            Equal => value == u64::from(count),
            Greater => value > u64::from(count),
            Less => value < u64::from(count),
        };
        match expression {
            Expression::And(operands) => {
                operands.iter().map(|operand| contribution(operand, counts)).collect::<Option<Vec<_>>>().map(sum)
            }
            Expression::Or(operands) => {
                let held: Vec<_> = operands.iter().filter_map(|operand| contribution(operand, counts)).collect();
                (!held.is_empty()).then(|| sum(held))
            }
            Expression::Block { inner, comparison, count, distinct } => {
                let (total, ids) = contribution(inner, counts).unwrap_or_default();
                let held = compare(*comparison, total, *count) && ids.len() >= *distinct as usize;
                held.then(|| (total, BTreeSet::new()))
            }
            Expression::Count { id, comparison, count } => {
                let value = u64::from(counts[usize::from(*id)]);
                compare(*comparison, value, *count).then(|| (value, BTreeSet::from([*id])))
            }
        }
    }

    fn sum(parts: Vec<(u64, BTreeSet<u8>)>) -> (u64, BTreeSet<u8>) {
        parts.into_iter().fold((0, BTreeSet::new()), |(total, mut ids), (more, other)| {
            ids.extend(other);
            (total + more, ids)
        })
    }
}

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % bound
    }

    fn comparison(&mut self) -> Comparison {
        [Equal, Greater, Less][self.below(3) as usize]
    }

    fn expression(&mut self, depth: u32) -> Expression {
        let choice = if depth == 0 { 0 } else { self.below(5) };
        let operands = |dice: &mut Dice| (0..dice.below(4)).map(|_| dice.expression(depth - 1)).collect::<Vec<_>>();
        match choice {
            0 | 1 => count(u8::try_from(self.below(6)).unwrap(), self.comparison(), self.below(4)),
            2 => Expression::And(operands(self)),
            3 => Expression::Or(operands(self)),
            _ => block(self.expression(depth - 1), self.comparison(), self.below(6), self.below(4)),
        }
    }
}

#[test]
fn evaluation_agrees_with_the_oracle() {
    let mut dice = Dice(1);
    for _ in 0..20_000 {
        let expression = dice.expression(4);
        let counts: Vec<u32> = (0..6).map(|_| dice.below(4)).collect();
        let expected = oracle::contribution(&expression, &counts).is_some();
        assert_eq!(evaluate(&expression, &counts), expected, "{expression:?} {counts:?}");
        let encoded = encode(&[], &expression, 6).unwrap();
        assert_eq!(decode(&encoded), Some((vec![], expression)));
    }
}

#[test]
fn conditions_are_asked_of_the_object() {
    let facts = Facts { entry_point: Some(100), sections: vec![Section::default(); 3], ..Facts::default() };
    let bare = Facts { entry_point: None, sections: vec![Section::default()], ..Facts::default() };
    let layers = |layers: &[&[FileKind]]| Condition::Intermediates(layers.iter().map(|kinds| kinds.to_vec()).collect());
    let (tar, zip): (&[FileKind], &[FileKind]) = (&[FileKind::Tar], &[FileKind::Zip]);
    // condition, object's size, facts, kinds around it, holds
    let container = |kinds: &[FileKind]| Condition::Container(kinds.to_vec());
    type Row<'a> = (Condition, u64, Option<&'a Facts>, &'a [FileKind], bool);
    let table: Vec<Row<'_>> = vec![
        (Condition::FileSize(10, 20), 10, None, &[], true),
        (Condition::FileSize(10, 20), 20, None, &[], true),
        (Condition::FileSize(10, 20), 21, None, &[], false),
        (Condition::FileSize(20, 10), 15, None, &[], false),
        (Condition::EntryPoint(100, 100), 0, Some(&facts), &[], true),
        (Condition::EntryPoint(101, u64::MAX), 0, Some(&facts), &[], false),
        (Condition::EntryPoint(0, u64::MAX), 0, Some(&bare), &[], false),
        (Condition::EntryPoint(0, u64::MAX), 0, None, &[], false),
        (Condition::NumberOfSections(3, 4), 0, Some(&facts), &[], true),
        (Condition::NumberOfSections(3, 4), 0, Some(&bare), &[], false),
        (Condition::NumberOfSections(0, 9), 0, None, &[], false),
        (container(&[FileKind::Zip]), 0, None, &[FileKind::Tar, FileKind::Zip], true),
        (container(&[FileKind::Rar, FileKind::Zip]), 0, None, &[FileKind::Tar, FileKind::Zip], true),
        (container(&[FileKind::Zip]), 0, None, &[FileKind::Zip, FileKind::Rar], false),
        (container(&[FileKind::Zip]), 0, None, &[], false),
        (container(&[]), 0, None, &[], true),
        (container(&[]), 0, None, &[FileKind::Zip], false),
        (layers(&[zip]), 0, None, &[FileKind::Tar, FileKind::Zip], true),
        (layers(&[tar, zip]), 0, None, &[FileKind::Tar, FileKind::Zip], true),
        (layers(&[tar, zip]), 0, None, &[FileKind::Gzip, FileKind::Tar, FileKind::Zip], true),
        (layers(&[tar, zip]), 0, None, &[FileKind::Zip], false),
        (layers(&[tar]), 0, None, &[FileKind::Tar, FileKind::Zip], false),
        (layers(&[tar, &[], zip]), 0, None, &[FileKind::Tar, FileKind::Gzip, FileKind::Zip], true),
        (layers(&[&[]]), 0, None, &[], false),
        (layers(&[&[]]), 0, None, &[FileKind::Zip], true),
    ];
    for (condition, size, facts, around, expected) in table {
        let logic = encode(std::slice::from_ref(&condition), &count(0, Equal, 0), 1).unwrap();
        let around = Circumstances { size, facts, around };
        assert_eq!(judge(&logic, &around, &|_| 0).is_some(), expected, "{condition:?} {size}");
        assert!(judge(&logic, &around, &|_| 1).is_none());
        assert_eq!(decode(&logic), Some((vec![condition], count(0, Equal, 0))));
    }
}

#[test]
fn one_match_tells_all_where_numbers_do_not_matter() {
    // expression, ids whose numbers matter
    for (expression, ids) in [
        (and(&[id(0), count(1, Equal, 0), count(2, Less, 1)]), 0),
        (or(&[id(0), count(1, Equal, 1)]), 0b10),
        (or(&[count(0, Greater, 1), count(1, Less, 2), id(2)]), 0b11),
        (and(&[id(0), block(or(&[id(1), count(2, Equal, 0)]), Greater, 0, 0)]), 0b110),
        (or(&[id(0), block(id(0), Greater, 3, 0)]), 0b1),
        (id(63), 0),
        (count(63, Equal, 7), 1 << 63),
    ] {
        assert_eq!(one_match_tells_all(&expression), !ids, "{expression:?}");
    }
}

/// Where one match is said to tell all, more of them change nothing.
#[test]
fn one_match_tells_all_as_evaluation_sees_it() {
    let mut dice = Dice(2);
    for _ in 0..20_000 {
        let expression = dice.expression(3);
        let counts: Vec<u32> = (0..6).map(|_| dice.below(4)).collect();
        let told = one_match_tells_all(&expression);
        let capped: Vec<u32> =
            (0..6).map(|id| if told >> id & 1 == 1 { counts[id].min(1) } else { counts[id] }).collect();
        assert_eq!(evaluate(&expression, &counts), evaluate(&expression, &capped), "{expression:?} {counts:?}");
    }
}

#[test]
fn what_cannot_be_kept_is_refused() {
    let mut deep = id(0);
    for _ in 0..DEEPEST {
        deep = and(&[deep]);
    }
    assert_eq!(encode(&[], &deep, 1), Err(Refusal::TooDeep));
    assert_eq!(encode(&[], &or(&[id(0), id(7)]), 7), Err(Refusal::MissingSubsignature(7)));
    assert!(matches!(encode(&[], &or(&vec![id(0); LONGEST]), 1), Err(Refusal::TooMany(_))));
}

#[test]
fn hostile_logic_never_holds() {
    let facts = Facts::default();
    let around = Circumstances { size: 0, facts: Some(&facts), around: &[] };
    let mut deep = vec![0, 0, 0];
    deep.extend([4, 0, 0, 0, 0, 0, 0, 0, 0].repeat(DEEPEST));
    assert_eq!(decode(&deep), None);
    for logic in [&[][..], &[0], &[0, 7, 1, 0, 0, 0], &[0, 0, 0, 0, 0], &[0, 9], &[0, 4], &[1, 9], &[9, 4], &[0, 3, 0]]
    {
        assert!(judge(logic, &around, &|_| 9).is_none(), "{logic:?}");
        assert_eq!(decode(logic), None, "{logic:?}");
    }
}

/// Expressions in which blocks, both operators and all comparisons meet.
fn expressions_of_three() -> Vec<Expression> {
    let leaves = || {
        let every = |n| [Equal, Greater, Less].map(|comparison| count(n, comparison, 1)).into_iter().chain([id(n)]);
        (0..3).flat_map(every).collect::<Vec<_>>()
    };
    let mut all = leaves();
    for (a, b) in leaves().into_iter().zip(leaves().into_iter().cycle().skip(5)) {
        for c in leaves() {
            all.push(and(&[a.clone(), or(&[b.clone(), c.clone()])]));
            all.push(or(&[a.clone(), and(&[b.clone(), c.clone()])]));
            all.push(block(or(&[a.clone(), and(&[b.clone(), c.clone()])]), Greater, 2, 2));
            all.push(and(&[a.clone(), block(and(&[b.clone(), c]), Less, 2, 0)]));
        }
    }
    all
}

/// An expression is given up only where no counts could make it hold, and kept only while some are missing or it holds.
#[test]
fn what_may_hold_is_never_given_up() {
    let mut given_up = 0;
    for expression in expressions_of_three() {
        let logic = encode(&[], &expression, 64).unwrap();
        for number in 0..5_u32.pow(3) {
            // Each of the three is 0, 1, 2, 3, or not known.
            let known = [number % 5, number / 5 % 5, number / 25].map(|digit| (digit < 4).then_some(digit));
            let may = may_hold(&logic, &|id| known.get(usize::from(id)).copied().flatten());
            let completions = (0..4_u32.pow(3)).map(|n| [n % 4, n / 4 % 4, n / 16]);
            let mut fitting = completions.filter(|counts| {
                counts.iter().zip(known).all(|(count, known)| known.is_none_or(|known| known == *count))
            });
            if known.iter().all(Option::is_some) {
                assert_eq!(may, evaluate(&expression, &fitting.next().unwrap()), "{expression:?} {known:?}");
            } else if !may {
                given_up += 1;
                assert!(!fitting.any(|counts| evaluate(&expression, &counts)), "{expression:?} {known:?}");
            }
        }
    }
    assert!(given_up > 1000, "{given_up}");
    let rare_words_and_an_expression = encode(&[], &and(&[id(0), id(1), id(2)]), 64).unwrap();
    assert!(!may_hold(&rare_words_and_an_expression, &|id| [Some(0), Some(7), None][usize::from(id)]));
    assert!(may_hold(&rare_words_and_an_expression, &|id| [Some(1), Some(7), None][usize::from(id)]));
}
