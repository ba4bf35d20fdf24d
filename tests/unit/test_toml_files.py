"""What a fault of a TOML file says: where, what, the rule in plain words, and the mend."""

import re
from pathlib import Path

import pytest

from ixa_bayes.errors import InputError, Problem
from ixa_bayes.models.analysis import read_model
from ixa_bayes.study.definition import read_definition
from ixa_bayes.study.locate import locate
from ixa_bayes.study.toml_files import place_of

from .conftest import DEFINITION

PYDANTIC = re.compile(r"Extra inputs|(Input|String) should|Value error|\^\[|\[key\]|pattern|permitted|tuple|dict")


def faults(tmp_path: Path, text: str) -> list[Problem]:
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_definition(path)
    assert not PYDANTIC.search(str(caught.value))
    return list(caught.value.problems)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if part in line)


PART = '[populations.part]\nlabel = "Part"\n'
X = '[endpoints.x]\nlabel = "X"\n'


@pytest.mark.parametrize(
    ("old", "new", "key", "found", "rule", "mend"),
    [
        ("main_population =", "main_populaton =", "main_populaton", "key 'main_populaton'", "the keys here are name,",
         "write 'main_population', or remove it"),
        ('label = "Marker"', 'lable = "Marker"', "factors.marker.lable", "key 'lable'", "the keys here are label,",
         "write 'label', or remove it"),
        ('title = "A', 'colour = 1\ntitle = "A', "colour", "key 'colour'", "the keys here are",
         "remove the key or correct its name"),
        ('main_population = "all"', 'main_population = "al"', "main_population", "'al'", "must be a population: all",
         "write 'all'"),
        ("[factors.marker]", "[factors.Marker]", "factors.Marker", "key 'Marker'", "must be lower-case letters",
         "write 'marker', wherever it is named"),
        ('time_unit = "months"', 'time_unit = "Month"', "time_unit", "'Month'", "must be one of days, weeks, months",
         "write 'months'"),
        ('title = "A toy study"', "title = 7", "title", "7", "must be text", "write it in quotes"),
        ('title = "A toy study"', 'title = ""', "title", "''", "must not be empty", "fill it"),
        ('main_population = "all"', 'main_population = ["all"]', "main_population", "['all']", "must be text", "write"),
        ("complete = false", 'reference = "non"', "factors.marker.reference", "'non'",
         "must be a level of the factor: yes, no", "write 'no'"),
        ("complete = false", 'complete = "maybe"', "factors.marker.complete", "'maybe'",
         "must be true or false", "write true or false, without quotes"),
    ],
)  # fmt: skip
def test_a_changed_key(tmp_path: Path, old: str, new: str, key: str, found: str, rule: str, mend: str) -> None:
    assert old in DEFINITION, old
    text = DEFINITION.replace(old, new, 1)
    told = faults(tmp_path, text)
    [problem] = [problem for problem in told if problem.where.endswith(f", key {key}")]
    assert f"study.toml, line {line_of(text, new.splitlines()[0])}," in problem.where
    assert (problem.found, problem.mend[: len(mend)]) == (found, mend)
    assert problem.rule.startswith(rule)


def test_a_misspelled_key_is_told_once(tmp_path: Path) -> None:
    """Not as an unknown key and, beside it, as a missing one."""
    assert len(faults(tmp_path, DEFINITION.replace("main_population =", "main_populaton ="))) == 1


