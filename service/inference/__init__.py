"""The use cases: text -> ids -> engine -> ids -> text, with stop strings and session commit."""
