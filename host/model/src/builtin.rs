//! The fields that the host adds to every document, under the names that clients see.

/// A field that the host keeps with every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `documentSelfLink`: the path of the document, its identity.
    SelfLink,
    /// `documentKind`: the type name from the descriptor of the service.
    Kind,
    /// `documentVersion`: how many updates the document has had, from 0.
    Version,
    /// `documentEpoch`: the reign that made this version, as [`Epoch::as_u64`](crate::Epoch::as_u64) writes it.
    Epoch,
    /// `documentUpdateTimeMicros`: when this version was made, in microseconds since the Unix epoch.
    UpdateTime,
    /// `documentUpdateAction`: what made this version, as
    /// [`UpdateAction::as_str`](crate::document::UpdateAction::as_str) writes it.
    UpdateAction,
    /// `documentExpirationTimeMicros`: when the document expires, in microseconds since the Unix epoch; 0: never.
    ExpirationTime,
    /// `documentOwner`: the host id of the node that owns the document.
    Owner,
    /// `documentSourceLink`: where the state came from; left out if the document does not say.
    SourceLink,
    /// `documentAuthPrincipalLink`: the user who made this version; left out if there is none.
    AuthPrincipalLink,
}

impl Builtin {
    /// All of them, in the order in which they are written.
    pub const ALL: [Builtin; 10] = [
        Builtin::Version,
        Builtin::Epoch,
        Builtin::Kind,
        Builtin::SelfLink,
        Builtin::UpdateTime,
        Builtin::UpdateAction,
        Builtin::ExpirationTime,
        Builtin::Owner,
        Builtin::SourceLink,
        Builtin::AuthPrincipalLink,
    ];

    /// Returns the name that clients see.
    pub fn name(self) -> &'static str {
        match self {
            Builtin::SelfLink => "documentSelfLink",
            Builtin::Kind => "documentKind",
            Builtin::Version => "documentVersion",
            Builtin::Epoch => "documentEpoch",
            Builtin::UpdateTime => "documentUpdateTimeMicros",
            Builtin::UpdateAction => "documentUpdateAction",
            Builtin::ExpirationTime => "documentExpirationTimeMicros",
            Builtin::Owner => "documentOwner",
            Builtin::SourceLink => "documentSourceLink",
            Builtin::AuthPrincipalLink => "documentAuthPrincipalLink",
        }
    }

    /// Returns the field with this name.
    pub fn named(name: &str) -> Option<Builtin> {
        Builtin::ALL.into_iter().find(|builtin| builtin.name() == name)
    }

    /// Returns true if the field holds a number, false if it holds a text.
    pub fn is_number(self) -> bool {
        match self {
            Builtin::Version | Builtin::Epoch | Builtin::UpdateTime | Builtin::ExpirationTime => true,
            Builtin::SelfLink
            | Builtin::Kind
            | Builtin::UpdateAction
            | Builtin::Owner
            | Builtin::SourceLink
            | Builtin::AuthPrincipalLink => false,
        }
    }
}
