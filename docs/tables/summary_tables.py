"""Tables of the README's summary, and of the figures on each model's page."""

from typing import NamedTuple

from cells import code, means, result, spread

from zoo.errors import markdown


class Row(NamedTuple):
    """A row of the summary."""

    task: str
    ours: str
    published: str
    same_protocol: str
    page: str


def summary() -> str:
    """Returns the table of the best figures and published ones."""
    rows = [
        Row(
            task="JSB chorales, nats per step",
            ours=with_network("polyphonic_jsb", "test_nll"),
            published="3.99 (LV-RNN)",
            same_protocol="yes",
            page="polyphony",
        ),
        Row(
            task="Nottingham, nats per step",
            ours=with_network("polyphonic_nottingham", "test_nll"),
            published="2.305 (DMM-Aug-NADE)",
            same_protocol="yes",
            page="polyphony",
        ),
        Row(
            task="Bach chorales, nats per voice token",
            ours=with_network("chorales_notewise", "valid_nll"),
            published="0.335 (Music Transformer)",
            same_protocol="yes, validation split",
            page="polyphony",
        ),
        Row(
            task="Bach chorales, nats per 16th, averaged orders",
            ours=number("chorales_framewise", "test_ensembled", 3),
            published="0.57 (Coconet)",
            same_protocol="yes",
            page="polyphony",
        ),
        Row(
            task="Two-bar phrases, sampled accuracy",
            ours=(
                number("music_vae_2bar", "accuracy_sampled", 3)
                + f" (rate {number('music_vae_2bar', 'kl', 0)} nats)"
            ),
            published="0.951 (MusicVAE)",
            same_protocol="no: other data",
            page="latent",
        ),
        Row(
            task="64-bar pieces, pitch consistency / variance",
            ours=(
                number("latent_diffusion", "pitch_consistency", 2)
                + " / "
                + number("latent_diffusion", "pitch_variance", 2)
            ),
            published="0.99 / 0.90 (Mittal et al.)",
            same_protocol="no: other data",
            page="latent",
        ),
        Row(
            task="SeqGAN's oracle, NLL_oracle in nats",
            ours=number("seqgan_oracle", "nll_oracle_seqgan", 2),
            published="8.74 (SeqGAN)",
            same_protocol="yes",
            page="games",
        ),
        Row(
            task="Held-out notes, log-mel error in nats",
            ours=number("vocoder_notes", "log_mel", 3),
            published=(
                number("vocoder_notes", "griffin_lim_log_mel", 3)
                + " (Griffin & Lim, run here)"
            ),
            same_protocol="no published figure",
            page="audio",
        ),
    ]
    head = ["task", "here", "published", "same protocol", "details"]
    cells = [[*row[:4], f"[{row.page}](docs/results/{row.page}.md)"] for row in rows]
    return markdown(head, cells)


def number(name: str, metric: str, digits: int) -> str:
    """Formats the mean of a metric over seeds."""
    return f"{means(name)[metric]:.{digits}f}"


def with_network(name: str, metric: str) -> str:
    """Formats a likelihood with the n-gram cache, and that of the network alone."""
    both = number(name, metric, 3), number(name, f"{metric}_alone", 3)
    return "{} (network alone {})".format(*both)


class Figure(NamedTuple):
    """A line of the table on a model's page."""

    experiment: str
    metric: str
    description: str


