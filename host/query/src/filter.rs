//! The language of `$filter`.
//!
//! ```text
//! filter     = conjunction { " or " conjunction }
//! conjunction= unary { " and " unary }
//! unary      = "not" unary | "(" filter ")" | call | comparison
//! comparison = name ("eq" | "ne" | "lt" | "le" | "gt" | "ge") literal
//!            | name ("any" | "all") 'one;two;three'
//! call       = ("startswith" | "endswith" | "contains" | "like" | "phrase") "(" name "," text ")"
//! literal    = 'text' | number | true | false | null
//! name       = letters, digits and _ - $ @ : joined by dots, or anything "in double quotes"
//! ```
//!
//! In a text two single quotes stand for one. After `eq` and `ne`, a text with `*` is a pattern: `*` for any run of
//! characters, `?` for one; a backslash before `*`, `?` or a backslash takes the meaning away.
//!
//! Departures from Xenon: `not` works everywhere, bounds on numbers are exact, and a text must be quoted.

use std::ops::Bound;

use winnow::ascii::multispace0;
use winnow::combinator::{alt, cut_err, delimited, eof, fail, not, peek, preceded, repeat, separated, terminated};
use winnow::error::{ContextError, ErrMode, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::token::{one_of, take_while};

use super::condition::{Condition, is_name_character, is_name_start};
use super::path::Path;
use super::pattern;
use super::value::{Bounds, Number, Value, ValueRange};

/// Longest filter in bytes.
pub const FILTER_BYTES_MAX: usize = 16 * 1024;

/// Most parentheses and negations inside one another.
pub const DEPTH_MAX: usize = 32;

/// Why a filter cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A word does not belong where it stands.
    #[error("filter cannot be read at character {position}: expected {expected}, found {found}")]
    Syntax {
        /// Where, in characters from 0.
        position: usize,
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// The filter is too long to be read.
    #[error("filter has {0} bytes, {FILTER_BYTES_MAX} are allowed")]
    TooLong(usize),
}

/// Reads a filter.
///
/// # Errors
/// [`Error`] says at which character it cannot go on, and what it expected there.
pub fn parse(text: &str) -> Result<Condition, Error> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(Error::TooLong(text.len()));
    }
    whole.parse(text).map_err(|error| describe(text, error.offset(), error.inner()))
}

type Outcome<T> = Result<T, ErrMode<ContextError>>;

fn describe(text: &str, offset: usize, error: &ContextError) -> Error {
    let expected: Vec<String> = error
        .context()
        .filter_map(|context| match context {
            StrContext::Expected(value) => Some(value.to_string()),
            _ => None,
        })
        .collect();
    let rest: String = text[offset..].chars().take(24).collect();
    let found = if rest.is_empty() { "the end".to_owned() } else { format!("{rest:?}") };
    let expected = expected.first().cloned().unwrap_or_else(|| "a condition such as name eq 'x'".to_owned());
    Error::Syntax { position: text[..offset].chars().count(), expected, found }
}

fn expect(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

fn whole(input: &mut &str) -> Outcome<Condition> {
    multispace0.parse_next(input)?;
    let condition = disjunction(input, 0)?;
    multispace0.parse_next(input)?;
    eof.context(expect("'and', 'or' or the end")).parse_next(input)?;
    Ok(condition)
}

fn disjunction(input: &mut &str, depth: usize) -> Outcome<Condition> {
    let first = conjunction(input, depth)?;
    let more = preceded(keyword("or"), cut_err(|input: &mut &str| conjunction(input, depth)));
    let rest: Vec<Condition> = repeat(0.., more).parse_next(input)?;
    Ok(Condition::any(std::iter::once(first).chain(rest)))
}

fn conjunction(input: &mut &str, depth: usize) -> Outcome<Condition> {
    let first = unary(input, depth)?;
    let more = preceded(keyword("and"), cut_err(|input: &mut &str| unary(input, depth)));
    let rest: Vec<Condition> = repeat(0.., more).parse_next(input)?;
    Ok(Condition::all(std::iter::once(first).chain(rest)))
}

fn unary(input: &mut &str, depth: usize) -> Outcome<Condition> {
    if depth > DEPTH_MAX {
        return cut_err(fail).context(expect("no more than 32 parentheses inside one another")).parse_next(input);
    }
    multispace0.parse_next(input)?;
    let negation = preceded(keyword("not"), cut_err(|input: &mut &str| unary(input, depth + 1)));
    let group = delimited(
        ("(", multispace0),
        cut_err(|input: &mut &str| disjunction(input, depth + 1)),
        cut_err((multispace0, ")")).context(expect("'and', 'or' or ')'")),
    );
    alt((negation.map(Condition::negate), group, call, comparison))
        .context(expect("a condition such as name eq 'x'"))
        .parse_next(input)
}

/// Reads a word and the space around it; what follows must not belong to the word.
fn keyword<'s>(word: &'static str) -> impl Parser<&'s str, (), ErrMode<ContextError>> {
    (multispace0, word, peek(not(one_of(is_name_character))), multispace0).void()
}

