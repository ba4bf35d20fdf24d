"""Named analyses: what a model file says, and the PyMC models it is turned into."""