@pytest.mark.parametrize(
    ("added", "key", "found", "rule", "mend"),
    [
        (PART + 'parent = "al"', "populations.part.parent", "'al'", "must be a population: all, part", "write 'all'"),
        (PART + 'factor = "sexx"\nlevel = "male"', "populations.part.factor", "'sexx'", "must be a factor: ",
         "write 'sex'"),
        (PART + 'factor = "sex"\nlevel = "males"', "populations.part.level", "'males'", "must be a level of factor sex",
         "write 'male'"),
        (PART + 'factor = "sex"', "populations.part.factor", "factor without level", "factor and level", "add level"),
        (PART + 'parent = "part"', "populations.part.parent", "'part'", "a population is a part", "correct or remove"),
        (X + 'kind = "binary"\nwithin = ["toxicty"]', "endpoints.x.within", "'toxicty'",
         "must be an endpoint of kind binary: ", "write 'toxicity'"),
        (X + 'kind = "time_to_event"\nincludes = ["response"]', "endpoints.x.includes", "'response'",
         "must be an endpoint of kind time_to_event: rfs", "correct the name, or define it"),
        (X + 'kind = "binary"\nincludes = ["rfs"]', "endpoints.x.includes", "kind binary",
         "includes is for time_to_event endpoints", "a binary endpoint has"),
        (X, "endpoints.x.kind", "no such key", "key endpoints.x.kind is missing",
         "add it with one of binary, time_to_event, continuous"),
        ('[[nesting]]\ninner = { factor = "sex", level = "mal" }\nouter = { factor = "sex", level = "male" }',
         "nesting.0.inner.level", "'mal'", "must be a level of factor sex", "write 'male'"),
    ],
)  # fmt: skip
def test_an_added_table(tmp_path: Path, added: str, key: str, found: str, rule: str, mend: str) -> None:
    text = f"{DEFINITION}\n{added}\n"
    [problem] = faults(tmp_path, text)
    assert problem.where.endswith(f", key {key}")
    line = int(re.findall(r"line (\d+)", problem.where)[0])
    assert text.count("\n") - added.count("\n") - 1 <= line <= text.count("\n")
    assert (problem.found, problem.mend[: len(mend)]) == (found, mend)
    assert problem.rule.startswith(rule)


def test_every_fault_between_keys_is_told_by_itself(tmp_path: Path) -> None:
    text = DEFINITION.replace('main_population = "all"', 'main_population = "al"') + PART + 'parent = "al"\n'
    assert [problem.mend for problem in faults(tmp_path, text)] == ["write 'all'", "write 'all'"]


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("title = \u201cA toy\u201d", 'write straight quotes instead of curly ones: title = "A toy"'),
        ("title = A toy", 'write text in quotes: title = "A toy"'),
        ('title = "A toy', "close the quotes or brackets"),
        ('name = "toy"\nname = "toy"', "this name stands twice in the file; keep one of the two"),
        ("title 7", "correct this line: a key, then ="),
    ],
)
def test_what_is_not_toml(tmp_path: Path, line: str, mend: str) -> None:
    [problem] = faults(tmp_path, f"# a study\n{line}\n")
    assert problem.where.endswith(f"study.toml, line {1 + len(line.splitlines())}")
    assert problem.mend.startswith(mend)
    assert problem.found == repr(line.splitlines()[-1])


def test_the_line_of_a_key_among_texts_of_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    text = 'a = """\n[b]\nx = 1\n"""\n\n# x = 2\n[b]\nx = [\n  1,\n  2,\n]\ny = 3\n[[c]]\nz = 1\n[[c]]\nz = 2\n'
    path.write_text(text, encoding="utf-8")
    want = {("a",): 1, ("b",): 7, ("b", "x"): 8, ("b", "y"): 12, ("c", 0): 13, ("c", 1): 15, ("c", 1, "z"): 16}
    for key, line in want.items():
        shown = ".".join(map(str, key))
        assert place_of(key, path=path) == f"{path}, line {line}, key {shown}"
    assert place_of(("b", "new"), path=path) == f"{path}, line 7, key b.new"


@pytest.mark.parametrize(
    ("old", "new", "key", "mend"),
    [
        ('law = "weibull"', 'law = "weibul"', "baseline.law", "write 'weibull'"),
        ('law = "weibull"', "", "baseline.law", "add it with one of "),
        ("log_sd", "log_sdd", "baseline.median.log_sdd", "write 'log_sd', or remove it"),
        ('kind = "normal"', 'kind = "normall"', "covariates.gfr_le_70.prior.kind", "write 'normal'"),
    ],
)
def test_keys_within_alternatives_of_a_model_file(tmp_path: Path, old: str, new: str, key: str, mend: str) -> None:
    text = locate("pfs_weibull", "model").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_model(path)
    assert not PYDANTIC.search(str(caught.value))
    [problem] = [problem for problem in caught.value.problems if problem.where.endswith(f", key {key}")]
    assert problem.mend.startswith(mend)