fn call(input: &mut &str) -> Outcome<Condition> {
    let names = alt(("startswith", "endswith", "contains", "like", "phrase"));
    let function = terminated(names, (multispace0, "(", multispace0)).parse_next(input)?;
    let path = cut_err(name).parse_next(input)?;
    cut_err((multispace0, ",", multispace0)).context(expect("','")).parse_next(input)?;
    let condition = searched(input, |input| {
        let raw = cut_err(quoted).context(expect("a text in single quotes")).parse_next(input)?;
        Ok(called(function, path, &raw))
    })?;
    cut_err((multispace0, ")")).context(expect("')'")).parse_next(input)?;
    Ok(condition)
}

/// Returns the condition of a function of a field and a text, its backslashes included.
fn called(function: &str, path: Path, raw: &str) -> Condition {
    match function {
        "startswith" => Condition::Prefix { path, text: pattern::unescape(raw) },
        "endswith" => Condition::like(path, &format!("*{}", pattern::escape(&pattern::unescape(raw)))),
        "contains" => Condition::like(path, &format!("*{}*", pattern::escape(&pattern::unescape(raw)))),
        "phrase" => Condition::phrase(path, &pattern::unescape(raw)),
        _ => Condition::like(path, raw),
    }
}

/// Reads a condition at whose text it is refused if that is too long to search for.
fn searched(input: &mut &str, read: impl FnOnce(&mut &str) -> Outcome<Condition>) -> Outcome<Condition> {
    let before = *input;
    let condition = read(input)?;
    if condition.searches_for_too_much() {
        *input = before;
        return cut_err(fail).context(expect("no more than 1024 characters to search for")).parse_next(input);
    }
    Ok(condition)
}

