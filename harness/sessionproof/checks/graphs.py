"""Directed graphs as lists of successors: what is connected both ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def components(successors: Sequence[Sequence[int]]) -> list[list[int]]:
    """The strongly connected components of more than one node, in linear time.

    ``successors[node]`` are the nodes that edges of ``node`` lead to. Edges of a node to itself do
    not count. Tarjan's algorithm, with a stack of its own: a history is deeper than Python's.
    """
    number = len(successors)
    index, low = [-1] * number, [0] * number
    on_stack = bytearray(number)
    stack: list[int] = []
    found: list[list[int]] = []
    counter = 0
    for root in range(number):
        if index[root] >= 0:
            continue
        work: list[tuple[int, Iterator[int]]] = [(root, iter(successors[root]))]
        index[root] = low[root] = counter
        counter += 1
        stack.append(root)
        on_stack[root] = True
        while work:
            node, rest = work[-1]
            for other in rest:
                if index[other] < 0:
                    index[other] = low[other] = counter
                    counter += 1
                    stack.append(other)
                    on_stack[other] = True
                    work.append((other, iter(successors[other])))
                    break
                if on_stack[other] and index[other] < low[node]:
                    low[node] = index[other]
            else:
                work.pop()
                if work and low[node] < low[work[-1][0]]:
                    low[work[-1][0]] = low[node]
                if low[node] == index[node]:
                    component = _taken(stack, on_stack, node)
                    if len(component) > 1:
                        found.append(component)
    return found


def _taken(stack: list[int], on_stack: bytearray, node: int) -> list[int]:
    """The component whose first node is this one, taken off the stack."""
    component: list[int] = []
    while not component or component[-1] != node:
        component.append(stack.pop())
        on_stack[component[-1]] = False
    return component
