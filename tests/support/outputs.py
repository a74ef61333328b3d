"""Output types of every kind, and values of them."""

import datetime
import enum
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
from hypothesis import strategies as st

__all__ = ["SHAPES", "Circle", "Item", "Node", "Order", "Point", "Shape", "Square", "text_of", "values"]


class Item(msgspec.Struct, frozen=True):
    """One line of an order."""

    name: Annotated[str, msgspec.Meta(min_length=1, description="What it is called")]
    price: Annotated[float, msgspec.Meta(ge=0)]
    kind: Literal["new", "used"] = "new"


class Order(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """An order, with names that JSON writes otherwise."""

    order_number: Annotated[int, msgspec.Meta(gt=0, multiple_of=5)]
    line_items: Annotated[list[Item], msgspec.Meta(max_length=5)] = []
    note: str | None = None


class Node(msgspec.Struct):
    """A tree: its type contains itself."""

    value: int
    kids: list["Node"] = []


class Circle(msgspec.Struct, tag=True):
    """One of two tagged shapes."""

    radius: float


class Square(msgspec.Struct, tag=True):
    """The other one."""

    side: int


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    GREEN = "green"


@dataclass
class Person:
    """A dataclass."""

    name: str
    born: datetime.date


class Movie(TypedDict):
    """A typed dictionary."""

    title: str
    years: list[int]


class Point(NamedTuple):
    """A named tuple, which JSON writes as a list."""

    x: int
    label: str


@attrs.define
class Place:
    """An attrs class."""

    town: str
    zip_code: Annotated[str, msgspec.Meta(pattern="^[0-9]{5}$")]


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(2**53), 2**53)
reals = st.floats(allow_nan=False, allow_infinity=False, width=32)
items = st.builds(Item, words.filter(bool), reals.map(abs), st.sampled_from(["new", "used"]))
nodes = st.recursive(
    st.builds(Node, numbers), lambda kids: st.builds(Node, numbers, st.lists(kids, max_size=2))
)
figures = st.builds(Circle, reals) | st.builds(Square, numbers)
orders = st.builds(
    Order,
    st.integers(1, 1000).map(lambda number: number * 5),
    st.lists(items, max_size=3),
    st.none() | words,
)

Shape = tuple[Any, st.SearchStrategy[Any]]

SHAPES: dict[str, Shape] = {
    "struct": (Order, orders),
    "tree": (Node, nodes),
    "dataclass": (Person, st.builds(Person, words, st.dates())),
    "typed dict": (Movie, st.fixed_dictionaries({"title": words, "years": st.lists(numbers, max_size=4)})),
    "named tuple": (Point, st.builds(Point, numbers, words)),
    "attrs": (
        Place,
        st.builds(Place, words, st.from_regex("[0-9]{5}", fullmatch=True, alphabet="0123456789")),
    ),
    "list": (list[Item], st.lists(items, max_size=3)),
    "number": (int, numbers),
    "text": (str, words),
    "choice": (Literal["yes", "no", 1], st.sampled_from(["yes", "no", 1])),
    "enum": (Colour, st.sampled_from(Colour)),
    "union": (Circle | Square, figures),
    "optional": (Item | None, st.none() | items),
    "mapping": (dict[str, int], st.dictionaries(words, numbers, max_size=4)),
    "list of unions": (list[Circle | Square | None], st.lists(st.none() | figures, max_size=4)),
    "bounded": (Annotated[int, msgspec.Meta(ge=1, le=5)], st.integers(1, 5)),
    "anything": (
        Any,
        st.recursive(words | numbers | st.booleans(), lambda inner: st.lists(inner, max_size=3)),
    ),
}
"""Types that msgspec describes, each with its values."""


def values() -> st.SearchStrategy[tuple[Any, Any]]:
    """A type and a value of it."""
    return st.sampled_from(list(SHAPES)).flatmap(
        lambda name: st.tuples(st.just(SHAPES[name][0]), SHAPES[name][1])
    )


def text_of(value: Any, *, wrapped: bool) -> str:
    """The JSON text that a model would answer with."""
    return msgspec.json.encode({"value": value} if wrapped else value).decode()
