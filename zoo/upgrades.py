"""Records that older versions wrote, as this version would have written them.

Version 0.1 recorded a class by its module, such as zoo.models.lstm.LSTM. Classes and
fields that have been renamed since, or divided, are listed here.
"""

from collections.abc import Callable
from typing import Any

Fields = dict[str, Any]


def upgraded(recorded: Fields) -> Fields:
    """Returns a record of one class, by its current name and with its current
    fields."""
    path = recorded["class"]
    name = path.rpartition(".")[2] if path.startswith("zoo.") else path
    fields = {**recorded, "class": name}
    return UPGRADES.get(name, lambda same: same)(fields)


def renamed(fields: Fields, cls: str, **names: str) -> Fields:
    """Returns the fields under the class `cls`, with `old=new` names."""
    moved = {names.get(name, name): value for name, value in fields.items()}
    return {**moved, "class": cls}


def frames(fields: Fields) -> Fields:
    """Frames of 0.1 were frames of a file or corpus, or excerpts of note rows."""
    if "data" not in fields:
        return fields
    fields = renamed(fields, "Frames", data="corpus")
    return {**fields, "class": "NoteRows"} if fields.pop("excerpts", False) else fields


def bars(fields: Fields) -> Fields:
    """Bars of 0.1 were phrases of one part, or of several tracks."""
    if fields.get("codec") == "multitrack":
        return {**fields, "class": "MultitrackPhrases"}
    kept = {k: v for k, v in fields.items() if k not in ("tracks", "keys")}
    return {**kept, "class": "Phrases"}


def latent_classifier(fields: Fields) -> Fields:
    """A classifier of latents had a vocabulary of 0 in 0.1."""
    return {**fields, "vocab": fields.get("vocab", 64) or None}


def latent_sequence_model(fields: Fields) -> Fields:
    """Fields of models of latents had other names in 0.1."""
    names = {"drop": "style_dropout", "steps": "solver_steps"}
    return renamed(fields, fields["class"], **names)


def musegan(fields: Fields) -> Fields:
    """Fields of MuseGAN had other names in 0.1."""
    return renamed(
        fields,
        "MuseGAN",
        chords="polyphonic",
        every="critic_steps",
        given="conditioning",
        reader="critic_width",
    )


def music_vae(fields: Fields) -> Fields:
    """Fields of MusicVAE had other names in 0.1."""
    return renamed(
        fields,
        "MusicVAE",
        anneal="kl_anneal",
        each="free_per_latent",
        free="free_nats",
        schedule="sampling_schedule",
    )


def seqgan(fields: Fields) -> Fields:
    """Fields of SeqGAN had other names in 0.1."""
    return renamed(
        fields,
        "SeqGAN",
        every="critic_steps",
        heat="temperature",
        lessons="likelihood_every",
        trail="policy_rate",
        tutor="critic_warmup",
        warm="warmup",
    )


def vocoder(fields: Fields) -> Fields:
    """The vocoder of 0.1 had a mel spectrogram for its encoder if `mel` was not 0."""
    fields = renamed(
        fields,
        "VariationalVocoder",
        wave="waveform_weight",
        envelope="mel_weight",
        critic="critic_width",
        scales="critic_scales",
        matching="matching_weight",
        sizes="fft_sizes",
        seconds="sample_seconds",
    )
    mel_bands = fields.pop("mel", 0)
    if not mel_bands:
        return fields
    encoder_only = ("latent", "beta", "waveform_weight", "sample_seconds")
    kept = {name: value for name, value in fields.items() if name not in encoder_only}
    return {**kept, "class": "MelVocoder", "mel_bands": mel_bands}


UPGRADES: dict[str, Callable[[Fields], Fields]] = {
    "AttentionRNN": lambda fields: renamed(
        fields, "AttentionRNN", counted="bar_bits", bars="bar_lengths"
    ),
    "Bars": bars,
    "Compound": lambda fields: renamed(
        fields, "Compound", most_bars="max_bars", longest="max_duration"
    ),
    "Frames": frames,
    "LatentClassifier": latent_classifier,
    "LatentDiffusion": latent_sequence_model,
    "LatentMDN": latent_sequence_model,
    "Melody": lambda fields: renamed(fields, "Melody", fewest="min_notes"),
    "MuseGAN": musegan,
    "Multitrack": lambda fields: renamed(fields, "Multitrack", wanted="required"),
    "Music": lambda fields: {**fields, "class": "Events"},
    "MusicVAE": music_vae,
    "NoteTransformer": lambda fields: renamed(
        fields, "NoteTransformer", reach="distances"
    ),
    "Rolls": lambda fields: renamed(fields, "Rolls", wanted="required"),
    "Rounds": lambda fields: {**fields, "class": "LatentSequences"},
    "SeqGAN": seqgan,
    "Transformer": lambda fields: {"bars_counted": 0, "bar_lengths": [], **fields},
    "VariationalVocoder": vocoder,
}
