"""Connections of a node to other systems: associations, DICOMweb, polling, delivery."""
