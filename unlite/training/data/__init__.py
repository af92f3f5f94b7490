"""Pictures with labels, as people have them."""

from unlite.training.data.copies import near_copies
from unlite.training.data.reading import read_dataset
from unlite.training.data.records import Annotation, Dataset, Example, Problem, Split
from unlite.training.data.splitting import split

__all__ = ["Annotation", "Dataset", "Example", "Problem", "Split", "near_copies", "read_dataset", "split"]
