"""The mock host creates documents anew as the host does: after a deletion by a number or a header, after an expiry at once."""

import unittest

from steward import Context, service
from steward.mock import Host

LINK = "/leaflets/a"


@service("/leaflets", options=["IDEMPOTENT_POST"])
class Leaflet:
    """A leaflet that remembers at which version it was told to begin, and has another one printed."""

    told: int = 0

    def handle_create(self, ctx: Context):
        self.told = ctx.version

    def handle_patch(self, ctx: Context):
        ctx.create("/leaflets", {"documentSelfLink": "a", "documentVersion": 99})


class Revival(unittest.TestCase):
    def setUp(self):
        self.host = Host(Leaflet)
        self.create()

    def create(self, headers=None, **more):
        return self.host.post("/leaflets", {"documentSelfLink": "a"} | more, headers=headers)

    def delete(self):
        self.assertEqual(self.host.put(LINK, {}).version, 1)
        gone = self.host.delete(LINK)
        self.assertEqual((gone.version, gone.body["documentUpdateAction"]), (2, "DELETE"))

    def assert_gone(self):
        said = (self.host.get(LINK), self.host.patch(LINK, {}), self.host.put(LINK, {}))
        self.assertEqual([answer.status for answer in said], [404] * 3)

    def assert_new(self, answer, version):
        self.assertEqual((answer.status, answer.version, answer.body["told"]), (201, version, 0))

    def assert_kept(self, *numbers):
        self.assertEqual([version["documentVersion"] for version in self.host.versions(LINK)], list(numbers))

    def test_what_was_deleted_is_created_anew_by_a_higher_version(self):
        self.delete()
        self.assert_gone()
        for refused in (self.create(), self.create(documentVersion=2), self.create(documentVersion=-1)):
            self.assertEqual((refused.status, refused.code), (409, "marked-deleted"))
            told = "create it anew with documentVersion 3 or higher, or with the header Pragma: xn-force-index-update"
            self.assertEqual(refused.message, f"/leaflets/a was deleted, at version 2: {told}")
        unread = self.create(documentVersion="3")
        self.assertEqual((unread.status, unread.pointer), (400, "/documentVersion"))
        self.assert_new(self.create(documentVersion=9), 3)
        self.assert_kept(0, 1, 2, 3)
        self.assertEqual(self.create().version, 4, "it lives, and a POST replaces it")

    def test_the_pragma_creates_anew_and_forgets_the_history(self):
        self.delete()
        self.assertEqual(self.create({"Pragma": "no-cache"}).status, 409)
        self.assert_new(self.create({"Pragma": "no-cache; xn-force-index-update"}), 3)
        self.assert_kept(3)
        self.host.delete(LINK)
        self.assert_new(self.create(documentVersion=5), 5)
        self.assert_kept(3, 4, 5)

    def test_an_effect_needs_a_number_as_well_and_forgets_the_history(self):
        self.delete()
        self.host.patch(self.host.post("/leaflets", {}).link, {})
        self.host.settle()
        self.assertEqual(self.host.sent[0].response.version, 3)
        self.assert_kept(3)

    def test_what_has_expired_leaves_its_link_free(self):
        soon = round(self.host.now.timestamp() * 1_000_000) + 1_000_000
        self.assertEqual(self.host.put(LINK, {"documentExpirationTimeMicros": soon}).version, 1)
        self.host.advance(1)
        self.assert_gone()
        self.assert_kept()
        # The expiry was version 2.
        anew = self.create()
        self.assert_new(anew, 3)
        self.assertEqual(anew.body["documentExpirationTimeMicros"], 0)
        self.assert_kept(3)


if __name__ == "__main__":
    unittest.main()
