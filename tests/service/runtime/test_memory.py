from pathlib import Path

from service.runtime.memory import available_bytes


def test_memory_is_that_of_machine_and_container(tmp_path: Path):
    """The smaller of both."""
    assert available_bytes(tmp_path, tmp_path) is None
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    4096 kB\n")
    assert 4096 << 10 == available_bytes(tmp_path, tmp_path)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("400000\n")
    assert 600_000 == available_bytes(tmp_path, tmp_path)
