"""The network that trains: what its options do."""

from __future__ import annotations

from math import ceil

import pytest
import torch

from tests.training.models.small import VOCABULARY, small_config, small_model
from training.errors import ConfigError, ExportError
from training.export.step_graph import export_step
from training.models.bidirectional import BidirectionalLanguageModel
from training.models.build import build_model
from training.models.dropout import Dropout, dropped
from training.models.lstm import LSTMLayer
from training.models.peephole_lstm import PeepholeLSTMLayer


def test_forget_gates_begin_open() -> None:
    """Bias 1 for f, 0 for the rest; torch keeps the gates in the order i, f, C~, o."""
    assert LSTMLayer(2, 3).bias.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


def test_state_is_carried() -> None:
    """Two windows with the state handed over are one window."""
    model = small_model()
    ids_TB = torch.randint(VOCABULARY, (10, 2))
    with torch.inference_mode():
        whole, _ = model(ids_TB, model.zero_state(2))
        first, state = model(ids_TB[:4], model.zero_state(2))
        second, _ = model(ids_TB[4:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)


def test_tied_table_is_one_table() -> None:
    """And is counted once."""
    tied = small_model(tied=True, embedding_size=6)
    loose = small_model(embedding_size=6)
    assert tied.output.weight is tied.embedding.weight
    assert loose.num_parameters() - tied.num_parameters() == VOCABULARY * 6


def test_locked_dropout_leaves_out_the_same_numbers_everywhere() -> None:
    """Along the window, not along the batch; and scales up what it keeps."""
    torch.manual_seed(1)
    dropout = Dropout(0.5, locked=True)
    found_TBH = dropout(torch.ones(9, 4, 50))
    assert set(found_TBH.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(found_TBH, found_TBH[:1].expand(9, 4, 50))
    assert not torch.equal(found_TBH[0, 0], found_TBH[0, 1])
    free_TBH = Dropout(0.5, locked=False)(torch.ones(9, 4, 50))
    assert not torch.equal(free_TBH, free_TBH[:1].expand(9, 4, 50))
    assert torch.equal(dropout.eval()(torch.full((1, 1, 1), 3.0)), torch.full((1, 1, 1), 3.0))


@pytest.mark.parametrize("rate", [0.001, 0.1, 0.3, 0.5, 0.95])
def test_dropout_keeps_the_mean(rate: float) -> None:
    """Each call drops some 256ths and scales up the others by as much; on average the rate."""
    torch.manual_seed(3)
    found = torch.stack([dropped(torch.ones(9, 11), rate, (9, 11)) for _ in range(10_000)])
    share_of_call = (found == 0).float().mean(dim=(1, 2))
    deviation = float(share_of_call.std()) / 100
    assert float(share_of_call.mean()) == pytest.approx(rate, abs=4 * deviation)
    fewer = int(256 * rate)
    scales = [256 / (256 - num_dropped) for num_dropped in {fewer, ceil(256 * rate)}]
    assert sorted(found.unique().tolist()) == pytest.approx(sorted([0.0, *scales]))
    one_call = dropped(torch.ones(1000, 1000), rate, (1000, 1000))
    deviation = (rate / (1.0 - rate) / one_call.numel()) ** 0.5
    assert float(one_call.mean()) == pytest.approx(1.0, abs=5 * deviation)
    assert torch.equal(dropped(found, 0.0, found.shape), found)


def test_dropped_words_are_whole_words() -> None:
    """The same ones wherever they stand."""
    torch.manual_seed(2)
    model = small_model(dropout_words=0.5).train()
    ids_TB = torch.arange(VOCABULARY).repeat(2)[:, None]
    vectors_TBE = model.embedding(ids_TB)
    gone = (vectors_TBE == 0).all(dim=2)
    assert 0 < int(gone.sum()) < 2 * VOCABULARY
    assert torch.equal(gone[:VOCABULARY], gone[VOCABULARY:])
    wanted = 2.0 * model.embedding.weight[ids_TB]
    torch.testing.assert_close(vectors_TBE[~gone], wanted[~gone])
    assert not (model.eval().embedding(ids_TB) == 0).any()


@pytest.mark.parametrize("architecture", ["lstm", "gru", "peephole-lstm", "layernorm-lstm"])
def test_weight_drop_is_for_recurrent_weights_and_training_only(architecture: str) -> None:
    """The first step, from zeros, does not change; later ones do; the weights stay."""
    torch.manual_seed(4)
    model = small_model(architecture=architecture, weight_drop=0.5, num_layers=1)
    ids_TB = torch.randint(VOCABULARY, (6, 2))
    before = {name: w.clone() for name, w in model.named_parameters()}
    whole, _ = model(ids_TB, model.zero_state(2))
    lossy, _ = model.train()(ids_TB, model.zero_state(2))
    torch.testing.assert_close(lossy[0], whole[0])
    assert not torch.allclose(lossy[3], whole[3])
    assert all(torch.equal(before[name], w) for name, w in model.named_parameters())


def test_residual_layers_add() -> None:
    """With a second layer that gives zeros the first one's output goes through."""
    model = small_model(residual=True)
    second = model.stack.recurrent_layers[1]
    with torch.no_grad():
        for parameter in second.parameters():
            parameter.zero_()
    x_TBE = torch.randn(3, 2, 4)
    wanted, _ = model.stack.recurrent_layers[0](x_TBE, model.zero_state(2)[:2])
    found, _ = model.stack(x_TBE, model.zero_state(2))
    torch.testing.assert_close(found, wanted)


def test_peepholes_begin_closed() -> None:
    """Then it is an LSTM, until it learns otherwise."""
    torch.manual_seed(1)
    plain, peeping = LSTMLayer(4, 6), PeepholeLSTMLayer(4, 6)
    peeping.load_state_dict(plain.state_dict() | {"peepholes": peeping.peepholes})
    x_TBE, state = torch.randn(5, 2, 4), (torch.randn(2, 6), torch.randn(2, 6))
    torch.testing.assert_close(plain(x_TBE, state)[0], peeping(x_TBE, state)[0])


ADAPTIVE = {
    "narrow": {"adaptive_cutoffs": [4, 8], "adaptive_division": 2.0},
    "tied": {"adaptive_cutoffs": [4, 8], "tied": True, "embedding_size": 6},
}


@pytest.mark.parametrize("kind", ADAPTIVE)
def test_adaptive_softmax_is_a_distribution(kind: str) -> None:
    """Its losses are those of its logits."""
    model = small_model(**ADAPTIVE[kind])
    ids_TB, targets_TB = torch.randint(VOCABULARY, (2, 7, 3)).unbind()
    logits_TBV, _ = model(ids_TB, model.zero_state(3))
    torch.testing.assert_close(logits_TBV.exp().sum(dim=2), torch.ones(7, 3))
    wanted = -logits_TBV.gather(2, targets_TB[..., None])[..., 0]
    torch.testing.assert_close(model.read(ids_TB, targets_TB, model.zero_state(3)).nats_TB, wanted)


def test_losses_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is kept, large vocabularies are not computed all at once."""
    monkeypatch.setattr("training.models.output._LOGITS_AT_A_TIME", 5 * VOCABULARY - 1)
    output = small_model().output
    output.temperature = 1.5
    hidden_NH, targets_N = torch.rand(9, small_config().hidden_size), torch.arange(9)
    wanted = output.losses(hidden_NH, targets_N)
    sizes: list[int] = []
    output.register_forward_hook(lambda _, __, logits_NV: sizes.append(len(logits_NV)))
    with torch.inference_mode():
        torch.testing.assert_close(output.losses(hidden_NH, targets_N), wanted)
    assert sizes == [4, 4, 1]


@pytest.mark.parametrize("num_words", [3, 5, 9])
@pytest.mark.parametrize("kind", ADAPTIVE)
def test_clusters_that_are_not_computed_would_give_no_gradient(kind: str, num_words: int) -> None:
    """Targets in the shortlist only, in some clusters, in all: as from the logits of all words."""
    output = small_model(**ADAPTIVE[kind]).output
    hidden_NH = torch.rand(num_words, small_config().hidden_size).requires_grad_()
    targets_N = torch.arange(num_words)
    trained = [hidden_NH, *output.parameters()]
    found = torch.autograd.grad(
        output.losses(hidden_NH, targets_N).sum(),
        trained,
        allow_unused=kind == "narrow",
        materialize_grads=kind == "narrow",
    )
    logits_NV = output.logits(hidden_NH)
    wanted = torch.autograd.grad(-logits_NV.gather(1, targets_N[:, None]).sum(), trained)
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(
    ("kind", "products"), [("narrow", torch.float32), ("tied", torch.bfloat16)]
)
def test_adaptive_softmax_under_autocast(kind: str, products: torch.dtype) -> None:
    """Trained in bfloat16 like the rest; its sums stay exact."""
    output = small_model(**ADAPTIVE[kind]).output
    hidden_NH, targets_N = torch.rand(9, small_config().hidden_size), torch.arange(9)
    with torch.autocast("cpu", torch.bfloat16):
        nats_N, logits_NV = output.losses(hidden_NH, targets_N), output.logits(hidden_NH)
    tolerance = 4 * torch.finfo(products).eps
    exact_N = output.losses(hidden_NH, targets_N)
    torch.testing.assert_close(nats_N, exact_N, rtol=tolerance, atol=tolerance)
    found_N = -logits_NV.gather(1, targets_N[:, None])[:, 0]
    torch.testing.assert_close(found_N, exact_N, rtol=tolerance, atol=tolerance)
    assert torch.float32 == nats_N.dtype == logits_NV.dtype


def test_cutoffs_beyond_the_vocabulary_are_refused() -> None:
    """By the name of the option."""
    with pytest.raises(ConfigError, match=r"model\.adaptive_cutoffs: the last is 11"):
        small_model(adaptive_cutoffs=[4, 11], adaptive_division=2.0)


class TestBidirectional:
    """A model that scores."""

    def build(self) -> BidirectionalLanguageModel:
        """A small one."""
        torch.manual_seed(3)
        model = build_model(small_config(bidirectional=True), VOCABULARY).eval()
        assert isinstance(model, BidirectionalLanguageModel)
        return model

    def nats(self, model: BidirectionalLanguageModel, text: torch.Tensor) -> torch.Tensor:
        """Of each token of int64[N] but the first."""
        return model.read(text[:-1, None], text[1:, None], model.zero_state(1)).nats_TB[:, 0]

    def test_it_knows_what_comes_after_but_not_what_it_is_asked(self) -> None:
        """Another last token changes the losses of earlier places, but a place's own does not."""
        model = self.build()
        text = torch.randint(VOCABULARY, (9,))
        with torch.inference_mode():
            before = self.nats(model, text)
            other = text.clone()
            other[-1] = (text[-1] + 1) % VOCABULARY
            assert (self.nats(model, other)[:-1] != before[:-1]).all()
            # Sum over all that could stand at a place: one, if the place itself was not seen.
            place = 4
            total = 0.0
            for token in range(VOCABULARY):
                other = text.clone()
                other[place + 1] = token
                total += float((-self.nats(model, other)[place]).exp())
        assert total == pytest.approx(1.0, abs=1e-5)

    def test_a_window_of_one_token(self) -> None:
        """There is nothing after it."""
        assert self.nats(self.build(), torch.tensor([1, 2])).shape == (1,)

    def test_it_cannot_become_a_step(self) -> None:
        """The reason is said."""
        with pytest.raises(ExportError, match="comes after it"):
            export_step(self.build(), {})
