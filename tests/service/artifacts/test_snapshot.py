"""Whether anything in a store has changed."""

import os
import shutil

from service.artifacts.aliases import set_alias
from service.artifacts.reference import Reference
from service.artifacts.snapshot import snapshot
from tests import tiny_model


def test_whatever_changes_a_store_is_seen(tmp_path):
    """A version more or less, a file that grows, an alias that moves; drafts are nothing yet."""
    seen = [snapshot(tmp_path)]
    folder = tiny_model.publish(tmp_path)
    seen.append(snapshot(tmp_path))
    (tmp_path / "tiny" / ".draft-1").mkdir()
    assert seen[-1] == snapshot(tmp_path)
    (folder / "model.onnx").write_bytes(b"")
    seen.append(snapshot(tmp_path))
    (folder / "gone").symlink_to("/no/such/file")
    seen.append(snapshot(tmp_path))
    for version in (1, 2):
        set_alias(tmp_path, "prod", Reference("tiny", version))
        seen.append(snapshot(tmp_path))
    os.utime(folder / "manifest.json", ns=(1, 1))
    seen.append(snapshot(tmp_path))
    shutil.rmtree(folder)
    seen.append(snapshot(tmp_path))

    assert len(seen) == len(set(seen))
    assert snapshot(tmp_path / "absent") == snapshot(tmp_path / "absent")
