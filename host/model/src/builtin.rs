//! The fields that the host keeps with every document, under the names that clients see.

/// A field that the host keeps with every document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// `documentSelfLink`
    SelfLink,
    /// `documentKind`
    Kind,
    /// `documentVersion`
    Version,
    /// `documentEpoch`
    Epoch,
    /// `documentUpdateTimeMicros`
    UpdateTime,
    /// `documentUpdateAction`
    UpdateAction,
    /// `documentExpirationTimeMicros`
    ExpirationTime,
    /// `documentOwner`
    Owner,
    /// `documentSourceLink`
    SourceLink,
    /// `documentAuthPrincipalLink`
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
