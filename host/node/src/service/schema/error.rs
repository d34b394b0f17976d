//! Why a schema is refused.

/// Most bytes of a compiled pattern; a schema within the largest setting has a few thousand of them.
pub(super) const PATTERN_BYTES_MAX: usize = 256 << 10;

/// Why a schema is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It is no schema.
    #[error("state schema cannot be used: {0}")]
    Invalid(String),
    /// A pattern in it is none, or cannot be matched in time in proportion to the text.
    #[error(
        "state schema has the pattern {pattern:?}, which is no regular expression, takes more than {} KiB, or looks around \
         (`(?=…)`, `(?!…)`) or back (`\\1`); patterns are matched in one pass: say it by several patterns below `allOf`",
        PATTERN_BYTES_MAX >> 10
    )]
    Pattern {
        /// The text of the pattern.
        pattern: String,
    },
    /// It refers to something that is not in it.
    #[error(
        "state schema refers to {reference:?}, and no part of it has that address; put the definition below `$defs` and refer to it \
         by `\"$ref\": \"#/$defs/<name>\"`"
    )]
    Reference {
        /// The value of `$ref`, or of another keyword that refers to something.
        reference: String,
    },
    /// A part of it is a document of its own.
    #[error(
        "state schema has a part with the `$id` {name}; only the whole may have one: refer to parts by `#/$defs/<name>`"
    )]
    Named {
        /// The value of `$id`.
        name: String,
    },
    /// A check would take too many steps.
    #[error(
        "state schema takes more than {max} steps when every `$ref` in it is followed; refer less often to large definitions, nest \
         fewer `unevaluated…` keywords in one another, repeat less in patterns (`{{2000}}`), or mount it on nodes with a higher --schema-steps"
    )]
    Steps { max: u32 },
    /// It is nested too deeply.
    #[error("state schema nests subschemas and references more than {max} deep")]
    Depth { max: usize },
    /// A check would take twice as long with each level of nesting in the state.
    #[error(
        "state schema has a definition that refers to itself more than once for the same place of a state: {reference:?}; \
         tell the cases apart before the reference, or leave what is below without a schema"
    )]
    Doubling {
        /// The value of `$ref`.
        reference: String,
    },
}
