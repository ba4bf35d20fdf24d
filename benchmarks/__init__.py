"""What things cost: ratios within one run, never a test."""
