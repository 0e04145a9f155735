//! The members of small bodies, for the API's description.

use utoipa::ToSchema;

/// Why, and whether they are only counted.
#[derive(ToSchema)]
#[schema(as = GroupAction, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a body")]
pub(crate) struct GroupActionMembers {
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    reason: Option<String>,
    /// Only counts.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
}

/// In the caller's words.
#[derive(ToSchema)]
#[schema(as = Note)]
#[expect(dead_code, reason = "describes a body")]
pub(crate) struct NoteMembers {
    #[schema(nullable = false, min_length = 1, max_length = 2000)]
    note: Option<String>,
}
