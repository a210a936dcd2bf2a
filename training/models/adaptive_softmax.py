"""The end of a language model with many words: rare ones cost something only when they come.

Grave et al. 2017, arXiv:1609.04309. Ids are in order of frequency. The first words (the shortlist)
share a softmax, the head, with one entry for each cluster of rarer words; each cluster has a
softmax of its own. Here "logits" are log-probabilities: of the cluster, plus of the word in it.

Shapes: N places in texts, M of them with a target in one cluster, B rows, H hidden, V vocabulary.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, log_softmax

from training.models.output import WIDE, Output, tempered


class AdaptiveSoftmax(Output):
    """Rare words are predicted from ever narrower views of the hidden state.

    Args:
        hidden_size: H.
        vocabulary_size: V.
        cutoffs: Ids at which the clusters begin, ascending.
        division: Each cluster's view is so many times narrower than the one before.
    """

    def __init__(
        self, hidden_size: int, vocabulary_size: int, cutoffs: Sequence[int], division: float
    ) -> None:
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            hidden_size, vocabulary_size, list(cutoffs), division, head_bias=True
        )

    def _untempered_losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        # Only here are clusters without a target left out: a temperature goes across them.
        with _in_float32():
            log_probability_N: Tensor = self.softmax(hidden_NH.float(), target_N).output
        return -log_probability_N

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """All clusters."""
        with _in_float32():
            log_probability_NV: Tensor = self.softmax.log_prob(hidden_NH.float())
        return log_probability_NV

    def step(self, bound_H: Tensor) -> AdaptiveSoftmaxStep:
        """All clusters."""
        return AdaptiveSoftmaxStep(self, bound_H)


def _in_float32() -> torch.autocast:
    """Under autocast torch's adaptive softmax mixes two types in one tensor, and fails."""
    return torch.autocast("cpu", enabled=False)


class AdaptiveSoftmaxStep(nn.Module):
    """The same factorisation: less to compute than one [H, V] product."""

    head: Tensor
    head_bias: Tensor

    def __init__(self, output: AdaptiveSoftmax, bound_H: Tensor) -> None:
        super().__init__()
        softmax = output.softmax
        self.temperature = output.temperature
        self.num_clusters = softmax.n_clusters
        with torch.no_grad():
            self.register_buffer("head", softmax.head.weight.t() * bound_H[:, None])
            self.register_buffer("head_bias", softmax.head.bias.clone())
            for n in range(self.num_clusters):
                narrow, words = cast("tuple[nn.Linear, nn.Linear]", softmax.tail[n].children())
                self.register_buffer(f"narrow{n}", narrow.weight.t() * bound_H[:, None])
                self.register_buffer(f"{WIDE}words{n}", words.weight.t().contiguous())

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Log-probabilities float32[B, V], over the temperature."""
        tails = [
            hidden_BH @ self.get_buffer(f"narrow{n}") @ self.get_buffer(f"{WIDE}words{n}")
            for n in range(self.num_clusters)
        ]
        head = hidden_BH @ self.head + self.head_bias
        return tempered(log_probabilities(head, tails), self.temperature)


class TiedAdaptiveSoftmax(Output):
    """Words are predicted by their rows of the embedding.

    Both tied and adaptive: Baevski & Auli 2019, arXiv:1809.10853. They narrow the rare words in the
    embedding too; here all have the same width, and no view of the hidden state is needed.

    Args:
        tied: The embedding's table, [V, H].
        cutoffs: Ids at which the clusters begin, ascending.
    """

    def __init__(self, tied: nn.Parameter, cutoffs: Sequence[int]) -> None:
        super().__init__()
        self.vocabulary_size, hidden_size = tied.shape
        bounds = itertools.pairwise([0, *cutoffs, self.vocabulary_size])
        self.sizes = [end - begin for begin, end in bounds]
        self.weight = tied
        self.bias = nn.Parameter(torch.zeros(self.vocabulary_size))
        self.clusters = nn.Linear(hidden_size, len(cutoffs))
        self.cutoffs = torch.tensor(cutoffs)

    def _untempered_losses(self, hidden_NH: Tensor, target_N: Tensor) -> Tensor:
        (shortlist, *tails), (shortlist_bias, *tail_biases) = self.parts()
        cluster_N = torch.bucketize(target_N, self.cutoffs, right=True) - 1  # of the shortlist: -1
        head = linear(
            hidden_NH,
            torch.cat([shortlist, self.clusters.weight]),
            torch.cat([shortlist_bias, self.clusters.bias]),
        )
        entry_N = torch.where(cluster_N < 0, target_N, len(shortlist) + cluster_N)
        nats_N = cross_entropy(head.float(), entry_N, reduction="none")
        for n, (weight, bias) in enumerate(zip(tails, tail_biases, strict=True)):
            (place_M,) = torch.nonzero(cluster_N == n, as_tuple=True)
            logits = linear(hidden_NH[place_M], weight, bias).float()
            word_M = target_N[place_M] - self.cutoffs[n]
            nats_M = cross_entropy(logits, word_M, reduction="none")
            nats_N = nats_N.index_add(0, place_M, nats_M)
        return nats_N

    def logits(self, hidden_NH: Tensor) -> Tensor:
        """All clusters."""
        logits_NV = linear(hidden_NH, self.weight, self.bias)
        shortlist, *tails = torch.split(logits_NV, self.sizes, dim=1)
        head = torch.cat([shortlist, self.clusters(hidden_NH)], dim=1)
        return log_probabilities(head.float(), [tail.float() for tail in tails])

    def step(self, bound_H: Tensor) -> TiedAdaptiveSoftmaxStep:
        """All clusters."""
        return TiedAdaptiveSoftmaxStep(self, bound_H)

    def parts(self) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
        """Weights and biases of the shortlist and of each cluster."""
        return torch.split(self.weight, self.sizes), torch.split(self.bias, self.sizes)


class TiedAdaptiveSoftmaxStep(nn.Module):
    """One product for all words and clusters: they have the same width."""

    projection: Tensor
    bias: Tensor

    def __init__(self, output: TiedAdaptiveSoftmax, bound_H: Tensor) -> None:
        super().__init__()
        self.temperature = output.temperature
        (shortlist, *tails), (shortlist_bias, *tail_biases) = output.parts()
        clusters = output.clusters
        self.sizes = [len(shortlist) + len(tails), *map(len, tails)]
        with torch.no_grad():
            weight = torch.cat([shortlist, clusters.weight, *tails])
            self.register_buffer("projection", weight.t() * bound_H[:, None])
            self.register_buffer("bias", torch.cat([shortlist_bias, clusters.bias, *tail_biases]))

    def forward(self, hidden_BH: Tensor) -> Tensor:
        """Log-probabilities float32[B, V], over the temperature."""
        logits = hidden_BH @ self.projection + self.bias
        head, *tails = torch.split(logits, self.sizes, dim=1)
        return tempered(log_probabilities(head, tails), self.temperature)


def log_probabilities(head: Tensor, tails: Sequence[Tensor]) -> Tensor:
    """Of all words, float32[N, V], from the logits of the head and of the words in each cluster."""
    shortlist_size = head.shape[1] - len(tails)
    head = log_softmax(head, dim=1)
    parts = [head[:, :shortlist_size]]
    for n, tail in enumerate(tails, start=shortlist_size):
        parts.append(head[:, n : n + 1] + log_softmax(tail, dim=1))
    return torch.cat(parts, dim=1)
