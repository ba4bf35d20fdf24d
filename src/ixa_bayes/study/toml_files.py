"""The one way in for every TOML file: what is wrong in it, told by line and key, with the mend.

The rules themselves are pydantic models; this file says their faults as a clinician can use them.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.study.hints import did_you_mean
from ixa_bayes.study.text_files import read_text

Key = tuple[str | int, ...]
_KEY_ITSELF: Final = "[key]"
"""How pydantic says that the name of a key is at fault, not its value."""

_ABSENT: Final = "no such key"
_PATTERNS: Final = {
    r"^[a-z][a-z0-9_]*$": "must be lower-case letters, digits and underscores, a letter first",
    r"^[a-z0-9][a-z0-9_]*$": "must be lower-case letters, digits and underscores, no underscore first",
}
_SAID: Final = {
    "string_type": ("must be text", "write it in quotes"),
    "bool_type": ("must be true or false", "write true or false, without quotes"),
    "bool_parsing": ("must be true or false", "write true or false, without quotes"),
    "int_type": ("must be a whole number", "write a whole number, without quotes"),
    "int_parsing": ("must be a whole number", "write a whole number, without quotes"),
    "int_from_float": ("must be a whole number", "write a whole number"),
    "float_type": ("must be a number", "write a number, without quotes and with a decimal point"),
    "float_parsing": ("must be a number", "write a number, without quotes and with a decimal point"),
    "string_too_short": ("must not be empty", "fill it"),
    "too_short": ("must not be empty", "fill it"),
    "model_type": ("must be a table of keys", "write it as a table: [its.name] above its keys"),
    "model_attributes_type": ("must be a table of keys", "write it as a table: [its.name] above its keys"),
    "dict_type": ("must be a table of keys", "write it as a table: [its.name] above its keys"),
    "tuple_type": ("must be a list", 'write it in brackets: ["one", "two"]'),
    "list_type": ("must be a list", 'write it in brackets: ["one", "two"]'),
}
_CURLY: Final = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u00ab\u00bb"


@dataclass(frozen=True)
class KeyFault:
    """One key that contradicts another; ``key`` leads to it from the model that finds the fault."""

    key: Key
    found: str
    rule: str
    mend: str


class KeyFaultsError(ValueError):
    """What a model finds wrong between its keys, all at once; :func:`problems_of` tells each by itself."""

    def __init__(self, faults: Iterable[KeyFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{'.'.join(map(str, f.key))} {f.found}: {f.rule}" for f in self.faults))


def read_toml(path: Path) -> dict[str, object]:
    """Read a TOML file.

    Raises
    ------
    InputError
        If the file is missing, not UTF-8 or not TOML; the message names file and line.
    """
    text = read_text(path, if_absent="check the path, or write a template with `ixa-bayes new-study`")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError([_not_toml(str(error), text, path=path)]) from error


def place_of(key: Key, *, path: Path) -> str:
    """The place of a key as messages name it: file, line where the text tells it, and key."""
    return _Places(path).place(key)


def problems_of(error: ValidationError, *, path: Path, model: type[BaseModel]) -> list[Problem]:
    """Translate what pydantic found in a TOML file into problems with a place and a mend.

    Parameters
    ----------
    error : ValidationError
    path : Path
        What messages call the file; lines are told if it can be read there.
    model : type of BaseModel
        What was validated; its fields are the keys that a misspelled one is compared with.
    """
    places, schema = _Places(path), model.model_json_schema()
    faults = [fault for raw in error.errors() for fault in _faults(raw, schema)]
    meant = {(*fault.key[:-1], word) for fault in faults for word in re.findall(r"^write '(\w+)'", fault.mend)}
    told = [fault for fault in faults if not (fault.found == _ABSENT and fault.key in meant)]
    told.sort(key=lambda fault: places.line(fault.key) or 0)
    return [
        Problem(
            places.place(fault.key),
            fault.found,
            f"key {_dotted(places.written(fault.key))} is missing" if fault.found == _ABSENT else fault.rule,
            fault.mend,
        )
        for fault in told
    ]


def _faults(raw: ErrorDetails, schema: Mapping[str, Any]) -> Iterator[KeyFault]:
    """One fault of pydantic's in words; several where a model found several."""
    loc, value, context = tuple(raw["loc"]), raw["input"], raw.get("ctx", {})
    node = _node(schema, schema, loc)
    match raw["type"]:
        case "value_error" if isinstance(context.get("error"), KeyFaultsError):
            yield from (KeyFault((*loc, *f.key), f.found, f.rule, f.mend) for f in context["error"].faults)
        case "value_error":
            rule = raw["msg"].removeprefix("Value error, ")
            several = isinstance(value, Mapping)
            mend = "correct or remove one of these keys" if several else "correct the value"
            yield KeyFault(loc, "keys that do not fit together" if several else _shown(value), rule, mend)
        case "missing":
            yield _missing(loc, _words(node))
        case "union_tag_not_found":
            key = context["discriminator"].strip("'")
            yield _missing((*loc, key), list((node or {}).get("discriminator", {}).get("mapping", {})))
        case "union_tag_invalid":
            key, words = context["discriminator"].strip("'"), re.findall(r"'([^']*)'", context["expected_tags"])
            yield _not_among((*loc, key), context["tag"], words)
        case "literal_error" | "enum":
            yield _not_among(loc, value, re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]])
        case "extra_forbidden":
            known = list((_node(schema, schema, loc[:-1]) or {}).get("properties", {}))
            hint = did_you_mean(str(loc[-1]), known)
            mend = f"{hint}, or remove it" if hint else "remove the key or correct its name"
            yield KeyFault(loc, f"key {str(loc[-1])!r}", f"the keys here are {', '.join(known)}", mend)
        case "string_pattern_mismatch":
            yield _no_name(loc, str(value), context["pattern"])
        case "string_too_long":
            yield KeyFault(loc, _shown(value), f"has at most {context['max_length']} characters", "shorten it")
        case kind:
            generic = re.sub(r"^(Input|String|Value) should", "must", raw["msg"]), "correct the value"
            rule, mend = _SAID.get(kind, generic)
            yield KeyFault(loc, _shown(value), rule, mend)


