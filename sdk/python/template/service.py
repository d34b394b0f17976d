"""A counter that comes to rest by itself, one step an hour."""

from steward import every, field, service


@service("/core/my-service", name="my-service")
class Counter:
    count: int = field(0, minimum=0)
    step: int = field(1, minimum=1)

    def handle_patch(self, by: int = field(None, minimum=1)):
        self.count += self.step if by is None else by

    @every("1h")
    def handle_maintenance(self):
        self.count -= min(self.count, self.step)
