"""What the decorators make of a service, seen from outside: its descriptor, its dispatch, its refusals."""

import dataclasses
import datetime
import importlib.util
import json
import os
import sys
import tempfile
import typing
import unittest

from steward import Answer, Context, Level, conflict, every, field, get, invalid, migrate, patch, reply, service
from steward.fault import place_of
from steward.mock import Host, Response


@dataclasses.dataclass
class Limit:
    percent: int = field(minimum=1, maximum=100)
    per_day: bool = field(True, name="perDay")


@dataclasses.dataclass
class AccountV1:
    owner: str
    cents: int


@service(
    "/bank/accounts", kind="example:Account", state_version=2, retention=10, outbound=["bank.example"], index={"owner": "string"},
    options=["PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "STRICT_UPDATE_CHECKING"], limits={"deadlineMillis": 500},
)
class Account:
    """An account."""

    owner: str = field(min_length=1, max_length=8, docs="Whose it is.")
    balance: int = 0
    currency: typing.Literal["EUR", "USD"] = "EUR"
    limits: dict[str, Limit] = field({})
    note: str | None = None

    def handle_start(self, ctx: Context):
        ctx.stat("starts", 1)

    def handle_put(self, body: "Account"):
        vars(self).update(vars(body))

    @patch("deposit")
    def deposit(self, ctx: Context, amount: int):
        self.balance += amount
        ctx.create("/bank/audits", {"amount": amount}).reply_tag("audited")
        return {"balance": self.balance}

    @patch("close")
    def close(self, ctx: Context, after_seconds: int = field(minimum=0, name="afterSeconds")):
        ctx.expire_in(after_seconds)

    @patch("break")
    def divide(self):
        self.balance //= len(self.owner) - 3

    @patch("refuse")
    def refuse(self):
        raise conflict("too poor")

    @get
    def show(self, ctx: Context):
        ctx.set_header("X-Seen", "yes")
        return {"owner": self.owner}

    @reply("audited")
    def audited(self, answer: Answer):
        self.note = f"audit {answer.status}"

    @every("30s")
    def rest(self):
        pass

    @staticmethod
    @migrate(1)
    def from_v1(old: AccountV1) -> "Account":
        return Account(owner=old.owner, balance=old.cents // 100)

    @staticmethod
    def merge(ours, theirs):
        return max(ours, theirs, key=lambda account: account.balance)


@service("/echo", options=["STATELESS"])
class Echo:
    def handle_post(self, ctx: Context, body: typing.Any):
        ctx.log(Level.INFO, "echoes", word=ctx.parameter("word"))
        return {"link": ctx.link, "word": ctx.parameter("word"), "body": body}


@service("/seats")
class Seat:
    row: int
    changes: int = 0

    def handle_create(self, ctx: Context):
        if self.row == 13:
            raise invalid("row", "there is no row 13")
        self.changes = ctx.version + 1 if ctx.exists else 0


@service("/vows", put="none")
class Vow:
    text: str


class TestService(unittest.TestCase):
    def setUp(self):
        self.host = Host(Account, Echo)
        self.link = self.host.post("/bank/accounts", {"owner": "ann"}).link

    def test_the_descriptor_says_what_the_class_says(self):
        found = json.loads(Account.__steward__.describe())
        self.assertEqual((found["name"], found["documentKind"], found["docs"]), ("account", "example:Account", "An account."))
        self.assertEqual((found["maintenanceIntervalMicros"], found["readsStateVersions"]), (30_000_000, [1]))
        for handler in ("handle-create", "handle-put", "handle-get", "handle-reply", "migrate", "merge"):
            self.assertIn(handler, found["handlers"])
        schema = found["stateSchema"]
        self.assertEqual(schema["required"], ["owner"])
        self.assertEqual(schema["properties"]["currency"], {"enum": ["EUR", "USD"], "default": "EUR"})
        self.assertEqual(schema["properties"]["limits"]["additionalProperties"]["properties"]["percent"]["maximum"], 100)
        self.assertEqual(sorted(found["actions"]["handle-patch"]), ["break", "close", "deposit", "refuse"])

    def test_a_put_is_decided_on_by_create_or_by_nobody(self):
        host = Host(Seat, Vow)
        seat = host.post("/seats", {"row": 1}).link
        self.assertEqual(host.put(seat, {"row": 13}).pointer, "/row")
        self.assertEqual(host.put(seat, {"row": 2}).body["changes"], 1)
        vow = host.post("/vows", {"text": "always"}).link
        self.assertEqual(host.put(vow, {"text": "never"}).status, 405)
        self.assertEqual(json.loads(Vow.__steward__.describe())["put"], "none")
        with self.assertRaises(TypeError):
            service("/seats", put="none")(type("Both", (), {"handle_put": lambda self: None}))

    def test_bodies_are_told_apart_by_their_kind_and_refused_by_their_field(self):
        paid = self.host.patch(self.link, {"kind": "deposit", "amount": 2**63, "documentVersion": 0})
        self.assertEqual((paid.status, paid.body), (200, {"balance": 2**63}))
        for body, pointer in (
            ({"kind": "deposit"}, "/amount"), ({"kind": "deposit", "amount": 1.5}, "/amount"), ({"kind": "deposit", "amount": True}, "/amount"),
            ({"kind": "close", "afterSeconds": -1}, "/afterSeconds"), ({"kind": "rob"}, "/kind"), ({}, "/kind"),
        ):
            refused = self.host.patch(self.link, body | {"documentVersion": 1})
            self.assertEqual((refused.status, refused.pointer), (400, pointer), refused.body)
        for body, pointer in (
            ({"owner": "bob", "limits": {"a/b": {"percent": 101}}}, "/limits/a~1b/percent"), ({"owner": "robert-the-third"}, "/owner"),
            ({"owner": "bob", "currency": "DM"}, "/currency"), ({}, "/owner"), ([], ""),
        ):
            refused = self.host.post("/bank/accounts", body)
            self.assertEqual((refused.status, refused.pointer), (400, pointer), refused.body)
        self.assertEqual(self.host.patch(self.link, {"kind": "refuse", "documentVersion": 9}).code, "version-conflict")

    def test_fields_have_their_own_names_in_json(self):
        limits = {"cash": {"percent": 5, "perDay": False}, "card": {"percent": 6}}
        link = self.host.post("/bank/accounts", {"owner": "bob", "limits": limits}).link
        self.assertEqual(self.host.versions(link)[0]["limits"], {"cash": limits["cash"], "card": {"percent": 6, "perDay": True}})
        refused = self.host.post("/bank/accounts", {"owner": "bob", "limits": {"cash": {"percent": 5, "perDay": 1}}})
        self.assertEqual(refused.pointer, "/limits/cash/perDay")
        self.assertIsInstance(Account.__steward__.shape.read({"owner": "bob", "limits": limits}).limits["cash"].per_day, bool)

    def test_methods_may_name_their_own_class(self):
        refused = self.host.put(self.link, {"owner": "robert-the-third", "documentVersion": 0})
        self.assertEqual((refused.status, refused.pointer), (400, "/owner"))
        self.assertEqual(self.host.put(self.link, {"owner": "bob", "documentVersion": 0}).body["owner"], "bob")

    def test_an_answer_comes_back_with_its_tag(self):
        self.host.answer("/bank/audits", lambda effect: Response(201))
        self.host.patch(self.link, {"kind": "deposit", "amount": 5, "documentVersion": 0})
        self.host.settle()
        self.assertEqual(self.host.versions(self.link)[2]["note"], "audit 201")
        self.assertEqual(self.host.stats["starts"], 1)

    def test_an_exception_is_a_problem_with_file_and_line(self):
        broken = self.host.patch(self.link, {"kind": "break", "documentVersion": 0})
        self.assertEqual((broken.status, broken.code), (500, "guest-exception"))
        self.assertRegex(broken.message, r"ZeroDivisionError: .* at test_service.py:\d+$")
        self.assertEqual((self.host.lines[-1][0], len(self.host.versions(self.link))), (Level.ERROR, 1))
        self.assertEqual(self.host.patch(self.link, {"kind": "refuse", "documentVersion": 0}).message, "too poor")

    def test_a_migration_is_found_above_and_below_static_methods_and_takes_no_self(self):
        class Above:
            @migrate(1)
            @staticmethod
            def from_1(old: dict):
                return old

        found = json.loads(service("/above", state_version=2)(Above).__steward__.describe())
        self.assertEqual((found["readsStateVersions"], "migrate" in found["handlers"]), ([1], True))

        class Bound:
            @migrate(1)
            def from_1(self, old: dict):
                return old

        with self.assertRaisesRegex(TypeError, "Bound.from_1 takes the older state and nothing else"):
            service("/bound", state_version=2)(Bound)

    def test_states_migrate(self):
        @service("/bank/accounts", name="account")
        class First:
            owner: str
            cents: int

        host = Host(First)
        link = host.post("/bank/accounts", {"owner": "ann", "cents": 1234}).link
        host.serve(Account)
        self.assertEqual(host.versions(link)[0]["balance"], 12)

    def test_expiry_ends_a_document(self):
        self.host.patch(self.link, {"kind": "close", "afterSeconds": 10, "documentVersion": 0})
        self.host.advance(9)
        seen = self.host.get(self.link)
        self.assertEqual((seen.body, seen.headers), ({"owner": "ann"}, [("x-seen", "yes")]))
        self.host.advance(1)
        self.assertEqual(self.host.get(self.link).status, 404)

    def test_every_update_that_is_accepted_takes_its_expiry(self):
        far = 4_102_444_800_000_000

        @service("/notes", patch="merge")
        class Note:
            text: str = field("", max_length=9)

        host = Host(Account, Note)
        owned, note = host.post("/bank/accounts", {"owner": "ann"}).link, host.post("/notes", {}).link
        for step, (send, link, more) in enumerate(
            ((host.patch, note, {}), (host.put, note, {}), (host.patch, owned, {"kind": "deposit", "amount": 1, "documentVersion": 0}))
        ):
            self.assertEqual(send(link, more | {"documentExpirationTimeMicros": far + step}).status, 200)
            self.assertEqual(host.versions(link)[-1]["documentExpirationTimeMicros"], far + step)
        host.patch(note, {"text": "a"})
        self.assertEqual(host.get(note).body["documentExpirationTimeMicros"], far + 1, "who does not speak of it leaves it as it is")
        for wrong in (-1, 1.5, "soon", True, 1 << 63):
            for link in (note, owned):
                refused = host.patch(link, {"kind": "deposit", "amount": 1, "documentVersion": 1, "documentExpirationTimeMicros": wrong})
                self.assertEqual((refused.status, refused.code, refused.pointer), (400, "validation", "/documentExpirationTimeMicros"), wrong)
        host.patch(note, {"text": "longer than nine", "documentExpirationTimeMicros": 0})
        self.assertEqual(host.get(note).body["documentExpirationTimeMicros"], far + 1, "a refusal changes nothing")
        self.assertEqual(host.patch(note, {"documentExpirationTimeMicros": 0}).body["documentExpirationTimeMicros"], 0)
        self.assertEqual(host.patch(note, {"documentExpirationTimeMicros": 1}).status, 200, "the answer is that of every update")
        self.assertEqual(host.get(note).status, 404)

    def test_a_delete_of_what_is_not_there_answers_an_empty_object(self):
        for link in ("/bank/accounts/nobody", self.link):
            self.host.delete(self.link)
            gone = self.host.delete(link)
            self.assertEqual((gone.status, gone.body), (200, {}))

    def test_a_state_that_the_host_merges_is_held_to_its_schema(self):
        @service("/notes", patch="merge")
        class Note:
            text: str = field("", max_length=9)

        host = Host(Note)
        link = host.post("/notes", {}).link
        refused = host.patch(link, {"text": "longer than nine"})
        self.assertEqual((refused.status, refused.code, refused.pointer), (400, "validation", "/text"))
        self.assertEqual(host.patch(link, {"text": "short"}).body["text"], "short")

    def test_what_is_no_expiry_is_an_error_and_never_taken_for_never(self):
        said = []

        @service("/fading", name="fading")
        class Fading:
            @patch("in")
            def fade_in(self, ctx: Context):
                ctx.expire_in(said[-1])

            @patch("at")
            def fade_at(self, ctx: Context):
                ctx.expire_at(said[-1])

        host = Host(Fading)
        link = host.post("/fading", {}).link
        utc = datetime.timezone.utc
        for kind, value in (
            ("in", -1), ("in", -0.5), ("in", float("nan")), ("in", float("inf")), ("in", 1e300), ("in", datetime.timedelta(seconds=-1)),
            ("at", datetime.datetime(1969, 12, 31, 23, 59, 59, tzinfo=utc)), ("at", datetime.datetime(1, 1, 2, tzinfo=utc)),
        ):
            said.append(value)
            refused = host.patch(link, {"kind": kind})
            self.assertEqual((refused.status, refused.code), (500, "guest-exception"), value)
            self.assertRegex(refused.message, "ValueError: .* is no (span|expiry)", value)
        self.assertEqual(len(host.versions(link)), 1)
        for value in (None, datetime.datetime(9999, 1, 1, tzinfo=utc)):
            said.append(value)
            self.assertEqual(host.patch(link, {"kind": "at"}).status, 200)

    def test_a_state_that_a_handler_spoils_is_its_own_fault_with_field_file_and_line(self):
        @service("/x")
        class Spoilt:
            count: int = field(0, minimum=0)
            due: str = ""

            @patch("text")
            def text(self, ctx: Context):
                ctx.log(Level.INFO, "here")
                self.count = "x"

            @patch("bound")
            def bound(self):
                self.count -= 1

            @patch("large")
            def large(self):
                self.count = 1 << 64

            @patch("object")
            def object(self):
                self.due = datetime.date(2026, 1, 1)

            @patch("taken over")
            def take_over(self, count: int):
                self.count = count

            @patch("twice")
            def twice(self):
                self.count = 1.5
                self.count = 2.5

        host = Host(Spoilt)
        link = host.post("/x", {}).link
        first = Spoilt.text.__code__.co_firstlineno
        for kind, line, told in (
            ("text", 3, 'count must be an integer, found the text "x"'), ("bound", 7, "count must be 0 or more, found -1"),
            ("large", 11, "count must be an integer from"), ("object", 15, "due is no JSON"), ("twice", 21, "count must be an integer, found 2.5"),
        ):
            answer = host.patch(link, {"kind": kind})
            self.assertEqual((answer.status, answer.code, answer.pointer), (500, "guest-outcome", ""), answer)
            self.assertIn(f"the service has left a state that does not fit: {told}", answer.message)
            self.assertTrue(answer.message.endswith(f" at test_service.py:{first + line}"), answer.message)
            self.assertEqual(host.lines[-1][2]["at"], f"test_service.py:{first + line}")
        answer = host.patch(link, {"kind": "taken over", "count": -1})
        self.assertEqual((answer.status, answer.pointer), (400, "/count"), "it is the client's value, at the same place")
        self.assertEqual(len(host.versions(link)), 1)
        self.assertEqual(host.post("/x", {"count": -1}).pointer, "/count", "what the client has sent is the client's")

    def test_what_needs_a_body_is_refused_without_one(self):
        @service("/notes", patch="merge")
        class Note:
            text: str = ""

        host = Host(Note)
        link = host.post("/notes", None).link
        for body in (None, [], "text"):
            for answer in (host.put(link, body), host.patch(link, body)):
                self.assertEqual((answer.status, answer.code), (400, "validation"), answer)
                self.assertIn("needs a JSON object as its body", answer.message)
        self.assertEqual(host.put(link, {"text": "a"}).body["text"], "a")

    def test_integers_beyond_64_bits_are_refused_wherever_they_come_in(self):
        for number in (1 << 64, -(1 << 63) - 1, 10**25):
            self.assertEqual(self.host.post("/bank/accounts", {"owner": "bob", "balance": number}).pointer, "/balance")
            self.assertEqual(self.deposited(number).pointer, "/amount")
        self.assertEqual(self.deposited((1 << 64) - 1).status, 200)

    def deposited(self, amount):
        return self.host.patch(self.link, {"kind": "deposit", "amount": amount, "documentVersion": 0})

    def test_what_cannot_be_is_refused_with_its_place_when_the_class_is_made(self):
        for line, text, told in (
            (4, "n: datetime.date", "X.n is annotated with date, of which steward can make no JSON; known are bool, int"),
            (4, "n: list[set[int]]", "X.n is annotated with set[int]"),
            (4, "n: int | str", "X.n is annotated with int | str"),
            (4, "n: dict[int, str]", "X.n is annotated with dict[int, str]"),
            (4, 'n: int = "x"', 'X.n has a default that must be an integer, found the text "x"'),
            (4, "n: int = field(0, minimum=1)", "X.n has a default that must be 1 or more, found 0"),
            (5, "n: int = 1\n    def handle_patch(self, by: complex): pass", "by of X.handle_patch is annotated with complex"),
        ):
            said, place = self.refused(f'import datetime\n@service("/x")\nclass X:\n    {text}\n')
            self.assertTrue(said.startswith(told), said)
            self.assertEqual(place, f"made.py:{line}")
        for name, told in (('"core/ee"', "factory is 'core/ee', and has to be a path"), ('"/x", name="ä"', "name is 'ä', and has to be of letters")):
            said, place = self.refused(f"\n@service({name})\nclass X:\n    pass\n")
            self.assertTrue(said.startswith(told), said)
            self.assertEqual(place, "made.py:2")

    def refused(self, text):
        """Returns why a module with such a text cannot be loaded, and the place."""
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "made.py")
            with open(file, "w", encoding="utf-8") as made:
                made.write(text)
            spec = importlib.util.spec_from_file_location("made", file)
            module = importlib.util.module_from_spec(spec)
            vars(module).update(service=service, field=field)
            sys.modules["made"] = module
            self.addCleanup(sys.modules.pop, "made", None)
            try:
                spec.loader.exec_module(module)
            except TypeError as error:
                return str(error), place_of(error)
        return self.fail(f"it is loaded: {text}")

    def test_a_stateless_service_answers_every_path_below_it(self):
        answer = self.host.post("/echo/a/b?word=hello%20you", [1])
        self.assertEqual(answer.body, {"link": "/echo/a/b", "word": "hello you", "body": [1]})
        self.assertRegex(self.host.lines[-1][2]["at"], r"^test_service.py:\d+$")
        self.assertEqual(self.host.get("/echo").status, 405)


if __name__ == "__main__":
    unittest.main()
