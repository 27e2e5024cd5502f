"""JSON that is not what was expected."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def spoiled(value: Any, data: st.DataObject) -> Any:
    """`value` with something else somewhere in it."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: spoiled(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        return [spoiled(value[0], data), *value[1:]]
    return data.draw(JSON)
