"""A flow as a FlowSpec, the one document that the server runs."""

from typing import Any, Dict, List, Optional

from .artifact import LocalArtifact
from .errors import FlowError
from .model import Flow, Graph, Node


def flow_spec(flow: Flow, artifact: Optional[LocalArtifact] = None) -> Dict[str, Any]:
    """The FlowSpec; Python tasks are entry points into `artifact` (default: the flow's folder).

    FlowError for what breaks a rule; what the flow's body raises comes through.
    """
    if not isinstance(flow, Flow):
        raise FlowError(f"{flow!r} is no flow: decorate its function with @flow")
    graph = flow.build()
    if artifact is None and any(node.task for node in all_nodes(graph)):
        artifact = LocalArtifact.of(flow)
    document: Dict[str, Any] = {"name": flow.name}
    document.update((name, value) for name, value in flow.options.items() if value is not None)
    if graph.parameters:
        document["parameters"] = [each.document() for each in graph.parameters]
    document["tasks"] = [_task(node, artifact) for node in graph.nodes]
    edges = _edges(graph)
    if edges:
        document["edges"] = edges
    if graph.outputs is not None:
        document["outputs"] = graph.outputs
    for kind, nodes in graph.hooks.items():
        if nodes:
            document[kind] = [_task(node, artifact) for node in nodes]
    return document


def all_nodes(graph: Graph) -> List[Node]:
    """Tasks and hooks."""
    return [*graph.nodes, *(node for nodes in graph.hooks.values() for node in nodes)]


def _task(node: Node, artifact: Optional[LocalArtifact]) -> Dict[str, Any]:
    config = dict(node.config)
    if node.task is not None and artifact is not None:
        config["entrypoint"] = artifact.entrypoint(node.task, node.item_as)
    document: Dict[str, Any] = {"id": node.id, "type": node.type}
    if config:
        document["config"] = config
    for name, value in (("depends_on", node.depends_on), ("inputs", node.inputs),
                        ("map_over", node.map_over)):
        if value:
            document[name] = value
    document.update(node.options)
    return document


def _edges(graph: Graph) -> List[Dict[str, str]]:
    """Only where a branch's choices stand on them: else depends_on says it all."""
    if not any(node.labels for node in graph.nodes):
        return []
    found = []
    for node in graph.nodes:
        for parent in node.depends_on:
            label = {"label": node.labels[parent]} if parent in node.labels else {}
            found.append({"source": parent, "target": node.id, **label})
    return found
