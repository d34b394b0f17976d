"""What a diary tells of its life."""

import unittest

from service import Diary
from steward.mock import Host


class TestDiary(unittest.TestCase):
    def setUp(self):
        self.host = Host(Diary)
        self.reader, self.writer = (self.host.post("/core/diaries", {}).link for _ in range(2))

    def test_letters_arrive_when_they_are_due_and_their_answers_come_back(self):
        late = {"to": self.reader, "note": "late", "delayMillis": 50, "tag": "late"}
        self.host.patch(self.writer, {"letters": [late, {"to": self.reader, "note": "soon"}]})
        self.host.restart()  # timers outlive it
        self.host.advance(0.06)
        self.assertEqual(self.host.get(self.reader).body["notes"], ["soon", "late"])
        diary = self.host.get(self.writer).body
        self.assertEqual((diary["replies"], diary["creates"], diary["starts"]), (["late 200"], 1, 2))
        self.host.advance(1)
        self.assertEqual(self.host.get(self.writer).body["ticks"], 10)

    def test_a_letter_can_be_taken_back(self):
        letters = [{"to": self.reader, "note": note, "delayMillis": 9, "tag": tag} for note, tag in (("a", "a+b &c"), ("b", ""))]
        self.host.patch(self.writer, {"letters": letters})
        self.host.patch(self.writer, {"cancel": "a+b &c"})
        self.host.advance(0.02)
        self.assertEqual(self.host.get(self.reader).body["notes"], ["b"])

    def test_an_end_is_told_to_the_heir(self):
        one = self.host.post("/core/diaries", {"documentSelfLink": "one", "heir": self.reader}).link
        self.host.patch(one, {"expiresInMillis": 10})
        self.host.advance(0.02)
        self.assertEqual(self.host.get(self.reader).body["notes"], ["one ended"])


if __name__ == "__main__":
    unittest.main()
