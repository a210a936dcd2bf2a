"""A row: the whole past of a text as a value, and the array types that it is made of."""
