"""The modules of Python that scripts find: they are in the memory of the runner, and there is no file from which more could come.

Left out is what needs files, sockets, processes or threads, and what only tools need.
"""

import importlib

MODULES = """
abc array ast base64 binascii bisect calendar cmath codecs collections collections.abc colorsys configparser contextlib contextvars copy csv
dataclasses datetime decimal difflib enum errno fnmatch fractions functools gc graphlib hashlib heapq hmac html html.parser http inspect io ipaddress
itertools json keyword linecache locale logging math numbers operator os pathlib pprint queue random re reprlib secrets shlex statistics
string struct sys textwrap threading time tomllib traceback types typing unicodedata urllib.parse uuid warnings weakref zlib
""".split()

#: What some function of those imports in its first call, and would not find then.
PRIVATE = """
__future__ _ast_unparse _colorize _compat_pickle _pydatetime _strptime annotationlib copyreg encodings.aliases encodings.ascii encodings.cp1252
encodings.idna encodings.iso8859_1 encodings.iso8859_15 encodings.latin_1 encodings.raw_unicode_escape encodings.unicode_escape encodings.utf_16
encodings.utf_16_be encodings.utf_16_le encodings.utf_32 encodings.utf_8 encodings.utf_8_sig html.entities importlib.abc importlib.machinery
importlib.util json.scanner opcode stringprep token tokenize
""".split()


def load() -> None:
    """Imports all of them."""
    for name in MODULES + PRIVATE:
        importlib.import_module(name)
