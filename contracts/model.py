"""The one base class of every model that crosses a process boundary."""

from typing import NewType

from pydantic import BaseModel, ConfigDict

ContactId = NewType("ContactId", str)
"""An Amazon Connect contact, as Connect writes it."""
SessionId = NewType("SessionId", str)
"""One transcription of one contact; a contact may have several (other language, other callback)."""


class Contract(BaseModel):
    """Frozen; unknown fields are ignored, so that neighbours one version apart work together."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)
