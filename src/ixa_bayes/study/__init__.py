"""What a paper printed: the ledger of its statistics, what follows from them and what contradicts."""
