"""From model to posterior: compile once and sample many, gate on convergence, keep the result."""
