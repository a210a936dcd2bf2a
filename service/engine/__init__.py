"""The loop: many texts, one thread, one burst after another. Token ids and numpy only.

admit -> plan -> burst -> settle -> publish. `worker` is the thread, `inbox` and `stream` are the
two bounded doors between the thread and the event loop, `rows` is the work: who has a slot, and who
runs next.
"""
