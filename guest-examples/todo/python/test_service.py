"""What a to-do list promises."""

import unittest

from service import Todo, TodoV1
from steward import service
from steward.mock import Host


class TestTodo(unittest.TestCase):
    def setUp(self):
        self.host = Host(Todo)
        self.link = self.host.post("/core/todos", {"title": "house"}).link

    def test_items_are_added_completed_and_removed(self):
        self.host.patch(self.link, {"kind": "add", "text": "sweep"})
        self.host.patch(self.link, {"kind": "add", "text": "mop"})
        self.host.patch(self.link, {"kind": "complete", "id": 1})
        removed = self.host.patch(self.link, {"kind": "remove", "id": 2})
        self.assertEqual(removed.body["items"], [{"id": 1, "text": "sweep", "done": True}])
        self.assertEqual(self.host.patch(self.link, {"kind": "add", "text": "dust"}).body["items"][1]["id"], 3)

    def test_removing_twice_makes_no_second_version(self):
        self.host.patch(self.link, {"kind": "add", "text": "sweep"})
        self.assertEqual(self.host.patch(self.link, {"kind": "remove", "id": 1}).version, 2)
        self.assertEqual(self.host.patch(self.link, {"kind": "remove", "id": 1}).version, 2)

    def test_mistakes_are_refused_with_their_field(self):
        for body, pointer in (
            ({}, "/title"),
            ({"title": ""}, "/title"),
            ({"title": "t", "items": [{"id": 1, "text": ""}]}, "/items/0/text"),
            ({"title": "t", "items": [{"id": 0, "text": "sweep"}]}, "/items/0/id"),
            ({"title": "t", "items": [{"id": "one", "text": "sweep"}]}, "/items/0/id"),
        ):
            refused = self.host.post("/core/todos", body)
            self.assertEqual((refused.status, refused.pointer), (400, pointer), body)
        for body, pointer in (
            ({"kind": "complete", "id": 7}, "/id"),
            ({"kind": "add"}, "/text"),
            ({"kind": "rename", "title": ""}, "/title"),
            ({"kind": "burn"}, "/kind"),
            ({}, "/kind"),
        ):
            refused = self.host.patch(self.link, body)
            self.assertEqual((refused.status, refused.pointer), (400, pointer), body)
        self.assertEqual(len(self.host.versions(self.link)), 1)

    def test_posting_a_list_again_replaces_it(self):
        self.host.post("/core/todos", {"documentSelfLink": "a", "title": "one"})
        again = self.host.post("/core/todos", {"documentSelfLink": "a", "title": "two"})
        self.assertEqual((again.status, again.version, again.body["title"]), (200, 1, "two"))

    def test_lists_of_the_first_version_are_read(self):
        host = Host(service("/core/todos", name="todo")(TodoV1))
        link = host.post("/core/todos", {"title": "house", "items": ["sweep", "mop"]}).link
        host.serve(Todo)
        patched = host.patch(link, {"kind": "complete", "id": 2})
        items = [{"id": 1, "text": "sweep", "done": False}, {"id": 2, "text": "mop", "done": True}]
        self.assertEqual((patched.version, patched.body["items"], patched.body["nextId"]), (1, items, 3))


if __name__ == "__main__":
    unittest.main()
