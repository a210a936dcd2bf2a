"""`lstm-serve replay`: proves that a text follows from its receipt, by writing it again."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, ValidationError
from pydantic_settings import CliPositionalArg

from service.observability.streams import complain, say
from service.settings import CapsuleSettings, StoreSettings

if TYPE_CHECKING:
    from service.inference.receipts import Receipt
    from service.models.checked import CheckedModel
    from service.rows.row import Row, RowShape


class Replay(StoreSettings, CapsuleSettings):
    """Write a text again from its receipt, and compare it bit for bit."""

    receipt: CliPositionalArg[str] = Field(description="The receipt, as JSON; `-`: stdin.")
    capsule: str | None = Field(
        None, description="The past that the text goes on from, unless it begins with it."
    )


class Unusable(ValueError):
    """What was given is no receipt, or not the capsule that it takes."""


def replay(asked: Replay) -> int:
    """Write the text again; 0 if all agrees, 1 if something differs, 2 if there is no receipt."""
    # Here and not above, as for `serve`.
    from service.artifacts.errors import ArtifactError
    from service.inference.rewriting import Differs, write_again

    try:
        receipt = _receipt(asked.receipt)
        model = _model(receipt, asked.model_store)
        decoder = model.decoder(capacity=1, num_threads=1)
        past = _past(asked, receipt, model, decoder.row_shape)
        write_again(receipt, model, decoder, past)
    except Unusable as error:
        complain(str(error))
        return 2
    except (Differs, ArtifactError) as error:
        complain(f"{asked.receipt}: {error}")
        return 1
    say(
        f"{receipt.model}: {len(receipt.completion_T)} tokens follow from the receipt, "
        "bit for bit\n"
    )
    return 0


def _receipt(file: str) -> Receipt:
    from service.inference.receipts import Receipt

    try:
        content = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Unusable(f"{file}: {error.strerror}") from error
    try:
        return Receipt.model_validate_json(content)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(map(str, fault["loc"]))
        reason = str(fault["msg"]).removeprefix("Value error, ")
        about = f"{field}: {reason}" if field else reason
        raise Unusable(f"{file} is no receipt: {about}") from error


def _model(receipt: Receipt, root: Path) -> CheckedModel:
    from service.artifacts.reference import Reference
    from service.artifacts.store import ModelStore
    from service.inference.rewriting import Differs
    from service.models.checked import CheckedModel

    try:
        reference = Reference.parse(receipt.model)
        model = CheckedModel.of(ModelStore(root), reference)
    except ValueError as error:
        raise Unusable(f"the receipt's model: {error}") from error
    found = model.artifact.manifest.fingerprint.hex()
    if found != receipt.fingerprint:
        raise Differs(
            f"the model differs: {reference} has the fingerprint {found} in this store, "
            f"the receipt says {receipt.fingerprint}"
        )
    return model


def _past(asked: Replay, receipt: Receipt, model: CheckedModel, shape: RowShape) -> Row | None:
    """The row of the capsule; None without one."""
    from service.inference.receipts import EMPTY
    from service.rows.codec import RowUnreadable, decode_row
    from service.sessions.capsules.errors import CapsuleError
    from service.sessions.capsules.keys import KeysUnreadable, parse_keys
    from service.sessions.capsules.seal import from_text, unseal

    if asked.capsule is None:
        if receipt.start != EMPTY:
            raise Unusable(
                f"the text goes on after {receipt.num_tokens_before} tokens: give the capsule "
                f"of that past, as lstm-serve replay {shlex.quote(asked.receipt)} --capsule FILE"
            )
        return None
    try:
        keys = parse_keys(asked.capsule_key_text())
    except (OSError, UnicodeDecodeError, KeysUnreadable) as error:
        raise Unusable(f"--capsule-keys or --capsule-keys-file: {error}") from error
    try:
        given = Path(asked.capsule).read_bytes()
        is_bytes = given.startswith(b"LSTMCAP")
        sealed = given if is_bytes else from_text(given.decode("ascii", "replace").strip())
        content = unseal(sealed, keys, now_s=0)  # what has expired proves as much
        if not content.row:
            return None
        return decode_row(content.row, shape, model.artifact.manifest.fingerprint)
    except OSError as error:
        raise Unusable(f"{asked.capsule}: {error.strerror}") from error
    except (CapsuleError, RowUnreadable) as error:
        raise Unusable(f"{asked.capsule}: {error}") from error
