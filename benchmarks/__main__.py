"""``make bench``."""

from benchmarks import commands

print("# Whole commands, warm, interleaved\n")
print("\n".join(commands.measure()))
