"""``study.toml``: who was studied, which subgroups and endpoints there are, and what is unknown.

The definition holds words and structure only. Numbers stand in ``statistics.csv`` as they were
printed, so that no number is typed twice.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ixa_bayes.errors import InputError
from ixa_bayes.study.hints import did_you_mean
from ixa_bayes.study.toml_files import Key, KeyFault, KeyFaultsError, problems_of, read_toml

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
LevelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]
Text = Annotated[str, Field(min_length=1, max_length=2000)]
EndpointKind = Literal["binary", "time_to_event", "continuous"]
TimeUnit = Literal["days", "weeks", "months", "years"]
Test = Literal["fisher", "mann_whitney", "log_rank", "wald"]

DEFAULT_TEST: dict[EndpointKind, Test] = {"binary": "fisher", "time_to_event": "log_rank", "continuous": "mann_whitney"}
PATIENTS = "patients"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Subgroup(_Strict):
    """One level of one factor."""

    factor: Name
    level: LevelName

    def __str__(self) -> str:
        return f"{self.factor}={self.level}"


class Population(_Strict):
    """A set of patients that results are printed for.

    ``parent`` is the population it is a part of; ``factor`` and ``level`` say which part, where it
    is the level of a factor (its size is then the printed size of that level).
    """

    label: Text
    parent: Name | None = None
    factor: Name | None = None
    level: LevelName | None = None
    definition: str = ""


class Split(_Strict):
    """A binary endpoint that splits patients: those who have it are one level, the evaluable others another."""

    endpoint: Name
    having: LevelName
    lacking: LevelName


class Factor(_Strict):
    """A way to split patients into subgroups.

    ``complete`` says that every patient has exactly one of the levels, so that the levels
    partition the population and their counts add up to its size. ``expected`` says how the other
    levels were expected to do against ``reference`` before the data were seen; the priors of a
    stated effect point that way. ``split_by`` says that the levels are the patients with and without
    a binary endpoint (responders and non-responders), whose counts are then the levels' sizes where
    these are not printed.
    """

    label: Text
    levels: Annotated[dict[LevelName, Text], Field(min_length=1)]
    reference: LevelName | None = None
    complete: bool = True
    measured: Literal["baseline", "after_baseline"] = "baseline"
    expected: Literal["worse", "better"] = "worse"
    split_by: Split | None = None
    definition: str = ""

    @model_validator(mode="after")
    def _levels_exist(self) -> Self:
        split = self.split_by
        named: dict[Key, str | None] = {("reference",): self.reference}
        if split is not None:
            named |= {("split_by", "having"): split.having, ("split_by", "lacking"): split.lacking}
        faults = [
            _among(key, level, "a level of the factor", self.levels)
            for key, level in named.items()
            if level is not None and level not in self.levels
        ]
        if split is not None and not faults and {split.having, split.lacking} != set(self.levels):
            rule = "names both levels of a factor that has two"
            mend = "name the level of patients with the endpoint as having, the other as lacking"
            faults.append(KeyFault(("split_by",), f"levels {', '.join(self.levels)}", rule, mend))
        if faults:
            raise KeyFaultsError(faults)
        return self


class Endpoint(_Strict):
    """What was measured.

    ``evaluable`` names the binary endpoint whose count is the denominator of this one
    (``response_evaluable`` for a response rate). ``components`` are disjoint binary endpoints
    whose counts add up to this one's (CR, VGPR and PR to the overall response).
    ``within`` names endpoints that count a superset of the same patients (CR lies within >= VGPR).
    ``includes`` names time-to-event endpoints whose event is always an event of this one too (overall
    survival, where a death counts for progression-free survival). It does not belong where patients
    can be censored for this one before, say at a new therapy.
    """

    label: Text
    kind: EndpointKind
    better: Literal["higher", "lower", "neither"] = "neither"
    unit: str = ""
    test: Test | None = None
    evaluable: Name | None = None
    components: tuple[Name, ...] = ()
    within: tuple[Name, ...] = ()
    includes: tuple[Name, ...] = ()
    definition: str = ""

    @property
    def test_used(self) -> Test:
        """The test behind a printed p value: the declared one, else the usual one of the kind."""
        return self.test or DEFAULT_TEST[self.kind]


class Nesting(_Strict):
    """Every patient of ``inner`` belongs to ``outer``."""

    inner: Subgroup
    outer: Subgroup


class Unknown(_Strict):
    """Something the paper does not say, and what that means for the reanalysis."""

    what: Text
    consequence: Text


class Limit(_Strict):
    """Something that the study cannot tell by its design, and what that means for its numbers."""

    what: Text
    consequence: Text


class Adjudication(_Strict):
    """A printed value that cannot stand: what is used instead, and why.

    The printed value is not repeated here; it stays in the ledger and results are shown for both.
    """

    row: Name
    field: Literal["value", "lower", "upper", "count", "denominator", "p", "level", "comparator"]
    used: Text
    reason: Text
    alternatives: tuple[str, ...] = ()


class StudyDefinition(_Strict):
    """The content of ``study.toml``; see ``ixa-bayes new-study`` for an annotated example.

    ``literature`` is the folder of other studies' results that may inform priors, relative to the
    study's own and with ``/`` between its parts. Without it no literature is used. ``main_response``
    is the binary endpoint that is read under sceptical and enthusiastic priors too; without it, ``orr``.
    """

    name: Name
    title: Text
    citation: Text
    doi: str = ""
    disease: Text
    design: Text
    time_unit: TimeUnit
    main_population: Name
    main_response: Name | None = None
    literature: Text | None = None
    populations: Annotated[dict[Name, Population], Field(min_length=1)]
    factors: dict[Name, Factor] = {}
    endpoints: Annotated[dict[Name, Endpoint], Field(min_length=1)]
    nesting: tuple[Nesting, ...] = ()
    limits: tuple[Limit, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    adjudications: tuple[Adjudication, ...] = ()

    @field_validator("literature")
    @classmethod
    def _literature_is_relative(cls, value: str | None) -> str | None:
        if value is not None and PureWindowsPath(value).anchor:  # a drive, or a leading slash of any system
            raise ValueError("literature is a folder relative to the study's, so that both can be moved together")
        return value

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        faults = [
            *self._population_faults(),
            *self._endpoint_faults(),
            *self._split_faults(),
            *self._main_response_faults(),
        ]
        for index, nested in enumerate(self.nesting):
            faults += self._subgroup_faults(("nesting", index, "inner"), nested.inner.factor, nested.inner.level)
            faults += self._subgroup_faults(("nesting", index, "outer"), nested.outer.factor, nested.outer.level)
        if faults:
            raise KeyFaultsError(faults)
        return self

    def _population_faults(self) -> Iterator[KeyFault]:
        if self.main_population not in self.populations:
            yield _among(("main_population",), self.main_population, "a population", self.populations)
        for name, population in self.populations.items():
            key = ("populations", name)
            if population.parent is not None and population.parent not in self.populations:
                yield _among((*key, "parent"), population.parent, "a population", self.populations)
            if (population.factor is None) != (population.level is None):
                given, other = ("factor", "level") if population.level is None else ("level", "factor")
                yield KeyFault(
                    (*key, given), f"{given} without {other}", "factor and level come together", f"add {other}"
                )
            elif population.factor is not None and population.level is not None:
                yield from self._subgroup_faults(key, population.factor, population.level)
            if self._is_own_ancestor(name):
                rule = "a population is a part of its parent, never of itself"
                yield KeyFault((*key, "parent"), repr(population.parent), rule, "correct or remove this parent")

    def _endpoint_faults(self) -> Iterator[KeyFault]:
        if PATIENTS in self.endpoints:
            rule = "this name is reserved: it counts who belongs to a population or a subgroup"
            yield KeyFault(("endpoints", PATIENTS), repr(PATIENTS), rule, "choose another name")
        for name, endpoint in self.endpoints.items():
            named: dict[str, tuple[tuple[str, ...], EndpointKind]] = {
                "evaluable": ((endpoint.evaluable,) if endpoint.evaluable else (), "binary"),
                "components": (endpoint.components, "binary"),
                "within": (endpoint.within, "binary"),
                "includes": (endpoint.includes, "time_to_event"),
            }
            for role, (others, kind) in named.items():
                known = self._of_kind(kind)
                for other in sorted(set(others) - set(known)):
                    yield _among(("endpoints", name, role), other, f"an endpoint of kind {kind}", known)
            if endpoint.includes and endpoint.kind != "time_to_event":
                rule, mend = "includes is for time_to_event endpoints", "a binary endpoint has components or within"
                yield KeyFault(("endpoints", name, "includes"), f"kind {endpoint.kind}", rule, mend)

    def _split_faults(self) -> Iterator[KeyFault]:
        binary = self._of_kind("binary")
        for name, factor in self.factors.items():
            if factor.split_by is not None and factor.split_by.endpoint not in binary:
                key = ("factors", name, "split_by", "endpoint")
                yield _among(key, factor.split_by.endpoint, "an endpoint of kind binary", binary)

    def _main_response_faults(self) -> Iterator[KeyFault]:
        name, binary = self.main_response, self._of_kind("binary")
        if name is None:
            return
        if name not in binary:
            yield _among(("main_response",), name, "an endpoint of kind binary", binary)
        elif self.endpoints[name].better != "higher":
            found = f"{name!r}, better = {self.endpoints[name].better!r}"
            rule = "its enthusiastic prior expects a high rate, so a high rate must be the better one"
            mend = f'if it is, write better = "higher" under [endpoints.{name}]; if not, leave main_response out'
            yield KeyFault(("main_response",), found, rule, mend)

    def _of_kind(self, kind: EndpointKind) -> list[str]:
        return [name for name, endpoint in self.endpoints.items() if endpoint.kind == kind]

    def _subgroup_faults(self, key: Key, factor: str, level: str) -> list[KeyFault]:
        if factor not in self.factors:
            return [_among((*key, "factor"), factor, "a factor", self.factors)]
        if level not in self.factors[factor].levels:
            return [_among((*key, "level"), level, f"a level of factor {factor}", self.factors[factor].levels)]
        return []

    def _is_own_ancestor(self, name: str) -> bool:
        seen, current = {name}, self.populations[name].parent
        while current is not None and current in self.populations:
            if current in seen:
                return True
            seen.add(current)
            current = self.populations[current].parent
        return False


def _among(key: Key, word: str, what: str, known: Iterable[str]) -> KeyFault:
    """A name that does not exist, with the one that was probably meant."""
    names = list(known)
    rule = f"must be {what}: {', '.join(names) or 'there is none'}"
    return KeyFault(key, repr(word), rule, did_you_mean(word, names) or "correct the name, or define it")


def read_definition(path: Path) -> StudyDefinition:
    """Read and check ``study.toml``.

    Raises
    ------
    InputError
        With every fault that was found.
    """
    content = read_toml(path)
    try:
        return StudyDefinition.model_validate(content)
    except ValidationError as error:
        raise InputError(problems_of(error, path=path, model=StudyDefinition)) from error
