"""Sweep file to plan to execution."""
