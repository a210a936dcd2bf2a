from pathlib import Path

import pytest

from service.artifacts.manifest import Manifest
from service.artifacts.store import ModelStore, read_manifest
from service.artifacts.tokenizer import Tokenizer
from service.models.example import example_prompt
from tests.tiny_model import publish

BUNDLED = ModelStore(Path(__file__).parents[3] / "model_store")


def _example(folder: Path, prompt: object = None) -> str:
    """Of a published model; `prompt` is what it wrote samples from."""
    manifest = read_manifest(folder)
    if prompt is not None:
        manifest = Manifest.model_validate(
            manifest.model_copy(
                update={
                    "provenance": manifest.provenance.model_copy(
                        update={"config": {"sample": {"prompt": prompt}}}
                    )
                }
            ).model_dump()
        )
    path = folder / manifest.tokenizer_file
    tokenizer = Tokenizer(path, path.read_bytes(), manifest.vocabulary_size)
    return example_prompt(manifest, tokenizer)


@pytest.mark.parametrize(
    ("name", "prompt"), [("shakespeare", "ROMEO:"), ("names", ""), ("songci", "")]
)
def test_every_bundled_model_has_an_example_that_fits(name: str, prompt: str):
    """Names and poems begin by themselves."""
    folder = BUNDLED.folder(name, BUNDLED.versions(name)[-1])

    assert prompt == _example(folder)


@pytest.mark.parametrize(
    ("given", "items", "prompt"),
    [
        ("It's", False, "It's"),
        ("It's", True, ""),
        ("ROMEO 5", False, ""),  # it knows no digits
        (None, False, ""),
        (5, False, ""),
    ],
)
def test_an_example_is_a_prompt_that_the_model_knows(
    tmp_path: Path, given: object, items: bool, prompt: str
):
    """All of its characters; otherwise it is empty."""
    folder = publish(tmp_path, start_before_prompt=items)

    assert prompt == _example(folder, given)
