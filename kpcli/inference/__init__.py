"""Frames in, faces with landmarks out; knows no folder and no command."""
