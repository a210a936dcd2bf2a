"""The loop: many texts, one thread, one burst after another. Token ids and numpy only.

admit -> plan -> burst -> settle -> publish. `engine` runs it, `scheduler` decides (pure, testable
with ints), `inbox` and `stream` are the two bounded doors between the thread and the event loop.
"""
