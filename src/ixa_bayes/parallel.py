"""Independent work side by side: the one place where the package spreads work over workers."""

from collections.abc import Callable, Iterable, Iterator

from joblib import Parallel, delayed


def each[Item, Result](function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int = 1) -> Iterator[Result]:
    """Results of a function for some items, in their order, as soon as they are there.

    Parameters
    ----------
    function : callable
        Must not depend on what it does for other items. Workers are threads of this process, which share its compiled
        programs: compiled code leaves Python's lock, and programs of nutpie do not pickle.
    items : iterable
    jobs : int
        Workers; -1 for as many as there are cores. Results are the same for any number.

    Yields
    ------
    object
        Of the function.
    """
    yield from Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(delayed(function)(item) for item in items)
