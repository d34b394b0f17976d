//! How a connection begins: both sides say who they are and prove that they know the secret; then each says whether it stays.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use steward_model::codec::{self, Format};
use tokio::net::TcpStream;
use tokio_util::codec::{Framed, LengthDelimitedCodec};

use super::frame;
use super::hello::{Hello, Refusal};
use super::secret::{Proof, Role, Secret};

/// How long a handshake may take.
pub(super) const WITHIN: Duration = Duration::from_secs(5);

/// A connection cut into frames.
pub(super) type Wire = Framed<TcpStream, LengthDelimitedCodec>;

/// A step of the handshake. A Hello travels as the bytes that the proofs are about, also where a newer node says more in it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Hello { hello: Vec<u8> },
    Answer { hello: Vec<u8>, proof: Proof },
    Proof { proof: Proof },
    Welcome,
    Refused { refusal: Refusal },
}

impl Format for Step {
    const NAME: &'static str = "step of a handshake";
}

/// Why a connection does not come about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// This node does not talk to the other.
    #[error("refused: {0}")]
    Ours(Refusal),
    /// The other does not talk to this node.
    #[error("refused by the other node: {0}")]
    Theirs(Refusal),
    /// The network does not work.
    #[error("connection failed: {0}")]
    Io(#[from] io::Error),
    /// Whoever is there says what no node says.
    #[error("no node answers: {0}")]
    Stranger(#[from] codec::Error),
    /// A step came out of turn, or none.
    #[error("no node answers: the handshake broke off")]
    Turn,
    /// It took too long.
    #[error("no answer within {} s", WITHIN.as_secs())]
    Late,
}

impl Step {
    /// Returns the step in words, with what a Hello says.
    pub(super) fn words(&self) -> String {
        let hello = |bytes: &[u8]| match codec::decode::<Hello>(bytes) {
            Ok(hello) => format!("{hello:?}"),
            Err(error) => error.to_string(),
        };
        match self {
            Step::Hello { hello: bytes } | Step::Answer { hello: bytes, .. } => hello(bytes),
            Step::Proof { .. } => "a proof".to_owned(),
            Step::Welcome => "welcome".to_owned(),
            Step::Refused { refusal } => refusal.to_string(),
        }
    }
}

async fn say(wire: &mut Wire, step: &Step) -> Result<(), Error> {
    Ok(wire.send(Bytes::from(codec::encode(step))).await?)
}

async fn hear(wire: &mut Wire) -> Result<Step, Error> {
    let bytes = wire.next().await.ok_or(Error::Turn)??;
    match codec::decode(&bytes)? {
        Step::Refused { refusal } => Err(Error::Theirs(refusal)),
        step @ (Step::Hello { .. } | Step::Answer { .. } | Step::Proof { .. } | Step::Welcome) => Ok(step),
    }
}

/// Tells the other side why it is refused, as far as it listens.
async fn refuse(wire: &mut Wire, refusal: Refusal) -> Error {
    let _ = say(wire, &Step::Refused { refusal: refusal.clone() }).await;
    Error::Ours(refusal)
}

/// Begins a connection that this node has dialled; returns what the other side says of itself.
///
/// # Errors
/// [`Error`] says which side refuses, and why.
pub(super) async fn dial(stream: TcpStream, ours: &Hello, secret: &Secret) -> Result<(Wire, Hello), Error> {
    let mut wire = Framed::new(stream, frame::strangers());
    let said = codec::encode(ours);
    say(&mut wire, &Step::Hello { hello: said.clone() }).await?;
    let Step::Answer { hello, proof } = hear(&mut wire).await? else { return Err(Error::Turn) };
    let theirs: Hello = codec::decode(&hello)?;
    if !secret.is_proven(&proof, Role::Acceptor, &said, &hello) {
        return Err(refuse(&mut wire, Refusal::Secret).await);
    }
    if let Err(refusal) = ours.examine(&theirs) {
        return Err(refuse(&mut wire, refusal).await);
    }
    say(&mut wire, &Step::Proof { proof: secret.prove(Role::Dialer, &said, &hello) }).await?;
    match hear(&mut wire).await? {
        Step::Welcome => Ok((wire, theirs)),
        Step::Hello { .. } | Step::Answer { .. } | Step::Proof { .. } | Step::Refused { .. } => Err(Error::Turn),
    }
}

/// Begins a connection that another node has dialled. `ours` says what this node is on the lane that was asked for; `admit` has the
/// last word.
///
/// # Errors
/// The other side as far as it has said who it is, and [`Error`].
pub(super) async fn accept(
    stream: TcpStream,
    secret: &Secret,
    ours: impl FnOnce(&Hello) -> Hello,
    admit: impl FnOnce(&Hello) -> Result<(), Refusal>,
) -> Result<(Wire, Hello), (Option<Box<Hello>>, Error)> {
    let mut wire = Framed::new(stream, frame::strangers());
    let (said, theirs) = match greeted(&mut wire).await {
        Ok(greeted) => greeted,
        Err(error) => return Err((None, error)),
    };
    match convince(&mut wire, secret, &ours(&theirs), &said, &theirs, admit).await {
        Ok(()) => Ok((wire, theirs)),
        Err(error) => Err((Some(Box::new(theirs)), error)),
    }
}

async fn greeted(wire: &mut Wire) -> Result<(Vec<u8>, Hello), Error> {
    let Step::Hello { hello } = hear(wire).await? else { return Err(Error::Turn) };
    let theirs = codec::decode(&hello)?;
    Ok((hello, theirs))
}

async fn convince(
    wire: &mut Wire,
    secret: &Secret,
    ours: &Hello,
    said: &[u8],
    theirs: &Hello,
    admit: impl FnOnce(&Hello) -> Result<(), Refusal>,
) -> Result<(), Error> {
    let hello = codec::encode(ours);
    let proof = secret.prove(Role::Acceptor, said, &hello);
    say(wire, &Step::Answer { hello: hello.clone(), proof }).await?;
    let Step::Proof { proof } = hear(wire).await? else { return Err(Error::Turn) };
    if !secret.is_proven(&proof, Role::Dialer, said, &hello) {
        return Err(refuse(wire, Refusal::Secret).await);
    }
    if let Err(refusal) = ours.examine(theirs).and_then(|()| admit(theirs)) {
        return Err(refuse(wire, refusal).await);
    }
    say(wire, &Step::Welcome).await
}
