"""``cohort.toml``: what the columns of a table of patients mean, and how its cells are written.

Everything in it may be left out where the table has the documented column names; nothing about how
cells are written is guessed.
"""

import codecs
import datetime as dt
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ixa_bayes.errors import InputError
from ixa_bayes.study.definition import Name, Text
from ixa_bayes.study.hints import did_you_mean
from ixa_bayes.study.toml_files import problems_of, read_toml

DESCRIPTION_FILE: Final = "cohort.toml"
EvidenceKind = Literal["patients", "simulated", "pseudo_cohort", "digitised"]
CovariateKind = Literal["binary", "continuous", "categorical", "ordered"]
TimeUnit = Literal["days", "weeks", "months", "years"]
DAYS_PER_MONTH: Final = 30.4375
MONTHS_PER: Final[Mapping[TimeUnit, float]] = {
    "days": 1 / DAYS_PER_MONTH,
    "weeks": 7 / DAYS_PER_MONTH,
    "months": 1.0,
    "years": 12.0,
}
Column = Annotated[str, Field(min_length=1, max_length=200)]
Level = Annotated[str, Field(min_length=1, max_length=200)]
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class Columns(_Strict):
    """Columns that are neither an endpoint's nor a covariate.

    ``weight`` is a frequency: how many equal patients the row stands for. ``ignore`` names columns
    that are left unread (remarks, say).
    """

    patient: Column = "patient"
    weight: Column | None = None
    ignore: tuple[Column, ...] = ()


