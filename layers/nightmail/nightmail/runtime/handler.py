"""The function's code, found by the name that `_HANDLER` gives: `module.function`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Any

from nightmail.runtime.context import LambdaContext
from nightmail.runtime.faults import Fault

Handler = Callable[[Any, LambdaContext], Any]


def load_handler(name: str) -> Handler:
    """Import it. Raises Fault where it is not there, and what the module itself raises."""
    module_name, dot, attribute = name.rpartition(".")
    if not dot:
        raise Fault(
            "Runtime.MalformedHandlerName", f"Bad handler '{name}': it has to be module.function"
        )
    if module_name.partition(".")[0] in sys.builtin_module_names:
        raise Fault(
            "Runtime.BuiltInModuleConflict",
            f"Cannot use built-in module {module_name} as a handler module",
        )
    module = _module(module_name)
    try:
        handler: Handler = getattr(module, attribute)
    except AttributeError as error:
        message = f"Handler '{attribute}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", message) from error
    return handler


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{name}': {error}"
        raise Fault("Runtime.ImportModuleError", message) from error
    except SyntaxError as error:
        message = f"Syntax error in module '{name}': {error}"
        where = f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'
        raise Fault("Runtime.UserCodeSyntaxError", message, [where]) from error
