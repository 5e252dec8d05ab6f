"""Tables of models with latent variables: autoencoders, latent sequences, styles."""

from cells import RESULTS, RUN_HEAD, code, means, result, run_cells, spread

from zoo.errors import markdown

RECONSTRUCTION = (
    "accuracy_teacher_forced",
    "accuracy_sampled",
    "kl",
    "nll_64",
    "active",
)
RECONSTRUCTION_HEAD = [
    "teacher-forced",
    "sampled",
    "rate, nats",
    "-log p(x), nats",
    "active",
]


def autoencoders() -> str:
    """Returns the table of autoencoders of phrases: accuracy and rate."""
    rows = []
    for path in sorted(RESULTS.glob("music_vae_*.json")):
        published = result(path.stem)
        if RECONSTRUCTION[0] not in published["metrics"]:  # a prior of one of these
            continue
        cells = [spread(published["metrics"][name]) for name in RECONSTRUCTION]
        rows.append([code(path.stem), *cells, *run_cells(published, "kl")])
    return markdown(["experiment", *RECONSTRUCTION_HEAD, *RUN_HEAD], rows)


def rate_by_beta() -> str:
    """Returns the table of accuracy and rate by beta, the weight of the KL term."""
    metrics = result("rate_accuracy")["metrics"]
    betas = [key.removeprefix("kl_") for key in metrics if key.startswith("kl_")]
    rows = []
    for beta in betas:
        cells = [spread(metrics[f"{name}_{beta}"]) for name in RECONSTRUCTION]
        for name in ("between_cost", "between_cost_best"):
            cells.append(f"{100 * metrics[f'{name}_{beta}']['mean']:.0f} %")
        rows.append([beta, *cells])
    head = ["beta", *RECONSTRUCTION_HEAD, "cost deviation", "best of 16"]
    return markdown(head, rows)


def priors() -> str:
    """Returns the table of a learnt prior beside the normal one, and of roads."""
    metrics = means("music_vae_prior")
    share = lambda name: f"{100 * metrics[name]:.0f} %" if name in metrics else "-"
    rows = [
        [name, share(between), share(samples)]
        for name, between, samples in (
            ("learnt; arcs in its noise", "between_cost", "prior_cost"),
            ("normal; great circles", "between_cost_slerp", "prior_cost_normal"),
            ("straight lines", "between_cost_straight", ""),
        )
    ]
    return markdown(["prior", "deviation between", "deviation of samples"], rows)


def inverted() -> str:
    """Returns the share of steps that a map to the prior's noise and back leaves."""
    return f"{means('music_vae_prior')['accuracy_inverted']:.3f}"


def latent_sequences() -> str:
    """Returns the table of pieces generated as sequences of latents, and real ones."""
    kinds = [
        "pitch_consistency",
        "pitch_variance",
        "duration_consistency",
        "duration_variance",
        "recurrence",
    ]
    rows = []
    for name in ("latent_diffusion", "latent_mdn"):
        published = result(name)
        cells = [spread(published["metrics"][kind]) for kind in kinds]
        rows.append([code(name), *cells, *run_cells(published, kinds[0])])
    real = f"{means('latent_mdn')['real_recurrence']:.3f}"
    rows.append(["real tunes", *["1.000"] * (len(kinds) - 1), real, *[""] * 3])
    head = ["experiment", *(kind.replace("_", " ") for kind in kinds)]
    return markdown([*head, *RUN_HEAD], rows)


def attribute_steering() -> str:
    """Returns the table of the effects of attribute steering."""
    metrics = means("music_vae_2bar")
    names = [key.removeprefix("moved_") for key in metrics if key.startswith("moved_")]
    rows = []
    for name in names:
        cells = [metrics[f"{kind}_{name}"] for kind in ("moved", "followed", "others")]
        rows.append([name.replace("_", " "), *(f"{cell:.2f}" for cell in cells)])
    head = ["attribute", "change at strength 1", "correlation with strength"]
    return markdown([*head, "largest change of another"], rows)


def style_transfer() -> str:
    """Returns the table of style transfer, evaluated by two classifiers."""
    metrics = means("style_transfer")
    kinds = ("judge", "chain", "contour", "same")
    pairs = [key.removeprefix("judge_") for key in metrics if key.startswith("judge_")]
    rows = [
        [
            pair.replace("_", " "),
            *(f"{metrics[f'{kind}_{pair}']:.2f}" for kind in kinds),
        ]
        for pair in pairs
        if "_to_" in pair
    ]
    rows.append(["mean", *(f"{metrics[kind]:.2f}" for kind in kinds)])
    head = ["from and to", "neural classifier", "Markov chains"]
    return markdown([*head, "contour correlation", "unchanged steps"], rows)


def cost_deviation() -> str:
    """Returns the deviation of costs of interpolated phrases in `music_vae_styles`."""
    return f"{100 * means('music_vae_styles')['between_cost']:.0f} %"


def cost_deviation_best() -> str:
    """Returns that deviation with the likeliest of 16 samples at each point."""
    return f"{100 * means('music_vae_styles')['between_cost_best']:.0f} %"


def nottingham_reconstruction() -> str:
    """Returns the accuracies and the rate of `music_vae_2bar` on Nottingham."""
    metrics = means("reconstruct")
    forced, sampled = (
        metrics[name] for name in ("accuracy_teacher_forced", "accuracy_sampled")
    )
    return f"{forced:.3f} and {sampled:.3f} at {metrics['kl']:.0f} nats"


def classifier_recall() -> str:
    """Returns the mean recall of the classifier of styles on real phrases."""
    return spread(result("style_classifier")["metrics"]["recall"])
