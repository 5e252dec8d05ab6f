"""Eight fake devices, strict broadcasting, and compiled programs shared between workers."""

import os
import pathlib
import tempfile

os.environ["XLA_FLAGS"] = " ".join(
    ["--xla_force_host_platform_device_count=8", "--xla_backend_optimization_level=0"]
)
os.environ["JAX_PLATFORMS"] = "cpu"

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(tempfile.gettempdir(), "zoo-xla")))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
