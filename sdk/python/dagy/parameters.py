"""Parameters of a flow: read from its function's signature, checked against what a run is given."""

import inspect
import typing
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from .errors import FlowError
from .options import is_number, name as check_name, plain_json

TYPES: Dict[Any, str] = {str: "string", int: "integer", float: "number", bool: "boolean",
                         dict: "object", list: "array"}
_MATCHES: Dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}


@dataclass(frozen=True)
class ParameterSpec:
    """One parameter. `default` None is none; `choices` are the values allowed."""

    name: str
    type: str
    required: bool
    default: Any = None
    choices: Optional[List[Any]] = None
    description: Optional[str] = None

    def document(self) -> Dict[str, Any]:
        found: Dict[str, Any] = {"name": self.name, "type": self.type, "required": self.required}
        if self.default is not None:
            found["default"] = self.default
        if self.choices is not None:
            found["enum"] = self.choices
        if self.description is not None:
            found["description"] = self.description
        return found

    def fault_of(self, value: Any) -> Optional[str]:
        """Why the value is none of this parameter's, if so."""
        if not _MATCHES[self.type](value):
            return f"must be of type {self.type}, not {value!r}"
        if self.choices is not None and value not in self.choices:
            return "must be one of " + ", ".join(repr(each) for each in self.choices)
        return None


def parameters_of(function: Callable[..., Any]) -> List[ParameterSpec]:
    """FlowError names flow, parameter and rule."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise FlowError(f"flow '{function.__name__}': {error}") from None
    return [_parameter(f"flow '{function.__name__}': parameter '{each.name}'", each,
                       hints.get(each.name))
            for each in inspect.signature(function).parameters.values()]


def _parameter(where: str, given: inspect.Parameter, hint: Any) -> ParameterSpec:
    if given.kind not in (given.POSITIONAL_OR_KEYWORD, given.KEYWORD_ONLY):
        raise FlowError(f"{where} must be one that can be given by name")
    check_name(where, given.name)
    has_default = given.default is not given.empty
    if hint is None and has_default and type(given.default) in TYPES:
        hint = type(given.default)
    notes = getattr(hint, "__metadata__", ())  # of Annotated[type, "description"]
    description = next((each for each in notes if isinstance(each, str)), None)
    kind, choices = _type_of(where, hint.__origin__ if notes else hint)
    default = given.default if has_default else None
    found = ParameterSpec(given.name, kind, not has_default, plain_json(where, default), choices,
                          description)
    fault = found.fault_of(found.default) if found.default is not None else None
    if fault:
        raise FlowError(f"{where}: its default {fault}")
    return found


def _type_of(where: str, hint: Any) -> Tuple[str, Optional[List[Any]]]:
    parts = [each for each in typing.get_args(hint) if each is not type(None)]
    if typing.get_origin(hint) is typing.Literal:
        kinds = {TYPES.get(type(each)) for each in parts}
        kind = kinds.pop()
        if not kinds and kind is not None:
            return kind, parts
    elif type(None) in typing.get_args(hint) and len(parts) == 1:  # Optional[X]
        return _type_of(where, parts[0])
    kind = TYPES.get(typing.get_origin(hint) or hint)
    if kind is None:
        raise FlowError(f"{where} needs a type: str, int, float, bool, dict, list or Literal[…]")
    return kind, None


def resolve(flow: str, declared: List[ParameterSpec], given: Mapping[str, Any]) -> Dict[str, Any]:
    """The value of every parameter, as the server has it. FlowError names all faults at once."""
    known = {each.name: each for each in declared}
    faults = [f"{name}: there is no such parameter" for name in given if name not in known]
    values: Dict[str, Any] = {}
    for each in declared:
        value = given.get(each.name)
        if value is not None:
            value = plain_json(f"parameter '{each.name}'", value)
            fault = each.fault_of(value)
            faults += [f"{each.name}: {fault}"] if fault else []
        elif each.required:
            faults.append(f"{each.name}: is required")
        values[each.name] = each.default if value is None else value
    if faults:
        raise FlowError(f"parameters of flow '{flow}': " + "; ".join(faults))
    return values
