"""Other kernels than this machine would choose by itself, so that what holds for one set only shows everywhere.

`pytest --kernels NAME` runs tests with one of these settings: not those that are marked `one_setting`, and where a test
is there for every model, with a few of them unless it is marked `every_setting`.
"""

from collections.abc import Mapping

# Read by the libraries when they are loaded: oneDNN is TensorFlow's and PyTorch's, XLA is JAX's, ATen PyTorch's own;
# OpenBLAS is numpy's. LiteRT, XNNPACK and ONNX Runtime have no such switch: they take what the processor has.
SETTINGS: Mapping[str, Mapping[str, str]] = {
    # TensorFlow's own kernels, and nothing wider than 128 bits where that can be said.
    "portable": {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2",
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Prescott",
    },
    # oneDNN, which TensorFlow takes by itself on some processors only, as it is on one without AVX-512.
    "avx2": {
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
}
