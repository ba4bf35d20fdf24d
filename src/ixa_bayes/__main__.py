"""``python -m ixa_bayes``."""

from ixa_bayes.cli import main

main()
