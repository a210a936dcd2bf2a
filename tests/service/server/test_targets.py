"""What requests are for."""

import httptools
import pytest

from service.server.targets import path_of, probes_below


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/models?a=/b", b"/models"),
        (b"//x/y", b"//x/y"),
        (b"/a%2Fb#c", b"/a%2Fb"),
        (b"*", b"*"),
        (b"http://host:80/models?a", b"/models"),
        (b"http://[::1]/models", b"/models"),
        (b"http://host", None),
        (b"http://host?a", None),
        (b"http://host:65536/models", None),
        (b"/" + b"y" * 65_535, None),
    ],
)
def test_the_path_of_a_target(target: bytes, path: bytes | None):
    """As it was sent."""
    assert path == path_of(target)


def test_a_target_that_the_parser_lets_through_has_a_path_in_ascii():
    """Or none: uvicorn decodes it where no refusal could be sent any more."""

    class Url:
        """Keeps what is parsed."""

        def on_url(self, url: bytes) -> None:
            """Note it."""
            self.url = url

    num_parsed = 0
    for before in (b"/", b"/a?", b"/a#", b"http://", b"http://h", b"http://h:", b"http://h/", b"a"):
        for byte in range(256):
            target, url = before + bytes([byte]) + b"b", Url()
            try:
                head = b"GET " + target + b" HTTP/1.1\r\n\r\n"
                httptools.HttpRequestParser(url).feed_data(head)
            except httptools.HttpParserError:
                continue
            path = path_of(url.url)
            num_parsed += path is not None
            assert path is None or path.isascii()
    assert num_parsed > 200


def test_probes_are_found_with_the_prefix_and_without():
    """As a proxy passes them on that takes it off, or leaves it."""
    assert {b"/health/live", b"/v2/health/ready"} < probes_below("")
    assert probes_below("") < probes_below("/text")
    assert b"/text/v2/health/live" in probes_below("/text")
