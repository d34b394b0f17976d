//! The options of a query.

/// An option of a query; see [`Specification::has`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum QueryOption {
    Count,
    ExpandContent,
    ExpandBuiltinContentOnly,
    ExpandSelectedFields,
    /// Not in Xenon: what the answer cost.
    Explain,
    IncludeAllVersions,
    IncludeDeleted,
    Sort,
    TopResults,
}

impl QueryOption {
    pub(super) const ALL: [QueryOption; 9] = [
        QueryOption::Count,
        QueryOption::ExpandContent,
        QueryOption::ExpandBuiltinContentOnly,
        QueryOption::ExpandSelectedFields,
        QueryOption::Explain,
        QueryOption::IncludeAllVersions,
        QueryOption::IncludeDeleted,
        QueryOption::Sort,
        QueryOption::TopResults,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            QueryOption::Count => "COUNT",
            QueryOption::ExpandContent => "EXPAND_CONTENT",
            QueryOption::ExpandBuiltinContentOnly => "EXPAND_BUILTIN_CONTENT_ONLY",
            QueryOption::ExpandSelectedFields => "EXPAND_SELECTED_FIELDS",
            QueryOption::Explain => "EXPLAIN",
            QueryOption::IncludeAllVersions => "INCLUDE_ALL_VERSIONS",
            QueryOption::IncludeDeleted => "INCLUDE_DELETED",
            QueryOption::Sort => "SORT",
            QueryOption::TopResults => "TOP_RESULTS",
        }
    }
}
