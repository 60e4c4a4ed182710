"""`deploy`: a flow from its source to a deployment on a server, in one call."""

from typing import Any, Dict, Optional

from .artifact import LocalArtifact
from .client import DagyClient
from .model import Flow
from .spec import all_nodes, flow_spec


def deploy(flow: Flow, client: DagyClient, *, deployment_name: Optional[str] = None,
           artifact: Optional[LocalArtifact] = None, **more: Any) -> Dict[str, Any]:
    """Registers the flow with its code, and binds `deployment_name` to that version.

    The code is `artifact`, or the folder of the flow's file; a flow without Python tasks has none.
    Returns the flow version. Deploying the same again changes nothing. FlowError before anything is
    sent, DagyError when the server refuses.
    """
    if artifact is None and any(node.task for node in all_nodes(flow.build())):
        artifact = LocalArtifact.of(flow)
    return client.register(flow_spec(flow, artifact), artifact=artifact,
                           deployment_name=deployment_name, **more)
