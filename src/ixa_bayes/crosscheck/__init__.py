"""The frequentist view of the same patients, beside the posterior: what a reader would have computed."""
