"""The runner of scripts in Python: the module that componentize-py makes a component of, once for all services.

Its memory is pictured with the SDK and the library loaded. An instance gets the texts of a script in its first call, and runs them.
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import sys

import steward_chance
import steward_library
from steward.context import Level
from steward.exports import HOST, Exports
from steward.fault import NOT_THE_SERVICES, place_of
from steward.service import served
from steward.shape import text_of
from wit_world.imports import script, surroundings

NOT_THE_SERVICES.extend((__file__, steward_chance.__file__))
CHANCE = steward_chance.taken_over()
steward_library.load()


class Unfit(Exception):
    """What the texts are, whatever line one looks at."""


class Scripts(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the files of a script as modules, and says what there is besides if somebody asks for another one."""

    def __init__(self, sources: list[script.Source]) -> None:
        self.sources = {module_name(source.name): source for source in sources}

    def find_spec(self, name, path=None, target=None):
        source = self.sources.get(name)
        is_package = any(other.startswith(f"{name}.") for other in self.sources)
        if source is None and not is_package:
            raise ModuleNotFoundError(missing(name), name=name)
        origin = source.name if source else name.replace(".", "/")
        is_package = is_package or origin.endswith("__init__.py")
        return importlib.util.spec_from_loader(name, self, origin=origin, is_package=is_package)

    def exec_module(self, module) -> None:
        source = self.sources.get(module.__name__)
        if source:
            module.__file__ = source.name
            exec(compile(source.text, source.name, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name: str) -> str | None:
        """Returns the text of a module, for whoever looks for a line of it."""
        source = self.sources.get(name)
        return source and source.text


def module_name(file: str) -> str:
    """Returns the name by which a file is imported."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def missing(name: str) -> str:
    """Returns why there is no such module."""
    if name.split(".")[0] in sys.stdlib_module_names:
        return f"a script does not have the module {name!r}; of Python there are {', '.join(steward_library.MODULES)}"
    return (
        f"there is no module {name!r}: a script has its own files, steward, and a part of Python's library; for packages make a component, "
        "by componentize-py"
    )


def load() -> None:
    """Runs the texts of the script."""
    sources = script.sources()
    for source in sources:
        if module_name(source.name).split(".")[0] in TAKEN:
            raise Unfit(f"{source.name} has the name of a module that is there already; call it another name")
    sys.meta_path.append(Scripts(sources))
    importlib.import_module(module_name(sources[0].name))
    if len(served) != 1:
        raise Unfit(f"{sources[0].name} makes {len(served)} services with @service, and a script is one")


def told(error: BaseException) -> str:
    """Returns what keeps a script from being loaded, with file and line."""
    if isinstance(error, Unfit):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}: {type(error).__name__}: {error.msg}"
    return f"{place_of(error)}: {type(error).__name__}: {error}"


class Service(Exports):
    """What the world calls `service`."""

    def at(self, request):
        if not served:
            try:
                load()
            except BaseException as error:
                HOST.log(Level.ERROR, told(error), text_of({}))
                raise
        now, seed = (request.now_micros, request.seed) if request else (0, 0)
        surroundings.set(now, seed)
        # Other numbers than those of `ctx.random`.
        CHANCE.begin(seed ^ 1)
        return served[0]


def wipe() -> None:
    """Overwrites what freed objects have left behind in memory and on the stack: times of files, and bytes that would be pictured for nothing."""
    end = id(bytes(4 << 20))
    kept = []
    for size in [*(1 << shift for shift in range(18, 9, -1)), *range(512, 0, -16)]:
        # A block of exactly that size; beyond the end begins what nobody has had before.
        while not kept or id(kept[-1]) < end:
            kept.append(bytes(size - EMPTY) if size > EMPTY else float(len(kept)))
        kept.append(None)
    nested = []
    for _ in range(sys.getrecursionlimit() // 2):
        nested = [nested]
    repr(nested)


#: Bytes of an empty text of bytes.
EMPTY = sys.getsizeof(b"")
#: Names that a file of a script cannot have: it would never be found.
TAKEN = {name.split(".")[0] for name in sys.modules}
# Files are gone once this runs: whoever looks for a module there finds none, slowly.
sys.path.clear()
sys.path_importer_cache.clear()
sys.meta_path[:] = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
gc.collect()
wipe()
# What is here lives as long as the instance. Looking through it again would only copy the picture page by page.
gc.freeze()