class CompetingDescription(_Strict):
    """An event after which the endpoint's own can no longer come, as death before progression.

    ``own`` and ``other`` are what the two are called. ``counts_as`` says what the other one is for this endpoint: its
    ``event`` too (progression-free survival), or a reason to be ``censored`` (time to progression). Who had it is told
    by another ``endpoint`` of the table, or by words of the event column (``event_is``).
    """

    own: Text
    other: Text
    counts_as: Literal["event", "censored"]
    endpoint: Name | None = None
    event_is: tuple[Level, ...] = ()

    @field_validator("event_is", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return [_word(level) for level in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _told_in_one_way(self) -> Self:
        if (self.endpoint is None) == (not self.event_is):
            raise ValueError("give exactly one of endpoint and event_is, which say who had the competing event")
        if self.own == self.other:
            raise ValueError("own and other are two events and need two names")
        return self


class EndpointDescription(_Strict):
    """Where an endpoint's follow-up stands: as times with an event column, or as dates.

    Times: ``time`` and ``event``, perhaps ``entry`` (start of observation after time 0), and for an
    event that is only known to lie in an interval ``time_lower`` and ``time_upper``. ``event_is`` and
    ``censored_is`` list the words of an event column that is not coded 0/1.

    Dates: ``start_date``, ``event_date`` (several columns: the earliest counts), ``last_contact_date``,
    ``cut_off_date`` (a date, or a column), ``entry_date`` and ``lower_date`` (last seen without the event).

    Either: ``competing`` declares an event that competes with the endpoint's own. ``better`` says whether it is better
    to have the event later (death) or sooner (response), and ``event_free`` what those are called who have not had it.
    """

    label: str = ""
    time: Column | None = None
    event: Column | None = None
    entry: Column | None = None
    time_lower: Column | None = None
    time_upper: Column | None = None
    event_is: tuple[Level, ...] = ()
    censored_is: tuple[Level, ...] = ()
    start_date: Column | None = None
    event_date: tuple[Column, ...] = ()
    last_contact_date: Column | None = None
    cut_off_date: dt.date | Column | None = None
    entry_date: Column | None = None
    lower_date: Column | None = None
    competing: CompetingDescription | None = None
    better: Literal["later", "sooner"] = "later"
    event_free: Text = "event-free"

    @property
    def by_dates(self) -> bool:
        """Whether the endpoint is described by dates."""
        return self.start_date is not None

    @field_validator("event_date", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("cut_off_date", mode="before")
    @classmethod
    def _date_or_column(cls, value: Any) -> Any:
        return dt.date.fromisoformat(value) if isinstance(value, str) and _DATE.fullmatch(value) else value

    @field_validator("event_is", "censored_is", mode="before")
    @classmethod
    def _coded_by_numbers(cls, value: Any) -> Any:
        """Words of an event column that are numbers may be written as numbers."""
        return [_word(level) for level in value] if isinstance(value, list | tuple) else value

    @model_validator(mode="after")
    def _competing_words_are_words_of_the_event(self) -> Self:
        words = set(self.competing.event_is) if self.competing else set()
        if words and not self.event_is:
            raise ValueError("competing.event_is needs event_is and censored_is, the other words of the event column")
        if words & {*self.event_is, *self.censored_is}:
            raise ValueError("competing.event_is shares no word with event_is and censored_is")
        return self

    @model_validator(mode="after")
    def _times_or_dates(self) -> Self:
        times = [key for key in ("time", "event", "entry", "time_lower", "time_upper") if getattr(self, key)]
        dates = ("event_date", "last_contact_date", "cut_off_date", "entry_date", "lower_date")
        dates_given = [key for key in dates if getattr(self, key)]
        if dates_given and not self.by_dates:
            raise ValueError(f"{', '.join(dates_given)} need start_date, from which time counts")
        if self.by_dates and (times or self.event_is or self.censored_is):
            raise ValueError(f"dates and {', '.join(times) or 'event_is, censored_is'} exclude each other")
        if self.by_dates and not self.event_date:
            raise ValueError("start_date needs event_date; its cells are empty where there was no event")
        if self.by_dates and self.last_contact_date is None and self.cut_off_date is None:
            raise ValueError("patients without an event need last_contact_date or cut_off_date")
        if bool(self.event_is) != bool(self.censored_is) or set(self.event_is) & set(self.censored_is):
            raise ValueError("event_is and censored_is are given together and share no word")
        return self


class CovariateDescription(_Strict):
    """A covariate as its owner means it.

    ``levels`` are the cells' words: all levels of a factor (lowest first if ordered), or the two of a
    binary covariate (the first is 0). ``column`` is the table's column where it has another name.
    """

    kind: CovariateKind
    label: str = ""
    unit: str = ""
    levels: tuple[Level, ...] = ()
    reference: Level | None = None
    column: Column | None = None

    @field_validator("levels", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        """Levels coded by numbers may be written as numbers."""
        return [_word(level) for level in value] if isinstance(value, list | tuple) else value

    @field_validator("reference", mode="before")
    @classmethod
    def _word_of_reference(cls, value: Any) -> Any:
        return _word(value)

    @model_validator(mode="after")
    def _levels_fit(self) -> Self:
        if self.kind == "continuous" and (self.levels or self.reference is not None):
            raise ValueError("a continuous covariate has neither levels nor a reference")
        if self.kind != "continuous" and self.unit:
            raise ValueError(f"a {self.kind} covariate has no unit")
        if repeated := sorted({level for level in self.levels if self.levels.count(level) > 1}):
            raise ValueError(f"levels {repeated} stand twice")
        if self.kind == "binary" and len(self.levels) not in (0, 2):
            raise ValueError(f"a binary covariate has two levels, not {len(self.levels)}; use categorical or ordered")
        if self.kind == "ordered" and len(self.levels) < 2:
            raise ValueError("an ordered covariate lists its levels, lowest first")
        allowed = self.levels or (("0", "1") if self.kind == "binary" else ())
        if self.reference is not None and allowed and self.reference not in allowed:
            close = did_you_mean(self.reference, allowed)
            raise ValueError(
                f"reference {self.reference!r} is not one of {list(allowed)}" + (f"; {close}" * bool(close))
            )
        return self


class CohortDescription(_Strict):
    """The content of ``cohort.toml``; see ``ixa-bayes new-cohort`` for an annotated example.

    ``missing`` lists the words that stand for "not known", besides an empty cell. ``long_follow_up``
    says that follow-up above 20 years in the median, or above 100 in one patient, is right.
    """

    name: Name | None = None
    title: str = ""
    evidence_kind: EvidenceKind = "patients"
    file: Text | None = None
    sheet: Text | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] = "."
    encoding: Text = "utf-8"
    date_format: Text = "%Y-%m-%d"
    missing: tuple[str, ...] = ("NA", "NaN", "nan")
    time_unit: TimeUnit = "months"
    long_follow_up: bool = False
    columns: Columns = Columns()
    endpoints: dict[Name, EndpointDescription] = {}
    covariates: dict[Name, CovariateDescription] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)

    @field_validator("file")
    @classmethod
    def _file_is_relative(cls, value: str | None) -> str | None:
        if value is not None and PureWindowsPath(value).anchor:  # a drive, or a leading slash of any system
            raise ValueError("file is named relative to cohort.toml, so that both can be moved together")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError as error:
            raise ValueError("no encoding of this name; often utf-8, cp1252 or utf-16") from error

    @field_validator("date_format")
    @classmethod
    def _format_has_a_day(cls, value: str) -> str:
        if not re.search(r"%[dj]|%F|%x", value):
            raise ValueError('a date format names a day, month and year, such as "%d.%m.%Y" for 31.12.2024')
        return value

    @model_validator(mode="after")
    def _separators_differ(self) -> Self:
        if self.separator == self.decimal == ",":
            raise ValueError("separator and decimal are both a comma")
        return self


_SETTING: Final = r'[\w.]+ = (?:"[^"]*"|\[[^\]]*\]|\{[^}]*\}|true|\d+)'
_SETTINGS: Final = re.compile(
    rf"(?P<verb>set|write|add|with) (?P<keys>{_SETTING}(?:(?:, | or ){_SETTING})*)"
    rf"(?: below \[(?P<below>[\w.]+)\])? in {re.escape(DESCRIPTION_FILE)}"
)
"""How messages say which keys to set."""


def as_python(text: str) -> str:
    """A message about ``cohort.toml`` for who passes a table or ``description=`` in Python and has no such file.

    Examples
    --------
    >>> as_python('set decimal = "," in cohort.toml')
    "pass description={'decimal': ','}"
    """
    return _SETTINGS.sub(_passed, text).replace(DESCRIPTION_FILE, "description=")


def _passed(settings: re.Match[str]) -> str:
    below = "".join(f"{part}." for part in (settings["below"] or "").split(".") if part)
    try:
        ways = [
            tomllib.loads("\n".join(f"{below}{key}" for key in re.findall(_SETTING, way)))
            for way in settings["keys"].split(" or ")
        ]
    except tomllib.TOMLDecodeError:  # a word of the table's that holds quotes or brackets
        return settings[0]
    verb = "with" if settings["verb"] == "with" else "pass"
    return f"{verb} description={' or '.join(map(repr, ways))}"


def _word(level: object) -> object:
    if isinstance(level, bool):
        return str(level)
    return f"{level:g}" if isinstance(level, int | float) else level


def read_description(path: Path) -> CohortDescription:
    """Read and check ``cohort.toml``.

    Raises
    ------
    InputError
        With every fault that was found.
    """
    content = read_toml(path)
    return check_description(content, where=path)


def check_description(content: Mapping[str, Any], *, where: Path) -> CohortDescription:
    """Check a description that is already in memory.

    Parameters
    ----------
    content : mapping
        As ``cohort.toml`` holds it.
    where : Path
        What messages call it.

    Raises
    ------
    InputError
        With every fault that was found.
    """
    try:
        return CohortDescription.model_validate(content)
    except ValidationError as error:
        raise InputError(problems_of(error, path=where, model=CohortDescription)) from error
