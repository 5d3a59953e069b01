"""Imports an executor without the components, the evaluation library and the Keras that it does not use.

A short step spends most of its time on imports, three of which serve other nodes: `tensorflow` imports Keras,
`tfx.components` imports every component, and TFX's types import all of TFMA for the name of one message. While the
executor is imported, Keras' optimizers are missing, which TensorFlow passes over, and the `__init__` of the other
two does not run; afterwards each of them can be imported as ever.
"""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

KERAS, COMPONENTS, EVALUATION = (
    "keras.src.optimizers",
    "tfx.components",
    "tensorflow_model_analysis",
)
EVALUATOR = f"{COMPONENTS}.evaluator"


def import_executor(class_path: str) -> type:
    """An executor's class, by its dotted path.

    Raises:
      ImportError: there is no such module.
      AttributeError: the module has no such class.
    """
    module, _, name = class_path.rpartition(".")
    with _standing_in(KERAS, None):
        import tensorflow  # noqa: F401
    with contextlib.ExitStack() as stack:
        if module.startswith(COMPONENTS):
            stack.enter_context(_standing_in(COMPONENTS, _empty(COMPONENTS)))
            if not module.startswith(EVALUATOR):
                stack.enter_context(_standing_in(EVALUATION, _empty(EVALUATION)))
        return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def _standing_in(name: str, module: types.ModuleType | None) -> Iterator[None]:
    """Puts a module in a name's place, None to make it missing, unless the name has been imported."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]


def _empty(package: str) -> types.ModuleType:
    """A package whose modules are found, but whose `__init__` has not run."""
    return importlib.util.module_from_spec(importlib.util.find_spec(package))
