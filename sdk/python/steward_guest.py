"""The service of a project as a component: `steward build` has componentize-py make one of this module."""

import service as _service  # noqa: F401  it registers itself
from steward.exports import Exports
from steward.service import served

if len(served) != 1:
    raise TypeError(f"service.py makes {len(served)} services with @service, and a component is one")


class Service(Exports):
    """What the world calls `service`."""

    def at(self, request):
        return served[0]
