"""Random bits: all different, of the right size, also in a process that was forked."""

import os

from service import entropy


def test_bits_are_of_the_right_size_and_all_different():
    """More than there are in a block."""
    texts = [entropy.token_hex(12) for _ in range(1000)]
    numbers = [entropy.randbits(53) for _ in range(1000)]

    assert {24} == {len(text) for text in texts}
    assert 1000 == len(set(texts)) == len(set(numbers))
    assert max(numbers).bit_length() == 53
    assert {0, 1} == {entropy.randbits(1) for _ in range(100)}


def test_a_process_that_was_forked_says_something_else():
    """Both would go on from the same block."""
    entropy.token_hex(1)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, entropy.token_hex(12).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading) as file:
        assert file.read() not in {"", entropy.token_hex(12)}
