"""Recipes that come with neurodata: one TOML file each, read by neurodata.recipe."""
