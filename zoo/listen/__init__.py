"""Arrays and NoteSequences made audible and visible: WAV, pictures, the listening page."""
