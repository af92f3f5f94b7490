"""What can go wrong, as types. Every message names the op, tensor or file; every hint says what to do."""


class UnliteError(Exception):
    """Base of all errors that are the input's or the environment's fault, not a bug.

    Attributes:
        hint: What the user can do about it, or an empty string.
        exit_code: What the command line exits with.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\nhint: {self.hint}" if self.hint else message


class MalformedModel(UnliteError):
    """The bytes are not a valid `.tflite` file."""


class UnsupportedModel(UnliteError):
    """A valid file of a kind that has no Keras equivalent here (several subgraphs, no batch axis)."""


class UnsupportedOp(UnliteError):
    """One operator, or one of its options, has no Keras equivalent here."""

    exit_code = 3


class ShapeDisagreement(UnliteError):
    """A rebuilt layer gives another shape than the file declares."""


class ModelNotFound(UnliteError):
    """No such file, and no known model of that name."""


class DownloadFailed(UnliteError):
    """A known model could not be fetched, or is not what it should be."""


class OutputNotWritten(UnliteError):
    """A result could not be written; nothing was left behind."""


class MissingBackend(UnliteError):
    """Keras, its back end, or another package that this needs is not installed."""


class VerificationImpossible(UnliteError):
    """No runtime here can run the original, not even in parts."""


class BadOverride(UnliteError):
    """A row of an override table is unknown, fits nothing, contradicts another row, or does nothing."""


class PlanIncomplete(UnliteError):
    """Something is left over on either side; no weight was transferred."""


class BadCandidate(UnliteError):
    """What should be compared cannot be loaded or run."""


class BadInput(UnliteError):
    """Arrays to run a model on that it cannot take."""


class BadDetector(UnliteError):
    """Nothing says what a detector's tensors mean, or a table of detectors is wrong."""


class BadPicture(UnliteError):
    """A file or camera that gives no picture."""


class BadData(UnliteError):
    """A data set that nothing can be learned from, or that cannot be read."""


class CannotExport(UnliteError):
    """A Keras model's weights have no place in the file; nothing was written."""


class BadHead(UnliteError):
    """A model has no head that could get other classes, or what is asked for makes no sense."""


class CannotChange(UnliteError):
    """A model cannot be changed as asked; it was left as it is."""


class MissingRuntime(UnliteError):
    """A runtime that something shall be measured in is unknown, or not installed."""
