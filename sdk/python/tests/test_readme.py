"""The example of the README, word for word."""

import pathlib
import re
import unittest

from steward import Context, conflict, every, field, patch, service
from steward.context import Answer, Effect, Request
from steward.mock import Host, Response


@service("/core/kettles")
class Kettle:
    """A kettle that rings when it is hot."""

    degrees: int = field(20, minimum=0, maximum=100)
    owner: str | None = field(None, max_length=40)

    @patch("heat")
    def heat(self, ctx: Context, degrees: int = field(minimum=1)):
        if self.degrees + degrees > 100:
            raise conflict("water boils at 100")
        self.degrees += degrees
        if self.degrees == 100:
            ctx.self_patch({"kind": "ring"}).after(3)

    @patch("ring")
    def ring(self, ctx: Context):
        ctx.create("/core/rings", {"kettle": ctx.link})
        self.degrees = 90

    @every("1m")
    def handle_maintenance(self):
        self.degrees = max(self.degrees - 5, 20)


class TestKettle(unittest.TestCase):
    def test_a_hot_kettle_rings_after_three_seconds(self):
        host = Host(Kettle)
        host.answer("/core/rings", lambda effect: Response(201))
        kettle = host.post("/core/kettles", {}).link
        self.assertEqual(host.patch(kettle, {"kind": "heat", "degrees": 0}).pointer, "/degrees")
        host.patch(kettle, {"kind": "heat", "degrees": 80})
        host.restart()  # timers outlive it
        host.advance(3)  # virtual time: nobody waits
        self.assertEqual(host.sent[1].effect.to, "/core/rings")
        self.assertEqual(len(host.versions(kettle)), 3)

    def test_the_readme_shows_this_file(self):
        here = pathlib.Path(__file__)
        readme = (here.parent.parent / "README.md").read_text()
        for block in readme.split("```python\n")[1:]:
            for line in block.split("```")[0].splitlines():
                self.assertIn(line, here.read_text())

    def test_the_tables_name_what_there_is_and_all_of_it(self):
        readme = (pathlib.Path(__file__).parent.parent / "README.md").read_text()
        tables = {
            "## The context": (Context(Request("/a"), None), Effect("/a", "post"), Answer("", 0, [], None, "")),
            "## The mock host": (Host(), Response(200)),
        }
        for title, subjects in tables.items():
            section = readme.split(title)[1].split("\n## ")[0]
            named = set(re.findall(r"`\.?([a-z_]+)", section)) | set(re.findall(r"[ `]([a-z_]+)(?=[ `])", section))
            there = {name for one in subjects for name in dir(one) if not name.startswith("_")}
            wanted = there - set(vars(Effect("/a", "post"))) - {"outcome", "keeps_state"}
            self.assertEqual(wanted - named, set(), f"{title} leaves out")
            rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))
            called = set(re.findall(r"`\.?([a-z_]+)\(", rows))
            self.assertEqual(called - there, set(), f"{title} names what there is not")


if __name__ == "__main__":
    unittest.main()
