"""From a config to a model with its initial weights."""

from __future__ import annotations

from torch import nn

from training.config.model import ModelConfig
from training.errors import ConfigError
from training.models.adaptive_softmax import AdaptiveSoftmax, TiedAdaptiveSoftmax
from training.models.bidirectional import BidirectionalLanguageModel
from training.models.contract import Layer
from training.models.dropout import Dropout
from training.models.embedding import TokenEmbedding
from training.models.gru import GRULayer
from training.models.language_model import (
    LanguageModel,
    RecurrentLanguageModel,
    Stack,
)
from training.models.layernorm_lstm import LayerNormLSTMLayer
from training.models.lstm import LSTMLayer
from training.models.output import Output, Softmax
from training.models.peephole_lstm import PeepholeLSTMLayer
from training.models.tanh_rnn import TanhRNNLayer


def build_model(config: ModelConfig, vocabulary_size: int) -> LanguageModel:
    """Draw the initial weights from torch's global generator.

    Raises:
        ConfigError: the vocabulary is too small for the options.
    """
    embedding = TokenEmbedding(
        vocabulary_size,
        config.embedding_size,
        Dropout(config.dropout_input, locked=config.locked_dropout),
        config.dropout_words,
        tied=config.tied,
    )
    stack = _stack(config)
    dropout = Dropout(config.dropout_output, locked=config.locked_dropout)
    output = _output(config, vocabulary_size, embedding.weight)
    if config.bidirectional:
        return BidirectionalLanguageModel(embedding, stack, _stack(config), dropout, output)
    return RecurrentLanguageModel(embedding, stack, dropout, output)


def new_layer(config: ModelConfig, input_size: int) -> Layer:
    """One layer of the architecture."""
    hidden_size, weight_drop = config.hidden_size, config.weight_drop
    match config.architecture:
        case "lstm":
            return LSTMLayer(
                input_size,
                hidden_size,
                projection_size=config.projection_size,
                weight_drop=weight_drop,
            )
        case "gru":
            return GRULayer(input_size, hidden_size, weight_drop=weight_drop)
        case "peephole-lstm":
            return PeepholeLSTMLayer(input_size, hidden_size, weight_drop=weight_drop)
        case "layernorm-lstm":
            return LayerNormLSTMLayer(input_size, hidden_size, weight_drop=weight_drop)
        case "tanh-rnn":
            return TanhRNNLayer(input_size, hidden_size, weight_drop=weight_drop)


def _stack(config: ModelConfig) -> Stack:
    layers = [new_layer(config, config.embedding_size)]
    while len(layers) < config.num_layers:
        layers.append(new_layer(config, layers[-1].output_size))
    dropout = Dropout(config.dropout_between, locked=config.locked_dropout)
    return Stack(layers, dropout, residual=config.residual)


def _output(config: ModelConfig, vocabulary_size: int, embedding_VE: nn.Parameter) -> Output:
    width, cutoffs = config.output_size, config.adaptive_cutoffs
    if not cutoffs:
        return Softmax(width, vocabulary_size, embedding_VE if config.tied else None)
    if cutoffs[-1] >= vocabulary_size:
        raise ConfigError(
            f"model.adaptive_cutoffs: the last is {cutoffs[-1]}, the vocabulary has "
            f"{vocabulary_size} ids only"
        )
    if config.tied:
        return TiedAdaptiveSoftmax(embedding_VE, cutoffs)
    return AdaptiveSoftmax(width, vocabulary_size, cutoffs, config.adaptive_division)
