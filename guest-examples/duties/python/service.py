"""A diary of a document's life, as guest-examples/duties is in Rust: which handlers ran, and what came of the requests that it was told to
send. And what a service can do wrong, when it is told to.
"""

from dataclasses import dataclass

from steward import Answer, Context, every, field, patch, service


@dataclass(kw_only=True)
class Letter:
    """A note to write into another diary."""

    to: str
    note: str
    delay_millis: int = field(0, name="delayMillis", minimum=0)
    tag: str = ""


@service(
    "/core/diaries",
    start="eager",
    put="none",
    options=["PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "INSTRUMENTATION"],
    outbound=["127.0.0.1"],
)
class Diary:
    heir: str = field("", docs="Another diary that is told when this one ends.")
    creates: int = 0
    starts: int = 0
    ticks: int = 0
    notes: list[str] = field([])
    replies: list[str] = field([])

    def handle_create(self):
        self.creates += 1

    def handle_start(self):
        self.starts += 1

    def handle_stop(self, ctx: Context):
        if self.heir:
            ctx.patch(self.heir, {"note": f"{ctx.key} ended"})

    def handle_patch(
        self,
        ctx: Context,
        note: str | None = None,
        letters: list[Letter] = field([]),
        expires_in_millis: int | None = field(None, name="expiresInMillis"),
        cancel: str | None = field(None, docs="The tag of letters that are not to be sent any more."),
    ):
        ctx.stat("letters", len(letters))
        if note is not None:
            self.notes.append(note)
        if cancel is not None:
            ctx.cancel(cancel)
        for letter in letters:
            ctx.patch(letter.to, {"note": letter.note}).after(letter.delay_millis / 1000).reply_tag(letter.tag)
        if expires_in_millis is not None:
            ctx.expire_in(expires_in_millis / 1000)

    @patch("trap")
    def trap(self):
        raise RuntimeError("told to")

    @patch("loop")
    def loop(self):
        while True:
            pass

    @patch("recurse")
    def recurse(self):
        self.recurse()

    @patch("hoard")
    def hoard(self):
        hoard = []
        while True:
            hoard.append(bytearray(1 << 20))

    @every("100ms")
    def handle_maintenance(self):
        self.ticks += 1

    def handle_reply(self, answer: Answer):
        self.replies.append(f"{answer.tag} {answer.status}")
