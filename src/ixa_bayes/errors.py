"""What is wrong with an input, said so that its owner can mend it.

Every reader in the package collects all faults of an input and raises them at once, because a
hospital analyst who mends one fault per run gives up before the tenth.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault of an input.

    Attributes
    ----------
    where : str
        File, line and column (or key) of the fault.
    found : str
        The offending value, as it stands in the input.
    rule : str
        What the value should have been.
    mend : str
        What its owner can do about it.
    """

    where: str
    found: str
    rule: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; {self.rule}. To mend: {self.mend}."


class InputError(ValueError):
    """An input that cannot be used, with every fault that was found in it.

    Parameters
    ----------
    problems : iterable of Problem
        At least one fault; kept on ``.problems`` so that callers match fields and not prose.
    """

    SHOWN_AT_MOST = 50

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[: self.SHOWN_AT_MOST]]
        if hidden := len(self.problems) - len(shown):
            shown.append(f"... and {hidden} more of the same input; mend these first.")
        super().__init__("\n".join(shown))
