"""What is probed: the bundled subject, folders, models of the hub."""

from probes.subjects.folder import items_in
from probes.subjects.item import Item
from probes.subjects.loading import load_subject
from probes.subjects.subject import Subject

__all__ = ["Item", "Subject", "items_in", "load_subject"]
