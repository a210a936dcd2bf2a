"""Which rows run next, for how many steps, and what is read only once. Ints and numpy only."""