/// What stands between a name and a literal.
#[derive(Debug, Clone, Copy)]
enum Operator {
    /// `eq`, or `ne` if negated.
    Equality { negated: bool },
    /// A bound on one side.
    Bound(Side),
    /// `any`, or `all` if every item is wanted.
    List { every: bool },
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Side {
    fn of<T>(self, bound: T) -> Bounds<T> {
        match self {
            Side::Less => Bounds { lower: Bound::Unbounded, upper: Bound::Excluded(bound) },
            Side::LessOrEqual => Bounds { lower: Bound::Unbounded, upper: Bound::Included(bound) },
            Side::Greater => Bounds { lower: Bound::Excluded(bound), upper: Bound::Unbounded },
            Side::GreaterOrEqual => Bounds { lower: Bound::Included(bound), upper: Bound::Unbounded },
        }
    }
}

fn comparison(input: &mut &str) -> Outcome<Condition> {
    let path = name.parse_next(input)?;
    let operator = cut_err(operator).context(expect("one of eq, ne, lt, le, gt, ge, any, all")).parse_next(input)?;
    match operator {
        Operator::List { every } => searched(input, |input| {
            let list = cut_err(quoted).context(expect("a text such as 'one;two'")).parse_next(input)?;
            let each = list.split(';').map(|item| equality(path.clone(), item));
            Ok(if every { Condition::all(each) } else { Condition::any(each) })
        }),
        Operator::Equality { negated } => {
            let condition = cut_err(|input: &mut &str| equality_with(input, &path))
                .context(expect("a text in single quotes, a number from -1.797e308 to 1.797e308, true, false or null"))
                .parse_next(input)?;
            Ok(if negated { Condition::negate(condition) } else { condition })
        }
        Operator::Bound(side) => {
            let texts = quoted.map(|raw| ValueRange::Texts(side.of(pattern::unescape(&raw))));
            let numbers = number.map(|number| ValueRange::Numbers(side.of(number)));
            let range = cut_err(alt((texts, numbers)))
                .context(expect("a number from -1.797e308 to 1.797e308, or a text in single quotes"))
                .parse_next(input)?;
            Ok(Condition::Within { path, range })
        }
    }
}

fn equality_with(input: &mut &str, path: &Path) -> Outcome<Condition> {
    let equal = |value| Condition::equal(path.clone(), value);
    alt((
        |input: &mut &str| searched(input, |input| Ok(equality(path.clone(), &quoted(input)?))),
        number.map(|number| equal(Value::Number(number))),
        keyword("true").map(|()| equal(Value::Boolean(true))),
        keyword("false").map(|()| equal(Value::Boolean(false))),
        keyword("null").map(|()| Condition::negate(Condition::Exists { path: path.clone() })),
    ))
    .parse_next(input)
}

/// Returns equality with a text as it was written, its backslashes included.
fn equality(path: Path, raw: &str) -> Condition {
    if pattern::has_run(raw) {
        Condition::like(path, raw)
    } else {
        Condition::equal(path, Value::Text(pattern::unescape(raw)))
    }
}

fn operator(input: &mut &str) -> Outcome<Operator> {
    alt((
        keyword("eq").value(Operator::Equality { negated: false }),
        keyword("ne").value(Operator::Equality { negated: true }),
        keyword("lt").value(Operator::Bound(Side::Less)),
        keyword("le").value(Operator::Bound(Side::LessOrEqual)),
        keyword("gt").value(Operator::Bound(Side::Greater)),
        keyword("ge").value(Operator::Bound(Side::GreaterOrEqual)),
        keyword("any").value(Operator::List { every: false }),
        keyword("all").value(Operator::List { every: true }),
    ))
    .parse_next(input)
}

fn name(input: &mut &str) -> Outcome<Path> {
    let bare = (one_of(is_name_start), take_while(0.., is_name_character)).take().map(str::to_owned);
    let quoted = between("\"", '"');
    alt((bare, quoted))
        .verify_map(|text: String| Path::parse(&text).ok())
        .context(expect("the name of a field"))
        .parse_next(input)
}

fn number(input: &mut &str) -> Outcome<Number> {
    let characters = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    take_while(1.., characters).verify_map(Number::parse).parse_next(input)
}

/// Reads a text in single quotes, its backslashes left as they are.
fn quoted(input: &mut &str) -> Outcome<String> {
    between("'", '\'').parse_next(input)
}

/// Reads what stands between two equal quotes, where a doubled quote stands for one.
fn between<'s>(quote: &'static str, closing: char) -> impl Parser<&'s str, String, ErrMode<ContextError>> {
    let run = take_while(0.., move |c| c != closing);
    let runs = separated(1.., run, (quote, quote)).map(move |runs: Vec<&str>| runs.join(quote));
    delimited(quote, runs, cut_err(quote).context(expect("a closing quote")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position(text: &str) -> usize {
        match parse(text) {
            Err(Error::Syntax { position, .. }) => position,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_bad_filter_is_refused_at_its_place() {
        for (text, at) in [
            ("", 0),
            ("name equals x", 5),
            ("name eq x", 8),
            ("name eq", 7),
            ("name eq 'x", 10),
            ("näme eq 'x'", 1),
            ("a eq 'é' und b eq 2", 9),
            ("a eq 1 and ", 11),
            ("(a eq 1", 7),
            ("a eq 1)", 6),
            ("a lt true", 5),
            ("a..b eq 1", 0),
            ("startswith(a 'x')", 13),
            ("a eq 1e999", 5),
        ] {
            assert_eq!(position(text), at, "{text}: {:?}", parse(text));
        }
    }

    #[test]
    fn the_error_says_what_was_expected_and_found() {
        let error = parse("name equals x").expect_err("no operator").to_string();
        let wanted = "filter cannot be read at character 5: expected one of eq, ne, lt, le, gt, ge, any, all, found";
        assert!(error.starts_with(wanted), "{error}");
        assert!(error.ends_with(r#"found "equals x""#), "{error}");
    }

    #[test]
    fn hostile_nesting_is_refused_not_followed() {
        for text in ["(".repeat(9000), "not ".repeat(4000)] {
            assert!(matches!(parse(&text), Err(Error::Syntax { .. })));
        }
        assert_eq!(parse(&"x".repeat(FILTER_BYTES_MAX + 1)), Err(Error::TooLong(FILTER_BYTES_MAX + 1)));
    }

    #[test]
    fn a_text_too_long_to_search_for_is_refused_at_its_place() {
        let (longest, too_long) = ("a".repeat(1024), "a".repeat(1025));
        for function in ["contains", "endswith", "phrase"] {
            assert!(parse(&format!("{function}(name, '{longest}')")).is_ok());
            assert_eq!(position(&format!("{function}(name, '{too_long}')")), function.len() + 7);
        }
        assert_eq!(position(&format!("name eq '*{too_long}*'")), 8);
        assert_eq!(position(&format!("name any 'x;*{too_long}'")), 9);
        assert!(parse(&format!("name eq '{too_long}' or startswith(name, '{too_long}')")).is_ok());
        let error = parse(&format!("contains(name, '{too_long}')")).expect_err("too long").to_string();
        assert!(error.contains("expected no more than 1024 characters to search for"), "{error}");
    }

    #[test]
    fn and_binds_closer_than_or() {
        let printed = parse("a eq 1 or b eq 2 and not (c eq 3)").expect("a filter").to_string();
        assert_eq!(printed, "a eq 1 or (b eq 2 and not (c eq 3))");
    }

    #[test]
    fn stars_are_wild_after_eq_unless_escaped() {
        let printed = |text| parse(text).expect("a filter").to_string();
        assert_eq!(printed("a eq 'n*'"), "startswith(a, 'n')");
        assert_eq!(printed("a ne '*n?'"), "not (like(a, '*n?'))");
        assert_eq!(printed(r"a eq 'what\*?'"), r"a eq 'what\*\?'");
        assert_eq!(printed(r"a eq 'C:\dir'"), r"a eq 'C:\\dir'");
        assert_eq!(printed("a eq 'it''s'"), "a eq 'it''s'");
    }

    fn path() -> impl Strategy<Value = Path> {
        prop_oneof![
            "[a-c](\\.[a-c])?",
            Just("documentKind".to_owned()),
            Just("not".to_owned()),
            "[a-c\" *]{1,3}".prop_map(|text| format!("x {text}"))
        ]
        .prop_map(|text| Path::parse(&text).expect("a path"))
    }

    fn number_value() -> impl Strategy<Value = Number> {
        prop_oneof![any::<i32>().prop_map(|n| Number::Integer(n.into())), (-1e9..1e9).prop_map(Number::Float)]
    }

    fn side() -> impl Strategy<Value = Side> {
        prop_oneof![Just(Side::Less), Just(Side::LessOrEqual), Just(Side::Greater), Just(Side::GreaterOrEqual)]
    }

    fn leaf() -> impl Strategy<Value = Condition> {
        let text = "[ab'*?\\\\;é]{0,4}";
        prop_oneof![
            (path(), text).prop_map(|(path, text)| Condition::equal(path, Value::Text(text))),
            (path(), any::<bool>()).prop_map(|(path, yes)| Condition::equal(path, Value::Boolean(yes))),
            (path(), number_value()).prop_map(|(path, number)| Condition::equal(path, Value::Number(number))),
            (path(), side(), number_value()).prop_map(|(path, side, number)| Condition::Within {
                path,
                range: ValueRange::Numbers(side.of(number))
            }),
            (path(), side(), text)
                .prop_map(|(path, side, text)| Condition::Within { path, range: ValueRange::Texts(side.of(text)) }),
            (path(), text).prop_map(|(path, text)| Condition::like(path, &text)),
            (path(), text).prop_map(|(path, text)| Condition::Prefix { path, text }),
            (path(), text).prop_map(|(path, text)| Condition::phrase(path, &text)),
            path().prop_map(|path| Condition::Exists { path }),
        ]
    }

    fn condition() -> impl Strategy<Value = Condition> {
        leaf().prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::all),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Condition::any),
                inner.prop_map(Condition::negate),
            ]
        })
    }

    proptest! {
        #[test]
        fn printed_conditions_are_read_back_as_they_were(condition in condition()) {
            let printed = condition.to_string();
            prop_assert_eq!(parse(&printed), Ok(condition), "{}", printed);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn no_almost_right_text_makes_the_parser_panic(
            words in prop::collection::vec(
                prop::sample::select(
                    vec!["a", "eq", "not", "(", ")", "'x'", "'", "\"", "and", "or", "1", "like(", ","]
                ),
                0..12
            )
        ) {
            let _ = parse(&words.join(" "));
        }
    }
}
