"""Which function knows which operator."""

from collections.abc import Callable

from converter.ops.steps import Step
from converter.ops.view import OpView

Lowering = Callable[[OpView], list[Step]]


class Registry(dict[str, Lowering]):
    """Operator name → its function. Claiming an operator twice is a mistake."""

    def register(self, kind: str) -> Callable[[Lowering], Lowering]:
        """Decorate the function that knows `kind`, a builtin operator's or a custom op's name."""

        def claim(lowering: Lowering) -> Lowering:
            if kind in self:
                raise ValueError(f"{kind} is claimed by {self[kind].__name__} and {lowering.__name__}")
            self[kind] = lowering
            return lowering

        return claim


OPS = Registry()
