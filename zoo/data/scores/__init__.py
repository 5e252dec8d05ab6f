"""Readers of MIDI, MusicXML and ABC."""
