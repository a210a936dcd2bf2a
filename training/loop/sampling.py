"""What a model writes while it is trained: what the server would, for the same weights and seed."""

from __future__ import annotations

from service.runtime.reference.stepwise import StepwiseDecoder
from service.runtime.sampling import Sampling
from training.config.train import SampleConfig
from training.models.language_model import RecurrentLanguageModel
from training.models.torch_step import TorchStep
from training.served.writing import write
from training.tokenization.tokenizer import TextTokenizer


def sample_text(
    model: RecurrentLanguageModel, tokenizer: TextTokenizer, sample: SampleConfig, seed: int
) -> str:
    """Continue `sample.prompt` by `sample.num_tokens` tokens; the prompt is part of the result.

    Float32 and not int8, and not yet calibrated: otherwise the published model. The training goes
    on as if nothing had been: torch's random numbers are not touched.
    """
    ids = tokenizer.special_ids
    decoder = StepwiseDecoder(
        TorchStep(model), capacity=1, end_id=ids.end, never_drawn=ids.never_sampled
    )
    sampling = Sampling(seed=seed, temperature=sample.temperature)
    [text] = write(decoder, tokenizer, sample.prompt, sample.num_tokens, [sampling])
    return text
