"""A to-do list: several kinds of PATCH, checks that point at the field, and a state that has outgrown its first shape.

Lists of state version 1 held bare texts. They are read through `from_v1` whenever one is touched.
"""

from __future__ import annotations

from dataclasses import dataclass

from steward import Context, field, invalid, migrate, patch, service


@dataclass(kw_only=True)
class Item:
    """One thing to do."""

    id: int = field(minimum=0)
    text: str = field(min_length=1, max_length=1000)
    done: bool = False


@dataclass(kw_only=True)
class TodoV1:
    """The list as state version 1 kept it."""

    title: str
    items: list[str] = field([])


@service("/core/todos", options=["PERSISTENCE", "REPLICATION", "OWNER_SELECTION", "IDEMPOTENT_POST"], state_version=2)
class Todo:
    """A to-do list. Whoever posts it first makes it; posting it again replaces it."""

    title: str = field(min_length=1, max_length=200, docs="What the list is about.")
    items: list[Item] = field([], max_length=1000, docs="What is to be done, the oldest first.")
    next_id: int = field(1, name="nextId", minimum=1, docs="The id that the next item gets; ids are never used again.")

    def handle_create(self):
        self.check_ids()

    @patch("add")
    def add(self, text: str = field(min_length=1)):
        self.items.append(Item(id=self.next_id, text=text))
        self.next_id += 1

    @patch("complete")
    def complete(self, id: int, done: bool = True):
        found = next((item for item in self.items if item.id == id), None)
        if found is None:
            raise invalid("id", f"there is no item {id}")
        found.done = done

    @patch("remove")
    def remove(self, ctx: Context, id: int):
        left = [item for item in self.items if item.id != id]
        if len(left) == len(self.items):
            # Whoever removes an item twice gets what they want; it makes no second version.
            ctx.unchanged()
        self.items = left

    @patch("rename")
    def rename(self, title: str):
        self.title = title

    @staticmethod
    @migrate(1)
    def from_v1(old: TodoV1) -> Todo:
        items = [Item(id=number, text=text) for number, text in enumerate(old.items, 1)]
        return Todo(title=old.title, items=items, next_id=len(items) + 1)

    def check_ids(self):
        """Refuses a list that a client sent with ids which are not its own."""
        last = 0
        for index, item in enumerate(self.items):
            if item.id <= last:
                raise invalid(f"items/{index}/id", "ids must rise from 1")
            last = item.id
        self.next_id = max(self.next_id, last + 1)
