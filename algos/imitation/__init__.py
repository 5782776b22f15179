"""Imitation of a few demonstrations: behaviour cloning, BMIL and their relatives."""