FIGURES = {  # page of docs/models: its lines
    "lstm": [
        Figure("tunes_lstm", "test_nll", "nats per event, test"),
        Figure("tunes_lstm", "test_accuracy", "share of events predicted, test"),
    ],
    "attention_rnn": [
        Figure("tunes_attention_rnn", "test_nll", "nats per event, test"),
        Figure(
            "tunes_attention_rnn", "test_accuracy", "share of events predicted, test"
        ),
    ],
    "transformer": [
        Figure("tunes_transformer", "test_nll", "nats per event, test"),
        Figure("tunes_transformer", "test_accuracy", "share of events predicted, test"),
    ],
    "markov": [
        Figure("tunes_markov", "test_nll", "nats per event, test"),
        Figure("tunes_markov", "test_accuracy", "share of events predicted, test"),
    ],
    "polyphonic_rnn": [
        Figure("polyphonic_rnn", "test_nll", "nats per step of JSB, test"),
    ],
    "note_transformer": [
        Figure("polyphonic_jsb", "test_nll_alone", "nats per step, test, network"),
        Figure("polyphonic_jsb", "test_nll", "the same with the n-gram cache"),
        Figure("polyphonic_nottingham", "test_nll_alone", "nats per step, network"),
        Figure("polyphonic_nottingham", "test_nll", "the same with the n-gram cache"),
        Figure("chorales_notewise", "valid_nll_alone", "nats per voice token, network"),
        Figure("chorales_notewise", "valid_nll", "the same with the n-gram cache"),
    ],
    "coconet": [
        Figure(
            "chorales_framewise", "test_ensembled", "nats per 16th, averaged orders"
        ),
        Figure(
            "chorales_framewise", "test_framewise", "nats per 16th, mean over orders"
        ),
    ],
    "music_vae": [
        Figure("music_vae_2bar", "accuracy_sampled", "sampled accuracy, two bars"),
        Figure("music_vae_2bar", "kl", "its rate in nats"),
        Figure(
            "music_vae_16bar_hierarchical",
            "accuracy_sampled",
            "sampled accuracy, sixteen bars, hierarchical",
        ),
        Figure(
            "music_vae_16bar_flat",
            "accuracy_sampled",
            "sampled accuracy, sixteen bars, flat",
        ),
        Figure("music_vae_chorales", "accuracy_sampled", "sampled accuracy, chorales"),
        Figure("music_vae_styles", "accuracy_sampled", "sampled accuracy, styles"),
    ],
    "latent_diffusion": [
        Figure("latent_diffusion", "pitch_consistency", "pitch consistency"),
        Figure("latent_diffusion", "pitch_variance", "pitch variance"),
        Figure("latent_diffusion", "recurrence", "recurrence"),
        Figure("latent_diffusion", "real_recurrence", "recurrence of real tunes"),
    ],
    "latent_mdn": [
        Figure("latent_mdn", "pitch_consistency", "pitch consistency"),
        Figure("latent_mdn", "pitch_variance", "pitch variance"),
        Figure("latent_mdn", "recurrence", "recurrence"),
        Figure("latent_mdn", "real_recurrence", "recurrence of real tunes"),
    ],
    "latent_classifier": [
        Figure("style_classifier", "recall", "mean recall of styles, test"),
        Figure("style_classifier", "test_nll", "nats per phrase, test"),
    ],
    "musegan": [
        Figure("musegan_chorales", "scale_consistency", "scale consistency"),
        Figure("musegan_chorales", "real_scale_consistency", "of real phrases"),
        Figure("musegan_chorales", "used_pitch_classes", "pitch classes per bar"),
        Figure("musegan_chorales", "real_used_pitch_classes", "of real phrases"),
    ],
    "seqgan": [
        Figure("seqgan_oracle", "nll_oracle_mle", "NLL_oracle before the game"),
        Figure("seqgan_oracle", "nll_oracle_seqgan", "NLL_oracle after the game"),
        Figure("seqgan_tunes", "likelihood_in_real_4", "4-grams found in real music"),
        Figure("seqgan_tunes", "in_real_4", "the same after the game"),
    ],
    "variational_vocoder": [
        Figure("vocoder_notes", "log_mel", "log-mel error in nats, held-out notes"),
        Figure("vocoder_notes", "griffin_lim_log_mel", "Griffin & Lim"),
        Figure("vocoder_refined", "log_mel", "after training against a critic"),
    ],
    "mel_vocoder": [
        Figure("vocoder_mel", "log_mel", "log-mel error in nats, held-out notes"),
        Figure("vocoder_mel", "griffin_lim_log_mel", "Griffin & Lim"),
    ],
}


def figures_of(page: str) -> str:
    """Returns the table of published figures on the page of a model."""
    rows = []
    for experiment, metric, description in FIGURES[page]:
        value = result(experiment)["metrics"][metric]
        seeds = str(len(value["seeds"]))
        rows.append([code(experiment), description, spread(value), seeds])
    return markdown(["experiment", "figure", "value", "seeds"], rows)
