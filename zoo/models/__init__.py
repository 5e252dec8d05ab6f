"""One file, one paper. `from zoo.models import LSTM`; `families()` finds what there is."""

import importlib
import pkgutil
from types import ModuleType

from zoo.models.attention_rnn import AttentionRNN
from zoo.models.coconet import Coconet
from zoo.models.latent_classifier import LatentClassifier
from zoo.models.latent_diffusion import LatentDiffusion
from zoo.models.latent_mdn import LatentMDN
from zoo.models.lstm import LSTM
from zoo.models.markov import Markov
from zoo.models.musegan import MuseGAN
from zoo.models.music_vae import MusicVAE
from zoo.models.note_transformer import NoteTransformer
from zoo.models.polyphonic_rnn import PolyphonicRNN
from zoo.models.seqgan import SeqGAN
from zoo.models.transformer import Transformer
from zoo.models.variational_vocoder import VariationalVocoder

__all__ = [
    "LSTM",
    "AttentionRNN",
    "Coconet",
    "LatentClassifier",
    "LatentDiffusion",
    "LatentMDN",
    "Markov",
    "MuseGAN",
    "MusicVAE",
    "NoteTransformer",
    "PolyphonicRNN",
    "SeqGAN",
    "Transformer",
    "VariationalVocoder",
    "families",
]


def families() -> dict[str, ModuleType]:
    """Every family's module by name; each has a `TINY` instance, small enough to test."""
    names = [m.name for m in pkgutil.iter_modules(__path__)]
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}
