"""The training loop, and what one step of it needs: optimiser, schedule, workers, vectors."""
