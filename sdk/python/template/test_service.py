"""What the service promises, proven in memory: no host, no ports, a clock of its own."""

import unittest

from service import Counter
from steward.mock import Host


class TestCounter(unittest.TestCase):
    def setUp(self):
        self.host = Host(Counter)

    def test_a_patch_adds_a_step_or_what_it_says(self):
        counter = self.host.post("/core/my-service", {"step": 5}).link
        self.assertEqual(self.host.patch(counter, {}).body["count"], 5)
        self.assertEqual(self.host.patch(counter, {"by": 37}).body["count"], 42)

    def test_a_step_of_nothing_is_refused_with_its_field(self):
        refused = self.host.post("/core/my-service", {"step": 0})
        self.assertEqual((refused.status, refused.pointer), (400, "/step"))
        self.assertEqual(self.host.links, [])

    def test_a_counter_comes_to_rest(self):
        counter = self.host.post("/core/my-service", {"count": 2}).link
        self.host.advance(10 * 3600)
        self.assertEqual(self.host.get(counter).body["count"], 0)


if __name__ == "__main__":
    unittest.main()