def _missing(loc: Key, words: list[str]) -> KeyFault:
    mend = f"add it with one of {', '.join(words)}" if len(words) > 1 else "add it"
    return KeyFault(loc, _ABSENT, f"key {_dotted(loc)} is missing", mend)


def _not_among(loc: Key, value: object, words: list[str]) -> KeyFault:
    hint = did_you_mean(str(value), words)
    return KeyFault(loc, _shown(value), f"must be one of {', '.join(words)}", hint or "write one of these")


def _no_name(loc: Key, value: str, pattern: str) -> KeyFault:
    likely = re.sub(r"[^a-z0-9]+", "_", value.casefold()).strip("_")
    mend = f"write {likely!r}, wherever it is named" if re.match(pattern, likely) else "choose such a name"
    is_key = loc[-1:] == (_KEY_ITSELF,)
    found = f"key {value!r}" if is_key else _shown(value)
    return KeyFault(loc[:-1] if is_key else loc, found, _PATTERNS.get(pattern, f"must match {pattern}"), mend)


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return f"a table with the keys {', '.join(map(str, value))}"[:80] if value else "an empty table"
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 80 else f"{text[:76]} ..."


def _dotted(key: Key) -> str:
    return ".".join(str(part) for part in key)


def _words(node: Mapping[str, Any] | None) -> list[str]:
    return [str(word) for word in (node or {}).get("enum", ())]


def _node(node: Mapping[str, Any], schema: Mapping[str, Any], loc: Key) -> Mapping[str, Any] | None:
    """The part of a JSON schema that a place of pydantic's leads to; such a place also names parts of unions."""
    if "$ref" in node:
        return _node(schema["$defs"][node["$ref"].rpartition("/")[2]], schema, loc)
    if not loc:
        options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
        return _node(options[0], schema, loc) if len(options) == 1 else node
    head, rest = loc[0], loc[1:]
    if tagged := node.get("discriminator", {}).get("mapping", {}).get(head):
        return _node({"$ref": tagged}, schema, rest)
    inner = [node["properties"][head]] if head in node.get("properties", {}) else []
    inner += [found for found in (node.get("additionalProperties"), node.get("items")) if isinstance(found, Mapping)]
    inner += node.get("patternProperties", {}).values()
    for found in inner:
        return _node(found, schema, rest)
    reached = (_node(option, schema, loc) for option in (*node.get("oneOf", ()), *node.get("anyOf", ())))
    return next((found for found in reached if found is not None), None)


