"""Kinds of the single faults in `fixtures.handwritten`, by name: collecting the tests imports no Keras."""

# Every weight is right: the audit has to find each one.
SETTINGS = (
    "pool_window",
    "pool_type",
    "stride_padding_swap",
    "explicit_padding_wrong_side",
    "missing_activation",
    "wrong_activation",
    "prelu_shared_wrong",
    "channel_padding_front",
    "concat_order",
    "resize_convention",
    "residual_before_activation",
    "reshape_wrong_order",
)
