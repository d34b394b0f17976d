//! The shapes of a query specification in JSON.

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// `resultLimit` of a specification that has none.
pub const RESULT_LIMIT_NONE: u64 = 2_147_483_647;

/// A query specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Specification {
    pub(super) query: Clause,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) select_terms: Vec<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sort_term: Option<Field>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sort_order: Option<SortOrder>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) additional_sort_terms: Vec<Field>,
    #[serde(default = "no_limit")]
    pub(super) result_limit: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) offset: Option<usize>,
    #[serde(default)]
    pub(super) options: Vec<String>,
}

/// One element of the tree of clauses: a term, or clauses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Clause {
    #[serde(default)]
    pub(super) occurance: Occurance,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) term: Option<Term>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) boolean_clauses: Option<Vec<Clause>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Occurance {
    #[default]
    #[serde(rename = "MUST_OCCUR")]
    Must,
    #[serde(rename = "MUST_NOT_OCCUR")]
    MustNot,
    #[serde(rename = "SHOULD_OCCUR")]
    Should,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Term {
    pub(super) property_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) property_type: Option<PropertyType>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "scalar_text")]
    pub(super) match_value: Option<String>,
    #[serde(default)]
    pub(super) match_type: MatchType,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<Range>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum MatchType {
    #[default]
    Term,
    Wildcard,
    Phrase,
    Prefix,
}

/// Xenon's names of types. All but the numbers and the boolean are texts in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum PropertyType {
    #[serde(rename = "LONG")]
    Long,
    #[serde(rename = "DOUBLE")]
    Double,
    #[serde(rename = "DATE")]
    Date,
    #[serde(rename = "BOOLEAN")]
    Boolean,
    #[serde(rename = "STRING")]
    String,
    #[serde(rename = "URI")]
    Uri,
    #[serde(rename = "ENUM")]
    Enum,
    #[serde(rename = "BYTES")]
    Bytes,
    #[serde(rename = "PODO")]
    Podo,
    #[serde(rename = "COLLECTION")]
    Collection,
    #[serde(rename = "MAP")]
    Map,
    #[serde(rename = "InternetAddressV4")]
    InternetAddressV4,
    #[serde(rename = "InternetAddressV6")]
    InternetAddressV6,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Range {
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<NumberType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<serde_json::Number>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<serde_json::Number>,
    #[serde(default)]
    pub(super) is_min_inclusive: bool,
    #[serde(default)]
    pub(super) is_max_inclusive: bool,
    /// Meant something to Lucene; kept, since clients send it.
    #[serde(default = "sixteen")]
    pub(super) precision_step: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum NumberType {
    Long,
    Double,
    Date,
}

/// A field to sort by or to select.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Field {
    pub(super) property_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) property_type: Option<PropertyType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sort_order: Option<SortOrder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SortOrder {
    Asc,
    Desc,
}

fn no_limit() -> u64 {
    RESULT_LIMIT_NONE
}

fn sixteen() -> u32 {
    16
}

/// Reads a text, a number or a boolean as the text that writes it.
fn scalar_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    struct Scalar;
    impl Visitor<'_> for Scalar {
        type Value = Option<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text, a number or a boolean")
        }
        fn visit_str<E>(self, text: &str) -> Result<Option<String>, E> {
            Ok(Some(text.to_owned()))
        }
        fn visit_bool<E>(self, boolean: bool) -> Result<Option<String>, E> {
            Ok(Some(boolean.to_string()))
        }
        fn visit_i64<E>(self, number: i64) -> Result<Option<String>, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_u64<E>(self, number: u64) -> Result<Option<String>, E> {
            Ok(Some(number.to_string()))
        }
        fn visit_f64<E>(self, number: f64) -> Result<Option<String>, E> {
            Ok(Some(number.to_string()))
        }
    }
    deserializer.deserialize_any(Scalar)
}