class _Places:
    """Where keys stand in the text of a TOML file, found by reading ever longer beginnings of it.

    No second parser: the statement that brings a key in is the first after which the file has it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_file = path.suffix == ".toml" and path.is_file()
        self._lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True) if is_file else []
        self._read: dict[int, dict[str, Any] | None] = {}

    def place(self, key: Key) -> str:
        """File, line and key."""
        line, shown = self.line(key), self.written(key)
        parts = [str(self.path), f"line {line}" if line else "", f"key {_dotted(shown)}" if shown else ""]
        return ", ".join(part for part in parts if part)

    def written(self, key: Key) -> Key:
        """A key as its owner writes it, without the names of unions' parts; as it is where there is no file."""
        whole = self._until(len(self._lines)) or {}
        there = _keys_there(whole, key)
        return key if not whole else (*there, *(part for part in key[-1:] if there[-1:] != (part,)))

    def line(self, key: Key) -> int | None:
        """The line that brings in the key, or as much of the way to it as there is."""
        there = _keys_there(self._until(len(self._lines)) or {}, key)
        return self._first_line(there) if there else None

    def _first_line(self, key: Key) -> int:
        before, after = 0, len(self._lines)
        while True:
            middle = (before + after) // 2
            nearest = (*range(middle, before, -1), *range(middle + 1, after))
            cut = next((number for number in nearest if self._until(number) is not None), None)
            if cut is None:
                return before + 1
            if _keys_there(self._until(cut) or {}, key) == key:
                after = cut
            else:
                before = cut

    def _until(self, number: int) -> dict[str, Any] | None:
        """The content of the first lines; None where they end within a list or a text of several lines."""
        if number not in self._read:
            try:
                self._read[number] = tomllib.loads("".join(self._lines[:number]))
            except tomllib.TOMLDecodeError:
                self._read[number] = None
        return self._read[number]


def _keys_there(content: Mapping[str, Any], loc: Key) -> Key:
    """The parts of a place that are keys of the file, without the names of unions' parts."""
    found: list[str | int] = []
    node: Any = content
    for part in loc:
        is_there = (isinstance(node, Mapping) and part in node) or (
            isinstance(node, list) and isinstance(part, int) and part < len(node)
        )
        if is_there:
            found.append(part)
            node = node[part]
    return tuple(found)


def _not_toml(said: str, text: str, *, path: Path) -> Problem:
    """Why a file is not TOML, and what was probably typed."""
    match = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", said, flags=re.DOTALL)
    if match is None:
        return Problem(str(path), said, "the file must be TOML", "correct it")
    lines = text.splitlines()
    number = int(match[2]) if match[2] else len(lines)
    line = lines[number - 1].strip() if 0 < number <= len(lines) else ""
    rule = f"the file must be TOML ({match[1][0].lower()}{match[1][1:]}{f', column {match[3]}' if match[3] else ''})"
    return Problem(f"{path}, line {number}", repr(line[:80]), rule, _how_to_mend(line, match[1]))


def _how_to_mend(line: str, said: str) -> str:
    if any(mark in line for mark in _CURLY):
        straight = re.sub(f"[{_CURLY}]", '"', line)
        return f"write straight quotes instead of curly ones: {straight[:80]}"
    if "twice" in said or "overwrite" in said:
        return "this name stands twice in the file; keep one of the two"
    if bare := re.fullmatch(r"([\w.-]+\s*=\s*)([^\W\d][^\"'#=]*)", line):
        return f'write text in quotes: {bare[1]}"{bare[2].strip()}"'
    if "character '\\n'" in said or "nclosed" in said or "nterminated" in said:
        return "close the quotes or brackets that are open there"
    return "correct this line: a key, then =, then text in quotes, a number, true or false, or a list in brackets"
