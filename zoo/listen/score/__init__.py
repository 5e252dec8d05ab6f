"""Notation of music: its shape, and writers of MEI, MusicXML and ABC."""
