"""The module `random` of a script: its numbers come out of the seed of the request, and are the same when that runs again."""

import random


class Chance(random.Random):
    """Seeds itself when the first number of a request is drawn: most draw none, and seeding takes as long as half a handler."""

    due = None

    def begin(self, seed):
        """Begins with a request."""
        self.due, self.gauss_next = seed, None

    def settle(self):
        """Seeds itself if that is still to be done."""
        if self.due is not None:
            self.seed(self.due)

    def seed(self, a=None, version=2):
        self.due = None
        super().seed(a, version)

    def random(self):
        self.settle()
        return super().random()

    def getrandbits(self, k):
        self.settle()
        return super().getrandbits(k)

    def getstate(self):
        self.settle()
        return super().getstate()

    def setstate(self, state):
        self.due = None
        super().setstate(state)


def taken_over():
    """Returns what the functions of the module `random` draw from, now and in whatever imports them later."""
    chance = Chance(0)
    for name in random.__all__:
        if hasattr(chance, name):
            setattr(random, name, getattr(chance, name))
    return chance
