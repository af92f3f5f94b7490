"""What every run takes and gives."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
# One array per input → one array per output.
Run = Callable[[Sequence[Array]], list[Array]]
