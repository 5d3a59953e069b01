"""What Refit did, in words."""

from collections.abc import Mapping

# Properties of Refit's output, and an outcome.
OUTCOME, TRAINED_UNTIL, APPROVED_UNTIL = "outcome", "trained_until", "approved_until"
REFITTED = "trained on all windows"


def in_words(refit: Mapping[str, str]) -> str:
    """One line from the section `refit` of `metrics.json` and `summary.json`."""
    if refit[OUTCOME] == REFITTED:
        return (
            f"refit: the model is trained on all windows, up to {refit[TRAINED_UNTIL]}; the approved one, "
            f"up to {refit[APPROVED_UNTIL]}, lies beside it"
        )
    return f"refit: none, {refit[OUTCOME]}; the model is trained up to {refit[TRAINED_UNTIL]}"
